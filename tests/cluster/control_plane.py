"""A real control plane on loopback: etcd, API server, controllers, scheduler, fake kubelets."""

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from packer.cluster.connection import Connection
from packer.cluster.kubeconfig import find_target
from packer.errors import GpuPackerError
from tests.cluster.binaries import Binaries
from tests.cluster.certificates import Authority, KeyPair
from tests.cluster.processes import Processes, free_ports

STAGES = Path(__file__).with_name("stages.yaml")
_ADMIN = "system:masters"
_STARTUP_SECONDS = 180.0
"""Patience with a loaded machine; an idle one needs a few seconds."""


class ControlPlane:
    """One cluster without real machines; nodes are added by ``tests.cluster.hardware``.

    Attributes:
        kubeconfig: File of an administrator.
    """

    def __init__(
        self,
        binaries: Binaries,
        *,
        api_server_flags: Sequence[str] = (),
        only_api_server: bool = False,
        emulated: str = "",
    ) -> None:
        """Start everything and wait until the API server is ready.

        Args:
            binaries: The programs.
            api_server_flags: Further flags of the API server.
            only_api_server: Without controllers, scheduler and kubelets.
            emulated: Older release that all of it behaves as, such as ``1.35``.
        """
        self._binaries = binaries
        self._emulated = [f"--emulated-version={emulated}"] if emulated else []
        self._flags = [*self._emulated, *api_server_flags]
        self._only_api_server = only_api_server
        self._processes = Processes()
        self.folder = self._processes.folder
        self._authority = Authority(self.folder)
        self._serving = self._authority.issue("kube-apiserver", server=True)
        self._etcd_port, self._peer_port, self.port = free_ports(3)
        try:
            self._start()
        except BaseException:
            self._processes.stop()
            raise

    def stop(self) -> None:
        """End everything; nothing is left on disk."""
        self._processes.stop()

    def wait_until(self, done: Callable[[], bool], what: str) -> None:
        """Return once something is so.

        Raises:
            RuntimeError: A program ended, or it takes too long.
        """
        self._processes.wait_until(done, what, _STARTUP_SECONDS)

    def kill_api_server(self) -> None:
        """End the API server as a crash would; etcd keeps what was written."""
        self._processes.kill("kube-apiserver")

    def start_scheduler(self, name: str, configuration: dict[str, Any]) -> None:
        """Start one more scheduler, told by a KubeSchedulerConfiguration; ``end`` ends it."""
        kubeconfig = str(self.user("system:kube-scheduler"))
        file = self.folder / f"{name}.yaml"
        file.write_text(
            yaml.safe_dump({**configuration, "clientConnection": {"kubeconfig": kubeconfig}})
        )
        program = str(self._binaries.kube_scheduler)
        self._processes.start(name, [program, f"--config={file}", "--secure-port=0"])

    def start_controller(self, name: str) -> None:
        """Start one controller alone, beside an API server alone; ``end`` ends it."""
        command = [*self._clients()["kube-controller-manager"], f"--controllers={name}"]
        self._processes.start(name, command)

    def start_program(self, name: str, command: Sequence[str | Path]) -> None:
        """Start a program of others that is told the cluster by ``KUBECONFIG``; ``end`` ends it."""
        self._processes.start(name, ["env", f"KUBECONFIG={self.kubeconfig}", *command])

    def end(self, name: str) -> None:
        """End a program that a test started."""
        self._processes.kill(name)

    def start_api_server(self, *, wait: bool = True) -> None:
        """Start the API server (again)."""
        self._processes.start("kube-apiserver", self._api_server())
        if wait:
            self._processes.wait_until(self._is_ready, "kube-apiserver", _STARTUP_SECONDS)

    def kubectl(
        self, *arguments: str | Path, text: str = "", kubeconfig: Path | None = None
    ) -> str:
        """What kubectl prints.

        Raises:
            subprocess.CalledProcessError: It fails; its words are in ``stderr``.
        """
        done = self.try_kubectl(*arguments, text=text, kubeconfig=kubeconfig)
        done.check_returncode()
        return done.stdout

    def try_kubectl(
        self, *arguments: str | Path, text: str = "", kubeconfig: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """What kubectl prints, and its exit status."""
        command = [
            self._binaries.kubectl,
            "--kubeconfig",
            kubeconfig or self.kubeconfig,
            *arguments,
        ]
        return subprocess.run(
            [str(part) for part in command], input=text, capture_output=True, text=True, check=False
        )

    def read(self, *arguments: str) -> dict[str, Any]:
        """What ``kubectl get`` prints, as data."""
        answer: dict[str, Any] = json.loads(self.kubectl("get", "-o", "json", *arguments))
        return answer

    def connection(self) -> Connection:
        """The cluster as gpu-packer talks to it."""
        return Connection(find_target(str(self.kubeconfig)))

    def user(self, name: str, *, groups: tuple[str, ...] = ()) -> Path:
        """Kubeconfig of a user with a certificate."""
        pair = self._authority.issue(name, groups=groups)
        entry = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        return self.kubeconfig_with(name, entry)

    def bearer(self, name: str, token: str) -> Path:
        """Kubeconfig of a user with a token."""
        return self.kubeconfig_with(name, {"token": token})

    def kubeconfig_with(self, name: str, user: dict[str, str], *, server: str = "") -> Path:
        """Kubeconfig for a user of this cluster, through another address if one is given."""
        path = self.folder / f"{name.replace(':', '-')}.kubeconfig"
        address = server or f"https://127.0.0.1:{self.port}"
        authority = str(self._authority.files.certificate)
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "test",
                    "cluster": {"server": address, "certificate-authority": authority},
                }
            ],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(document))
        return path

    @property
    def authority(self) -> KeyPair:
        """Certificate that signs all others of this cluster."""
        return self._authority.files

    @property
    def serving(self) -> KeyPair:
        """Certificate and key of the API server, for proxies in front of it."""
        return self._serving

    def _start(self) -> None:
        self.kubeconfig = self.user("admin", groups=(_ADMIN,))
        self._processes.start("etcd", self._etcd())
        self.start_api_server()
        for name, command in self._clients().items() if not self._only_api_server else ():
            self._processes.start(name, command)

    def _is_ready(self) -> bool:
        from urllib3.exceptions import HTTPError

        try:
            return "gitVersion" in self.connection().get("/version") and self._readyz() == 200
        except (GpuPackerError, HTTPError):
            return False

    def _readyz(self) -> int:
        connection = self.connection()
        answer = connection._pool.request("GET", f"{connection.host}/readyz", timeout=5)
        return int(answer.status)

    def _etcd(self) -> list[str | Path]:
        client = f"http://127.0.0.1:{self._etcd_port}"
        peer = f"http://127.0.0.1:{self._peer_port}"
        return [
            self._binaries.etcd,
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _api_server(self) -> list[str | Path]:
        key = self._serving.key
        return [
            self._binaries.kube_apiserver,
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--tls-cert-file={self._serving.certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={self._authority.files.certificate}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",
            "--endpoint-reconciler-type=none",
            "--shutdown-delay-duration=0s",
            *self._flags,
        ]

    def _clients(self) -> dict[str, Sequence[str | Path]]:
        binaries = self._binaries
        scheduler = self.user("system:kube-scheduler")
        # Fake kubelets send no heartbeats; nodes are lost when a test says so.
        patient = ["--node-monitor-grace-period=24h", "--node-startup-grace-period=24h"]
        return {
            "kube-controller-manager": [
                binaries.kube_controller_manager,
                f"--kubeconfig={self.kubeconfig}",
                f"--service-account-private-key-file={self._serving.key}",
                f"--root-ca-file={self._authority.files.certificate}",
                "--leader-elect=false",
                "--secure-port=0",
                *patient,
                *self._emulated,
            ],
            "kube-scheduler": [
                binaries.kube_scheduler,
                f"--kubeconfig={scheduler}",
                "--leader-elect=false",
                "--secure-port=0",
                *self._emulated,
            ],
            "kwok": [
                binaries.kwok,
                f"--kubeconfig={self.kubeconfig}",
                f"--config={STAGES}",
                "--manage-all-nodes=true",
                "--node-lease-duration-seconds=0",
            ],
        }
