"""Words in and out: data on stdout, talk on stderr, nothing animated without a terminal."""

import os
import sys
import unicodedata
from typing import TextIO

import typer

from packer.errors import Infeasible, InvalidInput, Problem


def print_data(text: str) -> None:
    """Write the answer to stdout, with characters the stream cannot show replaced.

    Raises:
        InvalidInput: P0702, such as when the disk behind it is full.
    """
    encoding = sys.stdout.encoding or "utf-8"
    safe = visible(text).encode(encoding, "replace").decode(encoding)
    try:
        sys.stdout.write(safe if safe.endswith("\n") else safe + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        why, help_ = error.strerror or str(error), "make room there, or write to another place"
        raise InvalidInput(Problem("P0702", "cannot write to stdout", None, why, help_)) from error


class _Visible(dict[int, str]):
    """Code of a character → how it is shown, found out when it is first met."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        is_hidden = unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        self[code] = f"\\u{code:04x}" if is_hidden and sign not in "\n\t" else sign
        return self[code]


_VISIBLE = _Visible()


def visible(text: str) -> str:
    """The text with characters that a terminal would obey, or hide, spelled out.

    Names come from strangers' files: an escape sequence in the header of a model must not colour,
    move or rename anything here, nor a mark of direction turn a line around.
    """
    return text.translate(_VISIBLE)


def say(text: str) -> None:
    """Write talk to stderr."""
    _write_talk(visible(text))


def _write_talk(text: str) -> None:
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stderr.flush()


def wants_colour(stream: TextIO) -> bool:
    """Whether to colour: NO_COLOR wins over FORCE_COLOR, which wins over the terminal's kind."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def say_error(error: Exception) -> None:
    """Print an error of ours: every problem in full, an infeasibility as an answer."""
    if isinstance(error, InvalidInput):
        text = "\n\n".join(map(str, error.problems))
        count = len(error.problems)
        _write_talk(_red_first_words(visible(text)))
        if count > 1:
            say(f"\n{count} problems; nothing was written")
    elif isinstance(error, Infeasible):
        say(infeasible_text(error))
    else:
        _write_talk(_red_first_words(visible(f"error: {error}")))


def _red_first_words(text: str) -> str:
    if not wants_colour(sys.stderr):
        return text
    return "\n".join(
        typer.style(line, fg="red", bold=True) if line.startswith("error") else line
        for line in text.split("\n")
    )


def infeasible_text(answer: Infeasible) -> str:
    """An infeasibility for people: what clashes, what each card said, what would help."""
    lines = ["infeasible: no placement exists, and this is why", "", "  These clash:"]
    lines += [f"    {reason.text}" for reason in answer.reasons]
    if answer.refusals:
        lines += ["", "  Considered and refused:"]
        lines += [f"    {r.workload} on {r.gpu}: {r.text}" for r in answer.refusals]
    lines += ["", "  Any one of these is enough (each was tried):" if answer.relaxations else ""]
    lines += [f"    {one.change} ({one.price})" for one in answer.relaxations]
    if not answer.relaxations:
        lines[-1] = "  No single change that was tried is enough."
    return "\n".join(lines)
