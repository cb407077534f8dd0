"""Headers of the models a fleet names: from the catalogue, or from GGUF files on this machine."""

from difflib import get_close_matches
from pathlib import Path

from packer.domain.model import ModelFile
from packer.errors import InvalidInput, Problem
from packer.spec.lookups import Lookups

CATALOGUE = "catalogue:"
_MOST_NEIGHBOURS = 1_000


def is_path(model: str) -> bool:
    """Whether a model is a file on this machine rather than a name of the catalogue."""
    return model.startswith(("./", "../", "/")) or model.casefold().endswith(".gguf")


class Headers:
    """Reads each header once, however many workloads share it."""

    def __init__(self, lookups: Lookups, folder: Path) -> None:
        """Start with nothing read; relative paths begin at ``folder``."""
        self._lookups = lookups
        self._folder = folder
        self._of_file: dict[Path, ModelFile] = {}
        self._of_catalogue: dict[tuple[str, str], ModelFile] = {}

    def path(self, text: str) -> Path:
        """A path of the file, as seen from here."""
        return self._folder / text

    def of_file(self, text: str) -> ModelFile:
        """Header of a GGUF file.

        Raises:
            InvalidInput: It is absent, unreadable or no model; without a place in the fleet file.
        """
        path = self.path(text)
        if path not in self._of_file:
            if not _is_file(path):
                raise InvalidInput(_absent(path))
            try:
                self._of_file[path] = self._lookups.model_file(path)
            except OSError as error:
                why = error.strerror or type(error).__name__
                raise InvalidInput(Problem("P0229", f"{path} cannot be read", why=why)) from error
        return self._of_file[path]

    def of_catalogue(self, model: str, quantization: str) -> ModelFile:
        """Header of a catalogue model at one of its quantizations."""
        key = (model.removeprefix(CATALOGUE), quantization)
        if key not in self._of_catalogue:
            self._of_catalogue[key] = self._lookups.catalogue_file(*key)
        return self._of_catalogue[key]

    def quantizations(self, model: str) -> tuple[str, ...]:
        """Quantizations the catalogue has of a model."""
        return self._lookups.catalogue_quantizations(model.removeprefix(CATALOGUE))

    def readable(self, text: str) -> str | None:
        """Path of a mounted file that this machine can read as well; None if it cannot."""
        if "://" not in text:
            return text
        path = text.removeprefix("file://")
        return path if path != text and _is_file(Path(path)) else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # A name longer than the system takes.
        return False


def _absent(path: Path) -> Problem:
    folder = path.parent
    try:
        names = [found.name for found in folder.iterdir()][:_MOST_NEIGHBOURS]
    except OSError:
        return Problem("P0210", f"{path} does not exist", why=f"there is no folder {folder}")
    close = get_close_matches(path.name, sorted(names), n=1)
    help_ = f"did you mean {close[0]}?" if close else "relative paths begin at the fleet file"
    return Problem("P0210", f"{path} does not exist", why="no such file", help=help_)
