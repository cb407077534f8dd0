"""What runs of a fleet, from the objects it was rendered to: the state a new plan starts from.

Every Deployment carries its replicas. What it carries must still be so: a server that was changed
by hand is not what the planner would take it for, so it is refused rather than guessed at.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packer.cluster.connection import Connection, Json
from packer.cluster.given_cards import given_cards
from packer.cluster.listing import listed
from packer.cluster.object_kinds import DEPLOYMENT, POD
from packer.cluster.ownership import MANAGED_BY, MANAGER, PART_OF, plan_of
from packer.cluster.servers import INSTANCE, LEAVING, PLACED, bound_node, is_ready
from packer.errors import InvalidInput, Problem
from packer.plan.running import RunningFleet, command_sha256
from packer.plan.running_text import CarriedPlacement, read_running_text

_NAME, _SERVER = "app.kubernetes.io/name", "llama-server"
_PLAN_FILE = "or give the plan that runs: --from PLAN.json"


@dataclass(frozen=True)
class _Running:
    """One server that was found: its Deployment, or the pod that outlived one."""

    name: str
    body: Json
    pods: Sequence[Json]
    carried: tuple[CarriedPlacement, ...]

    @property
    def pod_spec(self) -> Json:
        is_pod = self.body["kind"] == POD.name
        spec: Json = self.body["spec"] if is_pod else self.body["spec"]["template"]["spec"]
        return spec


def read_running_fleet(cluster: Connection, fleet: str, namespace: str) -> RunningFleet:
    """The replicas of a fleet that run in a namespace.

    Args:
        cluster: Where to look.
        fleet: Name of the fleet, which is that of its plans.
        namespace: Where its servers are.

    Raises:
        InvalidInput: P1036 nothing runs, P1034 objects do not say what they are, P1035 somebody
            changed them; all at once. Or rights are missing.
        Unreachable: The cluster does not answer.
    """
    everywhere = {"labelSelector": f"{MANAGED_BY}={MANAGER},{_NAME}={_SERVER}"}
    found = listed(cluster, DEPLOYMENT.collection(namespace), lambda one: one, everywhere)
    query = {"labelSelector": f"{PART_OF}={fleet},{everywhere['labelSelector']}"}
    pods = listed(cluster, POD.collection(namespace), lambda one: one, query)
    deployments = [{**one, "kind": DEPLOYMENT.name} for one in found if plan_of(one) == fleet]
    if not deployments and not pods:
        raise InvalidInput(_nothing(fleet, namespace, found))
    servers, unread = _servers(deployments, pods)
    given = given_cards(cluster, namespace, pods)
    problems = [*unread, *_doubled(servers)]
    problems += [problem for one in servers for problem in _changed(one, given)]
    if problems:
        raise InvalidInput(problems)
    return RunningFleet(
        fleet,
        tuple(placed.running for one in servers for placed in one.carried),
        tuple(_notes(servers, pods)),
    )


def _servers(
    deployments: Iterable[Json], pods: Sequence[Json]
) -> tuple[list[_Running], list[Problem]]:
    """Servers that say what they are, and a problem for every object that does not."""
    of_server: dict[str, list[Json]] = {}
    for pod in pods:
        if "deletionTimestamp" not in pod["metadata"] and LEAVING not in pod["metadata"]["labels"]:
            of_server.setdefault(pod["metadata"]["labels"].get(INSTANCE, ""), []).append(pod)
    servers: list[_Running] = []
    problems: list[Problem] = []
    names = set()
    for body in deployments:
        meta = body["metadata"]
        names.add(meta["name"])
        instance = body["spec"]["template"]["metadata"]["labels"].get(INSTANCE, meta["name"])
        own = of_server.pop(instance, [])
        _read(meta["name"], body, own, servers, problems)
    for name, pod in _leaving(pods).items():
        if name not in names:
            _read(name, {**pod, "kind": POD.name}, [pod], servers, problems)
    problems += [_stray(pod) for some in of_server.values() for pod in some]
    return servers, problems


def _leaving(pods: Iterable[Json]) -> dict[str, Json]:
    """Server → pod that outlived its Deployment and is not told to go."""
    return {
        pod["metadata"]["labels"][LEAVING]: pod
        for pod in pods
        if LEAVING in pod["metadata"]["labels"] and "deletionTimestamp" not in pod["metadata"]
    }


def _read(
    name: str,
    body: Json,
    pods: Sequence[Json],
    servers: list[_Running],
    problems: list[Problem],
) -> None:
    """Take in one object, or note why it cannot be."""
    text = (body["metadata"].get("annotations") or {}).get(PLACED)
    if text is None:
        problems.append(_unread(body, f"it has no annotation {PLACED}"))
        return
    try:
        servers.append(_Running(name, body, pods, read_running_text(text)))
    except ValueError as error:
        problems.append(_unread(body, f"its annotation {PLACED} is not as written: {error}"))


def _changed(server: _Running, given: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    """Everything in which a server is not what it carries."""
    why = [*_changed_spec(server)]
    planned = {uuid for one in server.carried for uuid in one.uuids}
    for pod in server.pods:
        found = given.get(pod["metadata"]["uid"])
        if planned and found is not None and not planned <= set(found):
            cards = f"{' '.join(found)}, not {' '.join(sorted(planned))}"
            why.append(f"its pod was given the cards {cards}")
    if why:
        title = f"{server.body['kind']} {server.name} is not as gpu-packer wrote it"
        help_ = f"apply the plan that should run (diff shows what it would do), {_PLAN_FILE}"
        yield Problem("P1035", title, None, "; ".join(why), help_)


def _changed_spec(server: _Running) -> Iterator[str]:
    body, first = server.body, server.carried[0].running
    replicas = body["spec"].get("replicas", 1) if body["kind"] == DEPLOYMENT.name else 1
    if replicas != 1:
        yield f"it is scaled to {replicas}"
    bound = bound_node(server.pod_spec)
    if bound and bound != first.node:
        yield f"it is bound to {bound}, not {first.node}"
    arguments = [one.replace("$$", "$") for one in server.pod_spec["containers"][0].get("args", ())]
    is_router = len(server.carried) > 1 or server.name != first.name
    if not is_router and command_sha256([_SERVER, *arguments]) != first.command_sha256:
        yield "its arguments were changed"


def _doubled(servers: Iterable[_Running]) -> Iterator[Problem]:
    """Replicas that several servers say they are."""
    carriers: dict[str, list[str]] = {}
    for one in servers:
        for placed in one.carried:
            carriers.setdefault(placed.running.name, []).append(one.name)
    for name, owners in carriers.items():
        if len(owners) > 1:
            title = f"several servers say they are {name}"
            help_ = f"delete the copies, {_PLAN_FILE}"
            yield Problem("P1035", title, None, ", ".join(owners), help_)


def _notes(servers: Iterable[_Running], pods: Iterable[Json]) -> Iterator[str]:
    """What a reader must know of a fleet that can be planned anew."""
    for one in servers:
        if not any(map(is_ready, one.pods)):
            yield f"{one.name} does not answer; it counts as running where it is planned"
    names = {one.name for one in servers if one.body["kind"] == DEPLOYMENT.name}
    for name in _leaving(pods):
        what = "and its successor runs" if name in names else "and it counts as running"
        yield f"an apply was interrupted: a pod of {name} waits for its successor, {what}"


def _nothing(fleet: str, namespace: str, found: Iterable[Json]) -> Problem:
    others = Counter(plan_of(one) for one in found)
    there = ", ".join(f"{name} ({count} servers)" for name, count in sorted(others.items()))
    why = f"the plans that run there: {there}" if there else "no plan of gpu-packer runs there"
    title = f"nothing of the fleet {fleet} runs in the namespace {namespace}"
    return Problem("P1036", title, None, why, "choose another --namespace, or leave --from out")


def _unread(body: Json, why: str) -> Problem:
    title = f"{body['kind']} {body['metadata']['name']} does not say which replicas it serves"
    help_ = f"apply its plan once more, which restarts no pod for it, {_PLAN_FILE}"
    return Problem("P1034", title, None, why, help_)


def _stray(pod: Json) -> Problem:
    title = f"Pod {pod['metadata']['name']} carries the labels of this plan, and no server has it"
    why = "an apply was interrupted, or somebody made it"
    return Problem("P1034", title, None, why, "run the interrupted apply again, or delete the pod")
