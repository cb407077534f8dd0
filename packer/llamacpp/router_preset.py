"""Preset file of llama-server's router: one section per model of a card group.

The router reads ``key = value`` lines where a key is a long flag without its dashes and starts one
server per section. There is no quoting: a semicolon or a hash ends a value anywhere, and blanks at
its ends are dropped, so such values are refused.

Source: llama.cpp b11434, common/preset.cpp, parse_ini_from_file() and common_preset::to_args().
"""

import re
from collections.abc import Sequence

from packer.domain.server_options import ServerOptions
from packer.domain.serving_options import ServingOptions
from packer.errors import InvalidInput, Problem
from packer.llamacpp.command import check_flags, metrics_flag
from packer.llamacpp.flag_table import FlagTable, flag_table, nearest_build
from packer.llamacpp.model_flags import model_flags

# "default" is where the router puts its own flags; a tag after a colon would be spelled anew.
_SECTION = re.compile(r"(?!default$)[A-Za-z0-9][A-Za-z0-9._/-]*")


def format_preset(
    models: Sequence[tuple[ServerOptions, ServingOptions]],
    *,
    build: str,
    stop_timeout_seconds: int = 30,
) -> str:
    """Text of a preset that loads every model when the router starts.

    Each section is named for the alias of its model, which clients send as ``model``.

    Args:
        models: Options of each server with its alias and paths.
        build: llama.cpp build in the image.
        stop_timeout_seconds: Time a server gets to finish before it is killed [s].

    Raises:
        InvalidInput: Two models have one alias, or something cannot be written in this format.
    """
    table = flag_table(nearest_build(build))
    problems = _alias_problems([serving.alias for _, serving in models])
    sections = []
    for options, serving in models:
        problems += _order_problems(options, serving.alias)
        flags = (*model_flags(options, serving), *metrics_flag(serving))
        check_flags(flags, build)
        problems += [problem for flag in flags for problem in _value_problems(flag)]
        lines = [f"[{serving.alias}]", *(_line(flag, table) for flag in flags)]
        lines += ["load-on-startup = true", f"stop-timeout = {stop_timeout_seconds}"]
        sections.append("\n".join(lines))
    if problems:
        raise InvalidInput(problems)
    return "version = 1\n\n" + "\n\n".join(sections) + "\n"


def _line(flag: tuple[str, ...], table: FlagTable) -> str:
    """One line; a flag without value is switched on, or off where it is spelled negated."""
    name, *values = flag
    if name in table.by_name[name].negated:
        return f"{name.removeprefix('--no-')} = false"
    return f"{name.removeprefix('--')} = {values[0] if values else 'true'}"


def _order_problems(options: ServerOptions, alias: str) -> list[Problem]:
    """A router sorts flags by name, so that CPU flags would come before overrides."""
    cpu = options.cpu_moe or options.cpu_moe_layers or options.cpu_ffn_layers
    if not (cpu and any(buffer != "CPU" for _, buffer in options.override_tensors)):
        return []
    title = f"{alias}: --override-tensor to a device cannot stand beside --cpu-moe and its kind"
    why = "a router sorts flags, and the first pattern that matches a tensor wins"
    return [Problem("P0410", title, None, why, "write the CPU layers as overrides too")]


def _alias_problems(aliases: Sequence[str]) -> list[Problem]:
    problems = []
    for alias in dict.fromkeys(aliases):
        if not _SECTION.fullmatch(alias):
            why = "letters, digits, dots, dashes, underscores and slashes are safe in a section"
            title = f"{alias!r} cannot name a model of a router"
            problems.append(Problem("P0410", title, None, why))
        if aliases.count(alias) > 1:
            title = f"two models of one router are called {alias!r}"
            problems.append(Problem("P0410", title, None, "a router finds models by name"))
    return problems


def _value_problems(flag: tuple[str, ...]) -> list[Problem]:
    return [
        Problem(
            "P0410",
            f"{flag[0]} cannot be {value!r} in a router preset",
            None,
            "a semicolon or hash ends a value, and blanks at its ends are dropped",
        )
        for value in flag[1:]
        if re.search(r"[;#]", value) or value != value.strip()
    ]
