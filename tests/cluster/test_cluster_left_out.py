"""Without Go and without a ready control plane: what is left out is said, and how to have it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.binaries import ASSETS, definitions, find_binaries, find_program, missing
from tests.custom_definitions import FOLDER
from tests.tools import REQUIRE_TOOLS

_ONE_TEST = "tests/cluster/test_cluster_rights.py::test_the_rendered_rights_are_enough"


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with no program on its path and nothing built before."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(ASSETS, raising=False)
    monkeypatch.delenv(REQUIRE_TOOLS, raising=False)


@pytest.mark.usefixtures("bare")
def test_the_closing_message_names_the_control_plane() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.tools"], capture_output=True, text=True, check=True
    ).stdout
    assert "Left out, because this machine lacks these programs" in told
    assert "a Kubernetes control plane: make control-plane builds it" in told
    assert f"what is not in {ASSETS}" in told


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(("demanded", "outcome"), [("0", "1 skipped"), ("1", "1 error")])
def test_cluster_tests_are_left_out_with_the_reason_unless_they_are_demanded(
    monkeypatch: pytest.MonkeyPatch, demanded: str, outcome: str
) -> None:
    monkeypatch.setenv(REQUIRE_TOOLS, demanded)
    command = [sys.executable, "-m", "pytest", "-q", "-rsE", "-p", "no:cacheprovider", _ONE_TEST]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert outcome in told
    assert "there is no Kubernetes control plane (etcd, kube-apiserver, " in told
    assert "make control-plane builds it" in told


@pytest.mark.usefixtures("bare")
def test_what_a_given_folder_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "k8s" / "1.37.1-linux-amd64"
    given.mkdir(parents=True)
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (given / name).touch()
    monkeypatch.setenv(ASSETS, str(given))
    assert missing() == ["kube-controller-manager", "kube-scheduler", "kwok"]
    assert find_program("kubectl") == given / "kubectl"
    for name in missing():
        (given / name).touch()
    found = find_binaries()
    assert found
    assert found.kube_scheduler == given / "kube-scheduler"
    assert {file.parent for file in definitions()} == {FOLDER}
