"""``render`` with every target and option, from a saved plan."""

from pathlib import Path

import pytest

from packer import api
from packer.cli.main import run
from packer.plan.plan import Plan
from tests.rendered_plans import live
from tests.small_fleets import fleet, gpu, inventory, plan, pool, workload


@pytest.fixture(scope="module")
def made() -> Plan:
    return plan(fleet(workload("chat"), workload("embed")), inventory(pool("lab", gpu(9000))))


def _saved(folder: Path, plan: Plan) -> str:
    path = folder / "plan.json"
    api.save(plan, path)
    return str(path)


def _written(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} - {".gpu-packer"}


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ([], {"claims/lab-0-gpu0.yaml"}),
        (["--create-namespace"], {"namespace.yaml"}),
        (["--sharing", "whole"], {"routers/lab-0-gpu0/preset.yaml"}),
        (["--sharing", "dra-memory"], {"claims/lab-0-gpu0.yaml"}),
        (["--sharing", "hami"], {"workloads/chat/deployment-0.yaml"}),
        (["--gateway", "litellm"], {"gateway/service.yaml", "network-policies/gateway.yaml"}),
        (["--gateway", "httproute"], {"gateway/chat.yaml", "gateway/embed.yaml"}),
        (["--monitoring"], {"monitoring/chat.yaml", "monitoring/rules.yaml"}),
        (["--network-policy"], {"network-policies/default-deny.yaml"}),
    ],
)
def test_each_option_adds_its_files(
    options: list[str], files: set[str], made: Plan, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run(["render", _saved(tmp_path, made), "--out", str(out), *options]) == 0
    assert files <= _written(out)


def test_claims_of_memory_come_from_templates_where_cards_are_known(
    made: Plan, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    saved = _saved(tmp_path, live(made))
    assert run(["render", saved, "--out", str(out), "--sharing", "dra-memory"]) == 0
    assert {"claim-templates/chat-0.yaml", "claim-templates/embed-0.yaml"} <= _written(out)


def test_texts_of_options_arrive(made: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--pool-selector", "lab:example.com/pool=big", "--pool-selector", "lab:a=b"]
    options += ["--api-key-secret", "", "--disk-speed", "2G", "-n", "models"]
    assert run(["render", _saved(tmp_path, made), "--out", str(out), *options]) == 0
    text = (out / "workloads/chat/deployment-0.yaml").read_text(encoding="utf-8")
    assert "example.com/pool: big\n        a: b" in text
    assert "LLAMA_API_KEY" not in text
    assert "namespace: models" in text
    # One small model from a fast disk: the margin of 120 s, in periods of 10 s.
    assert "failureThreshold: 13" in text


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("systemd", "lab-0/llama-chat-0.service"),
        ("compose", "lab-0/compose.yaml"),
        ("llama-swap", "lab-0/llama-swap.yaml"),
    ],
)
def test_hosts(
    target: str, name: str, made: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ["--target", target, "--models-folder", "/data", "--first-port", "9000"]
    assert run(["render", _saved(tmp_path, made), "--out", str(out), *options]) == 0
    assert name in _written(out)
    text = (out / name).read_text(encoding="utf-8")
    assert "/data/pvc/models" in text
    assert "900" in text
    said = capsys.readouterr().err
    assert "lab-0 gpu0 (small 9000)" in said
    assert "memory not enforced" in said


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--target", "systemd", "--sharing", "dra"], "P0722"),
        (["--target", "compose", "-n", "llm"], "P0722"),
        (["--first-port", "9000"], "P0722"),
        (["--pool-selector", "lab"], "P0723"),
        (["--pool-selector", "lab:=x"], "P0723"),
        (["--disk-speed", "fast"], "P0723"),
        (["--disk-speed", "0"], "P0723"),
        (["--sharing", "mig"], "P0712"),
        (["--gateway-image", "a b"], "P0710"),
        (["--gateway-parent", "a/b/c"], "P0710"),
        (["--monitoring-namespace", "$(A)"], "P0710"),
        (["--target", "systemd", "--address", "here"], "P0721"),
    ],
)
def test_what_has_no_meaning_is_refused(
    options: list[str],
    code: str,
    made: Plan,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert run(["render", _saved(tmp_path, made), "--out", str(out), *options]) == 2
    assert f"error[{code}]" in capsys.readouterr().err
    assert not out.exists()


def test_the_choice_of_auto_is_told(
    made: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = _saved(tmp_path, made)
    assert run(["render", saved, "--out", str(tmp_path / "out"), "--sharing", "auto"]) == 0
    assert "pool lab: shared by dra, because the inventory says so" in capsys.readouterr().err
