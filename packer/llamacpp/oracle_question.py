"""A command line in words an oracle understands, with the sizes we resolved written out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from packer.llamacpp.flag_table import Flag, FlagTable, flag_table, nearest_build
from packer.llamacpp.settings import Setting, command_line_settings, environment_settings
from packer.llamacpp.sizing import rule_of

PLANNER = "llama-fit-params"

_UNIFIED = "--kv-unified"
# Written by this module as resolved, or of no use to a planner.
_OWN = frozenset(["--model", "--ctx-size", "--parallel", "--fit", "--repack", _UNIFIED])
_QUIET = frozenset(["--log-file", "--log-disable", "--log-jsonl", "--log-verbose", "--lora"])


@dataclass(frozen=True)
class OracleQuestion:
    """What an oracle is asked.

    Attributes:
        words: Command line, the program first.
        left_out: Flags of the user's that the oracle does not know and that size something.
    """

    words: tuple[str, ...]
    left_out: tuple[str, ...]


def oracle_question(
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    build: str,
    model_path: str,
    context_cells: int,
    slots: int,
    is_unified: bool,
) -> OracleQuestion:
    """The question for a command line that ``parse_arguments`` accepts.

    Args:
        argv: Words of the command line, the program first.
        environment: Variables the program would see.
        build: llama.cpp build whose flags apply.
        model_path: The model on this machine.
        context_cells: Cells over all slots, as resolved.
        slots: Slots, as resolved.
        is_unified: Whether they share one cache; the question is for a server then.
    """
    given = _settings(argv, environment, flag_table(nearest_build(build)))
    kept = [setting for setting in given if _is_kept(setting.flag)]
    own = ["-m", model_path, "-c", str(context_cells), "-np", str(slots)]
    own += [_UNIFIED] * is_unified + ["--fit", "off", "--no-repack"]
    program = "llama-server" if is_unified else PLANNER
    words = (program, *(word for setting in kept for word in _words(setting)), *own)
    return OracleQuestion(words, _left_out(given))


def _settings(
    argv: Sequence[str], environment: Mapping[str, str], table: FlagTable
) -> list[Setting]:
    """Everything the command line and its variables set, variables first."""
    program = PurePath(argv[0]).name.removesuffix(".exe")
    variables, _ = environment_settings(environment, program, table)
    flags, _ = command_line_settings(argv, program, table)
    return [*variables, *flags]


def _is_kept(flag: Flag) -> bool:
    """Whether both programs know a flag and the planner needs it from the user."""
    return PLANNER in flag.programs and not (_OWN | _QUIET).intersection(flag.names)


def _words(setting: Setting) -> tuple[str, ...]:
    """One flag as words; a variable in the flag's own spelling."""
    if setting.name.startswith("-"):
        return (setting.name, *setting.values)
    flag = setting.flag
    if flag.value != "none":
        return (flag.names[0], *setting.values)
    return (flag.names[0] if setting.is_on else flag.negated[0],)


def _left_out(given: Sequence[Setting]) -> tuple[str, ...]:
    """Names of what sizes something and is not asked about, each once."""
    names = (
        setting.name
        for setting in given
        if rule_of(setting.flag) is not None
        and not _is_kept(setting.flag)
        and not _OWN.intersection(setting.flag.names)
    )
    return tuple(dict.fromkeys(names))
