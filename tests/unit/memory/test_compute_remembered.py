"""What is remembered of graphs never changes an answer: random command lines, asked both ways."""

import pytest

from packer.memory import compute_program
from tests.compute_cases import differing_cases, model_names


def test_remembered_buffers_are_those_of_every_block_with_plain_numbers() -> None:
    assert not list(differing_cases(120, 11, model_names()))


def test_regions_of_equal_decisions_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute_program, "_MISSES_WORTH_A_REGION", 1)
    assert not list(differing_cases(64, 12, ["qwen35moe-moe.gguf", "gemma3-dense.gguf"]))
