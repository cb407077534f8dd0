"""Our estimate beside the real projection."""

from collections.abc import Sequence

import pytest

from packer.domain.model import ModelFile
from packer.errors import InvalidInput
from packer.llamacpp.arguments import parse_arguments
from packer.memory.estimate import estimate_memory
from tests.llamacpp.oracle import Projected

# A fault of llama.cpp, not a refusal: phi-4 with quantized K and V and several streams has more
# graph nodes than it makes room for, and the process aborts: our P0515.
_GRAPH_OVERFLOW = "ggml-impl.h"


def assert_equal(model: ModelFile, argv: Sequence[str], real: Projected) -> None:
    """Weights and context equal to the byte; what llama.cpp refuses, we refuse."""
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
