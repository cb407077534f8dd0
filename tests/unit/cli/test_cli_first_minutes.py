"""What somebody new types: help of everything, wrong words, files in the wrong place."""

import re

import pytest

from packer.cli.main import app, run

COMMANDS = [
    command.name or "" for command in app.registered_commands if command.name not in ("help",)
]
FLEET, INVENTORY = "examples/01-four-models-one-card/fleet.yaml", "inventories/one-l40s.yaml"


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int) -> str:
    assert run(list(words)) == status
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return out + err


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_of_a_command_stand_on_lines_of_their_own(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "help", command, status=0)
    _, _, examples = text.partition("Examples:\n")
    lines = [line for line in examples.splitlines() if line.strip()]
    assert lines
    assert all(" gpu-packer " in line and line.startswith("    ") for line in lines)
    assert all(len(line) <= 80 for line in text.partition("Examples:")[0].splitlines())


def test_help_alone_is_the_help_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "help", status=0)
    assert all(re.search(rf"^  {command} ", text, re.MULTILINE) for command in COMMANDS)


def test_a_swapped_fleet_and_inventory_are_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "validate", "-f", INVENTORY, "-i", FLEET, status=2)
    assert text.count("changed places?") == 2
    assert "it holds an Inventory" in text


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("plann",), "Did you mean 'plan'"),
        (("plan", "--fleeet", "x"), "--fleet"),
        (("plan",), "Missing option '--fleet'"),
        (("schema", "flet"), "'fleet'"),
        (("catalogue", "gpu"), "'gpus'"),
        (("help", "P9999"), "P0483"),
        (("inspect", "nope.gguf"), "check the path"),
        (("inspect", "README.md"), "not a GGUF file"),
        (("explain", "README.md", "chat"), "plan --out"),
        (("plan", "-f", "README.md", "-i", INVENTORY), "not valid YAML"),
        (("estimate",), "put it after --"),
        (("render", FLEET, "--out", "nowhere"), "plan --out"),
    ],
)
def test_mistakes_say_what_to_type(
    words: tuple[str, ...], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, *words, status=2)
    assert hint in text
    assert "Value error" not in text


def test_a_word_narrows_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "catalogue", "gpus", "l40", "-o", "name", status=0)
    assert text.split("\n")[:2] == ["L40", "L40S"]
