"""Both columns of an oracle's answer; the program is a stand-in that prints what it is told."""

import sys
from pathlib import Path

import pytest

from packer import api
from packer.api.cards import cards_by_size
from packer.errors import InvalidInput
from packer.report.oracle_comparison import oracle_document, oracle_table
from packer.units import MIB
from tests.tiny_models import TinyShape, write_tiny_model

WORDS = ["llama-server", "-m", "big.gguf", "-c", "32768"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    write_tiny_model(tmp_path / "big.gguf", TinyShape(width=512, feed_forward=2048, layers=4))
    return tmp_path


def _answers(folder: Path, printed: str) -> None:
    path = folder / "llama-fit-params"
    path.write_text(f"#!{sys.executable}\nprint({printed!r})\n")
    path.chmod(0o755)


def test_differences_are_at_the_oracles_resolution(folder: Path) -> None:
    cards = cards_by_size("24Gi")
    ours = api.estimate_process([*WORDS, "-np", "4"], cards, models=folder).devices[0]
    weights, context = ours.weights_bytes // MIB, ours.context_bytes // MIB
    _answers(folder, f"CUDA0 {weights} {context - 3} 1 \nHost 0 0 0 ")
    found = api.ask_oracle(WORDS, cards, models=folder)
    assert [part.device for part in found.parts] == ["CUDA0"] * 3 + ["Host"] * 3
    weights_row, context_row = oracle_document(found)["parts"][:2]
    assert weights_row["difference_bytes"] == 0
    assert weights_row["ours_bytes"] == ours.weights_bytes
    assert context_row["difference_bytes"] == 3 * MIB
    table = oracle_table(found)
    assert f"+{3 * MIB}" in table
    assert "rounds down to 1048576" in table
    assert "-np 4" in table


def test_a_unified_cache_the_program_does_not_know_is_said(folder: Path) -> None:
    _answers(folder, "Host 0 0 0 ")
    found = api.ask_oracle(WORDS, cards_by_size("24Gi"), models=folder)
    assert (
        "the oracle knows no --kv-unified: both columns are for one cache per slot" in found.notes
    )
    alone = api.ask_oracle([*WORDS, "-np", "1"], cards_by_size("24Gi"), models=folder)
    assert not any("--kv-unified" in note for note in alone.notes)


def test_flags_that_are_not_asked_about_are_said(folder: Path) -> None:
    _answers(folder, "Host 0 0 0 ")
    words = [*WORDS, "--mmproj", "p.gguf"]
    found = api.ask_oracle(words, cards_by_size("24Gi"), models=folder)
    assert "not asked about: --mmproj" in found.notes


def test_another_number_of_cards_is_refused(folder: Path) -> None:
    _answers(folder, "CUDA0 1 1 1 \nHost 0 0 0 ")
    with pytest.raises(InvalidInput) as error:
        api.ask_oracle(WORDS, cards_by_size("24Gi,24Gi"), models=folder)
    assert error.value.problems[0].code == "P0494"


@pytest.mark.parametrize("model", ["catalogue:qwen3-8b:Q4_K_M", "hf://a/b/c.gguf"])
def test_only_files_of_this_machine_are_asked_about(model: str) -> None:
    with pytest.raises(InvalidInput) as error:
        api.ask_oracle(["llama-server", "-m", model], ())
    assert error.value.problems[0].code == "P0493"


def test_a_repository_is_never_downloaded() -> None:
    with pytest.raises(InvalidInput) as error:
        api.ask_oracle(["llama-server", "-m", "a.gguf", "-hf", "a/b"], ())
    assert error.value.problems[0].code == "P0493"
