"""HAMi's own scheduler extender against a cluster without GPUs.

What needs a GPU is its device plugin on the node; of that, one thing is stood in for: a pod that
was given cards is told so, and its node is let go for the next one.

Source: HAMi 2.10.0: cmd/scheduler/main.go; charts/hami/templates/scheduler/device-configmap.yaml;
pkg/device-plugin/nvidiadevice/nvinternal/plugin/util.go, PodAllocationSuccess.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from urllib3 import PoolManager
from urllib3.exceptions import HTTPError

from packer.cluster.connection import Connection
from tests.cluster.control_plane import ControlPlane
from tests.cluster.processes import free_ports

_NAME = "hami-extender"
_PHASE, _LOCK = "hami.io/bind-phase", "hami.io/mutex.lock"
_MERGE = "application/merge-patch+json"
_NVIDIA = {
    "resourceCountName": "nvidia.com/gpu",
    "resourceMemoryName": "nvidia.com/gpumem",
    "resourceMemoryPercentageName": "nvidia.com/gpumem-percentage",
    "resourceCoreName": "nvidia.com/gpucores",
    "resourcePriorityName": "nvidia.com/priority",
    "defaultGPUNum": 1,
    "memoryFactor": 1,
    "deviceSplitCount": 10,
    "deviceMemoryScaling": 1,
    "deviceCoreScaling": 1,
}
"""The chart's values."""


@contextmanager
def running_program(plane: ControlPlane, program: Path) -> Iterator[int]:
    """Port of HAMi's extender, while the body runs."""
    port, metrics = free_ports(2)
    devices = plane.folder / "hami-devices.yaml"
    devices.write_text(yaml.safe_dump({"nvidia": _NVIDIA}))
    command: list[str | Path] = [
        program,
        f"--http_bind=127.0.0.1:{port}",
        f"--metrics-bind-address=127.0.0.1:{metrics}",
        f"--device-config-file={devices}",
        "--scheduler-name=hami-scheduler",
        "--kube-qps=200",
        "--kube-burst=400",
    ]
    plane.start_program(_NAME, command)
    plane.wait_until(lambda: _answers(port), "HAMi's extender")
    stop = threading.Event()
    thread = threading.Thread(target=_hand_over, args=(plane.connection(), stop), daemon=True)
    thread.start()
    try:
        yield port
    finally:
        stop.set()
        thread.join()
        plane.end(_NAME)


def _answers(port: int) -> bool:
    try:
        url = f"http://127.0.0.1:{port}/healthz"
        return PoolManager().request("GET", url, retries=False, timeout=2).status == 200
    except HTTPError:
        return False


def _hand_over(cluster: Connection, stop: threading.Event) -> None:
    while not stop.wait(0.2):
        for pod in cluster.get("/api/v1/pods")["items"]:
            annotations = pod["metadata"].get("annotations") or {}
            if annotations.get(_PHASE) == "allocating" and pod["spec"].get("nodeName"):
                _allocated(cluster, pod)


def _allocated(cluster: Connection, pod: dict[str, Any]) -> None:
    meta = pod["metadata"]
    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
    for where, annotation in (
        (path, {_PHASE: "success"}),
        (f"/api/v1/nodes/{pod['spec']['nodeName']}", {_LOCK: None}),
    ):
        body = {"metadata": {"annotations": annotation}}
        cluster.send("PATCH", where, body=body, content_type=_MERGE)
