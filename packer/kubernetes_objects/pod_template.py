"""The pod of a server."""

from packer.kubernetes_objects.card_access import CardAccess, card_access
from packer.kubernetes_objects.config_map import configuration_sha256, environment_name
from packer.kubernetes_objects.container_command import escaped, port_of
from packer.kubernetes_objects.labels import pod_labels
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.placing import placing
from packer.kubernetes_objects.pod_security import (
    container_security_context,
    pod_security_context,
)
from packer.kubernetes_objects.probes import PORT_NAME, probes, startup_seconds
from packer.kubernetes_objects.resources import resources
from packer.kubernetes_objects.server import Server
from packer.kubernetes_objects.volumes import model_volumes, preset_volume, scratch_volume
from packer.kubernetes_objects.yaml_text import KubernetesObject, Value
from packer.plan.plan import Plan

_DRAIN_SECONDS = 5
"""Time for endpoints to forget a pod before its server stops listening [s]."""


def pod_template(plan: Plan, server: Server, options: RenderOptions) -> KubernetesObject:
    """Pod template of one server: one container, hardened, on the cards of its group."""
    volumes, mounts = _volumes(server, options)
    access = card_access(server, options)
    configuration = {"gpu-packer/configuration-sha256": configuration_sha256(server, options)}
    return {
        "metadata": {
            "labels": pod_labels(plan, server.name, server.component, server.placements),
            "annotations": {**configuration, **access.annotations},
        },
        "spec": {
            "serviceAccountName": plan.name,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": options.termination_grace_seconds,
            "securityContext": pod_security_context(options),
            **placing(plan, server, options),
            **({"schedulerName": access.scheduler} if access.scheduler else {}),
            **({"resourceClaims": access.pod_claims} if access.pod_claims else {}),
            "containers": [_container(plan, server, options, access, mounts)],
            "volumes": volumes,
        },
    }


def _container(
    plan: Plan,
    server: Server,
    options: RenderOptions,
    access: CardAccess,
    mounts: list[Value],
) -> KubernetesObject:
    program = options.program or (server.argv[0] if "/" in server.argv[0] else "")
    startup = startup_seconds(server.group, options)
    return {
        "name": "llama-server",
        "image": plan.server.image,
        **({"command": [escaped(program)]} if program else {}),
        "args": [escaped(argument) for argument in server.argv[1:]],
        "ports": [{"name": PORT_NAME, "containerPort": port_of(server.argv)}],
        "envFrom": [{"configMapRef": {"name": environment_name(plan)}}],
        **_environment(access, options),
        "resources": resources(server, options, access),
        **probes(server, startup),
        "lifecycle": {"preStop": {"sleep": {"seconds": _DRAIN_SECONDS}}},
        "securityContext": container_security_context(),
        "volumeMounts": mounts,
    }


def _environment(access: CardAccess, options: RenderOptions) -> KubernetesObject:
    variables: list[Value] = [
        {"name": name, "value": value} for name, value in access.environment.items()
    ]
    if options.api_key_secret:
        reference = {"name": options.api_key_secret, "key": options.api_key_entry}
        variables.append({"name": "LLAMA_API_KEY", "valueFrom": {"secretKeyRef": reference}})
    return {"env": variables} if variables else {}


def _volumes(server: Server, options: RenderOptions) -> tuple[list[Value], list[Value]]:
    volumes, mounts = model_volumes(server.placements)
    extra = [scratch_volume(options)]
    if server.preset:
        extra.append(preset_volume(server.name))
    return (
        [*volumes, *(volume for volume, _ in extra)],
        [*mounts, *(mount for _, mount in extra)],
    )
