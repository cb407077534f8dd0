import json
from importlib.resources import files

import pytest

from packer.catalogue.models import catalogue_models, find_model, load_model_file
from packer.catalogue.names import name_key
from packer.domain.basis import Basis
from packer.errors import InvalidInput
from tests.header_digest import DIGESTS, header_digest
from tests.untraced import run_untraced


def test_every_header_is_reproduced_exactly() -> None:
    expected = {name: tuple(entry) for name, entry in json.loads(DIGESTS.read_text()).items()}
    found = {}
    for model in catalogue_models():
        for quantization in model.quantizations:
            header = load_model_file(model.id, quantization)
            found[f"{model.id}-{quantization}"] = (header.file_bytes, header_digest(header))
    assert len(found) == 706
    assert found == expected


def test_a_catalogue_header_says_that_it_is_an_estimate() -> None:
    header = load_model_file("qwen3-8b", "Q4_K_M")
    assert header.basis is Basis.ESTIMATED
    assert header.origin == "catalogue:qwen3-8b:Q4_K_M"
    assert header.name == "qwen3-8b Q4_K_M"
    assert header.architecture == "qwen3"
    assert header.size_low <= 1.0 <= header.size_high
    assert load_model_file("Qwen3 8B", "q4-k-m") is header


def test_models_say_what_the_issue_of_planning_needs() -> None:
    models = catalogue_models()
    assert len(models) == 98
    assert len({model.architecture for model in models}) == 32
    llama = find_model("llama-3.1-8b")
    assert llama.params_total == llama.params_active == 8_030_261_312
    assert llama.context_length == 131_072
    assert llama.license == "llama3.1"
    assert llama.status == "confirmed"
    assert "litgpt" in llama.source
    assert find_model("qwen3-30b-a3b").params_active < find_model("qwen3-30b-a3b").params_total / 8
    assert {m.id for m in models if m.is_embedding} >= {"bge-m3", "qwen3-embedding-8b"}
    assert {m.id for m in models if m.has_mtp} >= {"qwen3.5-27b-mtp", "glm-4.5-air"}
    assert {m.status for m in models} == {"confirmed", "from-memory"}


def test_quantizations_come_best_first() -> None:
    for model in catalogue_models():
        sizes = [model.file_bytes[name] for name in model.quantizations]
        assert sizes == sorted(sizes, reverse=True)
        assert set(model.size_bands) == set(model.quantizations)
    assert find_model("llama-3.1-8b").quantizations[:3] == ("F16", "Q8_0", "Q6_K")


def test_parameters_agree_with_the_tensors() -> None:
    for model in catalogue_models():
        header = load_model_file(model.id, model.quantizations[-1])
        assert header.parameter_count == model.params_total
        assert header.context_length == model.context_length
        assert header.architecture == model.architecture
        assert 0 < model.params_active <= model.params_total


def test_size_bands_hold_ours_and_are_narrow_where_files_are_plain() -> None:
    for model in catalogue_models():
        for low, high in model.size_bands.values():
            assert 0.9 < low <= 0.99
            assert 1.01 <= high < 1.3
    assert find_model("llama-3.1-8b").size_bands["Q4_K_M"] == (0.99, 1.01)
    # Publishers of these disagree: nothing narrower than the widest of their clusters.
    assert find_model("qwen3.5-27b").size_bands["Q4_K_M"] == (0.92, 1.08)
    # Nobody published sizes of this architecture.
    assert find_model("command-r-35b").size_bands["Q6_K"] == (0.92, 1.08)
    # One publisher's file has a separate output matrix.
    assert find_model("qwen3-0.6b").size_bands["Q4_K_M"][1] > 1.2


def test_every_alias_finds_its_own_model() -> None:
    owners: dict[str, str] = {}
    for model in catalogue_models():
        for name in (model.id, *model.aliases):
            assert find_model(name) is model
            assert find_model(name.upper().replace("-", " ")) is model
            assert owners.setdefault(name_key(name), model.id) == model.id
    assert sum(len(model.aliases) for model in catalogue_models()) > 100


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("qwen3-9b", "qwen3-8b"),
        ("llama-3.1-80b", "llama-3.1-8b"),
        ("Meta Llama 3.1 8B Instrukt", "llama-3.1-8b"),
        ("gpt-oss-20", "gpt-oss-20b"),
        ("", ""),
        ("x" * 10_000, ""),
    ],
)
def test_an_unknown_model_gets_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(InvalidInput, match="P0903") as caught:
        find_model(name)
    assert nearest in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_unknown_quantization_gets_the_list() -> None:
    with pytest.raises(InvalidInput, match="P0904") as caught:
        load_model_file("gpt-oss-20b", "Q4_K_M")
    assert "gpt-oss-20b" in str(caught.value)
    assert "write MXFP4" in str(caught.value)
    with pytest.raises(InvalidInput, match="Q8_0, Q6_K"):
        load_model_file("llama-3.1-8b", "Q9")


# Processor time: what other programs do meanwhile does not count.
COLD = """
import time
from packer.catalogue.models import catalogue_models, load_model_file
start = time.process_time()
catalogue_models()
listed = time.process_time()
load_model_file("glm-4.6", "Q4_K_M")
print(listed - start, time.process_time() - listed)
"""


def test_listing_and_loading_are_quick() -> None:
    runs = [tuple(map(float, run_untraced(COLD).split())) for _ in range(3)]
    assert min(listing for listing, _ in runs) <= 0.050
    assert min(loading for _, loading in runs) <= 0.020


def test_a_second_look_costs_nothing() -> None:
    assert load_model_file("qwen3-8b", "Q8_0") is load_model_file("qwen3-8b", "Q8_0")


def test_the_catalogue_is_small_and_imports_lightly() -> None:
    data = files("packer.catalogue").joinpath("data")
    names = sorted(entry.name for entry in data.iterdir())
    assert names == ["gpus.csv", "mig_slices.csv", "models.zip", "prices.json.gz"]
    assert sum(len(entry.read_bytes()) for entry in data.iterdir()) <= 700_000
    code = (
        "import sys, packer.catalogue.listing as listing; listing.rows('gpus'); "
        "listing.rows('models'); listing.rows('prices'); "
        "assert not {'numpy', 'ortools', 'networkx', 'kubernetes', 'yaml'} & set(sys.modules)"
    )
    assert run_untraced(code) == ""
