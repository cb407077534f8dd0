"""What a linter that others wrote says of every way of sharing: nothing but what we mean."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from packer.kubernetes_objects.render import render
from tests.linter import LINTER
from tests.sharing_ways import WAYS
from tests.tools import require_tool

MEANT = {
    "container-image-pull-policy": "tags name builds and do not move; Always would ask a registry "
    "at every start",
    "deployment-replicas": "a Deployment is one server; a workload of several has several",
    "deployment-strategy": "a second pod of the same model would need its memory on the card twice",
    "pod-probes-identical": "llama-server has one path that tells its health",
}
"""Checks that are left out, and why. Everything else must pass."""
_WRITABLE_ROOT = "container-security-context-readonlyrootfilesystem"
_OPTIONAL = ("container-seccomp-profile", "container-ports-check")
_ALL_RIGHT = 10


def complaints(texts: list[str]) -> Iterator[tuple[str, str, str]]:
    """Check, object and words of everything that is not all right."""
    program = require_tool("kube-score", str(LINTER.path))
    command = [program, "score", "--output-format", "json", "--kubernetes-version", "v1.34"]
    # Throttled threads would stall the card for all its servers; memory is what is limited.
    command.append("--ignore-container-cpu-limit")
    command += [f"--ignore-test={name}" for name in MEANT]
    command += [f"--enable-optional-test={name}" for name in _OPTIONAL]
    done = subprocess.run(
        [*command, "-"], input="\n---\n".join(texts), capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    for item in json.loads(done.stdout):
        for check in item["checks"]:
            if not check["skipped"] and check["grade"] < _ALL_RIGHT:
                words = "; ".join(one["summary"] for one in check["comments"] or ())
                yield check["check"]["id"], item["object_meta"]["name"], words


def texts_of(way: str) -> list[str]:
    """Rendered objects of a way, with the network policies that are left to the user."""
    plan, options = WAYS[way]
    files = render(plan, replace(options, network_policy=True))
    return [
        text
        for path, text in files.items()
        if path.endswith(".yaml") and Path(path).name != "kustomization.yaml"
    ]


@pytest.mark.parametrize("way", WAYS)
def test_a_linter_has_nothing_to_say_that_is_not_meant(way: str) -> None:
    # What LiteLLM's image writes to its root is not ours to know.
    meant = {(_WRITABLE_ROOT, "gateway-company")} if way == "litellm" else set()
    found = [one for one in complaints(texts_of(way)) if one[:2] not in meant]
    assert found == []


def test_the_linter_sees_what_is_wrong() -> None:
    bodies: list[dict[str, Any]] = [yaml.safe_load(text) for text in texts_of("dra")]
    body = next(one for one in bodies if one["kind"] == "Deployment")
    pod = body["spec"]["template"]["spec"]
    pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
    del pod["securityContext"]["seccompProfile"]
    del pod["containers"][0]["resources"]["limits"]["memory"]
    found = {check for check, *_ in complaints([yaml.safe_dump(one) for one in bodies])}
    assert found == {_WRITABLE_ROOT, "container-seccomp-profile", "container-resources"}
