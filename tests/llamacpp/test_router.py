"""A rendered preset starts the real router, which loads both models and answers for both."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from packer import api
from packer.domain.node import Sharing
from packer.kubernetes_objects.options import PRESET_PATH
from tests import llama_server
from tests.small_fleets import fleet, gpu, inventory, plan, pool, workload
from tests.tiny_models import TinyShape, write_tiny_model
from tests.tools import require_tool

_KEY = "a key with $signs and 'quotes'"
_MODELS = {"chat": TinyShape(), "small": TinyShape(architecture="qwen3")}


def _rendered() -> tuple[list[str], str, list[str]]:
    """Command line, preset and start-up probe of the one router of a plan of two models."""
    whole = pool("p", gpu(9000), sharing=Sharing.WHOLE)
    texts = api.manifests(plan(fleet(*map(workload, _MODELS)), inventory(whole)))
    (preset,) = [text for path, text in texts.items() if path.endswith("preset.yaml")]
    (deployment,) = [text for path, text in texts.items() if path.endswith("deployment.yaml")]
    (container,) = yaml.safe_load(deployment)["spec"]["template"]["spec"]["containers"]
    words: list[str] = [word.replace("$$", "$") for word in container["args"]]
    probe: list[str] = container["startupProbe"]["exec"]["command"]
    return words, yaml.safe_load(preset)["data"]["preset.ini"], probe


def _on_this_machine(preset: str, folder: Path) -> str:
    """The preset with tiny models and without cards: nothing else may change."""
    changed = re.sub(r"^device = CUDA\d.*\n", "", preset, flags=re.MULTILINE)
    for section, shape in _MODELS.items():
        path = write_tiny_model(folder / f"{section}.gguf", shape)
        head, _, tail = changed.partition(f"[{section}]\n")
        moved = re.sub(r"^model = .*$", f"model = {path}", tail, count=1, flags=re.MULTILINE)
        changed = f"{head}[{section}]\n{moved}"
    kept = [line for line in preset.splitlines() if not line.startswith(("device =", "model ="))]
    assert [line for line in changed.splitlines() if not line.startswith("model =")] == kept
    return changed


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(words: list[str], preset: str, folder: Path) -> Iterator[int]:
    """The router on loopback; its port."""
    program = require_tool("llama-server", str(llama_server.program()))
    port = _free_port()
    (folder / "preset.ini").write_text(preset)
    given = {PRESET_PATH: str(folder / "preset.ini"), "8080": str(port), "0.0.0.0": "127.0.0.1"}
    argv = [program, *(given.get(word, word) for word in words)]
    environment = os.environ | {"LLAMA_API_KEY": _KEY, "HOME": str(folder)}
    with (folder / "log").open("w") as log:
        router = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
        try:
            yield port
        finally:
            router.terminate()
            router.wait(60)


def _get(url: str, body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {_KEY}", "Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as one:
            text = one.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""
    return 200, json.loads(text) if text.startswith("{") else text


def _wait(probe: list[str], port: int, log: Path) -> None:
    """Run the rendered probe as a kubelet would until it succeeds."""
    command = [word.replace(":8080/", f":{port}/") for word in probe]
    environment = os.environ | {"LLAMA_API_KEY": _KEY}
    for _ in range(240):
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        if done.returncode == 0:
            return
        time.sleep(0.5)
    pytest.fail(log.read_text())


def test_the_router_of_a_rendered_preset_answers_for_both_models(tmp_path: Path) -> None:
    require_tool("curl")
    words, preset, probe = _rendered()
    assert words[:2] == ["--models-preset", PRESET_PATH]
    with _running(words, _on_this_machine(preset, tmp_path), tmp_path) as port:
        url = f"http://127.0.0.1:{port}"
        _wait(probe, port, tmp_path / "log")
        status, listed = _get(f"{url}/models")
        assert status == 200
        assert {one["id"]: one["status"]["value"] for one in listed["data"]} == dict.fromkeys(
            _MODELS, "loaded"
        )
        for name, shape in _MODELS.items():
            status, answer = _get(
                f"{url}/v1/completions",
                {"model": name, "prompt": "hello", "max_tokens": 4, "ignore_eos": True},
            )
            assert status == 200, answer
            assert (answer["model"], answer["usage"]["completion_tokens"]) == (name, 4)
            status, properties = _get(f"{url}/props?model={name}&autoload=false")
            assert properties["model_path"].endswith(f"{name}.gguf")
            assert shape.architecture
            status, text = _get(f"{url}/metrics?model={name}&autoload=false")
            assert "llamacpp:requests_deferred" in text


def test_the_probe_fails_while_a_model_is_not_served(tmp_path: Path) -> None:
    require_tool("curl")
    words, preset, probe = _rendered()
    waiting = _on_this_machine(preset, tmp_path).replace("on-startup = true", "on-startup = false")
    with _running(words, waiting, tmp_path) as port:
        for _ in range(240):
            if _get(f"http://127.0.0.1:{port}/health")[0] == 200:
                break
            time.sleep(0.5)
        command = [word.replace(":8080/", f":{port}/") for word in probe]
        environment = os.environ | {"LLAMA_API_KEY": _KEY}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr
