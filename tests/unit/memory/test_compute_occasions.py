"""Which batches a context's buffers are reserved for."""

from typing import Any

import pytest

from packer.domain.server_options import FlashAttention, ServerOptions
from packer.memory import compute_reservations
from packer.memory.compute_peaks import Occasion
from packer.memory.compute_reservations import reserved_peaks
from packer.memory.layer_split import HOST, Layout
from packer.memory.resolution import resolve_context
from tests.memory_models import MadeUp

ON_CARD, PARTLY = Layout((0,), (0,) * 5, 5), Layout((0,), (HOST, 0, 0, 0, 0), 4)


@pytest.mark.parametrize(
    ("layout", "slots", "options", "tokens"),
    [
        # On cards a prompt of eight tokens per slot never needs less than one token per slot.
        (ON_CARD, 1, {}, [64]),
        (ON_CARD, 8, {}, [64]),
        (ON_CARD, 9, {}, [72]),
        (ON_CARD, 10, {}, [70, 10]),
        (ON_CARD, 16, {}, [64, 16]),
        (PARTLY, 1, {}, [64, 1]),
        (ON_CARD, 1, {"override_tensors": (("ffn_up", "CPU"),)}, [64, 1]),
    ],
)
def test_single_tokens_are_looked_at_beside_short_prompts_and_with_a_host(
    monkeypatch: pytest.MonkeyPatch,
    layout: Layout,
    slots: int,
    options: dict[str, Any],
    tokens: list[int],
) -> None:
    seen: list[int] = []

    def peaks(_: object, occasions: tuple[Occasion, ...]) -> tuple[int, ...]:
        seen.extend(one.batch.tokens for one in occasions)
        return (0, 0)

    monkeypatch.setattr(compute_reservations._Choices, "peaks", peaks)
    made = MadeUp()
    asked = ServerOptions(
        context_size=16384,
        slots=slots,
        batch_size=64,
        ubatch_size=64,
        flash_attention=FlashAttention.ON,
        **options,
    )
    context = resolve_context(made.sizes(), asked)
    reserved_peaks(made.file(), context, layout, asked, has_flash_attention=True, build="b11434")
    assert seen == tokens
