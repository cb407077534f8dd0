"""plan.json: same plan, same bytes; read back equal; hostile text never a traceback."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from packer.errors import InvalidInput, Problem
from packer.plan.plan import Plan
from packer.spec.json_text import InvalidJson, format_json, parse_json
from packer.spec.plan_file import content_sha256, format_plan, read_plan
from tests.sample_plans import company_plan, tiny_plan

PLANS = (company_plan, tiny_plan)


@pytest.fixture(scope="module")
def text() -> str:
    return format_plan(company_plan())


def problems(text: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInput) as caught:
        read_plan(text, "plan.json")
    return caught.value.problems


def changed(text: str, *path: str | int, to: object) -> str:
    """The plan's text with one value replaced."""
    values = json.loads(text)
    part: Any = values
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = to
    return json.dumps(values)


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_is_read_back_equal_and_written_with_the_same_bytes(plan: Any) -> None:
    written = format_plan(plan())
    assert read_plan(written, "plan.json") == plan()
    assert format_plan(read_plan(written.encode(), "plan.json")) == written


def test_the_text_is_json_that_begins_with_version_and_kind(text: str) -> None:
    values = json.loads(text)
    assert list(values)[:3] == ["apiVersion", "kind", "name"]
    assert list(values)[-1] == "run"
    assert text.endswith("}\n")
    assert '"gpus": [0, 1],\n' in text, "short lists stay on one line"
    assert values["price_per_hour"] == float(company_plan().price_per_hour or 0)
    assert values["cards"] == company_plan().cards


@pytest.mark.parametrize("money", ["7.20", "0.123456789012345678901234", "12", "1E+3", "0"])
def test_money_is_an_exact_number(money: str) -> None:
    plan = replace(company_plan(), objective_value=Decimal(money))
    read = read_plan(format_plan(plan), "plan.json")
    assert read.objective_value == Decimal(money)
    assert json.loads(format_plan(plan))["objective_value"] == float(money)


def test_the_hash_covers_everything_but_the_run() -> None:
    plan = company_plan()
    later = replace(plan, run=replace(plan.run, created="2030-01-01T00:00:00Z", total_seconds=9.0))
    assert content_sha256(later) == content_sha256(plan)
    assert content_sha256(replace(plan, notes=("x",))) != content_sha256(plan)
    assert len(content_sha256(plan)) == 64


@pytest.mark.parametrize(
    ("hostile", "words"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"),
        ('{"a": 1, "a": 2}', "key 'a' is repeated"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": -Infinity}', "-Infinity is not a number"),
        ('{"a": ' + "9" * 5000 + "}", "beyond reason"),
        ('{"a": 1e999999999}', "beyond reason"),
        ('{"a": 0.' + "1" * 5000 + "}", "beyond reason"),
        ("\x00", "Expecting value"),
        ('{"a": "\x01"}', "Invalid control character"),
    ],
)
def test_text_that_no_plan_can_be(hostile: str, words: str) -> None:
    (problem,) = problems(hostile)
    assert problem.code == "P0801"
    assert words in problem.why


def test_a_syntax_error_has_its_place() -> None:
    (problem,) = problems('{\n  "a": 1,\n  "b" 2\n}')
    assert str(problem.where) == "plan.json:3:7"
    assert problem.where is not None
    assert problem.where.source_line == '  "b" 2'


def test_a_file_beyond_reason_is_not_parsed() -> None:
    (problem,) = problems(" " * (64 * 2**20 + 1))
    assert problem.code == "P0801"


def test_bytes_that_are_no_text() -> None:
    assert [one.code for one in problems(b"\xff\xfe\x00")] == ["P0102"]


@pytest.mark.parametrize("other", ["[]", "1", '"x"', "null", "{}", '{"apiVersion": [1]}'])
def test_json_that_is_no_plan(other: str) -> None:
    (problem,) = problems(other)
    assert problem.code == "P0802"


def test_another_version_is_named(text: str) -> None:
    (problem,) = problems(changed(text, "apiVersion", to="gpu-packer/v9"))
    assert problem.code == "P0802"
    assert "gpu-packer/v9" in problem.why
    assert "gpu-packer/v1" in problem.help
    assert [one.code for one in problems(changed(text, "kind", to="Fleet"))] == ["P0802"]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("cards",), "9", "cards: Input should be a valid integer"),
        (("cards",), 9.5, "cards: "),
        (("cards",), True, "cards: "),
        (("status",), "best", "status: "),
        (("colour",), "red", "colour is unknown"),
        (("placements", 1, "colour"), "red", "placements[1].colour is unknown"),
        (("placements", 1, "node"), 3, "placements[1].node: "),
        (("placements", 1, "devices", 0, "basis", "weights"), "sure", "basis.weights: "),
        (("nodes",), None, "nodes: "),
        (("gap",), "0", "gap: "),
        (("workloads", 0, "name"), "\ud800", ""),
    ],
)
def test_fields_of_the_wrong_shape(
    text: str, path: tuple[str | int, ...], value: object, words: str
) -> None:
    (problem,) = problems(changed(text, *path, to=value))
    assert problem.code == "P0803"
    assert words in problem.why


def test_all_missing_fields_come_at_once(text: str) -> None:
    values = json.loads(text)
    del values["cards"], values["nodes"][0]["pool"]
    found = problems(json.dumps(values))
    assert [one.code for one in found] == ["P0803"] * 2


def test_a_wall_of_problems_is_cut(text: str) -> None:
    values: dict[str, Any] = json.loads(text)
    values |= {f"x{number}": 1 for number in range(150)}
    found = problems(json.dumps(values))
    assert (len(found), found[-1].code) == (101, "P0118")


@pytest.mark.parametrize(
    ("path", "value", "code", "words"),
    [
        (("placements", 0, "node"), "elsewhere", "P0804", "cards of elsewhere"),
        (("placements", 0, "gpus"), [7, 8], "P0804", "not listed"),
        (("placements", 0, "gpus"), [], "P0804", "not listed"),
        (("placements", 0, "devices"), [], "P0804", "per card"),
        (("placements", 0, "replica"), 1, "P0804", "chat-1 is placed twice"),
        (("placements", 0, "replica"), 99, "P0804", "not asked for"),
        (("placements", 0, "replica"), -1, "P0804", "not asked for"),
        (("placements", 0, "workload"), "other", "P0804", "not asked for"),
        (("placements", 0, "argv"), [], "P0804", "no command line"),
        (("name",), "../../etc", "P0805", "small letters"),
        (("server", "image"), "x y", "P0805", "not an image reference"),
        (("server", "build"), "$(id)", "P0805", "b and a number"),
        (("nodes", 0, "pool"), "a\nb", "P0805", "small letters"),
        (("nodes", 0, "zone"), "{{ x }}", "P0805", "label value"),
        (("nodes", 0, "cards", 0, "uuid"), "GPU-x", "P0805", "nvidia-smi"),
        (("placements", 0, "argv", 1), "$(HOME)", "P0805", "a pod would change it"),
        (("placements", 0, "argv", 1), "a\nb", "P0805", "a pod would change it"),
        (("placements", 0, "variant", "mount"), "pvc://m/../x", "P0805", "without .."),
    ],
)
def test_plans_that_contradict_themselves_or_hold_unusable_names(
    text: str, path: tuple[str | int, ...], value: object, code: str, words: str
) -> None:
    found = problems(changed(text, *path, to=value))
    assert code in [one.code for one in found]
    assert words in " ".join(one.why for one in found)


def test_a_node_listed_twice(text: str) -> None:
    plan = company_plan()
    twice = replace(plan, nodes=(*plan.nodes, plan.nodes[0]))
    assert "listed twice" in problems(format_plan(twice))[-1].why


def test_the_json_writer_keeps_text_and_long_lists_readable() -> None:
    values: dict[str, Any] = {
        "a": 'é\n"',
        "b": [],
        "c": {},
        "d": ["x" * 50, "y" * 50],
        "e": None,
        "f": 1e-7,
    }
    written = format_json(values)
    assert parse_json(written) == values | {"f": Decimal("1e-7")}
    assert written.count("\n") == 11
    with pytest.raises(ValueError, match="not JSON compliant"):
        format_json({"a": float("nan")})
    with pytest.raises(InvalidJson):
        parse_json("nope")


def test_reading_does_not_change_types() -> None:
    plan: Plan = read_plan(format_plan(tiny_plan()), "plan.json")
    assert isinstance(plan.objective_value, Decimal)
    assert isinstance(plan.gap, float)
    assert isinstance(plan.placements, tuple)
