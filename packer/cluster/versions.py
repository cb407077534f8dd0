"""What a server can do: its version as it behaves, and the kinds of one API that it serves."""

from dataclasses import dataclass

from packer.cluster.connection import Connection, Json
from packer.cluster.refusals import NOT_FOUND, Refused


@dataclass(frozen=True)
class ServerVersion:
    """Version of an API server.

    Attributes:
        text: For people, such as ``v1.37.1``.
        release: Major and minor number; (0, 0) where the server does not tell.
    """

    text: str
    release: tuple[int, int]

    def __str__(self) -> str:
        """As people write it."""
        return self.text


def server_version(cluster: Connection) -> ServerVersion:
    """Version a server behaves as: a newer one may be told to emulate an older.

    Raises:
        InvalidInput: The server refuses. Unreachable: It does not answer.

    Source:
        Kubernetes, apimachinery/pkg/version/types.go, Info: ``emulationMajor`` and
        ``emulationMinor`` of servers with ``--emulated-version``.
    """
    told = cluster.get("/version")
    text = str(told.get("gitVersion") or "unknown")
    own, emulated = (
        _release(told, "major", "minor"),
        _release(told, "emulationMajor", "emulationMinor"),
    )
    if emulated in (own, (0, 0)):
        return ServerVersion(text, own)
    return ServerVersion(f"v{emulated[0]}.{emulated[1]} (emulated by {text})", emulated)


def _release(told: Json, major: str, minor: str) -> tuple[int, int]:
    """Two numbers; providers write a plus behind the second."""
    numbers = [str(told.get(name, "")).rstrip("+") for name in (major, minor)]
    if not all(one.isascii() and one.isdecimal() and len(one) < 5 for one in numbers):
        return 0, 0
    return int(numbers[0]), int(numbers[1])


def served_resources(cluster: Connection, api: str) -> frozenset[str]:
    """Names of what a server keeps under an API such as ``/apis/resource.k8s.io/v1``.

    Raises:
        InvalidInput: The server refuses. Unreachable: It does not answer.
    """
    try:
        found = cluster.get(api).get("resources") or ()
    except Refused as error:
        if error.status == NOT_FOUND:
            return frozenset()
        raise
    return frozenset(str(one["name"]) for one in found)
