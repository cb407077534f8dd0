"""What an answer follows from, as one hash."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from packer.domain.model import ModelFile


class Fingerprints:
    """SHA-256 of inputs; headers of models are long, so each is read through once."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._models: dict[int, tuple[ModelFile, str]] = {}

    def of(self, *inputs: Any) -> str:
        """Hash of dataclasses, mappings, sequences and plain values; equal inputs, equal hash."""
        digest = hashlib.sha256()
        for piece in self._pieces(inputs):
            digest.update(piece.encode())
            digest.update(b"\0")
        return digest.hexdigest()

    def _pieces(self, value: Any) -> Iterator[str]:
        if isinstance(value, ModelFile):
            yield self._model(value)
        elif is_dataclass(value):
            yield type(value).__name__
            for one in fields(value):
                yield one.name
                yield from self._pieces(getattr(value, one.name))
        elif isinstance(value, Mapping):
            yield f"mapping of {len(value)}"
            for key, item in value.items():
                yield repr(key)
                yield from self._pieces(item)
        elif isinstance(value, tuple | list):
            yield f"list of {len(value)}"
            for item in value:
                yield from self._pieces(item)
        else:
            yield repr(value)

    def _model(self, model: ModelFile) -> str:
        """Hash of a header; kept with the object, whose id is then its own."""
        known = self._models.get(id(model))
        if known is None:
            known = model, hashlib.sha256(repr(model).encode()).hexdigest()
            self._models[id(model)] = known
        return known[1]
