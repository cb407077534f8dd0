"""`--override-kv`: what the command line says instead of the file."""

from collections.abc import Callable
from dataclasses import replace

from packer.domain.model import MetadataValue, ModelFile
from packer.memory.identity_cache import derived_once

Overrides = tuple[tuple[str, MetadataValue], ...]


def with_metadata(model: ModelFile, overrides: Overrides) -> ModelFile:
    """The model with some metadata replaced; the same answer for the same overrides. Exact.

    Source: llama.cpp b11434, src/llama-model-loader.cpp, validate_override(): a key that the file
    does not have is taken too.
    """
    return _variants(model)(overrides) if overrides else model


@derived_once
def _variants(model: ModelFile) -> Callable[[Overrides], ModelFile]:
    """Overridden copies of one model, each made once so that what is derived from it is kept."""
    known: dict[Overrides, ModelFile] = {}
    metadata, plain = dict(model.metadata), replace(model)

    def variant(overrides: Overrides) -> ModelFile:
        if overrides not in known:
            known[overrides] = replace(plain, metadata=metadata | dict(overrides))
        return known[overrides]

    return variant
