"""verify beside a real cluster and real llama-servers: agreement, and every kind of difference.

Real: the API server with its proxy to pods and its way to logs, the rendered objects, the servers,
what they answer and what they log. Simulated: kubelets. The servers run on this machine's CPU, so
the plan is one whose layers are on the host.
"""

import json
import os
import re
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from packer import api
from packer.cli.main import run
from packer.errors import InvalidInput
from packer.plan.finding import Finding
from packer.plan.plan import Plan
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import NAMESPACE, apply, planned, pods, prepare_namespace
from tests.cluster.fleets import fleet, workload
from tests.cluster.furnishing import furnished
from tests.cluster.hardware import L40S, Machine
from tests.cluster.log_kubelet import Logs, log_kubelet
from tests.clusters import free_port
from tests.cpu_plans import on_the_cpu
from tests.llama_server import program
from tests.tiny_models import TinyShape, write_tiny_model
from tests.tools import left_out, require_tool

MACHINES = [Machine(f"l40s-{n}", L40S, 2, "384Gi", "eu-a") for n in range(2)]
KEY = "a secret key"
TIMINGS_ON_A_CARD = """\
slot print_timing: id  0 | task 0 | prompt eval time =      40.00 ms /   400 tokens
slot print_timing: id  0 | task 0 |        eval time =     480.00 ms /   160 tokens
"""


@pytest.fixture
def plan(plane: ControlPlane, tmp_path: Path) -> Iterator[Plan]:
    """A fleet of one small workload, running."""
    with furnished(plane, MACHINES, "dra"):
        prepare_namespace(plane)
        small = fleet(tmp_path, workload("small", "qwen3-0.6b"))
        deployed = planned(plane, tmp_path, fleet=small)
        apply(plane, deployed.manifests)
        yield deployed.plan


class Running:
    """A planned fleet of one tiny model on the CPU, with its pod, and servers to stand behind it.

    Attributes:
        logs: What the pod's kubelet serves.
    """

    def __init__(
        self, plane: ControlPlane, plan: Plan, model: Path, address: str, logs: Logs
    ) -> None:
        self.plane, self.plan, self.logs = plane, plan, logs
        self._address, self._folder = address, model.parent
        self._here = {"--host": address, "--model": str(model)}
        (pod,) = pods(plane)
        self.pod = str(pod["metadata"]["name"])
        plane.connection().send(
            "PATCH",
            f"/api/v1/namespaces/{NAMESPACE}/pods/{self.pod}/status",
            body={"status": {"podIP": address, "podIPs": [{"ip": address}]}},
            content_type="application/strategic-merge-patch+json",
        )

    @contextmanager
    def served(
        self, changed: dict[str, str] | None = None, *, verbosity: str = "4"
    ) -> Iterator[str]:
        """The planned server, with some values of its flags changed; its address."""
        (one,) = self.plan.placements
        words = [require_tool("llama-server", str(program())), *one.argv[1:]]
        for flag, value in {**self._here, **(changed or {})}.items():
            words[words.index(flag) + 1] = value
        port = one.argv[one.argv.index("--port") + 1]
        self.logs.now[self.pod] = self._folder / f"server-{time.monotonic_ns()}.log"
        environment = {"LLAMA_ARG_LOG_VERBOSITY": verbosity, "LLAMA_API_KEY": KEY}
        # Threads that wait for each other hardly get on where other tests run beside them.
        environment["LLAMA_ARG_THREADS"] = "1"
        with self.logs.now[self.pod].open("wb") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log, env=os.environ | environment)
        url = f"http://{self._address}:{port}"
        try:
            _wait(process, f"{url}/health")
            yield url
        finally:
            process.terminate()
            process.wait(30)

    def findings(self, **options: object) -> tuple[Finding, ...]:
        """Everything that verify looks at."""
        found = api.verify_fleet(
            self.plan,
            kubeconfig=str(self.plane.kubeconfig),
            api_key=KEY,
            **options,  # type: ignore[arg-type]
        )
        return found.findings

    def wrong(self) -> dict[str, str]:
        """What differs → what was found."""
        return {one.what: one.found for one in self.findings() if one.is_as_planned is False}


@pytest.fixture(scope="module")
def running(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    require_tool("llama-server", str(program()))
    tmp_path = tmp_path_factory.mktemp("running")
    model = write_tiny_model(tmp_path / "tiny.gguf", TinyShape(context=32768))
    asked = tmp_path / "fleet.yaml"
    one = workload("small", "tiny").replace("catalogue:tiny", str(model))
    asked.write_text(fleet(tmp_path, re.sub("  quantizations: .*\n", "", one)).read_text())
    asked.write_text(asked.read_text().replace("-{quantization}", ""))
    address = _own_address()
    with furnished(plane, MACHINES, "dra"):
        prepare_namespace(plane)
        deployed = planned(plane, tmp_path, fleet=asked)
        plan = on_the_cpu(deployed.plan, {"small": model}, free_port())
        api.render(plan, deployed.manifests, namespace=NAMESPACE, log_buffers=True)
        apply(plane, deployed.manifests)
        with log_kubelet(plane, address) as logs:
            yield Running(plane, plan, model, address, logs)


def wrong(plane: ControlPlane, plan: Plan) -> dict[str, str]:
    """What differs as far as the cluster alone can tell → what was found."""
    found = api.verify_fleet(plan, kubeconfig=str(plane.kubeconfig), asks_servers=False)
    assert found.is_as_planned == (not any(one.is_as_planned is False for one in found.findings))
    return {one.what: one.found for one in found.findings if one.is_as_planned is False}


def test_pods_cards_and_flags_are_looked_at(plane: ControlPlane, plan: Plan) -> None:
    found = api.verify_fleet(plan, kubeconfig=str(plane.kubeconfig), asks_servers=False)
    assert found.is_as_planned
    assert {one.what for one in found.findings} == {"state", "node", "cards", "args", "image"}
    silent = api.verify_fleet(plan, kubeconfig=str(plane.kubeconfig))
    assert silent.is_as_planned
    # Nothing runs behind a fake kubelet's pods: no answer, and no log.
    assert {one.what for one in silent.findings if one.is_as_planned is None} == {
        "/props", "/slots", "/metrics", "log",
    }  # fmt: skip
    assert "4 could not be judged" in silent.text

    patch = [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--verbose"}]
    change = ["patch", "deployment", "small-0", "-n", NAMESPACE, "--type=json", "-p"]
    plane.kubectl(*change, json.dumps(patch))
    plane.kubectl("rollout", "status", "deployment/small-0", "-n", NAMESPACE, "--timeout=60s")
    assert wrong(plane, plan)["args"].endswith("--verbose")
    plane.kubectl("scale", "deployment/small-0", "--replicas=0", "-n", NAMESPACE)
    gone = ["wait", "pods", "--all", "--for=delete", "-n", NAMESPACE, "--timeout=60s"]
    plane.kubectl(*gone)
    assert wrong(plane, plan) == {"pod": "none, or several"}


def test_the_next_plan_takes_what_verify_wrote(
    plane: ControlPlane, plan: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a running server's log to the plan after it; no card is here, so its lines are made."""
    saved, written, after = (tmp_path / f"{name}.json" for name in ("plan", "learnt", "next"))
    api.save(plan, saved)
    log = tmp_path / "server.log"
    log.write_text(TIMINGS_ON_A_CARD)
    with log_kubelet(plane, _own_address()) as logs:
        (pod,) = pods(plane)
        logs.now[pod["metadata"]["name"]] = log
        verify = ["verify", str(saved), "--kubeconfig", str(plane.kubeconfig)]
        # The pod does not answer, so nothing can be judged by that; its log is read all the same.
        assert run([*verify, "--write-calibration", str(written)]) == 0
    files = ["-f", str(tmp_path / "fleet.yaml"), "-i", str(tmp_path / "inventory.yaml")]
    command = ["plan", *files, "--calibration", str(written), "--out", str(after)]
    assert run(command) == 0
    assert "speed of qwen3-0.6b Q8_0 on L40S (2)" in capsys.readouterr().out
    learnt = api.read_plan(after).calibration
    assert learnt is not None
    (speed,) = learnt.speeds
    assert (speed.gpu, speed.build) == ("L40S", "b11434")
    assert (speed.decode.measurements, speed.prefill.measurements) == (1, 1)
    assert run(["plan", *files, "--out", str(after)]) == 0
    assert api.read_plan(after).calibration is None


def test_a_server_as_planned_agrees_to_the_last_printed_digit(running: Running) -> None:
    with running.served():
        findings = running.findings()
    assert {one.what for one in findings if one.is_as_planned is None} == set()
    assert running_wrong(findings) == {}
    sizes = {one.what: one for one in findings if one.basis}
    assert set(sizes) == {"host weights", "host context", "host compute", "host output"}
    assert all(one.basis == "exact" and one.allowed == "±0.02 MiB" for one in sizes.values())
    assert sizes["host context"].planned == sizes["host context"].found == "8.00 MiB"
    told = {one.what for one in findings}
    assert {"/props model file", "/slots", "/metrics longest request", "log model file"} <= told


def running_wrong(findings: tuple[Finding, ...]) -> dict[str, str]:
    return {one.what: one.found for one in findings if one.is_as_planned is False}


def test_a_server_with_another_context_is_caught(running: Running) -> None:
    with running.served({"--ctx-size": "8192"}):
        found = running.wrong()
    by_all = {"/props context per slot": "4096", "/slots": "2 of 4096"}
    assert found.items() >= {**by_all, "log context per slot": "4096"}.items()
    assert found["host context"] == "4.00 MiB"
    with running.served({"--parallel": "1"}):
        found = running.wrong()
    assert found.items() >= {"/props slots": "1", "log slots": "1"}.items()


def test_a_server_with_another_cache_type_is_caught_by_its_log_alone(running: Running) -> None:
    with running.served({"--cache-type-k": "q8_0", "--cache-type-v": "q8_0"}):
        assert running.wrong() == {"host context": "4.25 MiB"}


def test_what_cannot_be_told_is_said(running: Running, tmp_path: Path) -> None:
    def untold(act: Callable[[Path], None] = lambda log: None) -> dict[str, str]:
        act(running.logs.now.get(running.pod, tmp_path))
        findings = running.findings()
        assert running_wrong(findings) == {}
        return {one.what: one.found for one in findings if one.is_as_planned is None}

    with running.served(verbosity="3"):
        assert "--log-buffers" in untold()["log"]
        assert "rotation" in untold(_rotate)["log"]
        keyless = api.verify_fleet(running.plan, kubeconfig=str(running.plane.kubeconfig))
        assert "--api-key-file" in {one.what: one.found for one in keyless.findings}["/props"]
    running.logs.now.clear()
    assert set(untold(lambda log: None)) == {"/props", "/slots", "/metrics", "log"}


def _rotate(log: Path) -> None:
    """The first half of a log goes, as the container runtime's rotation would take it."""
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[len(lines) // 2 :]))


def test_the_command_tells_by_status_and_writes_a_calibration(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, key, out = tmp_path / "plan.json", tmp_path / "key", tmp_path / "calibration.json"
    api.save(running.plan, saved)
    key.write_text(f"{KEY}\n")
    at = ["--kubeconfig", str(running.plane.kubeconfig), "--api-key-file", str(key)]
    command = ["verify", str(saved), *at]
    with running.served() as url:
        assert run(command) == 0
        assert run([*command, "--write-calibration", str(out)]) == 2
        assert "P0426" in capsys.readouterr().err
        assert not out.exists()
        _complete(url)
        assert run([*command, "--all", "--write-calibration", str(out)]) == 0
        shown = capsys.readouterr().out
        assert KEY not in shown
        assert re.search(r"small-0 +host context +agrees +exact +±0.02 MiB +8.00 MiB / 8.00", shown)
    learnt = api.read_calibration(out)
    assert {one.quantity for one in learnt.speeds} == {"decode", "prefill"}
    assert {one.build for one in learnt.speeds} == {"b11434"}
    with running.served({"--ctx-size": "8192"}):
        assert run(command) == 1
        assert re.search(r"small-0 +host context +differs +exact", capsys.readouterr().out)


def test_missing_rights_are_named_all_at_once(running: Running) -> None:
    plane = running.plane
    looker = plane.user("looker")
    rules = ["--resource=pods,resourceclaims.resource.k8s.io", "--verb=list"]
    plane.kubectl("create", "role", "looker", "-n", NAMESPACE, *rules)
    plane.kubectl("create", "rolebinding", "l", "-n", NAMESPACE, "--role=looker", "--user=looker")
    lists = ["--resource=resourceslices.resource.k8s.io", "--verb=list"]
    plane.kubectl("create", "clusterrole", "looker", *lists)
    plane.kubectl("create", "clusterrolebinding", "l", "--clusterrole=looker", "--user=looker")
    try:
        with pytest.raises(InvalidInput) as caught:
            api.verify_fleet(running.plan, kubeconfig=str(looker))
    finally:
        plane.kubectl("delete", "clusterrole/looker", "clusterrolebinding/l")
    titles = [one.title for one in caught.value.problems]
    assert titles == [
        f"not allowed to get pods/log in namespace {NAMESPACE}",
        f"not allowed to get pods/proxy in namespace {NAMESPACE}",
    ]
    assert "resources: [pods/log], verbs: [get]" in caught.value.problems[0].help


def test_a_plan_of_other_servers_differs_wherever_it_can(running: Running) -> None:
    (one,) = running.plan.placements
    doubled = replace(one.host, context_bytes=2 * one.host.context_bytes)
    other = replace(running.plan, placements=(replace(one, host=doubled),))
    with running.served():
        found = api.verify_fleet(other, kubeconfig=str(running.plane.kubeconfig), api_key=KEY)
    assert running_wrong(found.findings) == {"host context": "8.00 MiB"}


def _complete(url: str) -> None:
    """One request that is long enough to say something about speed.

    Much longer a prompt would take this machine far more time than a server's processor.
    """
    body = {"prompt": [65] * 48, "n_predict": 80, "ignore_eos": True, "cache_prompt": False}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    asked = urllib.request.Request(f"{url}/completion", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=120) as reply:
        assert reply.status == 200


def _own_address() -> str:
    """An address of this machine that the API server's proxy may reach: not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: connecting a datagram socket only chooses the address.
            probe.connect(("192.0.2.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            left_out("this machine has no address but loopback")
    return address


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 120
    while not _answers(url):
        assert process.poll() is None, "llama-server ended"
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
