"""``gpu-packer help``: pages on error numbers and exit statuses."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from packer.cli import exit_status
from packer.cli.console import print_data
from packer.errors import InvalidInput, Problem


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "help",
        epilog="Examples: gpu-packer help P0103   |   gpu-packer help exit-status",
    )(show_help)


def show_help(
    context: typer.Context,
    topic: Annotated[
        str, typer.Argument(help="An error number such as P0103, exit-status, or a command.")
    ] = "",
) -> None:
    """Explain an error number, the exit statuses or a command."""
    commands = context.parent
    if commands is None or not topic:
        print_data((commands or context).get_help())
        return
    named = commands.command.get_command(commands, topic)  # type: ignore[attr-defined]
    if named is not None:
        print_data(named.get_help(typer.Context(named, parent=commands, info_name=topic)))
        return
    if topic == "exit-status":
        lines = [f"{status:>4}  {meaning}" for status, meaning in exit_status.MEANINGS.items()]
        print_data("\n".join(lines))
        return
    page = error_page(topic)
    if page is None:
        raise InvalidInput(
            Problem(
                "P0483",
                f"there is no help on {topic!r}",
                help="give the number in brackets of an error (P0103), exit-status, or a command",
            )
        )
    print_data(page)


def error_page(code: str) -> str | None:
    """Section of docs/errors.md on one error number, or None."""
    wanted = code.strip().upper()
    if not re.fullmatch(r"P[0-9]{4}", wanted):
        return None
    match = re.search(rf"^## {wanted}\b.*?(?=^## |\Z)", _error_pages(), re.MULTILINE | re.DOTALL)
    return match[0].strip() if match else None


def _error_pages() -> str:
    """Text of docs/errors.md: beside the package in a wheel, in docs/ in a checkout."""
    shipped = files("packer.cli").joinpath("errors.md")
    if shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
