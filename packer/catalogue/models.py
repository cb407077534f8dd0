"""The model catalogue: profiles of open-weight models, so that planning needs no download."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from packer.catalogue.names import listed, name_key, nearest_names, shortened
from packer.domain.basis import Basis
from packer.domain.model import MetadataValue, ModelFile, Tensor
from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.errors import InvalidInput, Problem

_ALIGNMENT = 32


@dataclass(frozen=True)
class CatalogueModel:
    """One model of the catalogue, without its tensors.

    Attributes:
        id: Name in ``catalogue:<id>``.
        aliases: Further names, of releases with the same shapes.
        params_total: Elements of all tensors.
        params_active: Elements a token passes through; less than the total for experts.
        context_length: Longest context of the named release [tokens].
        quantizations: Names, best first (most bits first).
        file_bytes: Size of a file of each quantization, without its vocabulary [bytes].
        size_bands: Size of published files of each name, lowest and highest, ratio to ours.
        license: As the publisher names it.
        is_embedding: Whether it makes embeddings or rankings instead of text.
        has_mtp: Whether its files hold blocks that predict several tokens.
        status: ``confirmed`` hyper-parameters, or ``from-memory``.
        source: Where the hyper-parameters were read.
        note: What differs between releases of this name.
    """

    id: str
    aliases: tuple[str, ...]
    family: str
    architecture: str
    params_total: int
    params_active: int
    context_length: int
    quantizations: tuple[str, ...]
    file_bytes: Mapping[str, int]
    size_bands: Mapping[str, tuple[float, float]]
    license: str
    is_embedding: bool
    has_mtp: bool
    status: str
    source: str
    note: str


@cache
def catalogue_models() -> tuple[CatalogueModel, ...]:
    """Every model of the catalogue, by family; tensor tables stay unread."""
    return tuple(map(_model, _read_member("index.json")))


def find_model(name: str) -> CatalogueModel:
    """The model of this id or alias, under the name rule.

    Raises:
        InvalidInput: There is none; the nearest are named.
    """
    by_key = _by_key()
    model = by_key.get(name_key(name))
    if model is None:
        names = {other for model in catalogue_models() for other in (model.id, *model.aliases)}
        near = dict.fromkeys(by_key[name_key(n)].id for n in nearest_names(name, sorted(names)))
        raise InvalidInput(
            Problem(
                "P0903",
                f"no model of the catalogue is called {shortened(name)}",
                help=f"did you mean {listed(list(near))}? `gpu-packer catalogue models` lists all; "
                "for any other model give its .gguf file",
            )
        )
    return model


def load_model_file(model_id: str, quantization: str) -> ModelFile:
    """Header of a catalogue model as llama-quantize makes it. Estimate of what is published.

    Args:
        model_id: Id or alias.
        quantization: Such as ``Q4_K_M``; case does not count.

    Raises:
        InvalidInput: No such model, or not in this quantization; what there is is named.
    """
    model = find_model(model_id)
    wanted = quantization.upper().replace("-", "_")
    if wanted not in model.quantizations:
        raise InvalidInput(
            Problem(
                "P0904",
                f"{model.id} has no quantization {shortened(quantization)} in the catalogue",
                help=f"write {listed(model.quantizations)}",
            )
        )
    return _load(model.id, wanted)


@lru_cache(maxsize=64)
def _load(model_id: str, quantization: str) -> ModelFile:
    model = find_model(model_id)
    profile = _read_member(f"{model.id}.json")
    variant = profile["quantizations"][quantization]
    types = _element_types(variant["types"])
    tensors = tuple(
        Tensor(name, tuple(shape), ELEMENT_TYPES_BY_NAME[kind])
        for (name, *shape), kind in zip(profile["tensors"], types, strict=True)
    )
    metadata = {**profile["metadata"], **variant["metadata"]}
    low, high = model.size_bands[quantization]
    return ModelFile(
        name=f"{model.id} {quantization}",
        architecture=model.architecture,
        metadata={key: _value(value) for key, value in metadata.items()},
        tensors=tensors,
        file_bytes=model.file_bytes[quantization],
        vocabulary_size=int(metadata[f"{model.architecture}.vocab_size"]),
        origin=f"catalogue:{model.id}:{quantization}",
        basis=Basis.ESTIMATED,
        size_low=low,
        size_high=high,
        data_offset=variant["data_offset"],
        tensor_offsets=_offsets(tensors),
    )


def _element_types(runs: str) -> list[str]:
    """Type of every tensor from runs such as ``f32 q4_K*3``."""
    types: list[str] = []
    for run in runs.split():
        kind, _, count = run.partition("*")
        types += [kind] * int(count or 1)
    return types


def _offsets(tensors: tuple[Tensor, ...]) -> tuple[int, ...]:
    """Start of each tensor in the data section; they lie one behind the other, padded."""
    offsets, end = [], 0
    for tensor in tensors:
        offsets.append(end)
        end += -(-tensor.data_bytes // _ALIGNMENT) * _ALIGNMENT
    return tuple(offsets)


def _value(value: Any) -> MetadataValue:
    return tuple(value) if isinstance(value, list) else value


def _model(entry: dict[str, Any]) -> CatalogueModel:
    quantizations: dict[str, list[Any]] = entry.pop("quantizations")
    return CatalogueModel(
        **{**entry, "aliases": tuple(entry["aliases"])},
        quantizations=tuple(quantizations),
        file_bytes=MappingProxyType({name: size for name, (size, _, _) in quantizations.items()}),
        size_bands=MappingProxyType(
            {name: (low, high) for name, (_, low, high) in quantizations.items()}
        ),
    )


@cache
def _by_key() -> dict[str, CatalogueModel]:
    return {
        name_key(name): model for model in catalogue_models() for name in (*model.aliases, model.id)
    }


def _read_member(name: str) -> Any:
    path = files("packer.catalogue").joinpath("data/models.zip")
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        return json.loads(archive.read(name))
