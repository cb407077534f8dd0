"""YAML text to values with places: YAML 1.2 scalars, refusals, limits."""

import time
from decimal import Decimal

import pytest

from packer.errors import InvalidInput, Problem
from packer.spec.document import Document, decode, parse_documents
from packer.spec.nodes import MAX_DEPTH, MAX_NODES
from packer.spec.scalars import resolve_scalar


def parse(text: str) -> Document:
    (document,) = parse_documents(text, "f.yaml")
    return document


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInput) as caught:
        parse_documents(text, "f.yaml")
    return caught.value.problems


def places(text: str) -> list[tuple[str, int, int]]:
    found = [(one.code, one.where) for one in problems(text)]
    return [(code, where.line, where.column) for code, where in found if where is not None]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("0777", 777),
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        ("12:30:00", "12:30:00"),
        ("2026-11-01", "2026-11-01"),
        ("7.20", Decimal("7.20")),
        (".5", Decimal("0.5")),
        ("1e3", Decimal("1e3")),
        ("1.", Decimal(1)),
        (".", "."),
        ("-", "-"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1_000", "1_000"),
        ("9" * 41, "9" * 41),
        ("1e9999", "1e9999"),
        ("24Gi", "24Gi"),
        ("=", "="),
    ],
)
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    resolved = resolve_scalar(text)
    assert resolved == value
    assert type(resolved) is type(value)


def test_quoted_scalars_stay_text() -> None:
    assert parse("a: '1'\nb: \"true\"\nc: |-\n  null\n").plain() == {
        "a": "1",
        "b": "true",
        "c": "null",
    }


def test_every_value_and_key_has_its_place() -> None:
    text = "a: 1\nlist:\n- x: [10, 20]\n  ö: {k: v}\n"
    document = parse(text)
    where = document.where("list", 0, "x", 1)
    assert (where.line, where.column, where.width, where.source_line) == (3, 11, 2, "- x: [10, 20]")
    assert document.where("list", 0, "x").width == len("[10, 20]")
    key = document.where_key("list", 0, "ö", "k")
    assert (key.line, key.column, str(key)) == (4, 7, "f.yaml:4:7")


def test_absent_steps_lead_to_the_nearest_value_there_is() -> None:
    document = parse("a:\n  b: 1\n")
    assert document.where("a", "zzz", 3) == document.where("a")
    assert document.where_key("a", "zzz") == document.where("a")
    assert document.has("a", "b")
    assert not document.has("a", "b", "c")
    assert not document.has("a", 0)


def test_anchors_of_whole_values_are_read_and_point_to_the_anchor() -> None:
    document = parse("a: &x [1, 2]\nb: *x\n")
    assert document.plain() == {"a": [1, 2], "b": [1, 2]}
    assert document.where("b", 1).line == 1


def test_json_is_yaml() -> None:
    assert parse('{"a": [1, 2.5, null, "x\\u00e9"]}').plain() == {
        "a": [1, Decimal("2.5"), None, "xé"]
    }


def test_documents_are_kept_apart_and_empty_ones_dropped() -> None:
    text = "---\na: &x 1\n---\n# nothing\n---\nb: 2\n...\n"
    assert [document.plain() for document in parse_documents(text, "f")] == [{"a": 1}, {"b": 2}]


def test_anchors_end_with_their_document() -> None:
    assert places("a: &x 1\n---\nb: *x\n") == [("P0112", 3, 4)]


def test_a_repeated_key_names_the_line_of_the_first() -> None:
    (problem,) = problems("a: 1\nb: 2\nc:\n  a: 3\na: 4\n")
    assert (problem.code, problem.where and problem.where.line) == ("P0111", 5)
    assert "line 1" in problem.why


def test_all_repeated_keys_tags_and_merge_keys_are_told_at_once() -> None:
    text = "a: 1\na: 2\na: 3\nb: !x y\nc: !!str 3\n<<: {d: 1}\n"
    assert [(code, line) for code, line, _ in places(text)] == [
        ("P0111", 2),
        ("P0111", 3),
        ("P0112", 4),
        ("P0112", 5),
        ("P0112", 6),
    ]


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("? [x]\n: y\n", "P0112", 1, 3),
        ("? {x: 1}\n: y\n", "P0112", 1, 3),
        ("a: &a 1\n*a : 2\n", "P0112", 2, 1),
        ("- &a [*a]\n", "P0112", 1, 7),
        ("- *nowhere\n", "P0112", 1, 3),
        ("a: b: c\n", "P0119", 1, 5),
        ("a:\n\tb: 1\n", "P0119", 2, 1),
        ("a: [1,\n  2\n", "P0119", 1, 4),
        ("a: 'x\n", "P0119", 1, 4),
        ("a: @x\n", "P0119", 1, 4),
        ("a: x\n b: y\n", "P0119", 2, 3),
        ("%YAML 9.0\n--- a\n", "P0119", 1, 1),
        ("a: \x07\n", "P0102", 1, 4),
        ("a\r\nb: \x00", "P0102", 2, 4),
    ],
)
def test_what_is_refused_is_refused_at_its_place(
    text: str, code: str, line: int, column: int
) -> None:
    assert places(text) == [(code, line, column)]


def test_a_repeated_key_before_a_syntax_error_is_told_too() -> None:
    assert [code for code, _, _ in places("a: 1\na: 2\nb: c: d\n")] == ["P0111", "P0119"]


def test_half_a_surrogate_pair_is_no_text() -> None:
    assert [one.code for one in problems("a: \ud800")] == ["P0102"]


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        bomb(9),
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "\n".join(" " * depth + "a:" for depth in range(2_000)),
        "[" + "1," * (MAX_NODES + 1) + "]",
        "- &a [1]\n" + "- *a\n" * MAX_NODES,
        "x" * (8 * 2**20 + 1),
    ],
    ids=["bomb", "lists", "mappings", "dashes", "indented", "wide", "aliases", "long"],
)
def test_bombs_give_one_clear_error_quickly(text: str) -> None:
    start = time.process_time()
    (problem,) = problems(text)
    assert problem.code == "P0110"
    # Without a limit these run for minutes or end the process.
    assert time.process_time() - start < 10


def test_the_deepest_nesting_that_is_read() -> None:
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse(deepest).root.size == MAX_DEPTH
    assert [one.code for one in problems(f"[{deepest}]")] == ["P0110"]


def test_overlong_lines_are_not_shown_and_tabs_take_one_column() -> None:
    assert parse("a: " + "x" * 500).where("a").source_line == ""
    assert parse("a:\t[1,\t2]").where("a", 1).source_line == "a: [1, 2]"


def test_bytes_are_utf_8_with_or_without_mark() -> None:
    assert decode("\ufeffa: é".encode(), "f") == "a: é"
    with pytest.raises(InvalidInput) as caught:
        decode(b"a: 1\nb: \xff\n", "f.yaml")
    (problem,) = caught.value.problems
    assert (problem.code, str(problem.where)) == ("P0102", "f.yaml:2:4")


def test_a_thousand_workloads_parse_in_well_under_a_second() -> None:
    item = (
        "- {name: w, model: m, quantizations: [A, B], context: 16Ki, slots: 8, gpus: {refuse: []}}"
    )
    text = "workloads:\n" + "\n".join([item] * 1000)
    start = time.process_time()
    assert parse(text).root.size > 10_000
    assert time.process_time() - start < 1
