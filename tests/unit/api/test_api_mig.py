"""MIG slices from an inventory file to manifests: small cards that no model is split over."""

from pathlib import Path

import pytest
import yaml

from packer import api
from packer.catalogue.gpus import find_gpu
from packer.domain.node import NodePool, Sharing
from packer.domain.workload import Headroom
from packer.errors import InvalidInput
from packer.solver.offers import offers_of
from tests.planned import ROOT
from tests.small_fleets import fleet, inventory, plan, pool, workload

SLICE = find_gpu("A100 SXM 80GB 1g.10gb")
_FILE = """
apiVersion: gpu-packer/v1
kind: Inventory
metadata: {{name: sliced}}
nodePools:
- name: mig
  gpu: {gpu}
  gpusPerNode: 2
  nodes: 1
  hostMemory: 64Gi
  sharing: mig
  gpuUuids:
    mig-0: [{uuids}]
"""
_CARD = "GPU-0b4c6f6e-8f1a-4d0c-9b3e-5d1f2a3b4c5d"


def test_a_process_is_offered_one_slice_of_a_node() -> None:
    (offer,) = offers_of(inventory(pool("mig", SLICE, gpus=7)), Headroom(0, 0))
    assert offer.cards == 1
    (whole,) = offers_of(inventory(pool("p", find_gpu("L40S"), gpus=4)), Headroom(0, 0))
    assert whole.cards == 4


def test_models_on_slices_are_planned_and_rendered_by_profile() -> None:
    made = plan(
        fleet(workload("a"), workload("b", slots=64, context_per_slot=1024)),
        inventory(pool("mig", SLICE, gpus=7, sharing=Sharing.MIG)),
    )
    assert all(len(placed.gpus) == 1 for placed in made.placements)
    for card in made.nodes[0].cards:
        assert card.used_bytes <= SLICE.allocatable_bytes == 9728 * 2**20
    routers = [
        yaml.safe_load(text)
        for path, text in api.manifests(made).items()
        if path.startswith("routers/") and path.endswith("deployment.yaml")
    ]
    assert routers
    for router in routers:
        (container,) = router["spec"]["template"]["spec"]["containers"]
        assert container["resources"]["limits"]["nvidia.com/mig-1g.10gb"] == 1


def _read(folder: Path, gpu: str, uuids: str) -> NodePool:
    """The one pool of an inventory file."""
    path = folder / "inventory.yaml"
    path.write_text(_FILE.format(gpu=gpu, uuids=uuids), encoding="utf-8")
    (found,) = api.load(ROOT / "examples/01-four-models-one-card/fleet.yaml", path).inventory.pools
    return found


def test_slices_of_one_card_may_name_it_and_whole_cards_may_not(tmp_path: Path) -> None:
    twice = f"{_CARD}, {_CARD}"
    found = _read(tmp_path, "A100 SXM 80GB 3g.40gb", twice)
    assert found.gpu.is_slice
    assert found.gpu_uuids["mig-0"] == (_CARD, _CARD)
    with pytest.raises(InvalidInput, match="P0225"):
        _read(tmp_path, "A100 SXM 80GB", twice)
    slices = ", ".join([_CARD.replace("GPU", "MIG")] * 2)
    with pytest.raises(InvalidInput, match="P0225"):
        _read(tmp_path, "A100 SXM 80GB 3g.40gb", slices)


def test_the_claim_of_a_planned_slice_names_its_card(tmp_path: Path) -> None:
    made = plan(
        fleet(workload("a")),
        inventory(
            pool("mig", SLICE, gpus=2, sharing=Sharing.MIG, gpu_uuids={"mig-0": (_CARD, _CARD)})
        ),
    )
    claims = [text for path, text in api.manifests(made).items() if path.startswith("claims/")]
    assert claims
    assert all(f"parentUUID == '{_CARD}'" in text for text in claims)
    assert any("mig" in line for line in api.guarantees(made, sharing=Sharing.AUTO))
    assert api.render(made, tmp_path / "out")
