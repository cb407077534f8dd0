"""Rights of gpu-packer itself: what reading a cluster and applying a plan need, and no more."""

from collections.abc import Mapping, Sequence

from packer.kubernetes_objects.yaml_text import KubernetesObject, to_yaml

_HEADER = "Least rights of gpu-packer; bind them to whoever runs it."
_LABELS = {"app.kubernetes.io/name": "gpu-packer"}
_READ: Mapping[str, Sequence[str]] = {
    "": ("nodes", "pods"),
    "resource.k8s.io": ("devicetaintrules", "resourceclaims", "resourceslices"),
}
_WRITTEN: Mapping[str, Sequence[str]] = {
    "": ("configmaps", "serviceaccounts", "services"),
    "apps": ("deployments",),
    "gateway.networking.k8s.io": ("httproutes",),
    "monitoring.coreos.com": ("podmonitors", "prometheusrules"),
    "networking.k8s.io": ("networkpolicies",),
    "policy": ("poddisruptionbudgets",),
    "resource.k8s.io": ("resourceclaims", "resourceclaimtemplates"),
}
_SETS: Mapping[str, Sequence[str]] = {"apps": ("replicasets",)}
# A pod that is replaced leaves its Deployment and goes on, labelled, until the new one answers.
_PODS: Mapping[str, Sequence[str]] = {"": ("pods",)}
# What servers say of themselves, and their logs: both tell what users ask of models.
_ASKED: Mapping[str, Sequence[str]] = {"": ("pods/log", "pods/proxy")}
_LOOKED_AT: Mapping[str, Sequence[str]] = {"": ("pods",), "resource.k8s.io": ("resourceclaims",)}
_NAMESPACE = "llm"


def rbac() -> dict[str, str]:
    """File name → manifest: reading a whole cluster, applying to one namespace, verifying it."""
    objects = {
        "inventory.yaml": _role("ClusterRole", "gpu-packer-inventory", "", [_rules(_READ, "list")]),
        "apply.yaml": _role(
            "Role",
            "gpu-packer-apply",
            _NAMESPACE,
            [
                _rules(_WRITTEN, "create", "delete", "get", "list", "patch"),
                _rules(_SETS, "delete", "get", "list"),
                _rules(_PODS, "delete", "get", "list", "patch"),
            ],
        ),
        "verify.yaml": _role(
            "Role",
            "gpu-packer-verify",
            _NAMESPACE,
            [_rules(_LOOKED_AT, "list"), _rules(_ASKED, "get")],
        ),
        "namespaces.yaml": _role(
            "ClusterRole",
            "gpu-packer-namespaces",
            "",
            [_rules({"": ("namespaces",)}, "get")],
        ),
    }
    files = {name: to_yaml(document, _HEADER) for name, document in objects.items()}
    root: KubernetesObject = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(files),
    }
    return {"kustomization.yaml": to_yaml(root, _HEADER), **files}


def _role(
    kind: str, name: str, namespace: str, rules: Sequence[Sequence[KubernetesObject]]
) -> KubernetesObject:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            **({"namespace": namespace} if namespace else {}),
            "labels": _LABELS,
        },
        "rules": [rule for group in rules for rule in group],
    }


def _rules(resources: Mapping[str, Sequence[str]], *verbs: str) -> list[KubernetesObject]:
    return [
        {"apiGroups": [group], "resources": [*names], "verbs": [*verbs]}
        for group, names in resources.items()
    ]
