"""A literal command line of llama-server or llama-fit-params, read as that program reads it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from packer.domain.llama_build import MEASURED_BUILD
from packer.domain.server_options import ServerOptions
from packer.errors import InvalidInput, Location, Problem
from packer.llamacpp.flag_table import PROGRAMS, build_notes, flag_table, nearest_build
from packer.llamacpp.gathered import Gathered
from packer.llamacpp.settings import (
    MOST_PROBLEMS,
    Setting,
    command_line_settings,
    environment_settings,
    location,
)
from packer.llamacpp.sizing import rule_of

_AUTOMATIC_SLOTS = 4
_NUMBERS = {
    "int": (re.compile(r"\s*[+-]?[0-9]+"), "a whole number is wanted"),
    "float": (re.compile(r"\s*[+-]?([0-9]|\.[0-9]|inf|nan)", re.I), "a number is wanted"),
}


def parse_arguments(
    argv: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    build: str = MEASURED_BUILD,
) -> ServerOptions:
    """Sizing options a command line asks for; flags that size nothing are accepted and ignored.

    Later flags win over earlier ones and flags over variables, as in llama.cpp; ``-ot``,
    ``--lora``, ``--spec-type`` and ``--n-cpu-moe`` accumulate.

    Args:
        argv: Words of the command line; the first is the program.
        environment: Variables the program would see; only its own are looked at.
        build: llama.cpp build whose flags apply; the nearest known one stands in for another.

    Raises:
        InvalidInput: Everything llama.cpp would refuse, and flags whose memory is not modelled.

    Source:
        llama.cpp b11434, common/arg.cpp; pinned by tests/llamacpp/test_parser_agreement.py.
    """
    program = _program(argv)
    table = flag_table(nearest_build(build))
    variables, problems = environment_settings(environment or {}, program, table)
    words, more = command_line_settings(argv, program, table)
    problems += more
    gathered = Gathered(notes=[*build_notes(build)])
    for setting in (*variables, *words):
        if len(problems) >= MOST_PROBLEMS:
            break
        problem = _apply(gathered, setting)
        if problem is not None:
            problems.append(problem)
    if len(problems) >= MOST_PROBLEMS:
        raise InvalidInput([*sorted(problems, key=_place), _stopped()])
    if not gathered.model.reference:
        problems.append(_no_model(argv))
    options = gathered.server_options(program)
    problems += _batch_problems(options, argv)
    if problems:
        raise InvalidInput(sorted(problems, key=_place))
    return options


def _place(problem: Problem) -> tuple[bool, int]:
    """Variables first, then from left to right."""
    where = problem.where
    return (where is not None and where.file != "environment", where.column if where else 0)


def _stopped() -> Problem:
    title = "there may be more problems"
    why = f"reading stopped at {MOST_PROBLEMS}"
    where = Location("command line", 1, 1)
    return Problem("P0413", title, where, why, "is this a command line of llama-server?")


def _program(argv: Sequence[str]) -> str:
    """Name of the program without its folder."""
    name = PurePath(argv[0]).name.removesuffix(".exe") if argv else ""
    if name in PROGRAMS:
        return name
    title = f"{name!r} is not a program this tool knows" if name else "the command line is empty"
    where = location(argv, 0) if argv else None
    why = f"it must begin with {' or '.join(PROGRAMS)}"
    raise InvalidInput(
        Problem("P0407", title, where, why, "write llama-server -m model.gguf -c 8192 -np 1")
    )


def _apply(gathered: Gathered, setting: Setting) -> Problem | None:
    """Let one flag act; the problem if its value is refused."""
    rule = rule_of(setting.flag)
    if rule is None:
        return _not_a_number(setting)
    try:
        rule(gathered, setting)
    except NotImplementedError as error:
        help_text = f"leave {setting.name} out"
        return Problem(
            "P0550", f"{setting.name} is not modelled", setting.where, str(error), help_text
        )
    except ValueError as error:
        return _refused(setting, str(error))
    return None


def _not_a_number(setting: Setting) -> Problem | None:
    """The problem if a flag that sizes nothing has a value llama.cpp cannot read as a number."""
    if setting.flag.value not in _NUMBERS:
        return None
    pattern, why = _NUMBERS[setting.flag.value]
    return None if pattern.match(setting.value) else _refused(setting, why)


def _refused(setting: Setting, why: str) -> Problem:
    title = f"{setting.name} cannot be {setting.value!r}"
    return Problem("P0404", title, setting.where, why)


def _no_model(argv: Sequence[str]) -> Problem:
    why = "a llama-server without a model is a router; its children are what allocates"
    return Problem(
        "P0406", "no model is named", location(argv, 0), why, "add --model FILE, -hf or --model-url"
    )


def _batch_problems(options: ServerOptions, argv: Sequence[str]) -> list[Problem]:
    """A batch must hold a token of every slot, or llama.cpp aborts.

    Source: llama.cpp b11434, src/llama-context.cpp, llama_context::output_reserve().
    """
    slots = _AUTOMATIC_SLOTS if options.slots is None else options.slots
    batch = options.batch_size
    if options.embedding:
        batch = min(batch, options.ubatch_size or batch)
    if batch >= slots:
        return []
    title = f"a batch of {batch} tokens cannot serve {slots} slots"
    help_text = f"raise --batch-size (with --embedding also --ubatch-size) to {slots}"
    return [
        Problem("P0412", title, location(argv, 0), "llama.cpp aborts when it starts", help_text)
    ]
