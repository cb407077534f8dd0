"""All objects of a kind, page by page: only what is wanted of each is kept in memory."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from packer.cluster.connection import Connection, Json
from packer.cluster.refusals import GONE, NOT_FOUND, Refused

Kept = TypeVar("Kept")

PAGE = 500
"""Objects in one answer: a few megabytes of pods."""
_RESTARTS = 3


def listed(
    cluster: Connection,
    path: str,
    keep: Callable[[Json], Kept | None],
    query: Mapping[str, str] | None = None,
) -> list[Kept]:
    """What ``keep`` makes of every object under a path; what it makes None of is left out.

    A list that takes so long that the server has forgotten its start begins anew.

    Raises:
        InvalidInput: The server refuses. Unreachable: It does not answer.
    """
    for attempt in range(_RESTARTS):
        try:
            return _pages(cluster, path, keep, dict(query or {}))
        except Refused as error:
            if error.status != GONE or attempt == _RESTARTS - 1:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def served(cluster: Connection, path: str) -> bool:
    """Whether the server knows an API at all, such as ``/apis/resource.k8s.io/v1``."""
    try:
        cluster.get(path)
    except Refused as error:
        if error.status == NOT_FOUND:
            return False
        raise
    return True


def _pages(
    cluster: Connection, path: str, keep: Callable[[Json], Kept | None], query: dict[str, str]
) -> list[Kept]:
    kept: list[Kept] = []
    query["limit"] = str(PAGE)
    while True:
        page = cluster.get(path, query)
        kept += [one for one in map(keep, page.get("items") or ()) if one is not None]
        following = page.get("metadata", {}).get("continue", "")
        if not following:
            return kept
        query["continue"] = following
