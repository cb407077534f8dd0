from dataclasses import replace

from packer.domain.node import Sharing
from packer.plan.plan import Plan
from tests.rendered_plans import SAMPLE_OPTIONS, Document, documents, of_kind
from tests.sample_plans import (
    RTX_4090_BYTES,
    company_plan,
    device_bytes,
    node,
    placement,
    plan_of,
    summary,
    tiny_plan,
)


def _selected(found: dict[str, Document], selector: Document) -> set[str]:
    """Deployments whose pods a selector of labels and sets of values finds."""
    labels, expressions = selector.get("matchLabels", {}), selector.get("matchExpressions", [])
    return {
        name
        for name, deployment in of_kind(found, "Deployment").items()
        for pod in [deployment["spec"]["template"]["metadata"]["labels"]]
        if labels.items() <= pod.items()
        and all(pod.get(one["key"]) in one["values"] for one in expressions)
    }


def test_a_service_stands_before_every_pod_of_its_workload() -> None:
    found = documents(company_plan())
    services = of_kind(found, "Service")
    serving = {
        name: _selected(found, {"matchLabels": service["spec"]["selector"]})
        for name, service in services.items()
    }
    assert serving == {
        "chat": {"chat-0", "chat-1"},
        "code": {"code-0"},
        "embed": {"embed-0", "router-rtx-0-gpu0"},
        "moe": {"moe-0"},
        "oss": {"oss-0"},
        "vision": {"router-rtx-0-gpu1"},
        "small": {"router-rtx-0-gpu1"},
    }
    for service in services.values():
        (port,) = service["spec"]["ports"]
        assert (port["port"], port["targetPort"]) == (8080, "http")


def test_a_budget_for_every_workload_with_two_replicas() -> None:
    found = documents(company_plan())
    budgets = of_kind(found, "PodDisruptionBudget")
    assert set(budgets) == {"chat", "embed"}
    for name, budget in budgets.items():
        assert budget["spec"]["minAvailable"] == 1
        assert len(_selected(found, budget["spec"]["selector"])) == 2, name


def test_a_budget_keeps_what_the_fleet_asks_for() -> None:
    plan = company_plan()
    chat = replace(plan.workloads[0], min_available=2)
    found = documents(replace(plan, workloads=(chat, *plan.workloads[1:])))
    assert of_kind(found, "PodDisruptionBudget")["chat"]["spec"]["minAvailable"] == 2


def test_no_budget_for_single_replicas() -> None:
    assert not of_kind(documents(tiny_plan()), "PodDisruptionBudget")


def _whole_plan() -> Plan:
    """Two workloads of three and two replicas that meet in a router pod, and one that does not."""
    on = {("a", 0): 0, ("a", 1): 1, ("a", 2): 2, ("b", 0): 2, ("b", 1): 3, ("c", 0): 4, ("c", 1): 5}
    placements = tuple(
        placement(workload, replica, f"n-{where}", (0,), (device_bytes(2, 1),), file="m.gguf")
        for (workload, replica), where in on.items()
    )
    nodes = tuple(
        node(f"n-{i}", "n", "RTX 4090", "NVIDIA-GeForce-RTX-4090", RTX_4090_BYTES, 1, placements)
        for i in range(6)
    )
    workloads = (summary("a", "m", "x", 3), summary("b", "m", "x", 2), summary("c", "m", "x", 2))
    return plan_of("p", workloads, placements, nodes, baselines=tiny_plan().baselines)


def test_workloads_that_share_a_pod_share_a_budget() -> None:
    options = replace(SAMPLE_OPTIONS, sharing=Sharing.WHOLE)
    plan = _whole_plan()
    two_of_a = replace(plan.workloads[0], min_available=1)
    found = documents(replace(plan, workloads=(two_of_a, *plan.workloads[1:])), options)
    budgets = of_kind(found, "PodDisruptionBudget")
    assert set(budgets) == {"a.b", "c"}
    selected = {n: _selected(found, budget["spec"]["selector"]) for n, budget in budgets.items()}
    assert selected["a.b"] == {f"router-n-{i}-gpu0" for i in range(4)}
    assert selected["c"] == {"router-n-4-gpu0", "router-n-5-gpu0"}
    # Of four pods one may go: it can be one of b's two, of which one must stay.
    assert budgets["a.b"]["spec"]["minAvailable"] == 3
    assert budgets["c"]["spec"]["minAvailable"] == 1


def test_no_pod_is_in_two_budgets() -> None:
    for options in (SAMPLE_OPTIONS, replace(SAMPLE_OPTIONS, sharing=Sharing.WHOLE)):
        for plan in (company_plan(), _whole_plan()):
            found = documents(plan, options)
            budgets = of_kind(found, "PodDisruptionBudget").values()
            pods = [pod for b in budgets for pod in _selected(found, b["spec"]["selector"])]
            assert len(pods) == len(set(pods))
