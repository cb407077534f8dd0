"""Rendered sample plans, parsed back: what the tests of manifests look at."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import yaml

from packer.kubernetes_objects.card_groups import CardGroup
from packer.kubernetes_objects.options import PRESET_PATH, RenderOptions
from packer.kubernetes_objects.render import render
from packer.plan.plan import Plan

Document = dict[str, Any]


def sample_preset(group: CardGroup) -> str:
    """A router preset, one section per replica."""
    sections = (
        f"[{placed.workload}]\nmodel = {placed.argv[2]}\n"
        f"device = {','.join(group.device_names(placed))}\nload-on-startup = true\n"
        for placed in group.placements
    )
    return "version = 1\n\n" + "\n".join(sections)


def sample_router_command(group: CardGroup) -> tuple[str, ...]:
    """A router's command line."""
    count = str(len(group.placements))
    serving = ("--host", "0.0.0.0", "--port", "8080")
    return ("llama-server", "--models-preset", PRESET_PATH, "--models-max", count, *serving)


SAMPLE_OPTIONS = RenderOptions(
    namespace="llm", preset=sample_preset, router_command=sample_router_command
)


def documents(plan: Plan, options: RenderOptions = SAMPLE_OPTIONS) -> dict[str, Document]:
    """Path → parsed document of every YAML file; each file holds exactly one."""
    return parsed(render(plan, options))


def parsed(files: Mapping[str, str]) -> dict[str, Document]:
    """Path → document of the YAML files among rendered files."""
    found = {}
    for path, text in files.items():
        if path.endswith(".yaml"):
            (document,) = yaml.safe_load_all(text)
            found[path] = document
    return found


def of_kind(found: Mapping[str, Document], kind: str) -> dict[str, Document]:
    """Name → object of one kind."""
    objects = (document for document in found.values() if document["kind"] == kind)
    return {document["metadata"]["name"]: document for document in objects}


def pod_spec(deployment: Document) -> Document:
    """Pod of a Deployment."""
    spec: Document = deployment["spec"]["template"]["spec"]
    return spec


def container(deployment: Document) -> Document:
    """The one container of a Deployment's pod."""
    (only,) = pod_spec(deployment)["containers"]
    assert isinstance(only, dict)
    return only


def environment(deployment: Document) -> dict[str, str]:
    """Plain variables of a container."""
    return {v["name"]: v["value"] for v in container(deployment)["env"] if "value" in v}


def live(plan: Plan) -> Plan:
    """The same plan on nodes of a cluster, every card known by UUID."""
    nodes = tuple(
        replace(
            node,
            is_live=True,
            cards=tuple(
                replace(card, uuid=f"GPU-00000000-0000-0000-{number:04d}-{card.index:012d}")
                for card in node.cards
            ),
        )
        for number, node in enumerate(plan.nodes)
    )
    return replace(plan, nodes=nodes)


def strings(value: object) -> Iterator[str]:
    """Every string in a document, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings(key)
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
