"""A stand-in for HAMi's scheduler extender, where the real program is not given.

Its rules for memory and named cards are kept here: a share is taken on each card a pod names,
counted until the pod is gone, and written on the pod.

Source: HAMi 2.10.0: pkg/scheduler/scheduler.go, Filter; pkg/device/nvidia/device.go, Fit and
PatchAnnotations.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from packer.cluster.connection import Connection
from packer.cluster.nodes import node_of
from packer.cluster.pods import pod_of
from tests.cluster.control_plane import ControlPlane

Json = dict[str, Any]
_MIB = 2**20
_GPU, _MEMORY = "nvidia.com/gpu", "nvidia.com/gpumem"
_WANTED = "nvidia.com/use-gpuuuid"
_REGISTER = "hami.io/node-nvidia-register"
_GIVEN = ("hami.io/vgpu-devices-to-allocate", "hami.io/vgpu-devices-allocated")


@contextmanager
def stand_in(plane: ControlPlane) -> Iterator[int]:
    """Port of an extender that answers while the body runs."""
    cluster = plane.connection()

    class Extender(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            data = json.dumps(_filter(cluster, asked)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Extender)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _filter(cluster: Connection, asked: Json) -> Json:
    """The one node the pod goes to, after the choice was written on the pod."""
    pod, names = asked["Pod"], asked["NodeNames"]
    limits = pod["spec"]["containers"][0]["resources"]["limits"]
    count, mib = int(limits[_GPU]), int(limits[_MEMORY])
    wanted = pod["metadata"]["annotations"].get(_WANTED, "").split(",")
    held = _held_mib(cluster)
    for name in names:
        cards = _registered(cluster, name)
        free = [uuid for uuid in wanted if cards.get(uuid, 0) - held[uuid] >= mib]
        if len(free) >= count:
            _give(cluster, pod, free[:count], mib)
            return {"NodeNames": [name]}
    return {"NodeNames": [], "FailedNodes": dict.fromkeys(names, "CardInsufficientMemory")}


def _held_mib(cluster: Connection) -> Counter[str]:
    held: Counter[str] = Counter()
    for pod in filter(None, map(pod_of, cluster.get("/api/v1/pods")["items"])):
        held.update({uuid: count // _MIB for uuid, count in pod.hami_bytes.items()})
    return held


def _registered(cluster: Connection, node: str) -> dict[str, int]:
    annotations = node_of(cluster.get(f"/api/v1/nodes/{node}")).annotations
    return {one["id"]: one["devmem"] for one in json.loads(annotations.get(_REGISTER, "[]"))}


def _give(cluster: Connection, pod: Json, uuids: list[str], mib: int) -> None:
    meta = pod["metadata"]
    given = "".join(f"{uuid},NVIDIA,{mib},0:" for uuid in uuids) + ";"
    cluster.send(
        "PATCH",
        f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}",
        body={"metadata": {"annotations": dict.fromkeys(_GIVEN, given)}},
        content_type="application/merge-patch+json",
    )
