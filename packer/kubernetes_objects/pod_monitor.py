"""PodMonitors: Prometheus reads every server's metrics, a router's once per model.

A router answers ``/metrics?model=NAME`` for one model; a server of one model ignores the name.
"""

from packer.kubernetes_objects.labels import PART_OF, metadata, plan_labels, workload_label
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.probes import PORT_NAME
from packer.kubernetes_objects.yaml_text import KubernetesObject, Value
from packer.plan.plan import Plan


def pod_monitor(plan: Plan, workload: str, options: RenderOptions) -> KubernetesObject:
    """PodMonitor of one workload; its series carry the plan's and the workload's name."""
    secret: KubernetesObject = {"name": options.api_key_secret, "key": options.api_key_entry}
    bearer: KubernetesObject = {"type": "Bearer", "credentials": secret}
    names: list[Value] = [_label("plan", plan.name), _label("workload", workload)]
    endpoint: KubernetesObject = {
        "port": PORT_NAME,
        "path": "/metrics",
        "interval": "30s",
        "params": {"model": [workload], "autoload": ["false"]},
        **({"authorization": bearer} if options.api_key_secret else {}),
        "relabelings": names,
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": metadata(workload, options.namespace, plan_labels(plan)),
        "spec": {
            "selector": {"matchLabels": {PART_OF: plan.name, workload_label(workload): "true"}},
            "podMetricsEndpoints": [endpoint],
        },
    }


def _label(name: str, value: str) -> KubernetesObject:
    return {"action": "replace", "targetLabel": name, "replacement": value}
