"""Requests to one cluster's API server: JSON in, JSON out, failures in our words."""

import json
import time
from collections.abc import Mapping
from typing import Any

from packer.cluster.kubeconfig import Target
from packer.cluster.refusals import refusal
from packer.errors import InvalidInput, Problem, Unreachable

Json = dict[str, Any]

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 60.0
_ATTEMPTS = 4
"""Tries of a request that may be repeated; the waits between them add up to seven seconds."""
_PASSING = frozenset((429, 500, 502, 503, 504))
"""Answers that a busy or restarting server gives; the same request may succeed a moment later."""
_LONGEST_WAIT_SECONDS = 10.0


class Connection:
    """A cluster as one user sees it.

    Attributes:
        name: What people call the cluster.
        host: Address of its API server.
    """

    def __init__(self, target: Target) -> None:
        """Prepare; nothing is sent before the first request."""
        from kubernetes.client.rest import RESTClientObject

        self.name = target.name
        self.host = str(target.configuration.host)
        self._configuration = target.configuration
        # Retries are ours: urllib3's would repeat a refused connection without any pause.
        self._configuration.retries = False
        self._pool = RESTClientObject(self._configuration).pool_manager

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """The answer to a read.

        Raises:
            InvalidInput: The server refuses.
            Unreachable: It does not answer.
        """
        return self.send("GET", path, query=query)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> Json:
        """The answer to a request; repeated while the server says that it is busy.

        Server-side apply, reads and deletes by UID may be repeated: a second one changes nothing.

        Raises:
            InvalidInput: The server refuses; ``Refused`` tells the status.
            Unreachable: It does not answer, or only with passing failures.
        """
        encoded = None if body is None else json.dumps(body).encode()
        kind = {} if encoded is None else {"Content-Type": content_type}
        return _decoded(self._sent(method, path, query, encoded, kind, _ATTEMPTS))

    def read_text(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """What stands behind the server, such as a log or the answer of a pod; asked once.

        Args:
            path: Where.
            query: What to ask for.
            headers: Such as a key that the pod asks for; the cluster's own credentials are added.

        Raises:
            InvalidInput: The server or the pod refuses. Unreachable: Nothing answers.
        """
        sent = self._sent("GET", path, query, None, headers or {}, 1)
        return sent.decode("utf-8", "replace")

    def _sent(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        headers: Mapping[str, str],
        attempts: int,
    ) -> bytes:
        """Body of the answer to a request that is tried at most so often."""
        for attempt in range(attempts):
            status, text, wait = self._once(method, path, query, body, headers)
            if status < 300:
                return text
            if status not in _PASSING or attempt == attempts - 1:
                break
            time.sleep(min(_LONGEST_WAIT_SECONDS, wait or 2.0**attempt))
        if status in _PASSING and status != 500:
            raise Unreachable(f"{self} answers {status} to {method} {path}: {_message(text)}")
        raise refusal(status, method, path, _message(text))

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        more: Mapping[str, str],
    ) -> tuple[int, bytes, float]:
        """Status, body, and how long the server asks to wait [s]."""
        from urllib3.exceptions import HTTPError
        from urllib3.util import Timeout

        headers = {"Accept": "application/json, */*", **more, **self._credentials()}
        try:
            response = self._pool.request(
                method,
                self.host + path + _query_text(query),
                headers=headers,
                body=body,
                timeout=Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
                redirect=False,
            )
        # OSError: a certificate file of the kubeconfig that is missing.
        except (HTTPError, OSError) as error:
            raise Unreachable(f"{self} does not answer: {_reason(error)}") from error
        return response.status, response.data, _seconds(response.headers.get("Retry-After"))

    def _credentials(self) -> dict[str, str]:
        """Authorization header; a token that has expired is renewed first."""
        try:
            settings = self._configuration.auth_settings()
        # A login program of the kubeconfig runs here and may fail in any way.
        except Exception as error:
            title = f"the credentials for {self.name} cannot be renewed"
            raise InvalidInput(Problem("P1022", title, None, str(error), "log in again")) from error
        return {one["key"]: one["value"] for one in settings.values() if one["value"]}

    def __str__(self) -> str:
        """Name and address."""
        return f"the cluster {self.name} at {self.host}"


def _query_text(query: Mapping[str, str] | None) -> str:
    from urllib.parse import urlencode

    return f"?{urlencode(query)}" if query else ""


def _decoded(text: bytes) -> Json:
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise Unreachable("what answers is not a Kubernetes API server: no JSON") from error
    if not isinstance(answer, dict):
        raise Unreachable("what answers is not a Kubernetes API server: no object")
    return answer


def _message(text: bytes) -> str:
    """What a Status object, or an error of a llama-server, says; else the start of the text."""
    try:
        said = json.loads(text)
        return str((said.get("error") or said)["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return text[:200].decode("utf-8", "replace").strip()


def _seconds(header: str | None) -> float:
    return float(header) if header and header.isascii() and header.isdecimal() else 0.0


def _reason(error: Exception) -> str:
    """The innermost message without the names of the client's own objects."""
    inner = getattr(error, "reason", None) or error
    text = str(inner)
    return text.rpartition(">: ")[2] or text
