"""A command line as a shell would take it, in lines of a readable length."""

import shlex
from collections.abc import Iterator, Sequence

WIDTH = 96
_CONTINUED = " \\\n  "


def command_text(argv: Sequence[str]) -> str:
    """``argv`` quoted for a POSIX shell; pasting it runs exactly these words.

    Lines break before a flag, never between a flag and its value.
    """
    lines: list[str] = []
    for words in _flags(argv):
        if lines and len(lines[-1]) + len(words) < WIDTH:
            lines[-1] += f" {words}"
        else:
            lines.append(words)
    return _CONTINUED.join(lines)


def _flags(argv: Sequence[str]) -> Iterator[str]:
    """The program, then every flag with its values, quoted."""
    group: list[str] = []
    for word in argv:
        starts_flag = word.startswith("-") and not word[1:2].isdigit()
        if group and starts_flag:
            yield shlex.join(group)
            group = []
        group.append(word)
    if group:
        yield shlex.join(group)
