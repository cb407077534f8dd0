"""Whether what runs is what was planned: pods, cards, command lines, as the API server tells."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packer.cluster.connection import Connection, Json
from packer.cluster.given_cards import given_cards
from packer.cluster.listing import listed
from packer.cluster.object_kinds import POD
from packer.cluster.ownership import MANAGED_BY, MANAGER, PART_OF
from packer.cluster.servers import INSTANCE, Server, is_ready, is_server, server_of
from packer.plan.finding import Finding
from packer.plan.plan import Plan


@dataclass(frozen=True)
class RunningPod:
    """The pod of a rendered server; None if there is not exactly one."""

    server: Server
    pod: Json | None


def running_pods(
    cluster: Connection, plan: str, namespace: str, rendered: Iterable[Json]
) -> list[RunningPod]:
    """Rendered servers with their pods; pods that are going do not count."""
    query = {"labelSelector": f"{PART_OF}={plan},{MANAGED_BY}={MANAGER}"}
    by_instance: dict[str, list[Json]] = {}
    for pod in listed(cluster, POD.collection(namespace), lambda item: item, query):
        if "deletionTimestamp" not in pod["metadata"]:
            by_instance.setdefault(pod["metadata"]["labels"].get(INSTANCE, ""), []).append(pod)
    servers = [server_of(body) for body in rendered if is_server(body)]
    found = {server.name: by_instance.get(server.instance, []) for server in servers}
    return [
        RunningPod(one, found[one.name][0] if len(found[one.name]) == 1 else None)
        for one in servers
    ]


def verify_pods(
    cluster: Connection, plan: Plan, namespace: str, pods: Sequence[RunningPod]
) -> Iterator[Finding]:
    """Findings of every server: whether it is ready, where, on which cards, with which flags."""
    uuids = {
        (node.name, card.index): card.uuid
        for node in plan.nodes
        for card in node.cards
        if card.uuid
    }
    given = given_cards(cluster, namespace, [one.pod for one in pods if one.pod])
    for one in pods:
        if one.pod is None:
            yield Finding(one.server.name, "pod", "1", "none, or several", False)
            continue
        yield from _findings(one.server, one.pod, uuids, given)


def _findings(
    server: Server,
    pod: Json,
    uuids: Mapping[tuple[str, int], str],
    given: Mapping[str, tuple[str, ...]],
) -> Iterator[Finding]:
    state = "ready" if is_ready(pod) else str(pod.get("status", {}).get("phase", "unknown"))
    yield Finding(server.name, "state", "ready", state, state == "ready")
    node = pod["spec"].get("nodeName", "none")
    yield Finding(server.name, "node", server.node, node, node == server.node)
    planned = [uuids[server.node, gpu] for gpu in server.cards if (server.node, gpu) in uuids]
    found = given.get(pod["metadata"]["uid"])
    if planned and found is not None:
        is_there = set(planned) <= set(found)
        yield Finding(server.name, "cards", " ".join(planned), " ".join(found), is_there)
    for what in ("args", "image"):
        wanted = server.body["spec"]["template"]["spec"]["containers"][0].get(what)
        now = pod["spec"]["containers"][0].get(what)
        yield Finding(server.name, what, _shown(wanted), _shown(now), wanted == now)


def _shown(value: object) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)
