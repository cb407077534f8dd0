"""Manifests through the API: claims, routers with presets for every device, guarantees."""

from pathlib import Path

import pytest
import yaml

from packer import api
from packer.domain.node import Sharing
from packer.domain.workload import Draft
from packer.errors import InvalidInput
from packer.llamacpp.arguments import parse_arguments
from tests.planned import plan as example_plan
from tests.small_fleets import fleet, gpu, inventory, plan, pool, variant, workload

EXAMPLE = "01-four-models-one-card"


def test_files_are_written_and_named(tmp_path: Path) -> None:
    out = tmp_path / "manifests"
    names = api.render(example_plan(EXAMPLE), out, namespace="models")
    assert names == tuple(sorted(names))
    assert {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()} == {
        *names,
        ".gpu-packer",
    }
    texts = api.manifests(example_plan(EXAMPLE), namespace="models")
    assert {name: (out / name).read_text(encoding="utf-8") for name in names} == texts
    assert "namespace: models" in texts["kustomization.yaml"]


def test_a_router_gives_every_part_its_own_devices() -> None:
    whole = pool("p", gpu(4800), 3, sharing=Sharing.WHOLE)
    drafted = workload(
        "big", "qwen3-1.7b", "Q8_0", slots=4, draft=Draft(variant("qwen3-0.6b", "Q8_0"))
    )
    made = plan(fleet(drafted, workload("small")), inventory(whole))
    (big,) = [one for one in made.placements if one.workload == "big"]
    assert len(big.gpus) > 1
    texts = api.manifests(made)
    presets = [
        yaml.safe_load(text)["data"]
        for path, text in texts.items()
        if path.startswith("routers/") and path.endswith("preset.yaml")
    ]
    text = "\n".join(preset for data in presets for preset in data.values())
    section = text.partition("[big]")[2].partition("\n[")[0]
    devices = ",".join(f"CUDA{rank}" for rank in range(len(big.gpus)))
    assert f"device = {devices}" in section
    assert f"device-draft = {devices}" in section or f"spec-draft-device = {devices}" in section
    told = parse_arguments(big.argv)
    assert f"ctx-size = {told.context_size}" in section
    assert f"model = {told.model}" in section


def test_the_way_of_sharing_can_be_overridden() -> None:
    made = example_plan(EXAMPLE)
    assert not any(path.startswith("routers/") for path in api.manifests(made))
    texts = api.manifests(made, sharing=Sharing.WHOLE)
    assert any(path.startswith("routers/") for path in texts)
    claims, routers = api.guarantees(made), api.guarantees(made, sharing=Sharing.WHOLE)
    assert claims
    assert claims != routers


def test_host_paths_only_where_they_are_allowed() -> None:
    asked = workload("a")
    on_node = tuple(
        type(one)(one.quantization, one.model, "file:///srv/models/a.gguf")
        for one in asked.variants
    )
    made = plan(fleet(workload("a", variants=on_node)), inventory(pool("p", gpu(9000))))
    with pytest.raises(InvalidInput, match="P0716"):
        api.manifests(made)
    assert any("hostPath" in text for text in api.manifests(made, allow_host_path=True).values())
