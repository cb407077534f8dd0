"""docs/estimate.md names every option of the commands it is about, and every key they print."""

import typer
from typer.main import get_command

from packer.cli.main import app
from packer.domain.server_options import ServerOptions
from packer.memory.estimate import estimate_memory
from packer.memory.result import Card
from packer.report.estimate_document import estimate_document
from packer.units import GIB
from tests.memory_models import MadeUp
from tests.planned import ROOT

PAGE = (ROOT / "docs" / "estimate.md").read_text(encoding="utf-8")
COMMANDS = ("estimate", "inspect", "calibrate")


def test_every_option_is_described() -> None:
    group = get_command(app)
    commands = [group.get_command(typer.Context(group), name) for name in COMMANDS]  # type: ignore[attr-defined]
    options = {
        option
        for command in commands
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    }
    assert options
    assert [option for option in sorted(options) if f"`{option}" not in PAGE] == []


def test_every_key_is_described() -> None:
    found = estimate_document(
        estimate_memory(MadeUp().file(), ServerOptions(), [Card("CUDA0", 24 * GIB)])
    )
    keys = {*found, *found["devices"][0], *found["host"]}
    described = {key for key in keys if f"`{key}`" in PAGE}
    assert keys - described == {f"draft_{part}_bytes" for part in ("weights", "context", "compute")}
