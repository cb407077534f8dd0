"""Security of a pod: the Pod Security level "restricted", and a read-only root besides."""

from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.yaml_text import KubernetesObject


def pod_security_context(options: RenderOptions) -> KubernetesObject:
    """``securityContext`` of a pod; the group may read model volumes that honour it."""
    return {
        "runAsNonRoot": True,
        "runAsUser": options.user_id,
        "runAsGroup": options.group_id,
        "fsGroup": options.group_id,
        # Walking a model store to change owners at every start would take minutes.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security_context() -> KubernetesObject:
    """``securityContext`` of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
