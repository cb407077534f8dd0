"""Everything that can go wrong, as data.

::

    GpuPackerError
    ├── InvalidInput        files, flags or values are wrong; carries every Problem found   exit 2
    │   ├── InvalidModelFile    a GGUF file is not one, is truncated, or lies
    │   └── UnsupportedModel    an architecture or option that is not modelled; refused by name
    ├── Infeasible          an answer: no placement exists; carries reasons and relaxations exit 1
    ├── OutOfTime           no plan within the time limit; carries the bound                exit 3
    ├── AuditFailed         a plan contradicts its own command lines: our bug               exit 70
    └── Unreachable         a cluster or a file host does not answer                        exit 4
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Location:
    """Where in a file: 1-based line and column, and the text of that line for the caret."""

    file: str
    line: int = 0
    column: int = 0
    source_line: str = ""
    width: int = 1

    def __str__(self) -> str:
        """``file:line:column``, clickable in most terminals."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: what, where, why, and something to type that fixes it.

    Attributes:
        code: Stable number such as ``P0103``; docs/errors.md has a section for each.
        title: What is wrong, one line.
        where: Place in the user's file, if there is one.
        why: Shown under the caret.
        help: How to fix it.
    """

    code: str
    title: str
    where: Location | None = None
    why: str = ""
    help: str = ""

    def __str__(self) -> str:
        """Several lines in the compiler style of design: error, arrow, source line, caret, help."""
        lines = [f"error[{self.code}]: {self.title}"]
        if self.where is not None:
            lines.append(f"  --> {self.where}")
        if self.where is not None and self.where.source_line:
            lines += _pointed_at(self.where, self.why)
        elif self.why:
            lines.append(f"   = why: {self.why}")
        if self.help:
            lines.append(f"   = help: {self.help}")
        return "\n".join(lines)


def _pointed_at(where: Location, why: str) -> list[str]:
    """The source line with carets under what is meant, and the reason beside them."""
    number = str(where.line)
    gutter = " " * len(number)
    carets = " " * (where.column - 1) + "^" * max(1, where.width)
    return [
        f" {gutter} |",
        f" {number} | {where.source_line}",
        f" {gutter} | {carets} {why}".rstrip(),
    ]


class GpuPackerError(Exception):
    """Root of every exception this package raises on purpose."""

    exit_status: int = 70


class InvalidInput(GpuPackerError):
    """Something the user gave is wrong; ``problems`` holds all of it, not only the first."""

    exit_status = 2

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        """Keep every problem; the message is all of them, one after the other."""
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__("\n\n".join(map(str, self.problems)))


class InvalidModelFile(InvalidInput):
    """A GGUF file is not one, is truncated, or contradicts itself."""


class UnsupportedModel(InvalidInput):
    """An architecture or option whose memory is not modelled; refused by name, never guessed."""


@dataclass(frozen=True)
class Reason:
    """One requirement of a conflict, in the instance's ids and in words.

    Attributes:
        requirement: Id such as ``count:chat`` or ``antiaff:chat:node``.
        text: The same for people.
    """

    requirement: str
    text: str


@dataclass(frozen=True)
class Relaxation:
    """One change that makes a plan possible, with what it costs.

    Attributes:
        change: What to change, in words.
        price: What that costs, in words ("+1 card", "quantization Q4_K_M instead of Q6_K").
        verified: Whether a plan was really found with the change.
    """

    change: str
    price: str
    verified: bool


@dataclass(frozen=True)
class Refusal:
    """Why one workload cannot use one GPU product, with the arithmetic."""

    workload: str
    gpu: str
    text: str


class Infeasible(GpuPackerError):
    """No placement exists: an answer, not a fault."""

    exit_status = 1

    def __init__(
        self,
        reasons: Iterable[Reason],
        relaxations: Iterable[Relaxation] = (),
        refusals: Iterable[Refusal] = (),
    ) -> None:
        """Keep the clashing demands, the changes that help, and why each GPU was refused."""
        self.reasons = tuple(reasons)
        self.relaxations = tuple(relaxations)
        self.refusals = tuple(refusals)
        super().__init__("no placement exists: " + "; ".join(r.text for r in self.reasons))


class OutOfTime(GpuPackerError):
    """The time limit passed without any plan.

    Attributes:
        bound: Proven lower bound so far, cards or money per hour; None or 0 says nothing.
        seconds: The time limit [s].
    """

    exit_status = 3

    def __init__(self, bound: Decimal | int | None, seconds: float) -> None:
        """Keep the bound, if one was found."""
        self.bound, self.seconds = bound, seconds
        known = f"; at least {bound} are needed" if bound else ""
        super().__init__(f"no plan within {seconds:g} s{known}")


class AuditFailed(GpuPackerError):
    """The independent audit contradicts the plan: a bug of ours, never the user's."""

    exit_status = 70

    def __init__(self, findings: Iterable[str]) -> None:
        """Keep every finding."""
        self.findings = tuple(findings)
        super().__init__("the audit refused the plan: " + "; ".join(self.findings))


class Unreachable(GpuPackerError):
    """A cluster or a file host does not answer."""

    exit_status = 4
