"""What a real server logs, read by us, is what its own planner projects."""

from pathlib import Path

from packer.llamacpp.server_log import read_server_log
from tests.llamacpp.oracle import Oracle

ROUNDING_BYTES = 2**20 // 200  # half of the last printed digit, 0.01 MiB


def test_logged_buffers_equal_the_projection(oracle: Oracle, tiny_llama: Path) -> None:
    argv = ["llama-server", "-m", str(tiny_llama), "-c", "8192", "-np", "2", "-fa", "on"]
    argv += ["--no-repack", "-lm", "none"]
    projected = oracle.project(argv)
    served = oracle.serve([*argv, "--port", "0", "-lv", "4"], {})
    (model,) = read_server_log(served.log.splitlines()).models
    (context,) = model.contexts
    assert model.path == str(tiny_llama)
    assert context.counts["n_ctx"] == 8192
    assert abs(sum(model.weights_bytes.values()) - projected.weights_bytes) <= ROUNDING_BYTES
    assert abs(sum(context.cache_bytes.values()) - projected.context_bytes) <= ROUNDING_BYTES
    assert context.flash_attention is True
