"""ConfigMaps: the environment all servers share, and router presets. Nothing secret."""

import json
from collections.abc import Mapping
from hashlib import sha256

from packer.kubernetes_objects.labels import metadata, plan_labels
from packer.kubernetes_objects.options import PRESET_PATH, RenderOptions
from packer.kubernetes_objects.server import Server
from packer.kubernetes_objects.yaml_text import KubernetesObject
from packer.plan.plan import Plan

ENVIRONMENT: Mapping[str, str] = {
    # Cards are numbered as the bus does, not by speed, so that every pod counts alike.
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    # The root file system is read-only; CUDA and llama.cpp keep their caches below these.
    "HOME": "/tmp",  # noqa: S108 — a path in the pod
    "LLAMA_CACHE": "/tmp/llama.cpp",  # noqa: S108
}
_LOG_BUFFERS = {"LLAMA_ARG_LOG_VERBOSITY": "4"}
"""From this level on a server logs its buffers. Source: llama.cpp b11434, common/log.h."""


def environment_name(plan: Plan) -> str:
    """Name of the ConfigMap with the environment of all servers."""
    return f"{plan.name}-environment"


def environment_config_map(plan: Plan, options: RenderOptions) -> KubernetesObject:
    """Environment variables every server gets."""
    return _config_map(plan, environment_name(plan), options.namespace, _environment(options))


def _environment(options: RenderOptions) -> dict[str, str]:
    return {**ENVIRONMENT, **(_LOG_BUFFERS if options.log_buffers else {})}


def preset_config_map(plan: Plan, server: Server, namespace: str) -> KubernetesObject:
    """Preset of one router, under the name of its Deployment."""
    return _config_map(plan, server.name, namespace, preset_data(server))


def preset_data(server: Server) -> dict[str, str]:
    """File name and text of a router's preset."""
    return {PRESET_PATH.rpartition("/")[2]: server.preset}


def configuration_sha256(server: Server, options: RenderOptions) -> str:
    """Hash of what a pod reads from ConfigMaps; as an annotation it restarts the pod on change."""
    data = _environment(options) | (preset_data(server) if server.preset else {})
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _config_map(plan: Plan, name: str, namespace: str, data: Mapping[str, str]) -> KubernetesObject:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(name, namespace, plan_labels(plan)),
        "data": data,
    }
