"""Command lines inside a container: read a flag, and keep Kubernetes from rewriting arguments."""

from collections.abc import Sequence
from itertools import pairwise

DEFAULT_PORT = 8080
"""Port of a llama-server that was given none."""

SECRET_FLAGS = frozenset(("--api-key", "--hf-token", "-hft"))
"""Flags whose value is a secret; a command line is readable by everyone who may read pods."""


def escaped(argument: str) -> str:
    """The argument as Kubernetes must read it to hand it on unchanged.

    Source:
        Kubernetes, third_party/forked/golang/expansion: ``$(NAME)`` is replaced, ``$$`` is one
        ``$``; so every ``$`` is doubled.
    """
    return argument.replace("$", "$$")


def flag_value(argv: Sequence[str], *spellings: str) -> str | None:
    """Value after the last of a flag's spellings, as llama.cpp reads it; None if not given."""
    value = None
    for flag, following in pairwise(argv):
        if flag in spellings:
            value = following
    return value


def port_of(argv: Sequence[str]) -> int:
    """Port the server listens on.

    Raises:
        ValueError: ``--port`` is followed by something that is not a port.
    """
    text = flag_value(argv, "--port") or str(DEFAULT_PORT)
    port = int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else 0
    if not 0 < port < 2**16:
        raise ValueError(f"--port {text[:20]!r} is not a port number")
    return port
