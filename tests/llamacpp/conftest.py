"""One real llama.cpp per test module: flags such as --log-disable change the whole process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.llamacpp.oracle import Oracle
from tests.tiny_models import write_tiny_model


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as running:
        yield running


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny-llama.gguf")
