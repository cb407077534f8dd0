"""Words and values of a systemd unit, escaped so that systemd reads them back unchanged.

Source:
    systemd 252, systemd.syntax(7) and systemd.service(5), "Command lines": double quotes with C
    escapes, ``%%`` for a per cent sign everywhere, ``$$`` for a dollar sign in command lines only.
"""

import re
from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9_./:=,@+-]+")


def command_line(words: Iterable[str]) -> str:
    """Value of ``ExecStart=`` and its kind."""
    return " ".join(_quoted(word.replace("$", "$$")) for word in words)


def environment(name: str, value: str) -> str:
    """One assignment of ``Environment=``; dollar signs mean nothing there."""
    return _quoted(f"{name}={value}")


def plain_text(text: str) -> str:
    """Value of a setting that is taken as it stands, such as ``Description=``."""
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
