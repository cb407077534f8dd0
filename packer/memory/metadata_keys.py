"""Typed look-ups of one header's metadata, with the errors a bad header deserves."""

from collections.abc import Sequence

from packer.domain.model import MetadataValue, ModelFile
from packer.errors import InvalidModelFile, Location, Problem


class MetadataKeys:
    """Keys below ``<architecture>.`` of one model."""

    def __init__(self, model: ModelFile) -> None:
        self.model = model

    def value(self, key: str) -> MetadataValue | None:
        """Raw value under ``<architecture>.<key>``."""
        return self.model.metadata.get(f"{self.model.architecture}.{key}")

    def number(self, key: str, default: int | None = None) -> int:
        """Whole, non-negative number."""
        value = self.value(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.problem(key, "a whole number")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.value(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.problem(key, "true or false")
        return value

    def per_layer(self, key: str, layers: int, default: Sequence[int]) -> tuple[int, ...]:
        """One number per block, given once for all or as an array."""
        value = self.value(key)
        if value is None:
            return tuple(default)
        values = value if isinstance(value, tuple) else (value,) * layers
        if len(values) < layers or not all(isinstance(v, int) and v >= 0 for v in values):
            raise self.problem(key, f"a whole number or {layers} of them")
        return tuple(int(v) for v in values[:layers])

    def problem(self, key: str, wanted: str) -> InvalidModelFile:
        """Error for a missing or mistyped key."""
        full = f"{self.model.architecture}.{key}"
        state = "is missing" if self.value(key) is None else f"is not {wanted}"
        return InvalidModelFile(
            Problem(
                code="P0502",
                title=f"{full} {state}",
                where=Location(self.model.origin or self.model.name),
                why="memory cannot be computed without it",
                help="convert the model again with llama.cpp's own converter",
            )
        )
