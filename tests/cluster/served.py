"""Which replicas of a plan a pod serves: its own, or all of a router's card group."""

from collections.abc import Mapping
from typing import Any

from packer.api.manifests import manifest_objects, served_placements
from packer.plan.plan import Placement, Plan

Json = dict[str, Any]
Identity = tuple[str, str]
_INSTANCE = "app.kubernetes.io/instance"
_COMPONENT = "app.kubernetes.io/component"
_CONFIGURATION = "gpu-packer/configuration-sha256"


class Served:
    """The replicas of a plan, found by the pods that serve them."""

    def __init__(self, plan: Plan) -> None:
        self._routers = routers_of(plan)
        self._replicas = {f"{one.workload}-{one.replica}": one for one in plan.placements}

    def placements(self, pod: Json) -> tuple[Placement, ...]:
        """Replicas a pod serves; none if it is not of this plan."""
        meta = pod["metadata"]
        if meta["labels"][_COMPONENT] == "router":
            return self._routers.get(identity(meta), ())
        own = self._replicas.get(meta["labels"][_INSTANCE])
        return (own,) if own else ()


def routers_of(plan: Plan) -> Mapping[Identity, tuple[Placement, ...]]:
    """Replicas behind every router pod of a plan.

    The workloads on a pod's labels do not tell: two routers of one node may serve one workload
    each with another replica of it.
    """
    placements = served_placements(plan)
    return {
        identity(one["spec"]["template"]["metadata"]): placements[one["metadata"]["name"]]
        for one in manifest_objects(plan)
        if one["metadata"]["labels"].get(_COMPONENT) == "router"
    }


def identity(meta: Json) -> Identity:
    """What tells a router's pod from all others; a pod that is leaving has no instance."""
    return meta["labels"].get(_INSTANCE, ""), meta["annotations"][_CONFIGURATION]
