"""The packing instances in tests/data/packing, by name."""

import gzip
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data" / "packing"


def packing_document(name: str) -> dict[str, Any]:
    """An instance as a JSON document."""
    with gzip.open(FOLDER / f"{name}.json.gz", "rt") as text:
        document: dict[str, Any] = json.load(text)
    return document
