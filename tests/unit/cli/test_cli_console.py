"""Words in and out: streams that cannot show, are full or closed; colours; progress; policies."""

import io
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from packer.cli import exit_status, main
from packer.cli.console import infeasible_text, print_data, say, say_error, wants_colour
from packer.cli.help_command import error_page
from packer.cli.main import run
from packer.cli.policy import parse_cost, parse_headroom, policy_violations
from packer.cli.progress import SolverProgress
from packer.cli.terminal_width import terminal_width
from packer.errors import (
    Infeasible,
    InvalidInput,
    OutOfTime,
    Problem,
    Reason,
    Refusal,
    Relaxation,
)
from packer.solver.outcome import Progress
from tests.planned import ROOT, plan

EXAMPLE = "01-four-models-one-card"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def narrow(monkeypatch: pytest.MonkeyPatch, stream: str) -> io.BytesIO:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, stream, io.TextIOWrapper(raw, encoding="ascii"))
    return raw


def test_what_a_stream_cannot_show_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = narrow(monkeypatch, "stdout"), narrow(monkeypatch, "stderr")
    print_data("4 × 24 GiB")
    say("größer")
    assert out.getvalue() == b"4 ? 24 GiB\n"
    assert err.getvalue() == b"gr??er\n"


def test_data_ends_with_one_newline(capsys: pytest.CaptureFixture[str]) -> None:
    print_data("a\n")
    print_data("b")
    assert capsys.readouterr().out == "a\nb\n"


def shell(command: str) -> subprocess.CompletedProcess[str]:
    program = f"set -o pipefail; gpu_packer() {{ '{sys.executable}' -m packer \"$@\"; }}; "
    return subprocess.run(
        ["bash", "-c", program + command], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_behind_stdout_is_told_plainly() -> None:
    done = shell("gpu_packer catalogue prices -o json > /dev/full")
    assert done.returncode == exit_status.INVALID
    assert done.stderr.startswith("error[P0702]: cannot write to stdout\n")
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_early_is_no_fault() -> None:
    done = shell("gpu_packer catalogue prices -o json | (exec 0<&-)")
    assert (done.returncode, done.stderr) == (exit_status.DONE, "")


def test_another_exit_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(**_: object) -> None:
        raise SystemExit(9)

    monkeypatch.setattr(main, "app", leave)
    with pytest.raises(SystemExit, match="9"):
        run([])


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True),
    ],
)
def test_colours(
    environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_colour(Terminal()) is expected
    assert wants_colour(io.StringIO()) is ("FORCE_COLOR" in environment and expected)


def test_errors_are_red_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    say_error(InvalidInput(Problem("P0101", "unreadable", help="check the path")))
    first, second = terminal.getvalue().splitlines()
    assert first == "\x1b[31m\x1b[1merror[P0101]: unreadable\x1b[0m"
    assert second == "   = help: check the path"


def test_several_problems_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    say_error(InvalidInput([Problem("P0101", "one"), Problem("P0102", "two")]))
    err = capsys.readouterr().err
    assert err == "error[P0101]: one\n\nerror[P0102]: two\n\n2 problems; nothing was written\n"


def test_out_of_time_is_an_error_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(**_: object) -> None:
        raise OutOfTime(3, 1.5)

    monkeypatch.setattr(main, "app", late)
    assert run([]) == exit_status.OUT_OF_TIME
    assert capsys.readouterr().err == "error: no plan within 1.5 s; at least 3 are needed\n"


def test_an_infeasibility_names_clash_refusals_and_changes() -> None:
    reasons = [Reason("count:chat", "chat: 2 replicas")]
    refusals = [Refusal("chat", "L4", "needs 30 GiB, a card has 22 GiB")]
    change = Relaxation("one more l40s node", "+1 USD/h", verified=True)
    assert infeasible_text(Infeasible(reasons, [change], refusals)).splitlines() == [
        "infeasible: no placement exists, and this is why",
        "",
        "  These clash:",
        "    chat: 2 replicas",
        "",
        "  Considered and refused:",
        "    chat on L4: needs 30 GiB, a card has 22 GiB",
        "",
        "  Any one of these is enough (each was tried):",
        "    one more l40s node (+1 USD/h)",
    ]
    bare = infeasible_text(Infeasible(reasons)).splitlines()
    assert bare[-2:] == ["", "  No single change that was tried is enough."]


def test_progress_keeps_one_line_and_removes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with SolverProgress() as show:
        show(Progress("bound", None, 7, 0.25))
        show(Progress("first fit", 10, 9, 1.0))
    assert terminal.getvalue() == (
        "\r\x1b[2Kbound: incumbent –, bound 7, gap –, 0.2 s"
        "\r\x1b[2Kfirst fit: incumbent 10, bound 9, gap 10.0%, 1.0 s"
        "\r\x1b[2K"
    )


def test_progress_shows_money_not_its_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with SolverProgress() as show:
        show(Progress("budget", 1250, 1200, 1.0, scale=100))
    assert "budget: incumbent 12.50, bound 12.00, gap 4.0%, 1.0 s" in terminal.getvalue()


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with SolverProgress() as show:
        show(Progress("bound", 1, 1, 0.0))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("text", "value"), [("12/h", "12"), (" 0.5 ", "0.5"), ("0/h", "0")])
def test_cost_limits(text: str, value: str) -> None:
    assert parse_cost(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "/h", "12/d", "NaN", "Infinity", "-0.01/h", "$12"])
def test_what_is_no_cost_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="P0480"):
        parse_cost(text)


@pytest.mark.parametrize(("text", "value"), [("10%", "0.1"), ("0%", "0"), ("100%", "1")])
def test_headroom_limits(text: str, value: str) -> None:
    assert parse_headroom(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "%", "10", "-1%", "101%", "NaN%", "ten%"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="P0481"):
        parse_headroom(text)


def test_policies_hold_or_say_by_how_much() -> None:
    made = plan(EXAMPLE)
    price = made.price_per_hour
    assert price is not None
    assert policy_violations(made, price, Decimal(0)) == ()
    assert policy_violations(made, None, None) == ()
    (dear,) = policy_violations(made, price - Decimal("0.01"), None)
    assert dear == f"costs {price} USD/h, at most {price - Decimal('0.01')} is allowed"
    (unknown,) = policy_violations(replace(made, price_per_hour=None), price, None)
    assert "price is unknown" in unknown


def test_only_used_cards_are_held_to_the_headroom() -> None:
    made = plan(EXAMPLE)
    card = made.nodes[0].cards[0]
    full = replace(card, used_bytes=card.allocatable_bytes - card.taken_bytes)
    empty = replace(card, index=1, used_bytes=0, taken_bytes=card.allocatable_bytes)
    changed = replace(made, nodes=(replace(made.nodes[0], cards=(full, empty)),))
    assert policy_violations(changed, None, Decimal("0.1")) == (
        "l40s-0 card 0 keeps 0.0% free, at least 10.0% is asked",
    )


def test_a_pipe_has_a_fixed_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert terminal_width() == 120
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "77")
    assert terminal_width() == 77


@pytest.mark.parametrize("topic", ["P0103", "p0103 "])
def test_error_pages(topic: str) -> None:
    page = error_page(topic)
    assert page is not None
    assert page.startswith("## P0103")
    assert "## P0104" not in page


@pytest.mark.parametrize("topic", ["P9999", "P010", "exit", ".*"])
def test_no_page(topic: str) -> None:
    assert error_page(topic) is None
