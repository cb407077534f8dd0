"""Compose files and llama-swap configurations, held against the schemas their makers publish."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from packer.api.host_services import host_guarantees, host_services, render_host_services
from packer.errors import InvalidInput
from packer.host_services.options import HostOptions, HostTarget
from packer.plan.plan import Plan
from tests.planned import ROOT
from tests.rendered_plans import live
from tests.sample_plans import (
    L40S_BYTES,
    company_plan,
    device_bytes,
    node,
    placement,
    plan_of,
    summary,
    tiny_plan,
)

SCHEMAS = {
    HostTarget.COMPOSE: "compose-spec-2026-06.json",
    HostTarget.LLAMA_SWAP: "llama-swap-2026-08.json",
}
FILES = {HostTarget.COMPOSE: "compose.yaml", HostTarget.LLAMA_SWAP: "llama-swap.yaml"}
WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Zs", "Co", "Cn"]),
    min_size=1,
    max_size=12,
) | st.sampled_from(
    ["$(HOME)", "${PORT}", "${env.HOME}", "{{ a }}", "-rf", "a b", "'", '"', "\\", "%n", "#", "$$"]
)


@cache
def _schema(target: HostTarget) -> Any:
    text = (ROOT / "tests/data/schemas" / SCHEMAS[target]).read_text(encoding="utf-8")
    return json.loads(text)


def _documents(
    plan: Plan, target: HostTarget, options: HostOptions | None = None
) -> dict[str, Any]:
    """Host → its document."""
    return {
        path.partition("/")[0]: yaml.safe_load(text)
        for path, text in host_services(plan, target, options).items()
        if path.endswith(FILES[target])
    }


def _twice() -> Plan:
    """Two replicas of one model on one host, and another model."""
    placements = tuple(
        placement(name, replica, "n-0", (gpu,), (device_bytes(2, 1),), file=f"{name}.gguf")
        for name, replica, gpu in (("a", 0, 0), ("a", 1, 1), ("b", 0, 1))
    )
    budget = node("n-0", "n", "L40S", "NVIDIA-L40S", L40S_BYTES, 2, placements)
    workloads = (summary("a", "m", "x", 2), summary("b", "m", "x"))
    return plan_of("p", workloads, placements, (budget,), baselines=tiny_plan().baselines)


PLANS: Mapping[str, Plan] = {
    "company": company_plan(),
    "live": live(company_plan()),
    "twice": _twice(),
}


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("target", SCHEMAS)
def test_every_file_fits_the_published_schema(target: HostTarget, name: str) -> None:
    documents = _documents(PLANS[name], target)
    assert set(documents) == {placed.node for placed in PLANS[name].placements}
    for document in documents.values():
        jsonschema.Draft7Validator(_schema(target)).validate(document)


@pytest.mark.parametrize("target", SCHEMAS)
def test_the_schemas_do_check(target: HostTarget) -> None:
    (document, *_) = _documents(company_plan(), target).values()
    document["services" if target is HostTarget.COMPOSE else "hooks"] = {"a": {"b": 1}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(_schema(target)).validate(document)


def _interpolated(word: str) -> str:
    """What compose makes of a value: ``$$`` is a dollar sign, another one would be a variable."""
    assert "$" not in word.replace("$$", ""), word
    return word.replace("$$", "$")


def test_a_container_runs_the_plans_command_on_the_plans_cards() -> None:
    for plan in (company_plan(), live(company_plan())):
        documents = _documents(plan, HostTarget.COMPOSE)
        for placed in plan.placements:
            service = documents[placed.node]["services"][f"{placed.workload}-{placed.replica}"]
            assert service["command"] == list(placed.argv[1:])
            (device,) = service["deploy"]["resources"]["reservations"]["devices"]
            (budget,) = [node for node in plan.nodes if node.name == placed.node]
            cards = [budget.cards[gpu] for gpu in placed.gpus]
            assert device["device_ids"] == [card.uuid or str(card.index) for card in cards]
            assert device["capabilities"] == ["gpu"]
            (volume,) = service["volumes"]
            assert placed.argv[2].startswith(f"{volume['target']}/")
            assert service["read_only"] is True
        for document in documents.values():
            ports = [service["ports"][0]["published"] for service in document["services"].values()]
            assert len(set(ports)) == len(ports)


def test_cards_without_uuids_are_counted_inside_the_container() -> None:
    services = _documents(company_plan(), HostTarget.COMPOSE)["a100-0"]["services"]
    assert services["oss-0"]["environment"]["CUDA_VISIBLE_DEVICES"] == "0,1"
    plan = company_plan()
    turned = replace(plan.placements[0], gpus=(1, 0))
    plan = replace(plan, placements=(turned, *plan.placements[1:]))
    chat = _documents(plan, HostTarget.COMPOSE)["l40s-0"]["services"]["chat-0"]
    assert chat["environment"]["CUDA_VISIBLE_DEVICES"] == "1,0"


def _shell_words(command: str) -> list[str]:
    """What llama-swap starts: macros replaced first, then words split as a shell does."""
    macros = re.findall(r"\$\{[a-zA-Z0-9_.-]+\}", command)
    assert macros == ["${PORT}"]
    replaced = command.replace("${PORT}", "5801")
    return shlex.split(replaced)


def test_llama_swap_starts_the_plans_command_lines_side_by_side() -> None:
    plan = company_plan()
    documents = _documents(plan, HostTarget.LLAMA_SWAP)
    for host, document in documents.items():
        here = [placed for placed in plan.placements if placed.node == host]
        assert list(document["models"]) == [placed.workload for placed in here]
        for placed in here:
            words = _shell_words(document["models"][placed.workload]["cmd"])
            same = [w for w in words if w in placed.argv]
            assert len(same) == len(placed.argv) - 3  # program, address and port are the host's
        matrix = document["routing"]["router"]["settings"]["matrix"]
        resident = [matrix["vars"][name] for name in matrix["sets"]["planned"].split(" & ")]
        assert resident == list(document["models"]) == document["hooks"]["on_startup"]["preload"]
        assert all(cost >= 1 for cost in matrix["evict_costs"].values())


def test_replicas_that_share_a_host_share_a_name() -> None:
    (document,) = _documents(_twice(), HostTarget.LLAMA_SWAP).values()
    assert list(document["models"]) == ["a-0", "a-1", "b"]
    assert document["selectors"] == {
        "a": {"strategy": "spillover", "targets": ["a-0", "a-1"], "settings": {"spillover": 4}}
    }


def _with_argument(argument: str) -> Plan:
    plan = tiny_plan()
    placed = plan.placements[0]
    argv = (*placed.argv, "--chat-template", argument)
    return replace(plan, placements=(replace(placed, argv=argv),))


@settings(max_examples=60, deadline=None)
@given(WORDS)
def test_any_argument_arrives(argument: str) -> None:
    plan = _with_argument(argument)
    compose = _documents(plan, HostTarget.COMPOSE)["lab-0"]["services"]["chat-0"]["command"]
    assert _interpolated(compose[-1]) == argument
    swap = _documents(plan, HostTarget.LLAMA_SWAP)["lab-0"]["models"]["chat"]["cmd"]
    assert _shell_words(swap)[-1] == argument


HOSTILE = ["", " ", "a\nb", 'x"', "'", "$(HOME)", "{{ a }}", "../../etc", "-rf", "a/b", "a" * 300]


@pytest.mark.parametrize("target", HostTarget)
@pytest.mark.parametrize("text", HOSTILE)
def test_names_are_refused_wherever_they_stand(text: str, target: HostTarget) -> None:
    plan, host = tiny_plan(), tiny_plan().nodes[0]
    workload, placed = plan.workloads[0], plan.placements[0]
    card = replace(host.cards[0], uuid=text or "'")
    for wrong in (
        replace(plan, name=text),
        replace(
            plan,
            workloads=(replace(workload, name=text),),
            placements=(replace(placed, workload=text),),
        ),
        replace(plan, nodes=(replace(host, name=text),), placements=(replace(placed, node=text),)),
        replace(plan, nodes=(replace(host, cards=(card,)),)),
    ):
        with pytest.raises(InvalidInput) as caught:
            host_services(wrong, target)
        assert {problem.code for problem in caught.value.problems} == {"P0721"}


@pytest.mark.parametrize(
    "options",
    [
        HostOptions(program="llama-server"),
        HostOptions(program="/opt/../bin/x"),
        HostOptions(models_folder="/a b"),
        HostOptions(key_file="/etc/a\nExecStart=/bin/sh"),
        HostOptions(checker="-x"),
        HostOptions(address="0.0.0.0 --x"),
        HostOptions(first_port=65536),
    ],
)
def test_options_are_held_against_rules(options: HostOptions) -> None:
    with pytest.raises(InvalidInput, match="P0721"):
        host_services(tiny_plan(), HostTarget.SYSTEMD, options)


def _placed(**changes: object) -> Plan:
    plan = tiny_plan()
    return replace(plan, placements=(replace(plan.placements[0], **changes),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (_placed(gpus=(1,)), "P0711"),
        (_placed(gpus=()), "P0711"),
        (_placed(node="elsewhere"), "P0711"),
        (_placed(argv=()), "P0711"),
        (_placed(argv=("llama-server", "a\nb")), "P0711"),
        (replace(tiny_plan(), placements=tiny_plan().placements * 2), "P0711"),
        (_placed(argv=("llama-server", "--api-key", "canary-123")), "P0717"),
        (_placed(variant=replace(tiny_plan().placements[0].variant, mount="")), "P0714"),
        (_placed(variant=replace(tiny_plan().placements[0].variant, mount="s3://a/b")), "P0715"),
        (replace(tiny_plan(), server=replace(tiny_plan().server, image="a b")), "P0721"),
    ],
)
def test_unsound_plans_are_refused(plan: Plan, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        host_services(plan, HostTarget.COMPOSE)
    assert code in {problem.code for problem in caught.value.problems}
    assert "canary" not in str(caught.value)


def test_files_of_the_node_are_where_they_are() -> None:
    plan = tiny_plan()
    placed = plan.placements[0]
    path = "/models/file/srv/models/m.gguf"
    argv = tuple(path if word.endswith(".gguf") else word for word in placed.argv)
    variant = replace(placed.variant, mount="file:///srv/models/m.gguf")
    plan = replace(plan, placements=(replace(placed, argv=argv, variant=variant),))
    cmd = _documents(plan, HostTarget.LLAMA_SWAP)["lab-0"]["models"]["chat"]["cmd"]
    assert "--model /srv/models/m.gguf" in cmd
    (volume,) = _documents(plan, HostTarget.COMPOSE)["lab-0"]["services"]["chat-0"]["volumes"]
    assert (volume["source"], volume["target"]) == ("/srv/models", "/models/file/srv/models")


def test_notes_promise_nothing_about_memory(tmp_path: Path) -> None:
    for target in HostTarget:
        written = render_host_services(company_plan(), tmp_path / target, target)
        assert "NOTES.md" in written
        notes = (tmp_path / target / "NOTES.md").read_text(encoding="utf-8")
        lines = host_guarantees(company_plan(), target)
        assert all(f"- {line}\n" in notes for line in lines)
        cards = [line for line in lines if " planned for " in line]
        assert len(cards) == company_plan().cards
        assert all("memory not enforced" in line for line in cards)
        assert ("gpu-packer estimate" in notes) == (target is HostTarget.SYSTEMD)
