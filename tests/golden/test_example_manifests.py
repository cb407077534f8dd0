"""The manifests of the examples are kept in manifests/, true to what is rendered now."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from kubernetes_validate.utils import validate

from packer import api
from packer.files.directory import write_tree
from tests.planned import EXAMPLES, ROOT, plan
from tests.tools import require_tool

_UPDATE = bool(os.environ.get("GPU_PACKER_UPDATE_GOLDEN"))


def folder_texts(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.mark.parametrize("example", EXAMPLES)
def test_kept_manifests_are_what_is_rendered(example: str) -> None:
    rendered = api.manifests(plan(example))
    folder = ROOT / "manifests" / example
    if _UPDATE:
        write_tree(folder, rendered, "manifests")
    kept = folder_texts(folder)
    assert kept == rendered, "run `make golden` and read the difference"


@pytest.mark.parametrize("version", ["1.34", "1.37"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_every_object_is_valid(example: str, version: str) -> None:
    checked = 0
    for path, text in api.manifests(plan(example)).items():
        if not path.endswith(".yaml") or path == "kustomization.yaml":
            continue
        for document in yaml.safe_load_all(text):
            validate(document, version, strict=True)
            checked += 1
    assert checked >= 2 * len(plan(example).placements)


@pytest.mark.parametrize("example", EXAMPLES)
def test_kustomize_builds_every_object(example: str) -> None:
    kubectl = require_tool("kubectl")
    folder = ROOT / "manifests" / example
    built = subprocess.run(
        [kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    kinds = [document["kind"] for document in yaml.safe_load_all(built.stdout)]
    assert kinds.count("Deployment") == len(plan(example).placements)
    assert "ResourceClaim" in kinds
