"""Model references of command lines: files, catalogue, addresses."""

from pathlib import Path

import pytest

from packer.api import model_headers
from packer.api.model_headers import Models, is_local
from packer.errors import InvalidInput
from tests.tiny_models import TinyShape, write_tiny_model


def test_a_header_is_read_once_until_the_file_changes(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "a.gguf")
    models = Models(tmp_path)
    first = models.read("a.gguf")
    assert models.read("a.gguf") is first
    assert models.read(str(path)) is first
    path.unlink()
    with pytest.raises(InvalidInput):
        models.read("a.gguf")
    write_tiny_model(path, TinyShape(layers=3))
    assert models.read("a.gguf") is not first


def test_headers_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_headers, "_MOST_KEPT", 2)
    monkeypatch.setattr(model_headers, "_headers", {})
    for name in "abc":
        write_tiny_model(tmp_path / f"{name}.gguf")
        Models(tmp_path).read(f"{name}.gguf")
    assert len(model_headers._headers) == 2


def test_the_catalogue_takes_ids_and_aliases() -> None:
    model = Models().read("catalogue:qwen3-8b:Q4_K_M")
    assert model.architecture == "qwen3"
    assert Models().read("catalogue:Qwen3 8B:Q4_K_M") == model


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("catalogue:qwen3-8b", "P0488"),
        ("catalogue:", "P0903"),
        ("catalogue:qwen3-8b:Q99", "P0904"),
        ("catalogue:nonsense:Q4_K_M", "P0903"),
        ("missing.gguf", "P0301"),
        (".", "P0301"),
        ("", "P0301"),
        ("nul\0byte.gguf", "P0301"),
        ("x" * 5000, "P0301"),
        ("ftp://host/file.gguf", "P0301"),
    ],
)
def test_a_reference_that_leads_nowhere(reference: str, code: str) -> None:
    with pytest.raises(InvalidInput) as error:
        Models().read(reference)
    assert error.value.problems[0].code == code


def test_a_missing_quantization_gets_a_reference_to_type() -> None:
    with pytest.raises(InvalidInput, match="write catalogue:qwen3-8b:F16"):
        Models().read("catalogue:qwen3-8b")


def test_only_paths_are_local() -> None:
    assert is_local("/m/a.gguf")
    assert not any(map(is_local, ("catalogue:a:b", "hf://a/b/c", "https://host/a.gguf")))
