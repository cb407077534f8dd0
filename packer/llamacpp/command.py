"""Command lines of planned servers: one model, or a router over several."""

from collections.abc import Container, Iterable

from packer.domain.server_options import ServerOptions
from packer.domain.serving_options import ServingOptions
from packer.errors import InvalidInput, Problem
from packer.llamacpp.flag_table import flag_table, nearest_build
from packer.llamacpp.model_flags import model_flags


def format_command(
    options: ServerOptions, serving: ServingOptions, *, build: str
) -> tuple[str, ...]:
    """Words of the command line, the program first; parse_arguments() reads the same options back.

    Paths in ``serving`` replace the references in ``options``.

    Raises:
        InvalidInput: A size is left open, or a value cannot stand on a command line.
    """
    model, *sizes = model_flags(options, serving)
    address = (
        ("--alias", serving.alias),
        ("--host", serving.host),
        ("--port", str(serving.port)),
        *metrics_flag(serving),
    )
    return _words((model, *address, *sizes), build)


def format_router_command(
    preset_path: str, models: int, serving: ServingOptions, *, build: str
) -> tuple[str, ...]:
    """Words of the command line of a router that keeps all its models loaded.

    It names no size: what a router is given on its command line overrides every preset.

    Args:
        preset_path: Where the router finds the text of format_preset().
        models: Sections of the preset; the router unloads the oldest beyond this number.
        serving: Host and port; a router has neither model nor alias.
        build: llama.cpp build in the image.

    Source:
        llama.cpp b11434, tools/server/server-models.cpp, server_models::load_models().
    """
    flags = (
        ("--models-preset", preset_path),
        ("--models-max", str(models)),
        ("--models-autoload",),
        ("--host", serving.host),
        ("--port", str(serving.port)),
    )
    return _words(flags, build)


def metrics_flag(serving: ServingOptions) -> tuple[tuple[str, ...], ...]:
    """The flag that serves metrics, if they are wanted."""
    return (("--metrics",),) if serving.metrics else ()


def check_flags(flags: Iterable[tuple[str, ...]], build: str) -> None:
    """Refuse what cannot be written.

    Raises:
        InvalidInput: The build lacks a flag, or a value would be misread.
    """
    known = flag_table(nearest_build(build)).by_name
    problems = [problem for flag in flags if (problem := _refusal(flag, known, build))]
    if problems:
        raise InvalidInput(problems)


def _words(flags: tuple[tuple[str, ...], ...], build: str) -> tuple[str, ...]:
    check_flags(flags, build)
    return ("llama-server", *(word for flag in flags for word in flag))


def _refusal(flag: tuple[str, ...], known: Container[str], build: str) -> Problem | None:
    """Why one flag cannot be written."""
    name, *values = flag
    if name not in known:
        return Problem("P0409", f"llama.cpp {build} has no flag {name}")
    for value in values:
        if not value or (value.startswith("-") and not value[1:].isdigit()):
            why = "an empty value or one that looks like a flag would be misread"
            return Problem("P0409", f"{name} cannot be {value!r}", None, why)
        if not value.isprintable():
            why = "control characters have no place on a command line"
            return Problem("P0409", f"{name} cannot be {value!r}", None, why)
    return None
