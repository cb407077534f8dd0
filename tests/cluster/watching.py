"""Records every state a namespace passes through: bytes on every card, servers that answer."""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from packer.cluster.pods import pod_requests
from packer.cluster.servers import is_ready
from packer.plan.plan import Placement, Plan
from tests.cluster.control_plane import ControlPlane
from tests.cluster.served import identity, routers_of

Json = dict[str, Any]
Card = tuple[str, int]
_WORKLOAD = "workload.gpu-packer/"


class Record:
    """What was seen.

    Attributes:
        most_bytes: Node and card → most bytes that bound pods held there at one moment; the
            cards of a router are those of its plan, as the device plugin may give it others.
        most_cards: Node → most whole cards that bound pods had there at one moment.
        fewest: Workload → fewest pods that answered at one moment.
        unknown: Pods that belong to no given plan.
        states: How many states were looked at.
    """

    def __init__(
        self, plans: Sequence[Plan], present: Sequence[Json], lost: frozenset[str]
    ) -> None:
        self._placements = [(one, _uuids(one, plan)) for plan in plans for one in plan.placements]
        self._routers = {key: found for plan in plans for key, found in routers_of(plan).items()}
        self._lost = lost
        self._pods = {pod["metadata"]["uid"]: pod for pod in present}
        self.most_bytes: Counter[Card] = Counter()
        self.most_cards: Counter[str] = Counter()
        self.fewest: dict[str, int] = {}
        self.unknown: set[str] = set()
        self.states = 0
        self._look()

    def see(self, kind: str, pod: Json) -> None:
        """Take in one event of a watch."""
        if kind == "DELETED":
            self._pods.pop(pod["metadata"]["uid"], None)
        else:
            self._pods[pod["metadata"]["uid"]] = pod
        self._look()

    def _look(self) -> None:
        self.states += 1
        held: Counter[Card] = Counter()
        cards: Counter[str] = Counter()
        answering: Counter[str] = Counter()
        for pod in self._pods.values():
            node = pod["spec"].get("nodeName", "")
            if not node or node in self._lost:
                continue
            cards[node] += pod_requests(pod["spec"]).get("nvidia.com/gpu", 0)
            served = self._served(pod, node)
            if not served:
                self.unknown.add(pod["metadata"]["name"])
            for one in served:
                for gpu, device in zip(one.gpus, one.devices, strict=True):
                    held[node, gpu] += device.high_bytes
                answering[one.workload] += is_ready(pod)
        _raise(self.most_bytes, held)
        _raise(self.most_cards, cards)
        for workload in {one.workload for one, _ in self._placements}:
            now = answering[workload]
            self.fewest[workload] = min(self.fewest.get(workload, now), now)

    def _served(self, pod: Json, node: str) -> tuple[Placement, ...]:
        """Replicas a pod serves; none if it belongs to no plan, or not to this node."""
        routed = self._routers.get(identity(pod["metadata"]), ())
        found = routed or self._replica(pod, node)
        return found if {one.node for one in found} == {node} else ()

    def _replica(self, pod: Json, node: str) -> tuple[Placement, ...]:
        arguments = [one.replace("$$", "$") for one in pod["spec"]["containers"][0]["args"]]
        labels = pod["metadata"]["labels"]
        for one, uuids in self._placements:
            is_its = one.node == node and f"{_WORKLOAD}{one.workload}" in labels
            # Two replicas on one node may differ by their cards alone.
            if is_its and list(one.argv[1:]) == arguments and _visible(pod) == uuids:
                return (one,)
        return ()


def _raise(most: Counter[Any], now: Counter[Any]) -> None:
    for key, count in now.items():
        most[key] = max(most[key], count)


def assert_never_over(record: Record, plans: Sequence[Plan]) -> None:
    """No card ever held more than it can allocate, and nothing unknown was there."""
    room = {
        (node.name, card.index): card.allocatable_bytes - card.taken_bytes
        for plan in plans
        for node in plan.nodes
        for card in node.cards
    }
    assert not record.unknown
    assert record.most_bytes
    for card, most in record.most_bytes.items():
        assert most <= room[card], card
    whole = Counter(node for node, _ in room)
    for node, cards in record.most_cards.items():
        assert cards <= whole[node], node


def _uuids(placement: Placement, plan: Plan) -> list[str]:
    (node,) = (one for one in plan.nodes if one.name == placement.node)
    cards = {card.index: card.uuid for card in node.cards}
    return [cards[gpu] for gpu in placement.gpus]


def _visible(pod: Json) -> list[str]:
    """UUIDs of the cards a pod's server sees."""
    environment = pod["spec"]["containers"][0].get("env") or ()
    values = {one["name"]: one.get("value") for one in environment}
    return (values.get("CUDA_VISIBLE_DEVICES") or "").split(",")


@contextmanager
def watched(
    plane: ControlPlane, namespace: str, plans: Sequence[Plan], lost: frozenset[str] = frozenset()
) -> Iterator[Record]:
    """Watch pods of a namespace while the body runs."""
    cluster = plane.connection()
    path = f"/api/v1/namespaces/{namespace}/pods"
    first = cluster.get(path)
    record = Record(plans, first["items"], lost)
    version = first["metadata"]["resourceVersion"]
    # Wide enough that the reader is never idle for longer; the body ends the watch.
    stop = threading.Event()
    thread = threading.Thread(target=_follow, args=(plane, path, version, record, stop))
    thread.start()
    try:
        yield record
    finally:
        stop.set()
        thread.join()


def _follow(
    plane: ControlPlane, path: str, version: str, record: Record, stop: threading.Event
) -> None:
    while not stop.is_set():
        cluster = plane.connection()
        answer = cluster._pool.request(
            "GET",
            f"{cluster.host}{path}?watch=true&timeoutSeconds=2&resourceVersion={version}",
            preload_content=False,
        )
        rest = b""
        for chunk in answer.stream():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in filter(None, lines):
                event = json.loads(line)
                version = event["object"]["metadata"]["resourceVersion"]
                record.see(event["type"], event["object"])
        answer.release_conn()
