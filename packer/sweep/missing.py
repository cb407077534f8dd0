"""Libraries of the engines: optional, found when asked for."""

from importlib import import_module
from types import ModuleType

from packer.errors import InvalidInput, Problem


def library(module: str, extra: str) -> ModuleType:
    """A module of an optional library.

    Raises:
        InvalidInput: It is not installed; the extra that brings it is named.
    """
    try:
        return import_module(module)
    except ImportError as error:
        title = f"--engine {extra} needs the library {module}, which is not installed"
        help_ = f"pip install 'gpu-packer[{extra}]'"
        raise InvalidInput(Problem("P0470", title, why=str(error), help=help_)) from error
