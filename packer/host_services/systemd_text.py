"""Words and values of a systemd unit, escaped so that systemd reads them back unchanged.

Source:
    systemd 252, systemd.syntax(7) and systemd.service(5), "Command lines": double quotes with C
    escapes, ``%%`` for a per cent sign everywhere, ``$$`` for a dollar sign in command lines only.
"""

import re
from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9_./:=,@+-]+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that end a line, here or for another reader, or that nobody sees."""


def command_line(words: Iterable[str]) -> str:
    """Value of ``ExecStart=`` and its kind."""
    return " ".join(_quoted(word.replace("$", "$$")) for word in words)


def environment(name: str, value: str) -> str:
    """One assignment of ``Environment=``; dollar signs mean nothing there."""
    return _quoted(f"{name}={value}")


def plain_text(text: str) -> str:
    """Value of a setting that is taken as it stands, such as ``Description=``."""
    return _CONTROL.sub(" ", text).replace("%", "%%")


def _quoted(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    escaped = _CONTROL.sub(lambda one: f"\\u{ord(one[0]):04x}", escaped)
    return f'"{escaped}"'
