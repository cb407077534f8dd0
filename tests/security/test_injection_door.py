"""Hostile text in every place of a fleet and an inventory: refused at the door, or one value.

What the door lets in is planned and rendered, and the objects are those of a harmless file.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from packer import api
from packer.errors import GpuPackerError
from packer.plan.plan import Plan
from tests.random_fleets import write_models
from tests.security.test_injection import HOSTILE, arguments, documents, shape

FLEET: dict[str, Any] = {
    "apiVersion": "gpu-packer/v1",
    "kind": "Fleet",
    "metadata": {"name": "team"},
    "serverImage": {"image": "ghcr.io/ggml-org/llama.cpp:server-cuda-b11434", "build": "b11434"},
    "workloads": [
        {
            "name": "chat",
            "model": "./tiny.gguf",
            "file": "pvc://models/chat.gguf",
            "context": "2Ki",
            "cacheTypes": ["f16"],
            "gpus": {"allow": ["X9"]},
        },
        {
            "name": "code",
            "model": "./tiny-{quantization}.gguf",
            "file": "csi://driver.example.com/{quantization}.gguf?secret=a",
            "quantizations": ["large"],
            "context": "2Ki",
        },
    ],
    "keepTogether": [["chat", "code"]],
}
INVENTORY: dict[str, Any] = {
    "apiVersion": "gpu-packer/v1",
    "kind": "Inventory",
    "metadata": {"name": "lab"},
    "nodePools": [
        {
            "name": "x9",
            "gpu": {
                "name": "X9",
                "memory": "24Gi",
                "bandwidth": "864G",
                "computeCapability": "8.9",
                "label": "Example-X9",
            },
            "gpusPerNode": 1,
            "nodes": 2,
            "nodeNames": ["node-a", "node-b"],
            "gpuUuids": {
                "node-a": ["GPU-0b4c6f6e-8f1a-4d0c-9b3e-5d1f2a3b4c5d"],
                "node-b": ["GPU-1b4c6f6e-8f1a-4d0c-9b3e-5d1f2a3b4c5d"],
            },
            "zones": {"north": 2},
            "hostMemory": "64Gi",
            "pricePerHour": {"onDemand": 1.5, "currency": "EUR", "source": "price book"},
        }
    ],
}


def leaves(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places of texts, and of names that are keys; a key is marked by a last step of None."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, (*here, key))
            if here[-1:] in (("gpuUuids",), ("zones",)):
                yield (*here, key, None)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from leaves(one, (*here, index))
    elif isinstance(value, str):
        yield here


def changed(document: dict[str, Any], place: tuple[Any, ...], text: str) -> dict[str, Any]:
    copy = deepcopy(document)
    is_key = place[-1] is None
    *way, last = place[:-1] if is_key else place
    inner: Any = copy
    for step in way:
        inner = inner[step]
    if is_key:
        inner[text] = inner.pop(last)
    else:
        inner[last] = text
    return copy


PLACES = [("fleet", place) for place in leaves(FLEET)]
PLACES += [("inventory", place) for place in leaves(INVENTORY)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files lie, beside the models they name."""
    made = tmp_path_factory.mktemp("door")
    write_models(made)
    return made


def planned(folder: Path, fleet: dict[str, Any], inventory: dict[str, Any]) -> Plan:
    paths = folder / "fleet.yaml", folder / "inventory.yaml"
    for path, document in zip(paths, (fleet, inventory), strict=True):
        path.write_text(json.dumps(document), encoding="utf-8")
    return api.plan(api.load(*paths), brief=True, effort=0.05, workers=1)


@pytest.fixture(scope="module")
def harmless(folder: Path) -> list[Any]:
    """Shapes of the objects of the files as they are."""
    return shapes(planned(folder, FLEET, INVENTORY))


def shapes(plan: Plan) -> list[Any]:
    return sorted(repr(shape(one)) for one in documents(api.manifests(plan)))


@pytest.mark.parametrize(("kind", "place"), PLACES, ids=lambda value: str(value))
def test_a_hostile_text_is_refused_or_stays_one_value(
    kind: str, place: tuple[Any, ...], folder: Path, harmless: list[Any]
) -> None:
    # Half of the texts at each place: neighbours get the others.
    for text in HOSTILE[PLACES.index((kind, place)) % 2 :: 2]:
        fleet = changed(FLEET, place, text) if kind == "fleet" else FLEET
        inventory = changed(INVENTORY, place, text) if kind == "inventory" else INVENTORY
        try:
            plan = planned(folder, fleet, inventory)
            found = documents(api.manifests(plan))
        except GpuPackerError:
            continue
        assert sorted(repr(shape(one)) for one in found) == harmless, text
        for word in (word for one in found for word in arguments(one)):
            assert text not in word, text
