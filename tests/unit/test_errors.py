"""Errors as data: what they carry, how they read, which status they end with."""

from decimal import Decimal

import pytest

from packer.errors import (
    AuditFailed,
    GpuPackerError,
    Infeasible,
    InvalidInput,
    InvalidModelFile,
    Location,
    OutOfTime,
    Problem,
    Reason,
    Unreachable,
    UnsupportedModel,
)


def test_a_problem_points_at_what_is_wrong() -> None:
    where = Location("fleet.yaml", 4, 13, "    memory: 24GB", 4)
    problem = Problem("P0103", "no unit", where, "GB is none", "write 24Gi")
    assert str(problem).splitlines() == [
        "error[P0103]: no unit",
        "  --> fleet.yaml:4:13",
        "   |",
        " 4 |     memory: 24GB",
        "   |             ^^^^ GB is none",
        "   = help: write 24Gi",
    ]


def test_a_place_beyond_the_line_is_still_shown() -> None:
    lines = str(Problem("P0119", "end", Location("f", 1, 6, "ab"))).splitlines()
    assert lines[-1] == "   |      ^"
    lines = str(Problem("P0119", "line", Location("f", 1, 0, "ab"))).splitlines()
    assert lines[-1] == "   | ^"


@pytest.mark.parametrize("where", [None, Location("fleet.yaml"), Location("fleet.yaml", 3, 1)])
def test_without_a_source_line_the_reason_has_a_line_of_its_own(where: Location | None) -> None:
    text = str(Problem("P0101", "unreadable", where, "no such file"))
    assert text.splitlines()[-1] == "   = why: no such file"
    assert ("--> fleet.yaml" in text) == (where is not None)


def test_a_bare_problem_is_one_line() -> None:
    assert str(Problem("P0101", "unreadable")) == "error[P0101]: unreadable"


def test_invalid_input_carries_every_problem() -> None:
    one, two = Problem("P0101", "one"), Problem("P0102", "two")
    assert InvalidInput(one).problems == (one,)
    both = InvalidInput(iter([one, two]))
    assert both.problems == (one, two)
    assert str(both) == "error[P0101]: one\n\nerror[P0102]: two"


def test_answers_carry_their_data() -> None:
    infeasible = Infeasible([Reason("count:a", "a: 2 replicas"), Reason("count:b", "b: 1")])
    assert str(infeasible) == "no placement exists: a: 2 replicas; b: 1"
    assert (infeasible.relaxations, infeasible.refusals) == ((), ())
    assert str(AuditFailed(["x", "y"])) == "the audit refused the plan: x; y"


@pytest.mark.parametrize(
    ("bound", "text"),
    [
        (None, "no plan within 60 s"),
        (Decimal(0), "no plan within 60 s"),
        (3, "no plan within 60 s; at least 3 are needed"),
        (Decimal("12.5"), "no plan within 60 s; at least 12.5 are needed"),
    ],
)
def test_out_of_time_says_what_is_proven(bound: Decimal | int | None, text: str) -> None:
    error = OutOfTime(bound, 60.0)
    assert str(error) == text
    assert (error.bound, error.seconds) == (bound, 60.0)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (GpuPackerError, 70),
        (InvalidInput, 2),
        (InvalidModelFile, 2),
        (UnsupportedModel, 2),
        (Infeasible, 1),
        (OutOfTime, 3),
        (AuditFailed, 70),
        (Unreachable, 4),
    ],
)
def test_exit_statuses(error: type[GpuPackerError], status: int) -> None:
    assert error.exit_status == status
