"""Whatever a file holds: a value, or InvalidInput whose problems lie inside the file."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer.domain.mount import InvalidMount, parse_mount
from packer.errors import InvalidInput, Problem
from packer.spec.document import parse_documents
from packer.spec.field_types import IMAGE_REFERENCE, NODE_NAME, SERVICE_NAME, ZONE_NAME
from packer.spec.fleet_file import read_fleet
from packer.spec.inventory_file import read_inventory
from packer.spec.plan_file import format_plan, read_plan
from packer.units import InvalidQuantity, parse_whole
from tests.sample_plans import company_plan
from tests.spec_lookups import LOOKUPS

Reader = Callable[[str | bytes], object]

READERS: dict[str, Reader] = {
    "fleet": lambda text: read_fleet(text, "f.yaml", LOOKUPS),
    "inventory": lambda text: read_inventory(text, "i.yaml", LOOKUPS),
    "plan": lambda text: read_plan(text, "p.json"),
}
OF_LOOKUPS = {"P0301", "P0520", "P0901", "P0902"}
GOOD: dict[str, Any] = {
    kind: yaml.safe_load(Path(f"tests/data/spec/{kind}.yaml").read_text())
    for kind in ("fleet", "inventory")
} | {"plan": json.loads(format_plan(company_plan()))}

HOSTILE_TEXTS = st.sampled_from(
    ["", "-", "--help", "../..", "$(X)", "{{x}}", "a\nb", "\u202e", "<script>", "x" * 300, "24GB"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | HOSTILE_TEXTS
    | st.text(max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def problems_of(reader: Reader, text: str | bytes) -> tuple[Problem, ...]:
    """What the reader refuses; () if it takes the text. Any other exception is a failure."""
    try:
        reader(text)
    except InvalidInput as error:
        return error.problems or (Problem("", "refused without a reason"),)
    return ()


def accepts(reader: Reader, text: str | bytes) -> bool:
    """Whether the reader takes the text; what it refuses must be in words and inside the text."""
    problems = problems_of(reader, text)
    content = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    for problem in problems:
        assert re.match(r"error\[P0[128]\d\d\]: ", str(problem)) or problem.code in OF_LOOKUPS
        assert problem.where is None or problem.where.line <= len(content.splitlines()) + 1
    return not problems


@pytest.mark.parametrize("kind", READERS)
@given(content=st.binary(max_size=200))
def test_random_bytes(kind: str, content: bytes) -> None:
    assert not accepts(READERS[kind], content)


@pytest.mark.parametrize("kind", READERS)
@given(text=st.text(alphabet=st.sampled_from("ab: -[]{},&*!|>'\"#%@`\n\t?<~0.\\\x85"), max_size=60))
def test_random_yaml(kind: str, text: str) -> None:
    assert not accepts(READERS[kind], text)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path of a document."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [here, *(path for key, child in items for path in paths(child, (*here, key)))]


def mutated(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with one value replaced."""
    if not path:
        return value
    changed = deepcopy(document)
    part = changed
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return changed


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_one_value_of_a_good_file_replaced_by_anything(kind: str, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(paths(GOOD[kind])))
    value = data.draw(VALUES)
    text = json.dumps(mutated(GOOD[kind], path, value), default=str)
    accepts(READERS[kind], text)


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_plan_that_is_read_is_written_with_the_same_bytes(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(paths(GOOD["plan"])))
    value = data.draw(st.integers(0, 3) | st.text(max_size=5) | st.none())
    text = json.dumps(mutated(GOOD["plan"], path, value))
    if accepts(READERS["plan"], text):
        written = format_plan(read_plan(text, "p"))
        assert format_plan(read_plan(written, "p")) == written


# libyaml reads no escaped surrogate pairs, so only what one JSON escape spells.
TEXTS = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=12)
DOCUMENTS = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**30), 10**30) | TEXTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
        max_leaves=12,
    ),
    min_size=1,
    max_size=4,
)


@given(DOCUMENTS, st.sampled_from([None, 1, 3]))
def test_json_comes_back_as_it_was(values: dict[str, Any], indent: int | None) -> None:
    (document,) = parse_documents(json.dumps(values, indent=indent), "f")
    assert document.plain() == values


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9
    )
)
def test_fractions_stay_exact(number: Decimal) -> None:
    (document,) = parse_documents(f"a: {number:f}", "f")
    assert document.plain() == {"a": number}


@given(st.lists(st.lists(st.text("abcdef", min_size=1, max_size=6), min_size=1), min_size=1))
def test_every_place_points_at_its_text(rows: list[list[str]]) -> None:
    text = "".join(f"k{number}: [{', '.join(row)}]\n" for number, row in enumerate(rows))
    (document,) = parse_documents(text, "f")
    lines = text.splitlines()
    for number, row in enumerate(rows):
        for index, word in enumerate(row):
            where = document.where(f"k{number}", index)
            start = where.column - 1
            assert lines[where.line - 1][start : start + where.width] == word


SAFE = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@#?&=+,~")


@given(
    st.from_regex(r"(pvc|csi|image|file)://[^\s]{1,40}", fullmatch=True)
    | st.text(min_size=1, max_size=40).map(lambda text: f"pvc://models/{text}")
    | st.text("ab.-/~=$(){}'\"%\\ \n", max_size=30).map(lambda t: f"pvc://m/{t}")
)
def test_a_mount_that_is_read_needs_no_quoting(uri: str) -> None:
    try:
        mount = parse_mount(uri)
    except InvalidMount:
        return
    assert set(uri) <= SAFE
    assert not any(step in ("", ".", "..") for step in mount.path.split("/"))
    assert not any(step.startswith("-") for step in mount.path.split("/"))


@pytest.mark.parametrize("form", [SERVICE_NAME, NODE_NAME, ZONE_NAME, IMAGE_REFERENCE])
@given(st.text(max_size=30))
def test_names_that_fit_need_no_quoting(form: Any, text: str) -> None:
    if form.fits(text):
        assert text
        assert set(text) <= SAFE
        assert text[0].isalnum()


@given(st.integers(0, 2**50))
def test_whole_quantities_of_any_spelling_agree(count: int) -> None:
    (document,) = parse_documents(f"a: {count}\nb: '{count}'\nc: {count * 1024}\nd: {count}Ki", "f")
    values = document.plain()
    assert isinstance(values, dict)
    a, b, c, d = (parse_whole(value) for value in values.values() if isinstance(value, str | int))
    assert (a, b) == (count, count)
    assert c == d


@given(st.text(max_size=30))
def test_a_quantity_is_a_number_or_refused_in_words(text: str) -> None:
    try:
        outcome: object = parse_whole(text)
    except InvalidQuantity as error:
        outcome = str(error)
    assert outcome != ""
