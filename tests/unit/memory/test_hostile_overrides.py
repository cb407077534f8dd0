"""Overrides of strangers: layers without end, patterns that are none."""

import pytest

from packer.domain.server_options import ServerOptions
from packer.errors import InvalidInput
from packer.memory.layer_split import HOST
from packer.memory.tensor_override import tensor_overrides


def test_layers_beyond_any_model_are_all_layers() -> None:
    options = ServerOptions(model="m.gguf", cpu_moe_layers=2_000_000_000)
    ((pattern, device),) = tensor_overrides(options, 1)
    assert device == HOST
    assert "|511)" in pattern
    assert len(pattern) < 3_000


@pytest.mark.parametrize("pattern", ["(", "(" * 900, "a{99999999999999999999}"])
def test_patterns_that_no_expression_can_be_are_refused(pattern: str) -> None:
    options = ServerOptions(model="m.gguf", override_tensors=((pattern, "CPU"),))
    with pytest.raises(InvalidInput) as caught:
        tensor_overrides(options, 1)
    assert [problem.code for problem in caught.value.problems] == ["P0508"]
