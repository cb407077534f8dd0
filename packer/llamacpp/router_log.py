"""The log of a router, parted into those of its models.

A router starts a server per model and prints what each says behind its port in brackets.

Source: llama.cpp b11434, tools/server/server-models.cpp, server_models::load().
"""

import re
from collections.abc import Iterable

_SPAWNED = re.compile(r"spawning server instance with name=(.+) on port ([0-9]{1,5})\s*$")
_SAID = re.compile(r"^\[([0-9]{1,5})\] ?(.*)$")


def model_logs(lines: Iterable[str]) -> dict[str, list[str]]:
    """Model name → lines its newest server said; a model whose start is not there is missing."""
    names: dict[str, str] = {}
    logs: dict[str, list[str]] = {}
    for line in lines:
        said = _SAID.match(line.rstrip())
        spawned = None if said else _SPAWNED.search(line)
        if spawned:
            names[spawned[2]] = spawned[1]
            logs[spawned[1]] = []
        elif said and said[1] in names:
            logs[names[said[1]]].append(said[2])
    return logs
