"""The Namespace of all objects, with the Pod Security level they keep."""

from packer.kubernetes_objects.labels import plan_labels
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.yaml_text import KubernetesObject
from packer.plan.plan import Plan

_LEVELS = "pod-security.kubernetes.io"


def namespace_object(plan: Plan, options: RenderOptions) -> KubernetesObject:
    """Namespace that enforces "restricted", or only warns of it where host paths were allowed.

    Even the level "baseline" forbids host paths.
    """
    level = "privileged" if options.allow_host_path else "restricted"
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": options.namespace,
            "labels": {
                **plan_labels(plan),
                f"{_LEVELS}/enforce": level,
                f"{_LEVELS}/warn": "restricted",
            },
        },
    }
