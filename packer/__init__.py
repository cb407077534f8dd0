"""Pack llama.cpp model servers on the fewest GPUs, with a proof.

Functions of ``packer.api`` that share no name with a sub-package are here too, loaded when used:
``packer.load``, ``packer.render``, ``packer.estimate_command``, ``packer.solve`` and others.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_FROM_API = ("estimate_batch", "estimate_command", "load", "render", "solve", "verify")


def __getattr__(name: str) -> Any:
    """Load a function of the API the first time it is asked for."""
    if name in _FROM_API:
        return getattr(import_module("packer.api"), name)
    raise AttributeError(f"module 'packer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_FROM_API])
