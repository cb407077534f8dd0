"""One real llama.cpp for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.llamacpp.oracle import Oracle
from tests.tiny_models import write_tiny_model


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    with Oracle() as running:
        yield running


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny-llama.gguf")
