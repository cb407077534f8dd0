"""Every buffer on the host is llama.cpp's own to the byte: random models and command lines.

128 models of the six architectures, each with four command lines: 512 cases per run.
"""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer.gguf.header import read_model_file
from tests.llamacpp.agreement import assert_equal
from tests.llamacpp.model_strategies import sizing_flags, tiny_shapes
from tests.llamacpp.oracle import Oracle
from tests.tiny_models import TinyShape, write_tiny_model


@settings(
    max_examples=128,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(tiny_shapes(), st.lists(sizing_flags(), min_size=4, max_size=4))
def test_buffers_equal_the_real_projection(
    oracle: Oracle, tmp_path: Path, shape: TinyShape, command_lines: list[list[str]]
) -> None:
    path = write_tiny_model(tmp_path / "model.gguf", shape)
    model = read_model_file(path)
    for flags in command_lines:
        argv = ["llama-server", "-m", str(path), *flags, "--fit", "off", "--no-repack"]
        real = oracle.project(argv)
        assert_equal(model, argv, real)
