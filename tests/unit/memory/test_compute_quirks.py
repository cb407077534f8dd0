"""Exceptions of single architectures that no file of the graph record has."""

from dataclasses import replace

from packer.domain.model import MetadataValue, ModelFile
from packer.memory.compute_graphs.quirks import by_layer, deepstack_count, stacked_number
from tests.graph_facts import Asked
from tests.memory_models import MadeUp
from tests.memory_truth import tiny_model


def stacked(count: MetadataValue) -> ModelFile:
    return MadeUp("qwen3vl", keys={"n_deepstack_layers": count}).file()


def test_the_first_blocks_add_a_deep_embedding_each() -> None:
    model = stacked(3)
    assert deepstack_count(model) == 3
    assert [stacked_number(model, layer) for layer in range(5)] == [1, 2, 3, -1, -1]


def test_without_a_number_there_are_no_deep_embeddings() -> None:
    assert deepstack_count(stacked("three")) == 0
    assert deepstack_count(MadeUp("qwen3vl").file()) == 0
    assert deepstack_count(MadeUp("llama", keys={"n_deepstack_layers": 3}).file()) == 0


def test_a_residual_is_scaled_only_by_a_factor_of_the_file() -> None:
    model = tiny_model("granite-dense.gguf")
    bare = dict(model.metadata)
    del bare["granite.residual_scale"]
    command = "llama-server -m granite-dense.gguf -c 1024 -np 1 -b 64 -ub 64 -fa on"

    def scales(file: ModelFile) -> int:
        asked = Asked(file, command)
        return sum(line.startswith("scale ") for line in asked.lines(asked.batches()[0]))

    assert scales(model) - scales(replace(model, metadata=bare)) == 2 * 2


def test_numbers_of_blocks_are_zero_where_a_file_has_none() -> None:
    listed = MadeUp("maple", keys={"limit": (0.5, 2.0), "one": 3, "word": "much"}).file()
    assert [by_layer(listed, "limit", layer) for layer in range(3)] == [0.5, 2.0, 0]
    assert [by_layer(listed, key, 2) for key in ("one", "word", "absent")] == [3, 0, 0]


def test_deep_embeddings_by_a_mapping_are_granites_alone() -> None:
    keys = {"deepstack_mapping": (5, 0, -1, 2)}
    found = MadeUp("granite", keys=keys).file()
    assert [stacked_number(found, layer) for layer in range(5)] == [-1, 0, -1, 2, -1]
    assert deepstack_count(found) == 3
    other = MadeUp("llama", keys=keys).file()
    assert [stacked_number(other, layer) for layer in range(4)] == [-1] * 4
    assert stacked_number(MadeUp("granite", keys={"deepstack_mapping": 3}).file(), 1) == -1
