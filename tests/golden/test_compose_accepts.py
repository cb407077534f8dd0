"""Docker Compose itself reads every compose file as it was meant: ``docker compose config``."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from packer import api
from packer.api.host_services import host_services
from packer.host_services.options import HostOptions, HostTarget
from packer.plan.plan import Plan
from tests.docker_compose import COMPOSE
from tests.planned import inputs
from tests.rendered_plans import live
from tests.sample_plans import company_plan, tiny_plan
from tests.tools import require_tool

Json = dict[str, Any]
WORDS = [
    *("$HOME", "${HOME}", "${A:?gone}", "$(date)", "$$", "a$", "{{ .Name }}", "%n", "#1", "-rf"),
    *("a b", " a ", "'", '"', "\\", "yes", "0x10", "1e3", "~", "null", "a: b", "é", "模型", "`id`"),
]
"""Arguments that a shell, YAML or Compose could make something else of."""


def read_by_compose(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What ``docker compose config`` makes of a file."""
    program = require_tool("docker-compose", str(COMPOSE.path), "docker-compose")
    (folder / "compose.yaml").write_text(text, encoding="utf-8")
    return subprocess.run(
        [program, "config", "--format", "json"],
        cwd=folder,
        env={"HOME": str(folder), "PATH": os.environ.get("PATH", os.defpath)},
        capture_output=True,
        text=True,
        check=False,
    )


def options(folder: Path) -> HostOptions:
    """As on a host, with the file of the API key that Compose insists on."""
    key = folder / "llama-server.env"
    key.write_text("LLAMA_API_KEY=not-a-secret\n")
    return HostOptions(key_file=str(key))


def accepted(plan: Plan, folder: Path) -> dict[str, Json]:
    """Host → what Compose read of its file."""
    found = {}
    for path, text in host_services(plan, HostTarget.COMPOSE, options(folder)).items():
        if path.endswith("compose.yaml"):
            done = read_by_compose(text, folder)
            assert done.returncode == 0, done.stderr
            assert done.stderr == "", "not one warning"
            found[path.partition("/")[0]] = json.loads(done.stdout)
    return found


def with_words(plan: Plan, words: Sequence[str]) -> Plan:
    """The plan with arguments no model needs at the end of its first command line."""
    first, *rest = plan.placements
    extra = [part for word in words for part in ("--chat-template", word)]
    return replace(plan, placements=(replace(first, argv=(*first.argv, *extra)), *rest))


PLANS = {
    "company": company_plan(),
    "company, live": live(company_plan()),
    "one card": tiny_plan(),
    "strange words": with_words(tiny_plan(), WORDS),
}


@pytest.mark.parametrize("name", PLANS)
def test_compose_starts_every_replica_as_planned(tmp_path: Path, name: str) -> None:
    plan = PLANS[name]
    read = accepted(plan, tmp_path)
    assert set(read) == {one.node for one in plan.placements}
    cards = {node.name: {card.index: card for card in node.cards} for node in plan.nodes}
    for placed in plan.placements:
        service = read[placed.node]["services"][f"{placed.workload}-{placed.replica}"]
        # Compose prints a dollar sign twice, so that what it prints can be read again.
        assert [word.replace("$$", "$") for word in service["command"]] == [*placed.argv[1:]]
        assert service["environment"]["LLAMA_API_KEY"] == "not-a-secret"
        resources = service["deploy"]["resources"]
        mine = [cards[placed.node][gpu] for gpu in placed.gpus]
        (reserved,) = resources["reservations"]["devices"]
        assert reserved["device_ids"] == [card.uuid or str(card.index) for card in mine]
        assert (reserved["driver"], reserved["capabilities"]) == ("nvidia", ["gpu"])
        least = placed.host.total_bytes
        assert least <= int(resources["limits"]["memory"]) < least + 2**20
        (port,) = service["ports"]
        assert (port["host_ip"], port["target"]) == ("127.0.0.1", 8080)
    for document in read.values():
        ports = [one["ports"][0]["published"] for one in document["services"].values()]
        assert len(set(ports)) == len(ports)


def test_compose_accepts_a_plan_of_the_planner(tmp_path: Path) -> None:
    asked = inputs("01-four-models-one-card")
    made = api.plan(asked, time_limit_seconds=20, gap=0.5, brief=True)
    (document,) = accepted(made, tmp_path).values()
    assert len(document["services"]) == len(made.placements)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("ports", [{"target": "a"}], "ports"),
        ("cards", ["0"], "cards"),
        ("env_file", ["gone.env"], "gone.env"),
    ],
)
def test_compose_does_refuse(tmp_path: Path, key: str, value: object, words: str) -> None:
    (text,) = (
        text
        for path, text in host_services(tiny_plan(), HostTarget.COMPOSE, options(tmp_path)).items()
        if path.endswith("compose.yaml")
    )
    document = yaml.safe_load(text)
    document["services"]["chat-0"][key] = value
    done = read_by_compose(yaml.safe_dump(document), tmp_path)
    assert done.returncode != 0
    assert words in done.stderr
