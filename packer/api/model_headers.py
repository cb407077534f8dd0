"""Headers of the models command lines name, each read once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packer.domain.model import ModelFile
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.domain.server_options import ServerOptions

_MOST_KEPT = 512
"""Headers kept at once; a large one takes a few MB."""
_CATALOGUE = "catalogue:"


@dataclass(frozen=True)
class CommandModels:
    """Headers of every file one command line loads."""

    target: ModelFile
    draft: ModelFile | None
    projector: ModelFile | None
    loras: tuple[ModelFile, ...]


@dataclass(frozen=True)
class Models:
    """Where model references of command lines lead.

    Attributes:
        folder: Where relative paths start.
    """

    folder: Path = Path()

    def read(self, reference: str) -> ModelFile:
        """Header behind a path, ``catalogue:<id>:<quantization>``, URL or ``hf://`` reference.

        A file is read again when it has changed; a remote one once per process.

        Raises:
            InvalidInput: There is none, or it is not a model.
            Unreachable: Its server does not answer.
        """
        if reference.startswith(_CATALOGUE):
            return _catalogue_model(reference)
        if "://" in reference:
            from packer.gguf.remote_model import read_remote_model

            return _kept(reference, None, lambda: read_remote_model(reference))
        from packer.gguf.header import read_model_file

        path = self.path(reference)
        return _kept(str(path), _stamp(path), lambda: read_model_file(path))

    def path(self, reference: str) -> Path:
        """Path of a model on this machine."""
        return self.folder / reference

    def of_command(self, options: "ServerOptions") -> CommandModels:
        """Headers of the model, draft model, projector and adapters of one command line.

        Raises:
            InvalidInput: One of them is missing or no model.
        """
        draft = options.draft.model if options.draft else ""
        return CommandModels(
            target=self.read(options.model),
            draft=self.read(draft) if draft else None,
            projector=self.read(options.projector) if options.projector else None,
            loras=tuple(map(self.read, options.lora)),
        )


def is_local(reference: str) -> bool:
    """Whether a model reference is a path on this machine."""
    return "://" not in reference and not reference.startswith(_CATALOGUE)


_headers: dict[str, tuple[object, ModelFile]] = {}


def _kept(key: str, stamp: object, read: Callable[[], ModelFile]) -> ModelFile:
    """What ``read`` gives, or what it gave while the stamp was the same."""
    known = _headers.get(key)
    if known is not None and known[0] == stamp:
        return known[1]
    model = read()
    _headers.pop(key, None)
    while len(_headers) >= _MOST_KEPT:
        del _headers[next(iter(_headers))]
    _headers[key] = (stamp, model)
    return model


def _stamp(path: Path) -> object:
    """What changes when a file does."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_dev, facts.st_ino


def _catalogue_model(reference: str) -> ModelFile:
    from packer.catalogue.models import find_model, load_model_file

    name, separator, quantization = reference.removeprefix(_CATALOGUE).rpartition(":")
    if not separator:
        known = find_model(quantization)
        raise InvalidInput(
            Problem(
                "P0488",
                f"{reference} names no quantization",
                help=f"write {_CATALOGUE}{known.id}:{known.quantizations[0]}; "
                f"there are {', '.join(known.quantizations)}",
            )
        )
    return load_model_file(find_model(name).id, quantization)
