"""Loading files: hashes, standard input, models beside them, what is not modelled."""

import hashlib
import io
import sys
from pathlib import Path

import pytest

from packer import api
from packer.catalogue.edition import catalogue_edition
from packer.domain.basis import Basis
from packer.errors import InvalidInput
from packer.files import text
from packer.files.text import read_text
from tests.gguf_bytes import STRING, Key, llama
from tests.planned import ROOT

FLEET = """\
apiVersion: gpu-packer/v1
kind: Fleet
metadata: {name: company}
serverImage: {image: "llama:server-b11434", build: b11434}
workloads:
- {name: chat, model: ./model.gguf, context: 1Ki}
"""
INVENTORY = ROOT / "inventories" / "one-l40s.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    (tmp_path / "model.gguf").write_bytes(llama().file())
    return tmp_path


class Stdin:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def test_models_are_looked_for_beside_the_fleet(folder: Path) -> None:
    given = api.load(folder / "fleet.yaml", INVENTORY)
    (variant,) = given.fleet.workloads[0].variants
    assert variant.model.architecture == "llama"
    assert variant.model.basis is Basis.EXACT


def test_the_hash_is_that_of_the_text(folder: Path) -> None:
    given = api.load(folder / "fleet.yaml", INVENTORY)
    assert given.fleet_sha256 == hashlib.sha256(FLEET.encode()).hexdigest()
    assert given.inventory_sha256 == hashlib.sha256(INVENTORY.read_bytes()).hexdigest()


def test_a_byte_order_mark_is_no_part_of_the_text(folder: Path) -> None:
    (folder / "fleet.yaml").write_bytes(b"\xef\xbb\xbf" + FLEET.encode())
    given = api.load(folder / "fleet.yaml", INVENTORY)
    assert given.fleet_sha256 == hashlib.sha256(FLEET.encode()).hexdigest()


def test_standard_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "stdin", Stdin(FLEET.encode()))
    assert api.load("-", INVENTORY).fleet.name == "company"
    monkeypatch.setattr(sys, "stdin", Stdin(b"kind: Fleet"))
    with pytest.raises(InvalidInput, match="--> <stdin>"):
        api.load("-", INVENTORY)


def test_an_architecture_that_is_not_modelled_is_refused_by_name(folder: Path) -> None:
    strange = llama()
    for key in strange.keys:
        key.name = key.name.replace("llama.", "clippy.")
    strange.keys[0] = Key("general.architecture", STRING, "clippy")
    (folder / "model.gguf").write_bytes(strange.file())
    with pytest.raises(InvalidInput) as caught:
        api.load(folder / "fleet.yaml", INVENTORY)
    assert [one.code for one in caught.value.problems] == ["P0501"]
    assert "clippy" in caught.value.problems[0].title


def test_a_projector_needs_no_modelled_architecture(folder: Path) -> None:
    projector = llama()
    projector.keys[0] = Key("general.architecture", STRING, "clip")
    (folder / "mmproj.gguf").write_bytes(projector.file())
    with_eyes = FLEET.replace("1Ki}", "1Ki, projector: {model: ./mmproj.gguf}}")
    (folder / "fleet.yaml").write_text(with_eyes)
    given = api.load(folder / "fleet.yaml", INVENTORY)
    seen = given.fleet.workloads[0].projector
    assert seen is not None
    assert seen.model.architecture == "clip"


def test_a_file_that_is_absurdly_large_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "_MOST_BYTES", 10)
    with pytest.raises(InvalidInput, match="too large to be one of ours"):
        read_text(folder / "fleet.yaml")
    monkeypatch.setattr(sys, "stdin", Stdin(b"x" * 11))
    with pytest.raises(InvalidInput, match="<stdin>"):
        read_text("-")


@pytest.mark.parametrize("path", ["missing.yaml", "with\0null", "."])
def test_what_cannot_be_read_is_named(path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_text(path)
    (problem,) = caught.value.problems
    assert problem.code == "P0101"
    assert problem.why


def test_the_edition_of_the_catalogue_is_stable_and_short() -> None:
    assert catalogue_edition() == catalogue_edition()
    assert catalogue_edition().startswith("sha256:")
    assert len(catalogue_edition()) == len("sha256:") + 16
