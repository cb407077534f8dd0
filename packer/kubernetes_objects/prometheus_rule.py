"""Alert rules: context nearly full, requests waiting, servers restarting, memory above the plan.

Source:
    llama.cpp b11434, tools/server/server-task.cpp: names of the metrics. It publishes no use of
    the KV cache; the longest sequence of a server against the context of a slot comes nearest.
    NVIDIA's DCGM exporter: ``DCGM_FI_DEV_FB_USED`` [MiB] by ``UUID``; kube-state-metrics and
    cAdvisor: restarts, memory.
"""

from collections.abc import Iterator

from packer.kubernetes_objects.labels import metadata, plan_labels
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.yaml_text import KubernetesObject, Value
from packer.plan.plan import CardBudget, NodeBudget, Plan, WorkloadSummary
from packer.units import MIB

_NEARLY_FULL_PERCENT = 95
_HOST_MEMORY_PERCENT = 95


def prometheus_rule(plan: Plan, options: RenderOptions) -> KubernetesObject:
    """PrometheusRule of a plan; cards without a UUID cannot be watched by their plan."""
    rules: list[Value] = [
        *(rule for workload in plan.workloads for rule in _workload_rules(plan, workload)),
        *_pod_rules(options),
        *(_card_rule(node, card) for node, card in _watched(plan)),
    ]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata(plan.name, options.namespace, plan_labels(plan)),
        "spec": {"groups": [{"name": f"gpu-packer-{plan.name}", "rules": rules}]},
    }


def _workload_rules(plan: Plan, workload: WorkloadSummary) -> Iterator[Value]:
    series = f'{{plan="{plan.name}",workload="{workload.name}"}}'
    limit = workload.context_per_slot * _NEARLY_FULL_PERCENT // 100
    yield _rule(
        "LlamaContextNearlyFull",
        f"max by (pod) (llamacpp:n_tokens_max{series}) > {limit}",
        "0m",
        f"a conversation of {workload.name} came near the {workload.context_per_slot} tokens "
        "of a slot; longer ones are cut or refused",
    )
    yield _rule(
        "LlamaRequestsWaiting",
        f"max by (pod) (avg_over_time(llamacpp:requests_deferred{series}[10m])) > {workload.slots}",
        "5m",
        f"more requests wait for {workload.name} than one server has slots",
    )


def _pod_rules(options: RenderOptions) -> Iterator[Value]:
    """Rules of all servers at once; without a namespace, of every namespace."""
    where = f',namespace="{options.namespace}"' if options.namespace else ""
    series = f'{{container="llama-server"{where}}}'
    limits = f'{{container="llama-server",resource="memory"{where}}}'
    yield _rule(
        "LlamaServerRestarts",
        f"increase(kube_pod_container_status_restarts_total{series}[1h]) > 2",
        "0m",
        "a llama-server restarts again and again; out of card memory is the usual reason",
    )
    yield _rule(
        "LlamaHostMemoryAbovePlan",
        f"container_memory_rss{series} / on (namespace, pod, container) "
        f"kube_pod_container_resource_limits{limits} > 0.{_HOST_MEMORY_PERCENT}",
        "5m",
        "a llama-server nearly fills its planned host memory and will be killed",
    )


def _watched(plan: Plan) -> Iterator[tuple[NodeBudget, CardBudget]]:
    for node in plan.nodes:
        for card in node.cards:
            if card.used_bytes and card.uuid.startswith("GPU-"):
                yield node, card


def _card_rule(node: NodeBudget, card: CardBudget) -> KubernetesObject:
    mib = -(-(card.used_bytes + card.taken_bytes) // MIB)
    return _rule(
        "LlamaCardMemoryAbovePlan",
        f'DCGM_FI_DEV_FB_USED{{UUID="{card.uuid}"}} > {mib}',
        "5m",
        f"gpu{card.index} of {node.name} holds more than the {mib} MiB planned on it",
    )


def _rule(alert: str, expression: str, lasting: str, summary: str) -> KubernetesObject:
    return {
        "alert": alert,
        "expr": expression,
        "for": lasting,
        "labels": {"severity": "warning"},
        "annotations": {"summary": summary},
    }
