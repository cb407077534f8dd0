"""Command lines as what was rendered gives them to llama-server, whatever renders them."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from packer import api
from packer.host_services.options import HostTarget
from packer.plan.plan import Plan

_SERVED_BY = "app.kubernetes.io/instance"


@dataclass(frozen=True)
class RenderedCommand:
    """One llama-server.

    Attributes:
        server: Name of the Deployment, service or model: ``chat-0``.
        words: Its command line, the program first.
        group: Cards that it sees, the indices on their node; empty if it sees its own only.
        node: Where it runs; empty where its name alone says which replica it is.
    """

    server: str
    words: tuple[str, ...]
    group: tuple[int, ...] = ()
    node: str = ""


def kubernetes_commands(plan: Plan) -> Iterator[RenderedCommand]:
    """Model servers' containers and the sections of routers' presets."""
    documents = [
        next(yaml.load_all(text, Loader=yaml.CSafeLoader))
        for path, text in api.manifests(plan).items()
        if path.endswith(".yaml")
    ]
    for document in documents:
        if document["kind"] == "Deployment":
            yield from _of_deployment(document)
        if document["kind"] == "ConfigMap" and "preset.ini" in document["data"]:
            yield from _of_preset(document)


def _of_deployment(document: Mapping[str, Any]) -> Iterator[RenderedCommand]:
    for container in document["spec"]["template"]["spec"]["containers"]:
        words = [*container["command"], *container["args"]]
        if "--models-preset" not in words:
            # Kubernetes makes one dollar of two.
            unescaped = tuple(word.replace("$$", "$") for word in words)
            yield RenderedCommand(document["metadata"]["labels"][_SERVED_BY], unescaped)


def _of_preset(document: Mapping[str, Any]) -> Iterator[RenderedCommand]:
    place = document["metadata"]["name"].removeprefix("router-")
    node = re.sub(r"(-gpu\d+)+$", "", place)
    gpus = tuple(map(int, re.findall(r"\d+", place.removeprefix(node))))
    for section in re.split(r"^\[", document["data"]["preset.ini"], flags=re.MULTILINE)[1:]:
        name, _, body = section.partition("]\n")
        yield RenderedCommand(name, ("llama-server", *_flags(body)), gpus, node)


def _flags(body: str) -> Iterator[str]:
    """Words of one section, as the router writes them for the server it starts."""
    for line in body.splitlines():
        key, separator, value = line.partition(" = ")
        if not separator or key in ("load-on-startup", "stop-timeout"):
            continue
        if value == "false":
            yield f"--no-{key}"
        else:
            yield f"--{key}"
            if value != "true":
                yield value


def host_commands(plan: Plan, target: HostTarget) -> Iterator[RenderedCommand]:
    """What systemd, compose or llama-swap would start."""
    for path, text in api.host_services(plan, target).items():
        host, _, file = path.partition("/")
        if target is HostTarget.SYSTEMD:
            if path.endswith(".service"):
                (line,) = re.findall(r"^ExecStart=(.*)$", text, flags=re.MULTILINE)
                name = file.removeprefix("llama-").removesuffix(".service")
                yield RenderedCommand(name, tuple(systemd_words(line)), node=host)
            continue
        if path.endswith(".yaml"):
            document = yaml.load(text, Loader=yaml.CSafeLoader)
            yield from _of_host_document(document, host)


def _of_host_document(document: Mapping[str, Any], host: str) -> Iterator[RenderedCommand]:
    for name, service in document.get("services", {}).items():
        words = (word.replace("$$", "$") for word in service["command"])
        yield RenderedCommand(name, (*service["entrypoint"], *words), node=host)
    for name, model in document.get("models", {}).items():
        command = model["cmd"].replace("${PORT}", "5800")
        yield RenderedCommand(name, tuple(shlex.split(command)), node=host)


def systemd_words(line: str) -> list[str]:
    """Words of ``ExecStart=`` by the rules of systemd.syntax(7), for what we write."""
    words = re.findall(r'"(?:[^"\\]|\\.)*"|[^\s"]+', line)
    return [_unescaped(word) for word in words]


_ESCAPE = {"\\\\": "\\", '\\"': '"'}


def _unescaped(word: str) -> str:
    if word.startswith('"'):
        word = re.sub(r"\\.", lambda found: _ESCAPE[found[0]], word[1:-1])
    for mark in "%$":
        assert mark not in word.replace(mark * 2, ""), word
        word = word.replace(mark * 2, mark)
    return word
