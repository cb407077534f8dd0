"""Traces of requests: CSV files with the columns of Azure LLM, BurstGPT or Mooncake."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packer.errors import InvalidInput, Location, Problem
from packer.performance.trace_statistics import TracedRequest
from packer.spec.problems import more_problems

MOST_PROBLEMS = 20
MOST_REQUESTS = 2_000_000
_LONGEST_TOKENS = 2**27


@dataclass(frozen=True)
class TraceFormat:
    """Columns of one kind of trace.

    Attributes:
        seconds: Reads the text of the time column [s].
    """

    name: str
    time: str
    inputs: str
    outputs: str
    seconds: Callable[[str], float]

    @property
    def columns(self) -> tuple[str, str, str]:
        """Names of the columns that are read."""
        return self.time, self.inputs, self.outputs


def _timestamp(text: str) -> float:
    """Seconds of a date and time; more than six decimals are cut."""
    head, dot, rest = text.strip().partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    zone = rest[len(digits) :]
    moment = datetime.fromisoformat(f"{head}{dot}{digits[:6]}{zone}")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _milliseconds(text: str) -> float:
    return float(text) / 1000


FORMATS = (
    TraceFormat("Azure LLM", "TIMESTAMP", "ContextTokens", "GeneratedTokens", _timestamp),
    TraceFormat("BurstGPT", "Timestamp", "Request tokens", "Response tokens", float),
    TraceFormat("Mooncake", "timestamp_ms", "input_length", "output_length", _milliseconds),
    TraceFormat("Mooncake", "timestamp", "input_length", "output_length", _milliseconds),
)
"""Known kinds. Source: README of AzurePublicDataset, of BurstGPT and of Mooncake's traces."""


def read_trace(path: Path, shown: str) -> tuple[TracedRequest, ...]:
    """Requests of a trace in order of time.

    Raises:
        InvalidInput: It cannot be read, is no known kind, or has rows that are wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return parse_trace(lines, shown)
    except OSError as error:
        why = error.strerror or type(error).__name__
        help_ = "the path begins at the folder of the fleet file"
        raise InvalidInput(Problem("P1101", f"{shown} cannot be read", None, why, help_)) from error
    except (UnicodeDecodeError, csv.Error) as error:
        problem = Problem("P1101", f"{shown} is not a CSV text", Location(shown), str(error))
        raise InvalidInput(problem) from error


def parse_trace(lines: Iterable[str], file: str) -> tuple[TracedRequest, ...]:
    """Requests of the lines of a trace.

    Raises:
        InvalidInput: With up to twenty problems, each with its line.
    """
    rows = csv.reader(lines)
    header = next(rows, [])
    kind = _format(header, file)
    places = [header.index(column) for column in kind.columns]
    requests: list[TracedRequest] = []
    problems: list[Problem] = []
    for row in rows:
        found = _request(row, places, kind, Location(file, rows.line_num, 1, ",".join(row)[:160]))
        if isinstance(found, Problem):
            problems.append(found)
        elif requests and found.seconds < requests[-1].seconds:
            problems.append(_unordered(file, rows.line_num, row, requests[-1], found))
        else:
            requests.append(found)
        if len(problems) > MOST_PROBLEMS:
            break
    problems += _count_problems(len(requests), file) if not problems else []
    if problems:
        shown = problems[:MOST_PROBLEMS]
        rest = [more_problems(1, file)] if len(problems) > MOST_PROBLEMS else []
        raise InvalidInput([*shown, *rest])
    return tuple(requests)


def _format(header: Sequence[str], file: str) -> TraceFormat:
    for kind in FORMATS:
        if set(kind.columns) <= set(header):
            return kind
    known = "; ".join(f"{kind.name}: {', '.join(kind.columns)}" for kind in FORMATS[:3])
    raise InvalidInput(
        Problem(
            "P1102",
            "the header is not that of a known trace",
            Location(file, 1, 1, ",".join(header)[:160], max(1, len(",".join(header)[:160]))),
            "these columns are not known together",
            f"known columns are {known}",
        )
    )


def _request(
    row: Sequence[str], places: Sequence[int], kind: TraceFormat, where: Location
) -> TracedRequest | Problem:
    """One row, or what is wrong with it."""
    if len(row) <= max(places):
        why = f"{len(row)} values, the header has more"
        return Problem("P1103", "a row of the trace is incomplete", where, why)
    texts = [row[place] for place in places]
    try:
        seconds = kind.seconds(texts[0])
        tokens = [int(text) for text in texts[1:]]
    except ValueError as error:
        help_ = f"{', '.join(kind.columns)} must be a time and two whole numbers"
        return Problem("P1103", "a row of the trace is not a request", where, str(error), help_)
    if not 0 <= seconds < float("inf"):
        why = f"{kind.time} is {texts[0]}"
        return Problem("P1104", "a time of the trace is negative", where, why)
    if not all(0 <= count <= _LONGEST_TOKENS for count in tokens):
        why = f"{kind.inputs} is {tokens[0]}, {kind.outputs} is {tokens[1]}"
        return Problem("P1103", "a number of tokens is out of range", where, why)
    return TracedRequest(seconds, *tokens)


def _unordered(
    file: str, line: int, row: Sequence[str], before: TracedRequest, found: TracedRequest
) -> Problem:
    where = Location(file, line, 1, ",".join(row)[:160])
    why = f"{before.seconds - found.seconds:.6g} s before the row above"
    return Problem("P1104", "the times of the trace are not in order", where, why, "sort the rows")


def _count_problems(count: int, file: str) -> Iterator[Problem]:
    if not count:
        yield Problem("P1103", "the trace has no requests", Location(file))
    if count > MOST_REQUESTS:
        why = f"{count} requests, at most {MOST_REQUESTS} are read"
        yield Problem("P1101", "the trace is too long", Location(file), why, "cut a busy day out")
