"""The ServiceAccount of all pods of a plan: an identity without a token and without any right."""

from packer.kubernetes_objects.labels import metadata, plan_labels
from packer.kubernetes_objects.yaml_text import KubernetesObject
from packer.plan.plan import Plan


def service_account(plan: Plan, namespace: str) -> KubernetesObject:
    """ServiceAccount; no pod that uses it is given a token unless it asks for one itself."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(plan.name, namespace, plan_labels(plan)),
        "automountServiceAccountToken": False,
    }
