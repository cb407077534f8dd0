"""Where the API server keeps objects of each kind that a plan is rendered to."""

from collections.abc import Mapping
from dataclasses import dataclass

from packer.cluster.connection import Json

FIELD_MANAGER = "gpu-packer"


@dataclass(frozen=True)
class Kind:
    """One kind of object in its API."""

    api: str
    name: str
    plural: str

    def collection(self, namespace: str) -> str:
        """Path of all objects of this kind in a namespace."""
        root = f"/apis/{self.api}" if "/" in self.api else f"/api/{self.api}"
        return f"{root}/namespaces/{namespace}/{self.plural}"


_NETWORKING, _RESOURCE = "networking.k8s.io/v1", "resource.k8s.io/v1"
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets")
POD = Kind("v1", "Pod", "pods")
CLAIM = Kind(_RESOURCE, "ResourceClaim", "resourceclaims")
TEMPLATE = Kind(_RESOURCE, "ResourceClaimTemplate", "resourceclaimtemplates")
_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
BUILT_IN: tuple[Kind, ...] = (
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("v1", "Service", "services"),
    Kind(_NETWORKING, "NetworkPolicy", "networkpolicies"),
    _BUDGET,
    CLAIM,
    TEMPLATE,
    DEPLOYMENT,
)
"""Kinds every cluster has, in the order they are written."""
_FROM_DEFINITIONS: tuple[Kind, ...] = (
    Kind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors"),
    Kind("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules"),
    Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
)
KINDS: Mapping[tuple[str, str], Kind] = {
    (kind.api, kind.name): kind for kind in (*BUILT_IN, *_FROM_DEFINITIONS)
}

Key = tuple[str, str]
"""Kind and name of an object within a namespace."""


def kind_of(body: Json) -> Kind:
    """Kind of an object; all that is rendered is known here."""
    return KINDS[body["apiVersion"], body["kind"]]


def key_of(body: Json) -> Key:
    """What tells an object from all others of a namespace."""
    return body["kind"], body["metadata"]["name"]
