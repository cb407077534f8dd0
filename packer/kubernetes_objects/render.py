"""From a plan to manifests: every file of a directory that `kubectl apply -k` takes."""

from collections.abc import Iterator

from packer.domain.rendering import Gateway
from packer.kubernetes_objects.claims import claims
from packer.kubernetes_objects.config_map import environment_config_map, preset_config_map
from packer.kubernetes_objects.deployment import deployment
from packer.kubernetes_objects.http_route import http_route
from packer.kubernetes_objects.kustomization import FILE_NAME as KUSTOMIZATION
from packer.kubernetes_objects.kustomization import kustomization
from packer.kubernetes_objects.litellm import litellm
from packer.kubernetes_objects.namespace import namespace_object
from packer.kubernetes_objects.network_policy import network_policies
from packer.kubernetes_objects.notes import FILE_NAME as NOTES
from packer.kubernetes_objects.notes import notes
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.plan_checks import check_plan
from packer.kubernetes_objects.plan_hash import plan_sha256
from packer.kubernetes_objects.pod_disruption_budget import pod_disruption_budgets
from packer.kubernetes_objects.pod_monitor import pod_monitor
from packer.kubernetes_objects.prometheus_rule import prometheus_rule
from packer.kubernetes_objects.routes import routes
from packer.kubernetes_objects.server import Server, servers
from packer.kubernetes_objects.service import service
from packer.kubernetes_objects.service_account import service_account
from packer.kubernetes_objects.yaml_text import KubernetesObject, to_yaml
from packer.plan.plan import Plan


def render(plan: Plan, options: RenderOptions) -> dict[str, str]:
    """Manifests of a plan: relative path → text. The same plan and options give the same bytes.

    Raises:
        InvalidInput: The plan or an option cannot be rendered; with every problem found.
    """
    pods, objects = _checked(plan, options)
    header = f"Written by gpu-packer from the plan {plan.name}; change the fleet and render again."
    root = kustomization(plan, objects, options.namespace)
    return {
        KUSTOMIZATION: to_yaml(root, header),
        NOTES: notes(plan, pods, options),
        **{path: to_yaml(document, header) for path, document in sorted(objects.items())},
    }


def rendered_objects(plan: Plan, options: RenderOptions) -> tuple[KubernetesObject, ...]:
    """The same objects without their files, for a cluster that is changed directly.

    Raises:
        InvalidInput: The plan or an option cannot be rendered; with every problem found.
    """
    return tuple(_checked(plan, options)[1].values())


def _checked(
    plan: Plan, options: RenderOptions
) -> tuple[tuple[Server, ...], dict[str, KubernetesObject]]:
    """Servers and objects by path, of a plan that was found fit to be rendered."""
    check_plan(plan, options)
    pods = servers(plan, options)
    return pods, dict(_objects(plan, pods, options))


def _objects(
    plan: Plan, pods: tuple[Server, ...], options: RenderOptions
) -> Iterator[tuple[str, KubernetesObject]]:
    namespace, plan_hash = options.namespace, plan_sha256(plan)
    if options.create_namespace:
        yield "namespace.yaml", namespace_object(plan, options)
    yield "service-account.yaml", service_account(plan, namespace)
    yield "environment.yaml", environment_config_map(plan, options)
    yield from claims(plan, options, plan_hash)
    for workload in plan.workloads:
        path = f"workloads/{workload.name}/service.yaml"
        yield path, service(plan, workload.name, namespace)
    for server in pods:
        yield _deployment_path(server), deployment(plan, server, options, plan_hash)
        if server.preset:
            path = f"routers/{server.group.name}/preset.yaml"
            yield path, preset_config_map(plan, server, namespace)
    for name, budget in pod_disruption_budgets(plan, pods, namespace).items():
        yield f"disruption-budgets/{name}.yaml", budget
    yield from _around(plan, options)


def _around(plan: Plan, options: RenderOptions) -> Iterator[tuple[str, KubernetesObject]]:
    """What stands around the servers: the front door, policies, monitoring."""
    if options.gateway is Gateway.LITELLM:
        yield from litellm(plan, options)
    if options.gateway is Gateway.HTTPROUTE:
        for route in routes(plan):
            yield f"gateway/{route.model}.yaml", http_route(plan, route, options)
    if options.network_policy or options.gateway is Gateway.LITELLM:
        yield from network_policies(plan, options)
    if options.monitoring:
        for workload in plan.workloads:
            monitor = pod_monitor(plan, workload.name, options)
            yield f"monitoring/{workload.name}.yaml", monitor
        yield "monitoring/rules.yaml", prometheus_rule(plan, options)


def _deployment_path(server: Server) -> str:
    if server.component == "router":
        return f"routers/{server.group.name}/deployment.yaml"
    placement = server.placements[0]
    return f"workloads/{placement.workload}/deployment-{placement.replica}.yaml"
