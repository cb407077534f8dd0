"""Fingerprints of real model headers, which the catalogue must reproduce exactly.

    python -m tests.header_digest FOLDER

writes tests/data/catalogue/header_digests.json from FOLDER/data/models/headers.tar.gz.
"""

import hashlib
import json
import sys
import tarfile
import tempfile
from pathlib import Path

from packer.domain.model import ModelFile
from packer.gguf.header import read_model_file

DIGESTS = Path(__file__).parent / "data" / "catalogue" / "header_digests.json"


def header_digest(model: ModelFile) -> str:
    """Fingerprint of everything a header says: keys, tensors in order, offsets, sizes."""
    lines = [
        f"{tensor.name} {tensor.shape} {tensor.type.name} {tensor.data_bytes} {offset}"
        for tensor, offset in zip(model.tensors, model.tensor_offsets, strict=True)
    ]
    lines += [f"{key} {value!r}" for key, value in sorted(model.metadata.items())]
    lines.append(f"{model.architecture} {model.data_offset} {model.vocabulary_size}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def main() -> None:
    """Write the fingerprints; the size of each file is the archive's own figure, not ours."""
    archive = Path(sys.argv[1]) / "data/models/headers.tar.gz"
    digests = {}
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
        for entry in json.loads((Path(folder) / "manifest.json").read_text()):
            name = Path(entry["file"]).name
            model = read_model_file(Path(folder) / "headers" / name, header_only=True)
            digests[name.removesuffix(".gguf")] = [entry["full_size"], header_digest(model)]
    DIGESTS.parent.mkdir(parents=True, exist_ok=True)
    DIGESTS.write_text(json.dumps(digests, indent=0) + "\n")


if __name__ == "__main__":
    main()
