"""The part of a kubelet that serves container logs, over HTTPS: real logs of real servers.

kwok's fake kubelets run no containers, so nothing there has a log. The API server reads them from
the address and port that a node's status names, and that is what this stands behind.

Source: Kubernetes, pkg/kubelet/server/server.go, getContainerLogs().
"""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

from tests.cluster.control_plane import ControlPlane

_STRATEGIC = "application/strategic-merge-patch+json"


@dataclass
class Logs:
    """Files behind ``kubectl logs``.

    Attributes:
        now: Pod → log of its container. before: Pod → log of the container it had before.
    """

    now: dict[str, Path] = field(default_factory=dict)
    before: dict[str, Path] = field(default_factory=dict)

    def text(self, pod: str, query: Mapping[str, list[str]]) -> bytes | None:
        """What a kubelet would send; None without such a container."""
        files = self.before if query.get("previous") == ["true"] else self.now
        if pod not in files:
            return None
        data = files[pod].read_bytes()
        if "tailLines" in query:
            data = b"".join(data.splitlines(keepends=True)[-int(query["tailLines"][0]) :])
        return data[: int(query["limitBytes"][0])] if "limitBytes" in query else data


@contextmanager
def log_kubelet(plane: ControlPlane, address: str) -> Iterator[Logs]:
    """Logs of every node of the cluster, until the end of the body."""
    logs = Logs()

    class Kubelet(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlparse(self.path)
            _, _, _namespace, pod, _container = url.path.split("/")
            data = logs.text(pod, parse_qs(url.query))
            if data is None:
                data = b"container not found"
            self.send_response(404 if data == b"container not found" else 200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((address, 0), Kubelet)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(plane.serving.certificate, plane.serving.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    _name_it(plane, address, int(server.server_address[1]))
    try:
        yield logs
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _name_it(plane: ControlPlane, address: str, port: int) -> None:
    """Have every node say where its kubelet listens."""
    status = {
        "addresses": [{"type": "InternalIP", "address": address}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    cluster = plane.connection()
    for node in plane.read("nodes")["items"]:
        path = f"/api/v1/nodes/{node['metadata']['name']}/status"
        cluster.send("PATCH", path, body={"status": status}, content_type=_STRATEGIC)
