"""Whether a file has changed, by looking at it now and then.

Asking again works on every file system, network mounts and the links behind Kubernetes' mounted
ConfigMaps included, where notifications of the kernel do not arrive.
"""

from hashlib import sha256
from pathlib import Path

_MOST_BYTES = 512 * 2**20


class WatchedFile:
    """One file by what it holds; a missing one holds nothing.

    Attributes:
        name: What the user called it.
    """

    def __init__(self, name: str) -> None:
        """Look at nothing yet."""
        self.name = name
        self._stamp: tuple[int, ...] | None = None
        self._state = ""

    def state(self) -> str:
        """Hash of the content; read only where time, size or identity of the file have changed."""
        path = Path(self.name)
        try:
            facts = path.stat()
            stamp = (facts.st_mtime_ns, facts.st_size, facts.st_ino, facts.st_dev)
            if stamp != self._stamp:
                self._state = sha256(_content(path)).hexdigest()
                self._stamp = stamp
        except OSError as error:
            self._stamp, self._state = None, f"unreadable: {error.strerror}"
        return self._state


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)
