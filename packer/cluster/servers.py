"""Servers as Deployments describe them: where each sits and what it holds, planned or running."""

from collections.abc import Mapping
from dataclasses import dataclass

from packer.cluster.connection import Json
from packer.plan.rollout.change import HOST, Occupancy, Place

NODE = "gpu-packer/node"
BYTES = "gpu-packer/planned-bytes"
HOST_BYTES = "gpu-packer/planned-host-bytes"
PLACED = "gpu-packer/placed"
"""Which replicas a server is, as ``packer.plan.running_text`` writes them."""
INSTANCE = "app.kubernetes.io/instance"
LEAVING = "gpu-packer/leaving"
"""Label of a pod that goes on until its successor answers: name of the server it belonged to."""
_WHOLE_GROUP = "gpu"
_WORKLOAD = "workload.gpu-packer/"
_DEVICES = "nvidia.com/"
_SHARE = "nvidia.com/gpumem"


@dataclass(frozen=True)
class Server:
    """One server, as rendered or as it runs.

    Attributes:
        instance: Label value that its pods carry.
        node: Planned node.
        card_bytes: Card index → upper band of what it holds [bytes].
        claims: What its pods call a ResourceClaim they share, such as ``gpu0`` for one card or
            ``gpu`` for a group of cards → name of the claim.
        card_owner: Who has its cards to itself, where the device plugin hands them out: this very
            object, for its successor is given other cards; empty where cards are shared.
        is_available: Whether it answers; a rendered one is taken to.
        body: Its Deployment, or its Pod if that is all that is left of it.
    """

    name: str
    instance: str
    node: str
    card_bytes: Mapping[int, int]
    host_bytes: int
    workloads: frozenset[str]
    claims: Mapping[str, str]
    card_owner: str
    is_available: bool
    body: Json

    @property
    def is_leaving(self) -> bool:
        """Whether only a pod is left that waits for its successor."""
        return not self.instance

    @property
    def cards(self) -> tuple[int, ...]:
        """Indices of its cards on the node."""
        return tuple(sorted(self.card_bytes))

    def occupancy(self) -> Occupancy:
        """What it holds while it runs; a card is a seat of the claim or the pod that owns it."""
        places = {Place(self.node, gpu): held for gpu, held in self.card_bytes.items()}
        owners = {
            f"{self.node}/gpu{gpu}": name
            for gpu in self.card_bytes
            for request, name in self.claims.items()
            if request in (f"gpu{gpu}", _WHOLE_GROUP)
        }
        if self.card_owner:
            owners = {f"{self.node}/gpu{gpu}": self.card_owner for gpu in self.card_bytes}
        return Occupancy(
            {**places, Place(self.node, HOST): self.host_bytes}, self.workloads, owners
        )


def is_server(body: Json) -> bool:
    """Whether an object is a Deployment of llama-servers; a gateway's holds no card."""
    labels = (body["metadata"].get("labels") or {}) if body["kind"] == "Deployment" else {}
    return labels.get("app.kubernetes.io/name") == "llama-server"


def server_of(deployment: Json, *, lost_nodes: frozenset[str] = frozenset()) -> Server:
    """The server of a Deployment, rendered or live.

    Args:
        deployment: The object.
        lost_nodes: Nodes that do not run pods any more; what sat there holds nothing.
    """
    meta, template = deployment["metadata"], deployment["spec"]["template"]
    annotations = meta.get("annotations") or {}
    labels = template["metadata"]["labels"]
    status = deployment.get("status")
    node = _node(labels, template["spec"])
    return Server(
        name=meta["name"],
        instance=labels[INSTANCE],
        node=node,
        card_bytes=parse_planned(annotations.get(BYTES, "")),
        host_bytes=int(annotations.get(HOST_BYTES, "0")),
        workloads=_workloads(labels),
        claims=_claims(template["spec"]),
        card_owner=_card_owner(meta, template["spec"]),
        is_available=node not in lost_nodes
        and (status is None or int(status.get("readyReplicas", 0)) > 0),
        body=deployment,
    )


def leaving_server(pod: Json) -> Server:
    """What an interrupted change left: a pod without Deployment that still holds its cards."""
    meta = pod["metadata"]
    annotations, labels = meta.get("annotations") or {}, meta["labels"]
    return Server(
        name=f"{labels[LEAVING]} (leaving)",
        instance="",
        node=_node(labels, pod["spec"]),
        card_bytes=parse_planned(annotations.get(BYTES, "")),
        host_bytes=int(annotations.get(HOST_BYTES, "0")),
        workloads=_workloads(labels),
        claims=_claims(pod["spec"]),
        card_owner=_card_owner(meta, pod["spec"]),
        is_available=is_ready(pod),
        body=pod,
    )


def is_ready(pod: Json) -> bool:
    """Whether a pod answers and has not been told to go."""
    conditions = pod.get("status", {}).get("conditions") or ()
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def parse_planned(text: str) -> dict[int, int]:
    """Card → bytes of an annotation such as ``gpu0=123,gpu1=45``."""
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {int(card.removeprefix("gpu")): int(held) for card, _, held in pairs}


def bound_node(spec: Json) -> str:
    """Node that a pod is bound to by name; empty where it is not."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field["key"] == "metadata.name":
                return str(field["values"][0])
    return ""


def _node(labels: Mapping[str, str], spec: Json) -> str:
    """Planned node: the one that pods are bound to by name, else the label of a node made up."""
    return bound_node(spec) or labels.get(NODE, "")


def _workloads(labels: Mapping[str, str]) -> frozenset[str]:
    return frozenset(key.removeprefix(_WORKLOAD) for key in labels if key.startswith(_WORKLOAD))


def _claims(spec: Json) -> dict[str, str]:
    claims = spec.get("resourceClaims") or ()
    return {one["name"]: one["resourceClaimName"] for one in claims if "resourceClaimName" in one}


def _card_owner(meta: Json, spec: Json) -> str:
    """Object whose pods own what the device plugin gives them; HAMi's are given shares instead."""
    resources = [one.get("resources") or {} for one in spec["containers"]]
    asked = {name for one in resources for name in one.get("limits") or {}}
    is_owner = any(name.startswith(_DEVICES) for name in asked) and _SHARE not in asked
    return f"{meta['name']} {meta.get('uid', 'to come')}" if is_owner else ""
