"""What a user reads when a cluster cannot be read: code, words and exit status of ``inventory``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packer.cli import exit_status
from packer.cli.main import run
from tests.cluster.binaries import Binaries
from tests.cluster.control_plane import ControlPlane
from tests.cluster.furnishing import create_all, empty
from tests.cluster.hardware import (
    A100,
    L40S,
    RTX_4090,
    Machine,
    device,
    device_classes,
    labelled_node,
    node,
    resource_slice,
)
from tests.cluster.processes import free_ports

Json = dict[str, Any]
Capture = pytest.CaptureFixture[str]
FOUR = Machine("l40s-0", L40S, 4, "384Gi")
TWO_KINDS = Machine("mixed-0", L40S, 2, "384Gi")


def said(capsys: Capture, expected: int, *arguments: str | Path) -> str:
    """What the command says once it has ended as expected; nothing is printed as a result."""
    assert run(["inventory", *map(str, arguments)]) == expected
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


def test_no_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    words = said(capsys, exit_status.INVALID)
    assert "error[P1020]: there is no kubeconfig" in words
    assert "~/.kube/config does not exist" in words
    assert "give --kubeconfig FILE" in words
    gone = tmp_path / "gone.yaml"
    words = said(capsys, exit_status.INVALID, "--kubeconfig", gone)
    assert "error[P1020]" in words
    assert str(gone) in words


def test_unreachable_server(plane: ControlPlane, capsys: Capture) -> None:
    (port,) = free_ports(1)
    path = plane.kubeconfig_with("away", {"token": "t"}, server=f"https://127.0.0.1:{port}")
    words = said(capsys, exit_status.UNREACHABLE, "--kubeconfig", path)
    assert f"127.0.0.1:{port}" in words
    assert "refused" in words


def test_refused_credentials(plane: ControlPlane, capsys: Capture) -> None:
    path = plane.bearer("expired", "no-such-token")
    words = said(capsys, exit_status.INVALID, "--kubeconfig", path)
    assert "error[P1022]: " in words
    assert "no-such-token" not in words


def test_too_old_a_server_for_the_chosen_sharing(binaries: Binaries, capsys: Capture) -> None:
    flags = ["--runtime-config=resource.k8s.io/v1=false"]
    old = ControlPlane(binaries, api_server_flags=flags, only_api_server=True)
    try:
        at = ("--kubeconfig", old.kubeconfig)
        words = said(capsys, exit_status.INVALID, *at, "--sharing", "dra")
    finally:
        old.stop()
    assert "error[P1026]: Kubernetes v1." in words
    assert " is too old for sharing: dra\n" in words
    assert "whole" in words.partition("help:")[2]


def test_forbidden_verbs(plane: ControlPlane, capsys: Capture) -> None:
    path = plane.user("nobody-in-particular")
    words = said(capsys, exit_status.INVALID, "--kubeconfig", path)
    assert words.count("error[P1023]") == 4
    assert "apiGroups: [''], resources: [nodes], verbs: [list]" in words
    assert "apiGroups: ['resource.k8s.io'], resources: [resourceslices], verbs: [list]" in words


def unlabelled() -> list[Json]:
    return [node(FOUR, gpus=4)]


def contradicting_memory() -> list[Json]:
    made = labelled_node(FOUR)
    made["metadata"]["labels"]["nvidia.com/gpu.memory"] = str(A100.memory_mib)
    return [made]


def mixed_under_one_label_set() -> list[Json]:
    """Feature discovery tells two L40S; the device plugin offers an RTX 4090 beside them."""
    made = labelled_node(TWO_KINDS)
    for amounts in (made["status"]["capacity"], made["status"]["allocatable"]):
        amounts["nvidia.com/gpu"] = "3"
    return [made]


def too_few_slices() -> list[Json]:
    half = resource_slice(FOUR, [device(FOUR, 0)], generation=3, count=2)
    return [*device_classes(), node(FOUR), half]


def older_generation_beside() -> list[Json]:
    """A pool that is being published anew: the old slices are complete, the new ones are not."""
    cards = [device(FOUR, index) for index in range(4)]
    old = resource_slice(FOUR, cards, generation=1)
    new = resource_slice(FOUR, cards[:1], generation=2, count=2)
    return [*device_classes(), node(FOUR), old, new]


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        (
            unlabelled,
            "l40s-0 is left out: it offers 4 nvidia.com/gpu, but has no label "
            "nvidia.com/gpu.product",
        ),
        (contradicting_memory, "l40s-0: left out: NVIDIA-L40S is said to have 81920 MiB"),
        (
            mixed_under_one_label_set,
            "mixed-0 is left out: labels tell 2 cards, the device plugin offers 3: mixed cards or "
            "stale labels",
        ),
        (
            too_few_slices,
            "its driver has published 1 of 2 ResourceSlices of generation 3; ask again",
        ),
        (
            older_generation_beside,
            "its driver has published 1 of 2 ResourceSlices of generation 2; ask again",
        ),
    ],
)
def test_nodes_that_cannot_be_described(
    plane: ControlPlane, capsys: Capture, objects: Callable[[], list[Json]], why: str
) -> None:
    try:
        create_all(plane, objects())
        words = said(capsys, exit_status.INVALID, "--kubeconfig", plane.kubeconfig)
    finally:
        empty(plane)
    assert "error[P1025]: the cluster " in words
    assert " has no GPU node that can be described" in words
    assert "help: kubectl get resourceslices" in words
    assert why in " ".join(words.split()), words


def test_a_mixed_node_beside_a_good_one_is_a_comment(plane: ControlPlane, capsys: Capture) -> None:
    other = device(Machine(TWO_KINDS.name, RTX_4090, 1, "1Gi"), 2)
    cards = [device(TWO_KINDS, 0), device(TWO_KINDS, 1), other]
    mixed = [*device_classes(), node(TWO_KINDS), resource_slice(TWO_KINDS, cards)]
    try:
        create_all(plane, [*mixed, labelled_node(FOUR)])
        assert run(["inventory", "--kubeconfig", str(plane.kubeconfig)]) == 0
    finally:
        empty(plane)
    printed = capsys.readouterr().out
    assert "# mixed-0: left out: 1 × NVIDIA GeForce RTX 4090" in printed
    assert "gpusPerNode: 2" in printed
    assert "gpusPerNode: 4" in printed
