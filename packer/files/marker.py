"""The marker of a directory we wrote: what it holds and which files are ours."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MARKER_NAME = ".gpu-packer"
_LONGEST_MARKER = 16 * 2**20


@dataclass(frozen=True)
class Marker:
    """What a directory of ours holds, such as ``manifests``, and the relative paths we wrote."""

    holds: str
    files: frozenset[str]


def read_marker(directory: Path) -> Marker | None:
    """Marker of a directory; None if it has none that we can have written."""
    path = directory / MARKER_NAME
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LONGEST_MARKER:
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    holds, files = content.get("holds"), content.get("files")
    if not isinstance(holds, str) or not isinstance(files, list):
        return None
    return Marker(holds, frozenset(file for file in files if isinstance(file, str)))


def format_marker(holds: str, files: Iterable[str]) -> str:
    """Text of a marker."""
    content = {
        "about": "gpu-packer wrote this directory and replaces the files listed here",
        "holds": holds,
        "files": sorted(files),
    }
    return json.dumps(content, indent=1) + "\n"
