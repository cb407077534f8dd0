"""Fleets and inventories, read and found sound."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packer.domain.model import ModelFile
from packer.domain.node import Inventory
from packer.domain.workload import Fleet
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.spec.lookups import Lookups

_PROJECTOR = "clip"
"""Architecture of multimodal projectors. Source: llama.cpp b11434, tools/mtmd/clip-impl.h."""


@dataclass(frozen=True)
class Input:
    """A fleet and an inventory that were read and found sound, with the hashes of their texts."""

    fleet: Fleet
    inventory: Inventory
    fleet_sha256: str
    inventory_sha256: str


def load(fleet: str | Path, inventory: str | Path) -> Input:
    """Fleet and inventory of two YAML files; ``-`` is standard input.

    Raises:
        InvalidInput: Everything that is wrong with either file, at once.
    """
    from packer.files.text import read_text, shown_name
    from packer.spec.inputs import Source, read_inputs

    if str(fleet) == str(inventory) == "-":
        title = "the fleet and the inventory cannot both come from standard input"
        raise InvalidInput(Problem("P0101", title, help="save one of them in a file"))
    texts: list[str] = []
    problems: list[Problem] = []
    for path in (fleet, inventory):
        try:
            texts.append(read_text(path))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    sources = [
        Source(text, shown_name(path)) for text, path in zip(texts, (fleet, inventory), strict=True)
    ]
    asked, read = read_inputs(sources[0], sources[1], _lookups())
    return Input(asked, read, _sha256(texts[0]), _sha256(texts[1]))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _lookups() -> "Lookups":
    from packer.catalogue.gpus import find_gpu, gpus_matching
    from packer.catalogue.models import find_model, load_model_file
    from packer.gguf.header import read_model_file
    from packer.spec.lookups import Lookups

    return Lookups(
        gpu=find_gpu,
        gpu_family=gpus_matching,
        model_file=lambda path: _modelled(read_model_file(path)),
        catalogue_quantizations=lambda name: find_model(name).quantizations,
        catalogue_file=lambda name, quantization: _modelled(
            load_model_file(find_model(name).id, quantization)
        ),
    )


def _modelled(model: ModelFile) -> ModelFile:
    """The same model, once its architecture is known to be modelled; a projector has none.

    Raises:
        UnsupportedModel: It is not; the nearest are named.
    """
    from packer.memory.hyperparameters import read_hyperparameters

    if model.architecture != _PROJECTOR:
        read_hyperparameters(model)
    return model
