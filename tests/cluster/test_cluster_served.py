"""Which replicas a pod serves is read off the pod, whatever equally good plan there is."""

from collections import Counter
from dataclasses import replace
from itertools import permutations

from packer.api.manifests import manifest_objects
from packer.domain.node import Sharing
from packer.plan.plan import Plan
from tests.cluster.served import Served
from tests.small_fleets import fleet, gpu, inventory, plan, pool, workload


def whole_cards() -> Plan:
    """Two workloads of two replicas, each on a card of its own, on two nodes."""
    chat = workload("chat", "qwen3-8b", replicas=2)
    small = workload("small", "qwen3-4b", replicas=2)
    cards = pool("p", gpu(13500), gpus=2, nodes=2, sharing=Sharing.WHOLE)
    return plan(fleet(chat, small), inventory(cards))


def served_by(running: Plan, asked: Plan) -> Counter[tuple[str, int]]:
    """How many pods of one plan serve each replica of another."""
    served = Served(asked)
    deployments = (one for one in manifest_objects(running) if one["kind"] == "Deployment")
    pods = [one["spec"]["template"] for one in deployments]
    assert len(pods) == len(running.placements)
    return Counter((one.workload, one.replica) for pod in pods for one in served.placements(pod))


def test_every_equally_good_plan_has_each_replica_served_by_one_router() -> None:
    made = whole_cards()
    places = [(one.node, one.gpus) for one in made.placements]
    assert len(set(places)) == 4
    together = 0
    for order in permutations(places):
        moved = [
            replace(one, node=node, gpus=gpus)
            for one, (node, gpus) in zip(made.placements, order, strict=True)
        ]
        other = replace(made, placements=tuple(moved))
        together += len({one.node for one in moved if one.workload == "chat"}) == 1
        assert served_by(other, other) == {(one.workload, one.replica): 1 for one in moved}
    assert together == 8, "plans with both replicas of a workload on one node"


def test_a_router_of_another_plan_serves_none() -> None:
    made = whole_cards()
    other = replace(made, placements=made.placements[::-1])
    grown = tuple(replace(one, argv=(*one.argv, "--parallel", "3")) for one in made.placements)
    assert served_by(other, made) == served_by(made, made)
    assert not served_by(replace(made, placements=grown), made)
