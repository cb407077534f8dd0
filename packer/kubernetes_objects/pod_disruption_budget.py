"""PodDisruptionBudgets: how many pods a drain must leave running.

Kubernetes refuses to evict a pod that two budgets select, so workloads that meet in a router pod
share one budget over all their pods.
"""

from collections.abc import Sequence

from packer.kubernetes_objects.labels import (
    INSTANCE,
    PART_OF,
    metadata,
    plan_labels,
    workload_label,
)
from packer.kubernetes_objects.names import LONGEST_NAME, shortened
from packer.kubernetes_objects.server import Server
from packer.kubernetes_objects.yaml_text import KubernetesObject, Value
from packer.plan.plan import Plan, WorkloadSummary


def pod_disruption_budgets(
    plan: Plan, servers: Sequence[Server], namespace: str
) -> dict[str, KubernetesObject]:
    """Name → budget, one per workload with two replicas or more, or per set that shares pods."""
    pods: dict[str, set[str]] = {w.name: set() for w in plan.workloads if w.replicas > 1}
    for server in servers:
        for placement in server.placements:
            if placement.workload in pods:
                pods[placement.workload].add(server.name)
    replicated = [workload for workload in plan.workloads if workload.name in pods]
    return {
        _name(together): _budget(plan, together, pods, namespace)
        for together in _sharing_pods(replicated, pods)
    }


def _sharing_pods(
    workloads: Sequence[WorkloadSummary], pods: dict[str, set[str]]
) -> list[tuple[WorkloadSummary, ...]]:
    """Workloads connected through common pods, in plan order."""
    component_of: dict[str, tuple[WorkloadSummary, ...]] = {}
    for workload in workloads:
        touched = dict.fromkeys(component_of.get(pod, ()) for pod in sorted(pods[workload.name]))
        together = (*(other for component in touched for other in component), workload)
        component_of |= {pod: together for other in together for pod in pods[other.name]}
    return list(dict.fromkeys(component_of.values()))


def _name(workloads: Sequence[WorkloadSummary]) -> str:
    # A dot, which no workload's name holds, keeps "a" with "b" apart from "a-b".
    return shortened(".".join(workload.name for workload in workloads), LONGEST_NAME)


def _budget(
    plan: Plan,
    workloads: Sequence[WorkloadSummary],
    pods: dict[str, set[str]],
    namespace: str,
) -> KubernetesObject:
    union = {pod for workload in workloads for pod in pods[workload.name]}
    # Any pod may be the one that is lost, so the least patient workload decides for all.
    may_go = min(workload.replicas - workload.min_available for workload in workloads)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(_name(workloads), namespace, plan_labels(plan)),
        "spec": {
            "minAvailable": max(0, len(union) - max(0, may_go)),
            "selector": _selector(plan, workloads, union),
            # A pod that never became ready protects nobody; let a drain remove it.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def _selector(plan: Plan, workloads: Sequence[WorkloadSummary], pods: set[str]) -> dict[str, Value]:
    """Pods of one workload by its label; a selector cannot say "or", so several by pod."""
    if len(workloads) == 1:
        return {"matchLabels": {PART_OF: plan.name, workload_label(workloads[0].name): "true"}}
    instances = sorted(shortened(pod) for pod in pods)
    instance = {"key": INSTANCE, "operator": "In", "values": instances}
    return {"matchLabels": {PART_OF: plan.name}, "matchExpressions": [instance]}
