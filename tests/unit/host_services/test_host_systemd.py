"""systemd units: systemd itself reads them, and gives servers the very words that were meant."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from packer.api.host_services import host_services
from packer.host_services.options import HostOptions, HostTarget
from packer.host_services.systemd_text import command_line, environment
from packer.plan.plan import Plan
from tests.rendered_plans import live
from tests.sample_plans import company_plan, tiny_plan
from tests.tools import require_tool

_ESCAPE = {"\\\\": "\\", '\\"': '"'}


def read_words(line: str) -> list[str]:
    """Words of ``ExecStart=`` by the rules of systemd.syntax(7), for what we write."""
    words = re.findall(r'"(?:[^"\\]|\\.)*"|[^\s"]+', line)
    return [_unescaped(word) for word in words]


def _unescaped(word: str) -> str:
    if word.startswith('"'):
        word = re.sub(r"\\.", lambda found: _ESCAPE[found[0]], word[1:-1])
    for mark in "%$":
        assert mark not in word.replace(mark * 2, ""), word
        word = word.replace(mark * 2, mark)
    return word


def _settings(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield name, value


def _one(text: str, name: str) -> str:
    (value,) = [value for key, value in _settings(text) if key == name]
    return value


def _units(plan: Plan, options: HostOptions | None = None) -> dict[str, str]:
    return host_services(plan, HostTarget.SYSTEMD, options)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1)))
def test_every_word_is_read_back(words: list[str]) -> None:
    assert read_words(command_line(words)) == words


@given(st.text(st.sampled_from("ab $%\\\"'{}()"), min_size=1, max_size=12))
def test_environment_keeps_dollars(value: str) -> None:
    text = environment("A", value)
    inner = re.sub(r"\\.", lambda found: _ESCAPE[found[0]], text[1:-1]) if text[0] == '"' else text
    assert inner.replace("%%", "%") == f"A={value}"


def test_a_service_for_every_replica_and_a_target_for_every_host() -> None:
    plan = company_plan()
    units = _units(plan)
    services = {path for path in units if path.endswith(".service")}
    assert services == {f"{p.node}/llama-{p.workload}-{p.replica}.service" for p in plan.placements}
    for node in {p.node for p in plan.placements}:
        here = {path.partition("/")[2] for path in services if path.startswith(f"{node}/")}
        wanted = [v for k, v in _settings(units[f"{node}/llama-company.target"]) if k == "Wants"]
        assert set(wanted) == here


def test_servers_of_a_host_have_ports_and_cards_of_their_own() -> None:
    for plan in (company_plan(), live(company_plan())):
        units = _units(plan)
        for placed in plan.placements:
            text = units[f"{placed.node}/llama-{placed.workload}-{placed.replica}.service"]
            (node,) = [node for node in plan.nodes if node.name == placed.node]
            cards = [node.cards[gpu].uuid or str(gpu) for gpu in placed.gpus]
            assert f"CUDA_VISIBLE_DEVICES={','.join(cards)}\n" in text
            assert int(_one(text, "MemoryMax")) >= placed.host.total_bytes
        for host in {placed.node for placed in plan.placements}:
            ports = [
                words[words.index("--port") + 1]
                for path, text in units.items()
                if path.startswith(f"{host}/") and path.endswith(".service")
                for words in [read_words(_one(text, "ExecStart"))]
            ]
            assert len(set(ports)) == len(ports)


def test_the_command_line_is_the_plans_but_for_path_and_address() -> None:
    plan = company_plan()
    text = _units(plan, HostOptions(models_folder="/data/models"))["l40s-0/llama-code-0.service"]
    words = read_words(_one(text, "ExecStart"))
    planned = list(plan.placements[2].argv)
    assert words[0] == "/usr/local/bin/llama-server"
    changed = {new: old for new, old in zip(words, planned, strict=True) if new != old}
    assert changed == {
        "/usr/local/bin/llama-server": "llama-server",
        "/data/models/pvc/models/Qwen2.5-Coder-32B-Q6_K.gguf": (
            "/models/pvc/models/Qwen2.5-Coder-32B-Q6_K.gguf"
        ),
        "127.0.0.1": "0.0.0.0",
        "8081": "8080",
    }


def test_a_server_is_checked_against_what_the_plan_leaves_it() -> None:
    plan = company_plan()
    text = _units(plan)["rtx-0/llama-small-0.service"]
    check, start = read_words(_one(text, "ExecStartPre")), read_words(_one(text, "ExecStart"))
    assert check[:4] == ["/usr/local/bin/gpu-packer", "estimate", "--gpu", "RTX 4090:1"]
    assert check[check.index("--") + 1 :] == start
    card = plan.nodes[4].cards[1]
    own = plan.placements[-1].devices[0].high_bytes
    left = card.allocatable_bytes - (card.used_bytes - own)
    assert check[check.index("--left") + 1] == f"{left // 2**20}Mi"
    unchecked = _units(plan, HostOptions(checker=""))["rtx-0/llama-small-0.service"]
    assert "ExecStartPre" not in unchecked


def test_a_card_nobody_knows_is_checked_by_its_size() -> None:
    plan = tiny_plan()
    plan = replace(plan, nodes=(replace(plan.nodes[0], product="Homemade"),))
    check = read_words(_one(_units(plan)["lab-0/llama-chat-0.service"], "ExecStartPre"))
    assert check[2:4] == ["--gpus", "45467Mi"]


def test_no_key_file_where_none_is_wanted() -> None:
    text = _units(tiny_plan(), HostOptions(key_file=""))["lab-0/llama-chat-0.service"]
    assert "EnvironmentFile" not in text
    assert (
        "EnvironmentFile=/etc/gpu-packer/llama-server.env"
        in (_units(tiny_plan())["lab-0/llama-chat-0.service"])
    )


def _verified(folder: Path, units: dict[str, str]) -> str:
    """What ``systemd-analyze verify`` says of all units of one host; nothing is good."""
    analyze = require_tool("systemd-analyze")
    for name, text in units.items():
        (folder / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", "--man=no", *(str(folder / name) for name in units)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"},
    )
    # On a machine that systemd did not start it also says so, of no unit.
    ours = [line for line in done.stderr.splitlines() if str(folder) in line or "llama" in line]
    return "\n".join(ours)


def test_systemd_accepts_every_unit(tmp_path: Path) -> None:
    """The real reader, with programs that exist, since it looks for them."""
    plan = company_plan()
    first = plan.placements[0]
    odd = (*first.argv, "--chat-template", "100% $HOME ${X} $(A) {{ a }} \"q\" 'q' \\ ; é")
    plan = replace(plan, placements=(replace(first, argv=odd), *plan.placements[1:]))
    options = HostOptions(program="/bin/true", checker="/bin/true")
    units = _units(plan, options)
    here = {p.partition("/")[2]: t for p, t in units.items() if p.startswith("l40s-0/")}
    assert _verified(tmp_path, here) == ""
    words = read_words(_one(here["llama-chat-0.service"], "ExecStart"))
    assert words[-1] == odd[-1]


def test_systemd_would_refuse_a_unit_that_is_wrong(tmp_path: Path) -> None:
    text = _units(tiny_plan(), HostOptions(program="/bin/true"))["lab-0/llama-chat-0.service"]
    broken = text.replace("Type=exec", "Type=excec").replace("MemoryMax=", "MemoryMost=")
    said = _verified(tmp_path, {"llama-chat-0.service": broken})
    assert "service type" in said
    assert "MemoryMost" in said


@settings(max_examples=8, deadline=None)
@given(st.text(st.sampled_from("ab $%\\\"'{}();@-!+:|"), min_size=1, max_size=12))
def test_systemd_accepts_any_argument(argument: str) -> None:
    plan = tiny_plan()
    placed = plan.placements[0]
    argv = (*placed.argv, "--chat-template", argument)
    plan = replace(plan, placements=(replace(placed, argv=argv),))
    text = _units(plan, HostOptions(program="/bin/true", checker="/bin/true"))
    with tempfile.TemporaryDirectory() as folder:
        service = text["lab-0/llama-chat-0.service"]
        assert _verified(Path(folder), {"llama-chat-0.service": service}) == ""
    assert read_words(_one(service, "ExecStart"))[-1] == argument
