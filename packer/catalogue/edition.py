"""Which edition of the catalogue computed a plan."""

from functools import cache
from hashlib import sha256
from importlib.resources import files


@cache
def catalogue_edition() -> str:
    """Short SHA-256 over the packaged data, in name order: equal editions give equal figures."""
    digest = sha256()
    folder = files("packer.catalogue").joinpath("data")
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_file() and not entry.name.startswith("."):
            digest.update(entry.name.encode())
            digest.update(entry.read_bytes())
    return f"sha256:{digest.hexdigest()[:16]}"
