"""Our estimate beside the real projection."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from packer.domain.basis import Basis
from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.errors import InvalidInput
from packer.llamacpp.arguments import parse_arguments
from packer.llamacpp.oracle_question import PLANNER
from packer.memory.compute_buffer import UNMEASURED_HIGH
from packer.memory.estimate import estimate_memory
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.resolution import resolve_context
from packer.units import MIB
from tests.llamacpp.oracle import Projected

# A fault of llama.cpp, not a refusal: phi-4 with quantized K and V and several streams has more
# graph nodes than it makes room for, and the process aborts: our P0515.
_GRAPH_OVERFLOW = "ggml-impl.h"

CHANGED_SINCE = frozenset(
    {
        "arctic",
        "cohere2moe",
        "gemma4",
        "gpt-oss",
        "lfm2",
        "minimax-01",
        "nemotron_h",
        "nemotron_h_moe",
        "qwen35",
        "qwen35moe",
        "qwen3next",
    }
)
"""Architectures whose buffers the wheel's build sizes otherwise than the measured one.

So does it where a token asks one expert alone. Servers of the measured build were asked, too: their
compute buffers are ours.
"""


def assert_equal(model: ModelFile, argv: Sequence[str], real: Projected) -> None:
    """Every buffer on the host equal to the byte; what llama.cpp refuses, we refuse."""
    options = parse_arguments(argv)
    if _GRAPH_OVERFLOW in real.log:
        with pytest.raises(InvalidInput) as refused:
            estimate_memory(model, options, ())
        assert [problem.code for problem in refused.value.problems] == ["P0515"]
        return
    if not real.is_accepted:
        with pytest.raises(InvalidInput):
            estimate_memory(model, options, ())
        return
    host = estimate_memory(model, options, ()).host
    assert (host.weights_bytes, host.context_bytes) == (real.weights_bytes, real.context_bytes)
    assert_compute_equal(model, replace(options, program=PLANNER), real.compute_bytes)


def assert_compute_equal(model: ModelFile, options: ServerOptions, real_bytes: int) -> None:
    """The compute buffer equal to the byte, or no larger than the band of another build says.

    The planner makes room for the logits of a whole batch, and sizes the prompt's graph alone; with
    more slots than a batch has tokens a server's buffer is that of a token for each slot. Buffers
    that grow are sized by the planner as they are at the start.
    """
    context = resolve_context(read_hyperparameters(model), options)
    host = estimate_memory(model, options, ()).host
    ours = host.compute_bytes
    asks_one_expert = model.metadata.get(f"{model.architecture}.expert_used_count") == 1
    if asks_one_expert or model.architecture in CHANGED_SINCE:
        # Buffers of a few kilobytes are nothing but what changed.
        assert real_bytes <= max(MIB, UNMEASURED_HIGH * ours)
    elif context.ubatch_size < context.slots or host.basis["compute"] is not Basis.EXACT:
        assert real_bytes <= ours
    else:
        assert real_bytes == ours
