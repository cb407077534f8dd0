"""A command line and its environment as a list of flags with their values.

Order is llama.cpp's: variables in the order of its flags, then the command line from left to
right, so that whoever applies the list lets the last one win.

Source: llama.cpp b11434, common/arg.cpp, common_params_parse_ex().
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from packer.errors import Location, Problem
from packer.llamacpp.flag_table import Flag, FlagTable, flag_table
from packer.llamacpp.flag_values import FALSE_WORDS, TRUE_WORDS

# Flags that builds before b11434 had; what to write instead.
_SUCCESSORS = {
    "--mmap": "--load-mode mmap",
    "--no-mmap": "--load-mode none",
    "--mlock": "--load-mode mlock",
    "-dio": "--load-mode dio",
    "--direct-io": "--load-mode dio",
    "-ndio": "--load-mode auto",
    "--no-direct-io": "--load-mode auto",
    "-cd": "--ctx-size: a draft model takes the context of its target",
    "--ctx-size-draft": "--ctx-size: a draft model takes the context of its target",
    "--draft": "--spec-draft-n-max",
    "--draft-n": "--spec-draft-n-max",
    "--draft-max": "--spec-draft-n-max",
    "--draft-min": "--spec-draft-n-min",
    "--draft-n-min": "--spec-draft-n-min",
    "--spec-ngram-size-n": "--spec-ngram-simple-size-n, or that of the type in --spec-type",
    "--spec-ngram-size-m": "--spec-ngram-simple-size-m, or that of the type in --spec-type",
    "--spec-ngram-min-hits": "--spec-ngram-simple-min-hits, or that of the type in --spec-type",
}
_SECRETS = ("--api-key", "--hf-token", "-hft")

MOST_PROBLEMS = 20
"""Problems looked for in one command line; each shows all of it, so more would be long to read."""


@dataclass(frozen=True)
class Setting:
    """One flag as given.

    Attributes:
        name: Flag or variable as written.
        values: Words that follow it.
        is_on: False for a negated spelling and for a variable that switches off.
        words, index: Command line (or NAME=VALUE of a variable) and its last word.
    """

    flag: Flag
    name: str
    values: tuple[str, ...]
    is_on: bool
    words: Sequence[str]
    index: int

    @property
    def value(self) -> str:
        """Its first value."""
        return self.values[0]

    @property
    def where(self) -> Location:
        """Place of its value, or of the flag itself."""
        if self.name.startswith("-"):
            return location(self.words, self.index)
        start = len(self.name) + 1
        return Location("environment", 1, start + 1, self.words[0], len(self.words[0]) - start)


def location(argv: Sequence[str], index: int) -> Location:
    """Place of one word of a command line, as a shell would be given it; secrets are hidden."""
    shown = [
        "***" if before in _SECRETS else word
        for before, word in zip(("", *argv), argv, strict=False)
    ]
    column = len(shlex.join(shown[:index])) + (2 if index else 1)
    return Location(
        "command line", 1, column, shlex.join(shown), max(1, len(shlex.quote(shown[index])))
    )


def command_line_settings(
    argv: Sequence[str], program: str, table: FlagTable
) -> tuple[list[Setting], list[Problem]]:
    """Flags of ``argv`` after the program, and everything that is wrong with their spelling."""
    settings, problems, index = list[Setting](), list[Problem](), 1
    while index < len(argv) and len(problems) < MOST_PROBLEMS:
        name = _dashed(argv[index])
        flag = table.by_name.get(name)
        if flag is None or flag.is_removed or program not in flag.programs:
            problems.append(_unusable(name, location(argv, index), flag, program, table))
            index += _stray_words(argv, index)
            continue
        values = tuple(argv[index + 1 : index + 1 + flag.value_count])
        if _is_value_missing(flag, values, table):
            problems.append(_value_missing(name, location(argv, index)))
            index += 1
            continue
        last = index + flag.value_count
        settings.append(Setting(flag, name, values, name not in flag.negated, argv, last))
        index = last + 1
    return settings, problems


def environment_settings(
    environment: Mapping[str, str], program: str, table: FlagTable
) -> tuple[list[Setting], list[Problem]]:
    """Flags that variables set; a variable without effect is left out, as llama.cpp does."""
    settings, problems = list[Setting](), list[Problem]()
    for flag in table.flags:
        if not flag.environment or program not in flag.programs:
            continue
        name, text = _variable(flag, environment)
        if text is None:
            continue
        words = (f"{name}={text}",)
        setting = Setting(flag, name, (text,), text in TRUE_WORDS, words, 0)
        if flag.is_removed:
            problems.append(_removed(name, flag.names[0], setting.where))
        elif flag.negated and text not in TRUE_WORDS + FALSE_WORDS:
            why = "it must be on or off"
            problems.append(Problem("P0404", f"{name} cannot be {text!r}", setting.where, why))
        elif flag.value != "none" or flag.negated or setting.is_on:
            settings.append(setting)
    return settings, problems


def _variable(flag: Flag, environment: Mapping[str, str]) -> tuple[str, str | None]:
    """Name and text of the variable that decides; the mere presence of the NO form switches off."""
    if flag.negated:
        negated = flag.environment.replace("LLAMA_ARG_", "LLAMA_ARG_NO_")
        if negated in environment and negated != flag.environment:
            return negated, "off"
    return flag.environment, environment.get(flag.environment)


def _dashed(word: str) -> str:
    """Long flags may be written with underscores."""
    return word.replace("_", "-") if word.startswith("--") else word


def _stray_words(argv: Sequence[str], index: int) -> int:
    """Words to skip after an unusable flag: itself, and what was probably its value."""
    following = argv[index + 1 : index + 2]
    return 2 if argv[index].startswith("-") and following and following[0][:1] != "-" else 1


def _is_value_missing(flag: Flag, values: Sequence[str], table: FlagTable) -> bool:
    """Whether the value is absent, or where a number must stand another flag does."""
    if len(values) < flag.value_count:
        return True
    return flag.value in ("int", "float") and values[0] in table.by_name


def _unusable(
    name: str, where: Location, flag: Flag | None, program: str, table: FlagTable
) -> Problem:
    if name in _SUCCESSORS:
        return _removed(name, name, where)
    if flag is not None:
        why = f"{program} does not have it, only {', '.join(flag.programs)}"
        return Problem("P0401", f"{program} has no flag {name}", where, why, "leave it out")
    front, equals, value = name.partition("=")
    if equals and front in table.by_name:
        why = "llama.cpp takes flag and value as two words"
        text = f"write {front} {shlex.quote(value)}"
        return Problem("P0401", f"{program} has no flag {name}", where, why, text)
    if not name.startswith("-"):
        why = "every value follows a flag"
        return Problem("P0401", f"unexpected word {name!r}", where, why, "quote values with spaces")
    near = _nearest(name, program, table.build)
    text = f"did you mean {near}?" if near else f"{program} --help lists every flag"
    return Problem(
        "P0401", f"{program} has no flag {name}", where, f"unknown in {table.build}", text
    )


@lru_cache(maxsize=1024)
def _nearest(name: str, program: str, build: str) -> str:
    """The flag that was probably meant; kept, as servers of a cluster repeat each other's words."""
    near = get_close_matches(name[:80], flag_table(build).names_of(program), 1, 0.5)
    return near[0] if near else ""


def _removed(name: str, flag: str, where: Location) -> Problem:
    return Problem(
        "P0402",
        f"{name} has been removed from llama.cpp",
        where,
        "llama-server stops at it",
        f"write {_SUCCESSORS[flag]}",
    )


def _value_missing(name: str, where: Location) -> Problem:
    return Problem(
        "P0403", f"{name} needs a value", where, "no value follows", f"write {name} VALUE"
    )
