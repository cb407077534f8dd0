"""The batch of every measured command line gives llama.cpp's own bytes, line by line."""

import re
from pathlib import Path
from typing import Any

import pytest

from packer import estimate_batch, estimate_command
from tests.memory_truth import Row, measured_model, rows
from tests.sparse_models import write_sparse_model

ROWS = rows("truth")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of full size that take no room, named as in the command lines."""
    folder = tmp_path_factory.mktemp("models")
    words = {word for row in ROWS for word in row["cmd"].split() if word.endswith(".gguf")}
    for name in words:
        write_sparse_model(folder / name, measured_model(name))
    return folder


@pytest.fixture(scope="module")
def answers(models: Path) -> list[dict[str, Any]]:
    text = "".join(f"{row['gpus_mib']}\t{row['cmd']}\n" for row in ROWS)
    return list(estimate_batch(text, models=models))


def test_one_answer_per_line(answers: list[dict[str, Any]]) -> None:
    assert len(answers) == len(ROWS) == 707
    assert [answer for answer in answers if "error" in answer] == []


def test_weights_and_context_are_llama_cpps_own(answers: list[dict[str, Any]]) -> None:
    wrong = [
        row["id"] for row, answer in zip(ROWS, answers, strict=True) if _ours(answer) != _real(row)
    ]
    assert wrong == []


def test_a_line_by_itself_gives_the_same_object(
    models: Path, answers: list[dict[str, Any]]
) -> None:
    for row, answer in list(zip(ROWS, answers, strict=True))[::50]:
        assert estimate_command(row["cmd"], gpus=row["gpus_mib"], models=models) == answer


def _ours(answer: dict[str, Any]) -> list[object]:
    holders = [*answer["devices"], answer["host"]]
    keys = ("weights_bytes", "context_bytes", "draft_weights_bytes", "draft_context_bytes")
    sizes = [[holder[key] for key in keys] for holder in holders]
    counts = [answer["n_ctx"], answer["n_ctx_seq"], answer["n_slots"]]
    return [sizes, answer["host"]["output_bytes"], *counts]


def _real(row: Row) -> list[object]:
    buffers = (row["target"], row.get("draft", {}))
    count = len([gpu for gpu in row["gpus_mib"].split(",") if gpu])
    sizes = [
        [size for part in buffers for size in part.get(f"CUDA{index}", (0, 0, 0))[:2]]
        for index in range(count)
    ]
    sizes.append([size for part in buffers for size in _host(part)])
    outputs = sum(
        held[2] for part in buffers for name, held in part.items() if name.startswith("out:")
    )
    return [sizes, outputs, row["n_ctx"], row["n_ctx_seq"], row["n_seq_max"]]


def _host(buffers: dict[str, list[int]]) -> tuple[int, int]:
    """Weights and context of every buffer type of the host."""
    held = [sizes for name, sizes in buffers.items() if not re.fullmatch(r"CUDA\d+", name)]
    return sum(sizes[0] for sizes in held), sum(sizes[1] for sizes in held)
