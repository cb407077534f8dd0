"""Services: one per workload, in front of all pods that serve it."""

from packer.kubernetes_objects.labels import PART_OF, metadata, plan_labels, workload_label
from packer.kubernetes_objects.probes import PORT_NAME
from packer.kubernetes_objects.yaml_text import KubernetesObject
from packer.plan.plan import Plan

SERVICE_PORT = 8080


def service(plan: Plan, workload: str, namespace: str) -> KubernetesObject:
    """Service of one workload; the port behind it is each pod's own ``--port``."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(workload, namespace, plan_labels(plan)),
        "spec": {
            "type": "ClusterIP",
            "selector": {PART_OF: plan.name, workload_label(workload): "true"},
            "ports": [
                {
                    "name": PORT_NAME,
                    "port": SERVICE_PORT,
                    "targetPort": PORT_NAME,
                    "protocol": "TCP",
                }
            ],
        },
    }
