"""The kustomization at the root: what to apply, in which namespace, with which labels."""

from collections.abc import Iterable

from packer.kubernetes_objects.labels import plan_labels
from packer.kubernetes_objects.yaml_text import KubernetesObject
from packer.plan.plan import Plan

FILE_NAME = "kustomization.yaml"


def kustomization(plan: Plan, paths: Iterable[str], namespace: str) -> KubernetesObject:
    """Kustomization of the given files, in their order; its labels leave selectors alone."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        **({"namespace": namespace} if namespace else {}),
        "labels": [{"pairs": plan_labels(plan), "includeSelectors": False}],
        "resources": list(paths),
    }
