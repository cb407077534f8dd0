"""An estimate as JSON and as a table: every part, marks, sums, and errors."""

from dataclasses import replace

import pytest

from packer.domain.basis import Basis
from packer.errors import Infeasible, InvalidInput, Problem, Unreachable
from packer.memory.result import DeviceEstimate, HostEstimate, MemoryEstimate
from packer.report.estimate_document import (
    DEVICE_PARTS,
    HOST_PARTS,
    error_document,
    estimate_document,
)
from packer.report.estimate_table import estimate_table
from packer.units import GIB

LIMITS = dict.fromkeys(("prompt_cache", "process"), Basis.ESTIMATED)
HOST = replace(HostEstimate(*(2**index for index in range(10))), basis=LIMITS)
BASIS = dict.fromkeys(DEVICE_PARTS, Basis.EXACT) | {"process": Basis.ESTIMATED}
CARD = DeviceEstimate(
    name="L40S",
    weights_bytes=1 * GIB,
    context_bytes=2 * GIB,
    compute_bytes=3 * GIB,
    draft_weights_bytes=4 * GIB,
    draft_context_bytes=5 * GIB,
    draft_compute_bytes=6 * GIB,
    projector_bytes=7 * GIB,
    process_bytes=8 * GIB,
    low_bytes=35 * GIB,
    high_bytes=37 * GIB,
    allocatable_bytes=44 * GIB,
    basis=BASIS,
)
ESTIMATE = MemoryEstimate(
    devices=(CARD,),
    host=HOST,
    layers=(-1, 0),
    context_cells=8192,
    context_cells_per_slot=8192,
    slots=1,
    flash_attention=False,
    fits=True,
    build="b11434",
    notes=("a note",),
)


def test_every_part_is_in_the_document_under_its_own_key() -> None:
    document = estimate_document(ESTIMATE)
    (card,) = document["devices"]
    assert [card[f"{part}_bytes"] for part in DEVICE_PARTS] == [n * GIB for n in range(1, 9)]
    assert [document["host"][f"{part}_bytes"] for part in HOST_PARTS] == [2**n for n in range(10)]
    assert document["host"]["total_bytes"] == 2**10 - 1
    assert (card["low_bytes"], card["high_bytes"]) == (35 * GIB, 37 * GIB)
    assert card["basis"]["process"] == "estimated"
    assert type(card["basis"]["weights"]) is str


def test_no_part_of_the_result_is_forgotten() -> None:
    parts = {f"{part}_bytes" for part in DEVICE_PARTS}
    found = {name for name in DeviceEstimate.__dataclass_fields__ if name.endswith("_bytes")}
    assert found - parts == {"low_bytes", "high_bytes", "allocatable_bytes"}
    host = {f"{part}_bytes" for part in HOST_PARTS}
    assert host == set(HostEstimate.__dataclass_fields__) - {"basis"}


def test_the_table_marks_what_is_not_exact() -> None:
    lines = estimate_table(ESTIMATE).splitlines()
    assert lines[0].split() == ["GiB", "L40S", "host"]
    rows = {line[:19].strip(): line[19:].split() for line in lines[1:15]}
    assert rows["weights"] == ["1.00", "<0.01"]
    assert rows["process"] == ["~8.00", "~<0.01"]
    assert rows["projector"] == ["7.00", "–"]
    assert rows["output"] == ["–", "<0.01"]
    assert rows["prompt cache"] == ["–", "~<0.01"]
    assert rows["total"] == ["36.00", "<0.01"]
    assert rows["at most"] == ["37.00"]
    assert rows["allocatable"] == ["44.00"]
    assert lines[-4:] == [
        "1 slot of 8192 cells (8192 in all), flash attention off, b11434",
        "fits",
        "note: a note",
        "~ calibrated or estimated; everything else is exact to the byte",
    ]


def test_parts_that_nobody_holds_are_left_out() -> None:
    empty = replace(CARD, draft_weights_bytes=0)
    host = replace(HOST, draft_weights_bytes=0)
    table = estimate_table(replace(ESTIMATE, devices=(empty,), host=host))
    assert "draft weights" not in table
    assert "draft context" in table


def test_without_a_card_there_are_no_empty_rows() -> None:
    table = estimate_table(replace(ESTIMATE, devices=()))
    assert "at most" not in table
    assert "allocatable" not in table


def test_equal_cards_are_numbered_and_each_lack_is_said() -> None:
    full = replace(CARD, high_bytes=45 * GIB)
    table = estimate_table(replace(ESTIMATE, devices=(CARD, full), fits=False))
    assert "0: L40S  1: L40S" in table
    assert "does not fit: 1: L40S lacks 1.0 GiB" in table
    assert "0: L40S lacks" not in table
    assert "\nfits" not in table


def test_a_host_that_is_too_small_is_said() -> None:
    assert "the host's memory, of which 1023 B are wanted" in estimate_table(
        replace(ESTIMATE, fits=False)
    )


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InvalidInput(Problem("P0404", "no", why="why")), "P0404", "no: why"),
        (InvalidInput([Problem("P0404", "no"), Problem("P0401", "b")]), "P0404", "no; b"),
        (Unreachable("host"), "unreachable", "host"),
        (Infeasible(()), "internal", "Infeasible: no placement exists: "),
        (InvalidInput(()), "internal", "InvalidInput: "),
        (KeyError("x"), "internal", "KeyError: 'x'"),
    ],
)
def test_errors_are_a_code_and_a_message(error: Exception, code: str, message: str) -> None:
    assert error_document(error) == {"error": {"code": code, "message": message}}
