"""A command line of llama-batched-bench or llama-bench as the server that would size the same."""

from collections.abc import Sequence
from pathlib import PurePath

_PROGRAMS = ("llama-batched-bench", "llama-bench")
# What only these programs know: how many words follow.
_OWN = {
    **dict.fromkeys(("-npp", "-ntg", "-npl", "--output-format"), 1),
    **dict.fromkeys(("-p", "--n-prompt", "-n", "--n-gen", "-pg", "-d", "--n-depth"), 1),
    **dict.fromkeys(("-r", "--repetitions", "-o", "--output", "-oe", "--delay"), 1),
    **dict.fromkeys(("-pps", "-tgs", "--progress", "--no-warmup"), 0),
}


def as_server_command(argv: Sequence[str]) -> tuple[str, ...]:
    """The words, with ``llama-server`` as program and without the flags that say what to measure.

    Words of a llama-server stay as they are.
    """
    program = PurePath(argv[0]).name.removesuffix(".exe") if argv else ""
    if program not in _PROGRAMS:
        return tuple(argv)
    kept, skipped = ["llama-server"], 0
    for word in argv[1:]:
        if skipped:
            skipped -= 1
        elif word in _OWN:
            skipped = _OWN[word]
        else:
            kept.append(word)
    return tuple(kept)
