"""Traces: known columns, and everything that can be wrong with a row, at its line."""

from pathlib import Path

import pytest

from packer.errors import InvalidInput, Problem
from packer.spec.traces import FORMATS, parse_trace, read_trace

AZURE = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.0319600,3180,8
"""
AZURE_2024 = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 00:00:00.009930+00:00,2162,5
2024-05-10 00:00:01+00:00,2399,6
"""
BURST_GPT = """\
Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
5,1,3.2,ChatGPT,472,18,490,Conversation log
45.5,2,1.0,GPT-4,1087,230,1317,API log
"""
MOONCAKE = "timestamp,input_length,output_length\n0,6758,500\n3000,7322,490\n"


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInput) as caught:
        parse_trace(text.splitlines(keepends=True), "trace.csv")
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "seconds", "first"),
    [
        (AZURE, 0.052, (4808, 10)),
        (AZURE_2024, 0.99007, (2162, 5)),
        (BURST_GPT, 40.5, (472, 18)),
        (MOONCAKE, 3.0, (6758, 500)),
        (MOONCAKE.replace("timestamp", "timestamp_ms"), 3.0, (6758, 500)),
    ],
)
def test_known_columns_are_read(text: str, seconds: float, first: tuple[int, int]) -> None:
    one, other = parse_trace(text.splitlines(), "trace.csv")
    assert other.seconds - one.seconds == pytest.approx(seconds, abs=1e-5)
    assert (one.input_tokens, one.output_tokens) == first


def test_a_wrong_header_names_those_that_are_known() -> None:
    (problem,) = problems(AZURE.replace("ContextTokens", "Context"))
    assert problem.code == "P1102"
    assert str(problem.where) == "trace.csv:1:1"
    for kind in FORMATS:
        assert kind.name in problem.help


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        (MOONCAKE.replace("3000", "-1"), "P1104", 3, "timestamp is -1"),
        (MOONCAKE.replace("\n0,", "\n5000,"), "P1104", 3, "2 s before the row above"),
        (AZURE.replace("04.03", "02.03"), "P1104", 3, "before the row above"),
        (MOONCAKE.replace("7322", "-7"), "P1103", 3, "input_length is -7"),
        (MOONCAKE.replace("7322", "many"), "P1103", 3, "many"),
        (AZURE.replace("2023-11-16 18:17:03.9799600", "yesterday"), "P1103", 2, "yesterday"),
        (MOONCAKE.replace("3000,7322,490", "3000,7322"), "P1103", 3, "2 values"),
        (MOONCAKE.replace("3000", "nan"), "P1104", 3, "timestamp is nan"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(text: str, code: str, line: int, words: str) -> None:
    (problem,) = problems(text)
    assert problem.where is not None
    assert (problem.code, problem.where.line) == (code, line)
    assert words in problem.why
    assert problem.where.source_line


def test_a_trace_without_requests_is_refused() -> None:
    (problem,) = problems("timestamp,input_length,output_length\n")
    assert problem.code == "P1103"


def test_many_wrong_rows_end_after_twenty() -> None:
    found = problems(MOONCAKE + "x,1,1\n" * 100)
    assert len(found) == 21
    assert found[-1].code == "P0118"


def test_an_absent_trace_and_a_binary_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_trace(tmp_path / "none.csv", "none.csv")
    assert caught.value.problems[0].code == "P1101"
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput) as caught:
        read_trace(tmp_path / "binary.csv", "binary.csv")
    assert caught.value.problems[0].code == "P1101"
