"""The rights of gpu-packer itself, kept in manifests/rbac, and that they are the least."""

import os

import pytest
import yaml
from kubernetes_validate.utils import validate

from packer.cluster.object_kinds import KINDS
from packer.kubernetes_objects.rbac import rbac
from tests.planned import ROOT

FOLDER = ROOT / "manifests/rbac"


def test_kept_rights_are_what_is_written_now() -> None:
    if os.environ.get("GPU_PACKER_UPDATE_GOLDEN"):
        for name, text in rbac().items():
            (FOLDER / name).write_text(text, encoding="utf-8")
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert kept == rbac(), "run `make golden` and read the difference"


@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_they_are_valid(version: str) -> None:
    for name, text in rbac().items():
        if name != "kustomization.yaml":
            validate(yaml.safe_load(text), version, strict=True)


def test_every_kind_that_is_applied_may_be_written_and_nothing_is_a_wildcard() -> None:
    role = yaml.safe_load(rbac()["apply.yaml"])
    written = {
        (group, name)
        for rule in role["rules"]
        if "create" in rule["verbs"]
        for group in rule["apiGroups"]
        for name in rule["resources"]
    }
    applied = {
        (kind.api.rpartition("/")[0], kind.plural) for kind in KINDS.values() if kind.name != "Pod"
    }
    assert applied == written
    for text in rbac().values():
        assert "*" not in text
        assert "secrets" not in text


def test_reading_a_cluster_only_lists() -> None:
    role = yaml.safe_load(rbac()["inventory.yaml"])
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list"}
