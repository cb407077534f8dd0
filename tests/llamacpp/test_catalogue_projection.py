"""Every model of the catalogue: weights and context are llama.cpp's own to the byte.

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
def test_weights_and_context_equal_the_real_projection(
    oracle: Oracle, tmp_path: Path, architecture: str, data: st.DataObject
) -> None:
    entry = data.draw(st.sampled_from(MODELS[architecture]))
    model = load_model_file(entry.id, data.draw(st.sampled_from(entry.quantizations)))
    path = write_sparse_model(tmp_path / "model.gguf", model)
    flags = data.draw(sizing_flags(), "flags")
    argv = ["llama-server", "-m", str(path), *flags, "--fit", "off", "--no-repack"]
    real = oracle.project(argv)
    assert_equal(model, argv, real)
