"""LiteLLM as the one front door: configuration, Deployment and Service."""

from collections.abc import Iterator
from hashlib import sha256

from packer.kubernetes_objects.labels import PART_OF, metadata, plan_labels
from packer.kubernetes_objects.litellm_config import litellm_config
from packer.kubernetes_objects.names import shortened
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.pod_security import pod_security_context
from packer.kubernetes_objects.routes import routes
from packer.kubernetes_objects.yaml_text import KubernetesObject, Value, to_yaml
from packer.plan.plan import Plan

PORT = 4000
MASTER_KEY = "master-key"
"""Key of the gateway's own Secret that holds the key clients send it."""
_CONFIG = "/etc/litellm"
_HEADER = "Model names of the plan; clients send the master key"


def gateway_name(plan: Plan) -> str:
    """Name of the gateway's objects; no workload may be called so."""
    return shortened(f"gateway-{plan.name}")


def gateway_labels(plan: Plan) -> dict[str, str]:
    """Labels that tell the gateway's pods from all others."""
    return {"app.kubernetes.io/name": "litellm", PART_OF: plan.name}


def litellm(plan: Plan, options: RenderOptions) -> Iterator[tuple[str, KubernetesObject]]:
    """Path and object of everything the gateway is."""
    name, namespace = gateway_name(plan), options.namespace
    text = to_yaml(litellm_config(routes(plan), options), _HEADER)
    labels = {**plan_labels(plan), **gateway_labels(plan)}
    yield (
        "gateway/configuration.yaml",
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(name, namespace, labels),
            "data": {"config.yaml": text},
        },
    )
    yield (
        "gateway/deployment.yaml",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(name, namespace, labels),
            "spec": {
                "replicas": 1,
                "revisionHistoryLimit": 2,
                "selector": {"matchLabels": gateway_labels(plan)},
                "template": {
                    "metadata": {
                        "labels": labels,
                        "annotations": {
                            "gpu-packer/configuration-sha256": sha256(text.encode()).hexdigest()
                        },
                    },
                    "spec": _pod(plan, options),
                },
            },
        },
    )
    yield (
        "gateway/service.yaml",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(name, namespace, labels),
            "spec": {
                "type": "ClusterIP",
                "selector": gateway_labels(plan),
                "ports": [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}],
            },
        },
    )


def _pod(plan: Plan, options: RenderOptions) -> KubernetesObject:
    return {
        "serviceAccountName": plan.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security_context(options),
        "containers": [_container(options)],
        "volumes": [
            {"name": "configuration", "configMap": {"name": gateway_name(plan)}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "512Mi"}},
        ],
    }


def _container(options: RenderOptions) -> KubernetesObject:
    return {
        "name": "litellm",
        "image": options.gateway_image,
        "args": ["--config", f"{_CONFIG}/config.yaml", "--port", str(PORT)],
        "ports": [{"name": "http", "containerPort": PORT}],
        "env": _environment(options),
        "resources": {
            "requests": {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "512Mi"},
            "limits": {"memory": "2Gi", "ephemeral-storage": "1Gi"},
        },
        "startupProbe": _probe("/health/readiness", 5, 60),
        "readinessProbe": _probe("/health/readiness", 5, 3),
        "livenessProbe": _probe("/health/liveliness", 10, 6),
        # Its image is not ours to know: "restricted" leaves the root writable, and so do we.
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "configuration", "mountPath": _CONFIG, "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 — a path in the pod
        ],
    }


def _environment(options: RenderOptions) -> list[Value]:
    """Keys from Secrets; nothing is fetched from the internet at start."""
    own = {"name": options.gateway_secret, "key": MASTER_KEY}
    variables: list[Value] = [
        {"name": "HOME", "value": "/tmp"},  # noqa: S108 — a path in the pod
        {"name": "LITELLM_LOCAL_MODEL_COST_MAP", "value": "True"},
        {"name": "LITELLM_MASTER_KEY", "valueFrom": {"secretKeyRef": own}},
    ]
    if options.api_key_secret:
        servers = {"name": options.api_key_secret, "key": options.api_key_entry}
        variables.append({"name": "LLAMA_API_KEY", "valueFrom": {"secretKeyRef": servers}})
    return variables


def _probe(path: str, period_seconds: int, failures: int) -> KubernetesObject:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period_seconds,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
