"""Flags of the llama.cpp builds known by name: spellings, environment variables, arity.

The tables in ``data/`` are written by benchmarks/make_flag_table.py from the builds' own programs.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from packer.domain.llama_build import build_number, is_same_build

PROGRAMS = ("llama-server", "llama-fit-params")


@dataclass(frozen=True)
class Flag:
    """One option of llama.cpp's command line.

    Attributes:
        names: Spellings that set or switch on. negated: Spellings that switch off.
        value: ``none``, ``int``, ``float``, ``text``, or ``pair`` for two values.
        environment: Variable that sets it; empty if there is none.
        programs: Programs that know it.
        is_removed: Whether the program only names a successor and stops.
    """

    names: tuple[str, ...]
    negated: tuple[str, ...]
    value: str
    environment: str
    programs: tuple[str, ...]
    is_removed: bool

    @property
    def value_count(self) -> int:
        """Words that follow the flag."""
        return {"none": 0, "pair": 2}.get(self.value, 1)


@dataclass(frozen=True)
class FlagTable:
    """All flags of one build by spelling, whatever program knows them."""

    build: str
    flags: tuple[Flag, ...]
    by_name: Mapping[str, Flag]

    def names_of(self, program: str) -> list[str]:
        """Spellings one program accepts, for suggestions."""
        return [name for name, flag in self.by_name.items() if program in flag.programs]


@cache
def known_builds() -> tuple[str, ...]:
    """Builds with a table, oldest first."""
    names = [entry.name for entry in files("packer.llamacpp").joinpath("data").iterdir()]
    found = [match[1] for name in names if (match := re.fullmatch(r"flags-(b\d+)\.json", name))]
    return tuple(sorted(found, key=lambda build: int(build[1:])))


def nearest_build(build: str) -> str:
    """The known build closest to ``build``; the newest if that names no number."""
    number = build_number(build)
    if number is None:
        return known_builds()[-1]
    return min(known_builds(), key=lambda known: abs((build_number(known) or 0) - number))


def build_notes(build: str) -> tuple[str, ...]:
    """What a reader must know about the flags of a build: nothing if it is known by name."""
    nearest = nearest_build(build)
    if is_same_build(build, nearest):
        return ()
    return (f"llama.cpp {build} is not known by name; the flags of {nearest} were used",)


@cache
def flag_table(build: str) -> FlagTable:
    """Table of a build known by name."""
    text = files("packer.llamacpp").joinpath(f"data/flags-{build}.json").read_text("utf-8")
    flags = tuple(
        Flag(
            names=tuple(row["names"]),
            negated=tuple(row.get("negated", ())),
            value=row["value"],
            environment=row.get("env", ""),
            programs=tuple(row["programs"]),
            is_removed=row.get("removed", False),
        )
        for row in json.loads(text)["flags"]
    )
    by_name = {name: flag for flag in flags for name in (*flag.names, *flag.negated)}
    return FlagTable(build, flags, by_name)
