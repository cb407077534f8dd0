"""What ways of sharing cards need of a cluster, and whether it is too old for them."""

from collections.abc import Iterable

from packer.cluster.connection import Json
from packer.cluster.object_kinds import CLAIM, TEMPLATE, Kind
from packer.cluster.reading import LiveCluster
from packer.cluster.versions import ServerVersion
from packer.domain.node import Sharing
from packer.errors import InvalidInput, Problem

_NO_CLAIMS = "it does not serve resource.k8s.io/v1, the API of resource claims"
_NO_SHARES = "claims of a part of a card's memory are off by default, and no driver publishes any"
_SHARES_FROM = (1, 36)


def check_new_enough(live: LiveCluster, ways: Iterable[Sharing]) -> None:
    """Refuse ways of sharing that a cluster is too old for.

    Raises:
        InvalidInput: P1026, for each of them.

    Source:
        Kubernetes: KEP-4381 (claims), GA in 1.34; KEP-5075 (parts of a device), alpha in 1.34,
        on by default from 1.36.
    """
    problems = []
    for way in sorted(ways):
        if way in (Sharing.DRA, Sharing.DRA_MEMORY) and not live.serves_claims:
            problems.append(_too_old(live.version, way, _NO_CLAIMS))
        elif way is Sharing.DRA_MEMORY and _lacks_shares(live):
            problems.append(_too_old(live.version, way, _NO_SHARES))
    if problems:
        raise InvalidInput(problems)


def ways_of(rendered: Iterable[Json]) -> frozenset[Sharing]:
    """Ways of sharing whose objects are among rendered ones, as far as a cluster may lack them."""
    ways: set[Sharing] = set()
    for body in rendered:
        if body["kind"] in (CLAIM.name, TEMPLATE.name):
            spec = body["spec"]["spec"] if body["kind"] == TEMPLATE.name else body["spec"]
            asked = [one["exactly"] for one in spec["devices"]["requests"]]
            ways.add(Sharing.DRA_MEMORY if any("capacity" in one for one in asked) else Sharing.DRA)
    return frozenset(ways)


def unserved(version: ServerVersion, kind: Kind) -> Problem:
    """A rendered kind that the server does not know."""
    title = f"the cluster does not know {kind.name} ({kind.api})"
    if kind.api == CLAIM.api:
        help_ = "Kubernetes 1.34 does; --sharing whole needs only the device plugin"
        return Problem("P1026", f"{title}: Kubernetes {version} is too old", help=help_)
    return Problem("P1033", title, help="install its definition, or leave out what renders it")


def _lacks_shares(live: LiveCluster) -> bool:
    """Whether the version says so, and no published card says otherwise: a gate may be open."""
    is_old = (0, 0) < live.version.release < _SHARES_FROM
    return is_old and not any(Sharing.DRA_MEMORY in node.offers for node in live.nodes)


def _too_old(version: ServerVersion, way: Sharing, why: str) -> Problem:
    needs = {
        Sharing.DRA: "1.34 or newer",
        Sharing.DRA_MEMORY: "1.36 or newer (1.34 with the feature gate DRAConsumableCapacity)",
    }
    other = "whole" if why == _NO_CLAIMS else "dra"
    title = f"Kubernetes {version} is too old for sharing: {way}"
    help_ = f"{way} needs Kubernetes {needs[way]}; choose --sharing {other}"
    return Problem("P1026", title, None, why, help_)
