"""NetworkPolicies: nothing in or out of a plan's pods but what they are for.

Model servers call nobody: their models are mounted. They are called by the gateway, or by the pods
of their namespace where there is none, and by whoever collects metrics. Kubelets' probes pass.
"""

from collections.abc import Iterator

from packer.domain.rendering import Gateway
from packer.kubernetes_objects.labels import PART_OF, metadata, plan_labels
from packer.kubernetes_objects.litellm import gateway_labels
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.yaml_text import KubernetesObject, Value
from packer.plan.plan import Plan

_NAMESPACE_NAME = "kubernetes.io/metadata.name"
_HTTP: KubernetesObject = {"protocol": "TCP", "port": "http"}


def network_policies(plan: Plan, options: RenderOptions) -> Iterator[tuple[str, KubernetesObject]]:
    """Path and object of every policy: deny all, then what is allowed."""
    everyone = {PART_OF: plan.name}
    servers = {"app.kubernetes.io/name": "llama-server", **everyone}
    yield from _policy(plan, options, "default-deny", everyone, {"ingress": [], "egress": []})
    callers: list[Value] = [*_callers(plan, options), *_collectors(options)]
    allowed: KubernetesObject = {"ingress": [{"from": callers, "ports": [_HTTP]}]}
    yield from _policy(plan, options, "model-servers", servers, allowed)
    if options.gateway is Gateway.LITELLM:
        to_servers: KubernetesObject = {
            "to": [{"podSelector": {"matchLabels": servers}}],
            "ports": [_HTTP],
        }
        rules: KubernetesObject = {
            "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [_HTTP]}],
            "egress": [to_servers, _names()],
        }
        yield from _policy(plan, options, "gateway", gateway_labels(plan), rules)


def _policy(
    plan: Plan,
    options: RenderOptions,
    purpose: str,
    pods: dict[str, str],
    rules: KubernetesObject,
) -> Iterator[tuple[str, KubernetesObject]]:
    types = [name.capitalize() for name in rules]
    policy: KubernetesObject = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(f"{plan.name}-{purpose}", options.namespace, plan_labels(plan)),
        "spec": {"podSelector": {"matchLabels": pods}, "policyTypes": types, **rules},
    }
    yield f"network-policies/{purpose}.yaml", policy


def _callers(plan: Plan, options: RenderOptions) -> Iterator[Value]:
    if options.gateway is Gateway.LITELLM:
        yield {"podSelector": {"matchLabels": gateway_labels(plan)}}
        return
    namespace = options.gateway_parent.rpartition("/")[0]
    if options.gateway is Gateway.HTTPROUTE and namespace:
        yield {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: namespace}}}
        return
    yield {"podSelector": {}}


def _collectors(options: RenderOptions) -> Iterator[Value]:
    if options.monitoring:
        labels = {_NAMESPACE_NAME: options.monitoring_namespace}
        yield {"namespaceSelector": {"matchLabels": labels}}


def _names() -> KubernetesObject:
    """Name lookups, wherever the cluster's DNS pods listen."""
    return {
        "to": [{"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: "kube-system"}}}],
        "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
    }
