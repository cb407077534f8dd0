"""What servers in pods say of themselves: asked, and their logs read, through the API server."""

from collections.abc import Callable
from dataclasses import dataclass

from packer.cluster.connection import Connection, Json
from packer.cluster.object_kinds import POD
from packer.cluster.refusals import FORBIDDEN, UNAUTHORIZED, Refused
from packer.errors import GpuPackerError, InvalidInput

CONTAINER = "llama-server"
LONGEST_LOG_BYTES = 4 * 2**20
"""Read of a log's beginning, where a server names its buffers [bytes]."""
_LAST_LINES = 200
"""Read of the end of an ended server's log, where its account stands."""
_KEY_HEADER = "X-Api-Key"
"""The API server keeps ``Authorization`` to itself. Source: llama.cpp b11434, server-http.cpp."""
_NO_KEY = "it asks for its API key: --api-key-file"


@dataclass(frozen=True)
class Told:
    """A text, or why there is none."""

    text: str = ""
    why_not: str = ""


def answer_of(
    cluster: Connection, namespace: str, pod: Json, path: str, *, api_key: str = ""
) -> Told:
    """What a server answers, through the API server's proxy to its pod.

    Raises:
        InvalidInput: P1023, the right to ask pods is missing; or the credentials are refused.
    """
    port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
    url = f"{_path(namespace, pod)}:{port}/proxy{path}"
    headers = {_KEY_HEADER: api_key} if api_key else {}
    return _told(lambda: cluster.read_text(url, headers=headers))


def log_of(cluster: Connection, namespace: str, pod: Json) -> Told:
    """The beginning of a server's log.

    Raises:
        InvalidInput: P1023, the right to read logs is missing; or the credentials are refused.
    """
    query = {"container": CONTAINER, "limitBytes": str(LONGEST_LOG_BYTES)}
    return _told(lambda: cluster.read_text(f"{_path(namespace, pod)}/log", query))


def ended_log_of(cluster: Connection, namespace: str, pod: Json) -> Told:
    """Beginning and end of the log of the container that a pod had before this one.

    Raises:
        InvalidInput: As ``log_of``.
    """
    path, before = f"{_path(namespace, pod)}/log", {"container": CONTAINER, "previous": "true"}
    head = {**before, "limitBytes": str(LONGEST_LOG_BYTES)}
    begun = _told(lambda: cluster.read_text(path, head))
    if begun.why_not:
        return begun
    ended = _told(lambda: cluster.read_text(path, {**before, "tailLines": str(_LAST_LINES)}))
    return Told(f"{begun.text}\n{ended.text}")


def _path(namespace: str, pod: Json) -> str:
    return f"{POD.collection(namespace)}/{pod['metadata']['name']}"


def _told(read: Callable[[], str]) -> Told:
    try:
        return Told(read())
    except Refused as error:
        # Both the API server and the pod behind it may refuse; only the first speaks of users.
        if error.status == FORBIDDEN and "is forbidden: User" in error.message:
            raise
        if error.status == UNAUTHORIZED:
            if "Unauthorized" in error.message:
                raise
            return Told(why_not=_NO_KEY)
        return Told(why_not=error.message or f"it answers {error.status}")
    except InvalidInput as error:
        if error.problems[0].code == "P1022":
            raise
        return Told(why_not=error.problems[0].title)
    except GpuPackerError as error:
        return Told(why_not=str(error).splitlines()[0])
