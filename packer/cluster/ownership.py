"""Whose an object is: ours if the labels of a rendered plan are on it."""

from packer.cluster.connection import Json

PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "gpu-packer"


def plan_of(item: Json) -> str:
    """Name of the plan an object was rendered from; empty for what others made."""
    labels = item.get("metadata", {}).get("labels") or {}
    return str(labels.get(PART_OF, "")) if labels.get(MANAGED_BY) == MANAGER else ""
