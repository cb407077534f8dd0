"""Draft models and multi-token prediction: a second context in the same process."""

from typing import Any

import pytest

from packer.domain.model import ModelFile, Tensor
from packer.domain.server_options import DraftOptions, ServerOptions, SplitMode
from packer.errors import InvalidInput
from packer.memory.draft_model import SecondContext, second_context, with_inferred_speculation
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.output_buffer import output_bytes, output_growth_bytes
from packer.memory.resolution import resolve_context
from tests.memory_models import F16, MadeUp

TARGET = MadeUp().file()
SMALL = MadeUp("qwen3", layers=2, width=128).file()
NEXTN = MadeUp(
    "qwen35",
    keys={"nextn_predict_layers": 1, "full_attention_interval": 4},
    more=(Tensor("blk.3.nextn.eh_proj.weight", (512, 256), F16),),
).file()


def second(target: ModelFile, drafting: ModelFile | None, **options: Any) -> SecondContext | None:
    asked = ServerOptions(**({"context_size": 8192, "slots": 2} | options))
    context = resolve_context(read_hyperparameters(target), asked)
    return second_context(target, asked, context, drafting)


def test_without_a_draft_there_is_no_second_context() -> None:
    assert second(TARGET, None) is None


def test_a_draft_has_the_targets_cells_and_its_own_cache_types() -> None:
    found = second(
        TARGET,
        SMALL,
        cache_type_k="q8_0",
        cache_type_v="q8_0",
        embedding=False,
        draft=DraftOptions("draft.gguf"),
    )
    assert found is not None
    assert found.context.context_cells == 8192
    assert found.context.cells_per_slot == 4096
    assert (found.context.type_k.name, found.context.type_v.name) == ("f16", "f16")
    assert found.context.outputs_max == 2
    assert found.is_own_model


def test_a_draft_ignores_the_targets_layers_and_overrides_but_not_its_split() -> None:
    found = second(
        TARGET,
        SMALL,
        gpu_layers=3,
        cpu_moe=True,
        cpu_ffn_layers=2,
        override_tensors=(("ffn", "CPU"),),
        tensor_split=(1.0, 3.0),
        draft=DraftOptions("draft.gguf", gpu_layers=1, cpu_moe_layers=1),
    )
    assert found is not None
    options = found.options
    assert (options.gpu_layers, options.cpu_moe, options.cpu_moe_layers) == (1, False, 1)
    assert (options.override_tensors, options.cpu_ffn_layers) == ((), 0)
    assert options.tensor_split == (1.0, 3.0)


@pytest.mark.parametrize(
    ("devices", "mode"), [(("CUDA1",), SplitMode.LAYER), (None, SplitMode.NONE)]
)
def test_a_draft_on_one_device_is_split_by_layer(
    devices: tuple[str, ...] | None, mode: SplitMode
) -> None:
    draft = DraftOptions("draft.gguf", devices=devices)
    found = second(TARGET, SMALL, split_mode=SplitMode.NONE, draft=draft)
    assert found is not None
    assert found.options.split_mode is mode


def test_multi_token_prediction_runs_on_the_targets_own_weights() -> None:
    found = second(NEXTN, None, speculation=("draft-mtp",))
    assert found is not None
    assert found.model is NEXTN
    assert found.context.is_nextn
    assert found.context.rollback_depth == 0
    assert not found.is_own_model


def test_block_drafts_return_a_whole_block_per_slot() -> None:
    found = second(TARGET, SMALL, speculation=("draft-dflash",), draft_depth=4)
    assert found is not None
    assert found.context.outputs_max == 2 * 5
    shallow = second(TARGET, SMALL, speculation=("draft-dflash",), draft_depth=0)
    assert shallow is not None
    assert shallow.context.outputs_max == 2


def test_a_draft_that_ends_in_nextn_blocks_turns_prediction_on() -> None:
    asked = ServerOptions()
    assert with_inferred_speculation(asked, NEXTN).speculation == ("draft-mtp",)
    assert with_inferred_speculation(asked, SMALL) is asked
    assert with_inferred_speculation(asked, None) is asked
    simple = ServerOptions(speculation=("draft-simple",))
    assert with_inferred_speculation(simple, NEXTN) is simple


@pytest.mark.parametrize(
    "options",
    [
        {"speculation": ("draft-mtp",)},
        {"speculation": ("draft-simple",)},
        {"draft": DraftOptions("draft.gguf")},
    ],
)
def test_speculation_without_what_drafts_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="P0510"):
        second(TARGET, None, **options)


def growth(
    options: ServerOptions, *, feeds_nextn: bool, is_draft: bool, vocabulary: int = 1000
) -> int:
    sizes = MadeUp(vocabulary=vocabulary).sizes()
    context = resolve_context(sizes, options)
    return output_growth_bytes(sizes, context, feeds_nextn=feeds_nextn, is_draft=is_draft)


def test_the_output_buffer_holds_a_row_per_slot() -> None:
    sizes = MadeUp().sizes()
    plain = resolve_context(sizes, ServerOptions(slots=3))
    assert output_bytes(sizes, plain) == 4 * 3 * 1000
    embedding = resolve_context(sizes, ServerOptions(slots=3, embedding=True))
    assert output_bytes(sizes, embedding) == 4 * 3 * 1256


def test_the_output_buffer_grows_with_use() -> None:
    plain = ServerOptions(slots=2)
    assert growth(plain, feeds_nextn=False, is_draft=False) == 0
    assert growth(plain, feeds_nextn=True, is_draft=False) == 4 * 2048 * 256
    assert growth(plain, feeds_nextn=True, is_draft=True) == 4 * 2 * (256 + 3 * 1000 + 1)
    assert growth(plain, feeds_nextn=True, is_draft=True, vocabulary=999) == 4 * 2 * 3254
    assert growth(plain, feeds_nextn=False, is_draft=True) == 0
    embedding = ServerOptions(slots=2, embedding=True)
    assert growth(embedding, feeds_nextn=False, is_draft=False) == 4 * 510 * 1256
    drafting = ServerOptions(slots=2, speculation=("draft-mtp",))
    assert growth(drafting, feeds_nextn=False, is_draft=False) == 4 * 6 * 1000
