"""verify asks a real router for each of its models, and parts its log by model."""

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from packer.api.logged_buffers import log_findings
from packer.api.manifests import manifest_objects
from packer.api.server_answers import AskedReplica, answer_findings
from packer.cluster.answers import Told
from packer.cluster.servers import server_of
from packer.cluster.verification import RunningPod
from packer.domain.node import Sharing
from packer.plan.finding import Finding
from packer.plan.plan import Plan
from tests import llama_server
from tests.clusters import free_port
from tests.cpu_plans import on_the_cpu
from tests.small_fleets import fleet, gpu, inventory, plan, pool, workload
from tests.tiny_models import TinyShape, write_tiny_model
from tests.tools import require_tool

_NAMES = ("chat", "small")
# What the tiny models are asked for: the contexts of the planned workloads, on the CPU.
_SECTION = """\
[{name}]
model = {model}
ctx-size = {context}
parallel = 1
no-kv-unified = true
flash-attn = on
cache-ram = 0
no-repack = true
device = none
fit = off
metrics = true
load-on-startup = true
"""


class Router:
    """A router of two tiny models that runs.

    Attributes:
        plan: Of its two replicas, sized for the CPU.
    """

    def __init__(self, folder: Path, contexts: dict[str, int]) -> None:
        program = require_tool("llama-server", str(llama_server.program()))
        self.models = {
            name: write_tiny_model(folder / f"{name}.gguf", TinyShape(context=32768))
            for name in _NAMES
        }
        sections = (
            _SECTION.format(name=name, model=path, context=contexts[name])
            for name, path in self.models.items()
        )
        (folder / "preset.ini").write_text("version = 1\n\n" + "\n".join(sections))
        self._log, self._port = folder / "log", free_port()
        words = [program, "--models-preset", str(folder / "preset.ini"), "--models-max", "2"]
        words += ["--models-autoload", "--host", "127.0.0.1", "--port", str(self._port)]
        environment = {"LLAMA_ARG_LOG_VERBOSITY": "4", "HOME": str(folder)}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                words, stdout=log, stderr=log, env=os.environ | environment
            )

    def wait(self) -> None:
        """Return once both models answer."""
        deadline = time.monotonic() + 120
        while self._get("/models").text.count('"value":"loaded"') < 2:
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.3)

    def findings(self, planned: Plan, name: str) -> list[Finding]:
        """What verify finds of one model."""
        (one,) = (each for each in planned.placements if each.workload == name)
        bodies = [body for body in manifest_objects(_sharing()) if body["kind"] == "Deployment"]
        pod = RunningPod(server_of(bodies[0]), {})
        asked = AskedReplica(
            f"{name}-0",
            one,
            pod,
            ("CUDA0",),
            is_routed=True,
            props=self._get(f"/props?model={name}"),
            slots=self._get(f"/slots?model={name}"),
            metrics=self._get(f"/metrics?model={name}"),
            log=Told(self._log.read_text()),
        )
        return [*answer_findings(asked), *log_findings(asked)]

    def _get(self, path: str) -> Told:
        try:
            url = f"http://127.0.0.1:{self._port}{path}"
            with urllib.request.urlopen(url, timeout=30) as answer:
                return Told(answer.read().decode())
        except (urllib.error.URLError, OSError) as error:
            return Told(why_not=str(error))


def _sharing() -> Plan:
    """Both workloads behind one router."""
    whole = pool("p", gpu(9000), sharing=Sharing.WHOLE)
    return plan(fleet(*map(workload, _NAMES)), inventory(whole))


def _planned(router: Router) -> Plan:
    """The plan of two tiny models, as they run here."""
    made = _sharing()
    named = tuple(
        replace(one, argv=_with_model(one.argv, router.models[one.workload]))
        for one in made.placements
    )
    return on_the_cpu(replace(made, placements=named), router.models, 8080)


def _with_model(argv: tuple[str, ...], model: Path) -> tuple[str, ...]:
    words = list(argv)
    words[words.index("--model") + 1] = str(model)
    return tuple(words)


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    running = Router(tmp_path, {"chat": 2048, "small": 4096})
    try:
        running.wait()
        yield running
    finally:
        running.process.terminate()
        running.process.wait(60)


def test_each_model_of_a_router_is_looked_at_by_itself(router: Router) -> None:
    planned = _planned(router)
    chat = router.findings(planned, "chat")
    assert {one.what for one in chat if one.is_as_planned is not True} == set()
    assert {"/slots", "/props model file", "log context per slot", "host context"} <= {
        one.what for one in chat
    }
    # The other one was given twice the context that is planned.
    small = {
        one.what: one.found for one in router.findings(planned, "small") if not one.is_as_planned
    }
    assert small.keys() == {
        "/props context per slot", "/slots", "log context per slot", "host context", "host compute",
    }  # fmt: skip
