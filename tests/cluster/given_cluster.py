"""A cluster that is there already, such as kind with kwok: used as it is, never ended."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml

from tests.cluster.binaries import Binaries
from tests.cluster.certificates import KeyPair
from tests.cluster.control_plane import ControlPlane
from tests.tools import left_out

VARIABLE = "GPU_PACKER_TEST_KUBECONFIG"
"""Kubeconfig of an administrator; the tests add and remove nodes, namespaces and classes."""


class GivenCluster(ControlPlane):
    """Somebody else's control plane; tests that kill it, or need its certificates, are left out."""

    def __init__(self, kubeconfig: Path, binaries: Binaries) -> None:
        """Start nothing."""
        self._binaries = binaries
        self.kubeconfig = kubeconfig
        self.folder = Path(mkdtemp(prefix="gpu-packer-kubeconfigs-"))

    def stop(self) -> None:
        """Leave it running."""

    def wait_until(self, done: Callable[[], bool], what: str) -> None:
        """Return once something is so."""
        deadline = time.monotonic() + 180
        while not done():
            assert time.monotonic() < deadline, what
            time.sleep(0.1)

    @property
    def authority(self) -> KeyPair:
        """Leave the test out: proxies and webhooks need certificates that its clients trust."""
        left_out("the authority of a given cluster is not ours")

    @property
    def serving(self) -> KeyPair:
        """Leave the test out."""
        left_out("the certificate of a given cluster's API server is not ours")

    def kill_api_server(self) -> None:
        """Leave the test out."""
        left_out("the API server of a given cluster is not ours to kill")

    def start_scheduler(self, name: str, configuration: dict[str, Any]) -> None:
        """Leave the test out."""
        left_out("the schedulers of a given cluster are not ours to choose")

    def start_program(self, name: str, command: Sequence[str | Path]) -> None:
        """Leave the test out."""
        left_out("the programs of a given cluster are not ours to choose")

    def user(self, name: str, *, groups: tuple[str, ...] = ()) -> Path:
        """Leave the test out: only its own authority could sign."""
        left_out("the authority of a given cluster is not ours")

    def kubeconfig_with(self, name: str, user: dict[str, str], *, server: str = "") -> Path:
        """The given kubeconfig with another user, through another address if one is given."""
        document = yaml.safe_load(self.kubeconfig.read_text())
        document["users"] = [{"name": name, "user": user}]
        for context in document["contexts"]:
            context["context"]["user"] = name
        if server:
            for one in document["clusters"]:
                one["cluster"]["server"] = server
        path = self.folder / f"{name.replace(':', '-')}.kubeconfig"
        path.write_text(yaml.safe_dump(document))
        return path
