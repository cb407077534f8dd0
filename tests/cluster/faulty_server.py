"""HTTPS servers in front of, or behind, the API server that misbehave on purpose."""

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

from tests.cluster.control_plane import ControlPlane

LOST = -1
"""Instead of a status: the connection is closed without an answer."""
LOST_ANSWER = -2
"""The same, after the request was carried out."""
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


@contextmanager
def misbehaving_proxy(
    plane: ControlPlane,
    fault: Callable[[str, str], int] = lambda method, path: 0,
    answers: Mapping[str, dict[str, Any]] = MappingProxyType({}),
) -> Iterator[str]:
    """Address of a proxy to the API server; users need a token, not a certificate.

    Args:
        plane: The cluster.
        fault: Asked for method and path of every request: 0 lets it pass, a status answers it,
            ``LOST`` drops it, ``LOST_ANSWER`` drops its answer.
        answers: Path → what is answered instead of the server's own.
    """
    trusted = ssl.create_default_context(cafile=str(plane.authority.certificate))

    class Proxy(_Quiet):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status = fault(self.command, self.path)
            if status == LOST:
                self.close_connection = True
                return
            if self.path in answers:
                self.answer(200, answers[self.path])
                return
            if status > 0:
                self.answer(status, {"kind": "Status", "message": f"injected {status}"})
                return
            upstream = http.client.HTTPSConnection("127.0.0.1", plane.port, context=trusted)
            names = ("Authorization", "Content-Type", "Accept")
            headers = {name: self.headers[name] for name in names if name in self.headers}
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            data = answer.read()
            upstream.close()
            if status == LOST_ANSWER:
                self.close_connection = True
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with _serving(plane, Proxy) as address:
        yield address


@contextmanager
def refusing_webhook(plane: ControlPlane, why: str) -> Iterator[str]:
    """Address of an admission webhook that refuses everything."""

    class Webhook(_Quiet):
        def handle_any(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            response = {"uid": review["request"]["uid"], "allowed": False}
            review["response"] = {**response, "status": {"code": 403, "message": why}}
            self.answer(200, review)

    with _serving(plane, Webhook) as address:
        yield address


class _Quiet(BaseHTTPRequestHandler):
    """Answers JSON and logs nothing."""

    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        raise NotImplementedError

    def answer(self, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.handle_any()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def _serving(plane: ControlPlane, handler: type[_Quiet]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(plane.serving.certificate, plane.serving.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def is_write(method: str) -> bool:
    """Whether a request changes something."""
    return method in _WRITES
