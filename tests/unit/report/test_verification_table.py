"""The table of verify: what differs first, then what nobody can judge, all of it on request."""

from packer.plan.finding import Finding
from packer.report.verification_table import verification_text

FINDINGS = [
    Finding("chat-0", "node", "a", "a", True),
    Finding("chat-0", "log", "buffers", "it names no buffers", None),
    Finding("chat-1", "gpu0 context", "8.00 MiB", "4.00 MiB", False, "±0.02 MiB", "exact"),
]


def test_what_differs_stands_first_with_its_figures() -> None:
    lines = verification_text(FINDINGS, "small", 120).splitlines()
    assert lines[0] == (
        "1 difference from the plan small: 3 things looked at; 1 could not be judged"
    )
    assert lines[2].split() == ["Server", "What", "Basis", "Allowed", "Predicted", "/", "observed"]
    assert lines[3].split("  ")[0] == "chat-1"
    assert "exact  ±0.02 MiB  8.00 MiB / 4.00 MiB" in lines[3]
    assert "told only" in lines[4]
    assert len(lines) == 5


def test_what_agrees_is_counted_and_listed_on_request() -> None:
    assert verification_text(FINDINGS[:1], "small", 120) == (
        "1 server as the plan small says: 1 thing looked at"
    )
    assert "agrees" in verification_text(FINDINGS[:1], "small", 120, shows_all=True)
