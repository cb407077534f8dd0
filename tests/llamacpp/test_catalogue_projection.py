"""Every model of the catalogue: its buffers on the host are llama.cpp's own to the byte.

The model's real header over a file full of holes goes through the real planner, with command lines
drawn at random; every architecture gets at least six.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer.catalogue.models import catalogue_models, load_model_file
from tests.llamacpp.agreement import assert_equal
from tests.llamacpp.model_strategies import sizing_flags
from tests.llamacpp.oracle import Oracle
from tests.sparse_models import write_sparse_model

MODELS = {
    architecture: [m for m in catalogue_models() if m.architecture == architecture]
    for architecture in sorted({model.architecture for model in catalogue_models()})
}


def test_the_catalogue_has_all_architectures() -> None:
    assert len(MODELS) == 32


@pytest.mark.parametrize("architecture", MODELS)
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_buffers_equal_the_real_projection(
    oracle: Oracle, tmp_path: Path, architecture: str, data: st.DataObject
) -> None:
    entry = data.draw(st.sampled_from(MODELS[architecture]))
    model = load_model_file(entry.id, data.draw(st.sampled_from(entry.quantizations)))
    path = write_sparse_model(tmp_path / "model.gguf", model)
    flags = data.draw(sizing_flags(), "flags")
    argv = ["llama-server", "-m", str(path), *flags, "--fit", "off", "--no-repack"]
    real = oracle.project(argv)
    assert_equal(model, argv, real)


@pytest.mark.parametrize("flags", ["-np 2", "-np 4 -fa on", "-np 1", "-np 4 --kv-unified"])
def test_a_graph_without_room_is_refused_where_the_real_planner_aborts(
    oracle: Oracle, tmp_path: Path, flags: str
) -> None:
    model = load_model_file("phi-4", "Q4_K_M")
    path = write_sparse_model(tmp_path / "model.gguf", model)
    words = f"-c 8192 -ctk q8_0 -ctv q8_0 {flags} --fit off --no-repack".split()
    argv = ["llama-server", "-m", str(path), *words]
    real = oracle.project(argv)
    assert real.is_accepted is (flags == "-np 1" or "unified" in flags)
    assert_equal(model, argv, real)
