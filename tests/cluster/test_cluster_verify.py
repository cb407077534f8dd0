"""verify beside a real cluster and a real llama-server: agreement, and every kind of difference."""

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from packer import api
from packer.plan.plan import Plan
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import NAMESPACE, apply, planned, pods, prepare_namespace
from tests.cluster.fleets import fleet, workload
from tests.cluster.furnishing import furnished
from tests.cluster.hardware import L40S, Machine
from tests.llama_server import program
from tests.tiny_models import TinyShape, write_tiny_model
from tests.tools import left_out, require_tool

MACHINES = [Machine(f"l40s-{n}", L40S, 2, "384Gi", "eu-a") for n in range(2)]
PORT = 8080


@pytest.fixture
def plan(plane: ControlPlane, tmp_path: Path) -> Iterator[Plan]:
    """A fleet of one small workload, running."""
    with furnished(plane, MACHINES, "dra"):
        prepare_namespace(plane)
        small = fleet(tmp_path, workload("small", "qwen3-0.6b"))
        deployed = planned(plane, tmp_path, fleet=small)
        apply(plane, deployed.manifests)
        yield deployed.plan


def wrong(plane: ControlPlane, plan: Plan, *, asks_servers: bool = False) -> dict[str, str]:
    """What differs → what was found."""
    found = api.verify_fleet(plan, kubeconfig=str(plane.kubeconfig), asks_servers=asks_servers)
    assert found.is_as_planned == (not any(one.is_as_planned is False for one in found.findings))
    return {one.what: one.found for one in found.findings if one.is_as_planned is False}


def test_pods_cards_and_flags_are_looked_at(plane: ControlPlane, plan: Plan) -> None:
    found = api.verify_fleet(plan, kubeconfig=str(plane.kubeconfig), asks_servers=False)
    assert found.is_as_planned
    assert {one.what for one in found.findings} == {"state", "node", "cards", "args", "image"}
    silent = api.verify_fleet(plan, kubeconfig=str(plane.kubeconfig))
    assert silent.is_as_planned
    assert "1 could not be told" in silent.text

    patch = [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--verbose"}]
    change = ["patch", "deployment", "small-0", "-n", NAMESPACE, "--type=json", "-p"]
    plane.kubectl(*change, json.dumps(patch))
    plane.kubectl("rollout", "status", "deployment/small-0", "-n", NAMESPACE, "--timeout=60s")
    assert wrong(plane, plan)["args"].endswith("--verbose")
    plane.kubectl("scale", "deployment/small-0", "--replicas=0", "-n", NAMESPACE)
    gone = ["wait", "pods", "--all", "--for=delete", "-n", NAMESPACE, "--timeout=60s"]
    plane.kubectl(*gone)
    assert wrong(plane, plan) == {"pod": "none, or several"}


def test_a_server_with_another_context_is_caught(
    plane: ControlPlane, plan: Plan, tmp_path: Path
) -> None:
    server = require_tool("llama-server", str(program()))
    model = write_tiny_model(tmp_path / "tiny.gguf", TinyShape(context=32768))
    address = _own_address()
    (pod,) = pods(plane)
    status = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
    plane.connection().send(
        "PATCH",
        f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}/status",
        body=status,
        content_type="application/strategic-merge-patch+json",
    )
    with _serving(server, model, address, context=16384):
        assert wrong(plane, plan, asks_servers=True) == {}
    with _serving(server, model, address, context=8192):
        assert wrong(plane, plan, asks_servers=True) == {"context per slot": "4096"}
    with _serving(server, model, address, context=16384, slots=1):
        assert wrong(plane, plan, asks_servers=True)["slots"] == "1"


def _own_address() -> str:
    """An address of this machine that the API server's proxy may reach: not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: connecting a datagram socket only chooses the address.
            probe.connect(("192.0.2.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            left_out("this machine has no address but loopback")
    return address


@contextmanager
def _serving(
    server: str, model: Path, address: str, *, context: int, slots: int = 2
) -> Iterator[None]:
    command = [server, "-m", str(model), "-c", str(context), "-np", str(slots), "-t", "1"]
    command += ["--host", address, "--port", str(PORT), "--no-warmup", "--cache-ram", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not _answers(address):
            assert process.poll() is None, "llama-server ended"
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}:{PORT}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
