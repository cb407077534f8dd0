"""Hostile text in every place of a plan, in every output: refused, or one value and nothing more.

What is written is parsed again by the format's own reader and compared with what the same plan
gives with a harmless word in that place: same objects, same tags, same columns, same lines.
"""

import csv
import io
import json
import pathlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from decimal import Decimal, InvalidOperation
from html.parser import HTMLParser
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer import api
from packer.cli.console import visible
from packer.cli.main import run
from packer.errors import GpuPackerError, InvalidInput
from packer.host_services.options import HostTarget
from packer.kubernetes_objects.render import render
from packer.plan.plan import Plan
from packer.report.comparison_tables import comparison_csv
from packer.report.csv_tables import render_csv
from packer.report.difference import difference
from packer.report.difference_page import render_difference
from packer.report.difference_text import difference_csv
from packer.report.html import render_html
from packer.report.json_twin import render_json
from packer.report.markdown import render_markdown
from packer.report.sweep_page import render_sweep
from packer.report.sweep_tables import sweep_csv
from packer.report.terminal import plan_table
from tests.gguf_bytes import llama
from tests.report_answers import beside, comparison_of, sweep_of
from tests.sample_plans import banded_plan, tiny_plan
from tests.sharing_ways import WAYS

HOSTILE = (
    'x"y',
    "x'y",
    "x\ny: z",
    "x\n[Service]\nExecStart=/bin/sh",
    "$(HOME)",
    "${HOME}`id`",
    "{{ 7*7 }}",
    "{% raw %}",
    "!!python/object/apply:os.system [id]",
    "&a [*a]",
    "../../etc/passwd",
    "-rf",
    "--api-key",
    "p\u0430ypal",  # a Cyrillic letter
    "\u202egpj.exe",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=HYPERLINK(1)",
    "\uff1dcmd",
    "| a | b |",
    "```\n# head",
    "\x1b[31mred\x1b]0;title\x07",
    "a" * 300,
    "a\x00b",
    "%n%H",
    "; rm -rf /",
    "\u2028x",
)
HARMLESS = "harmless"

Path = tuple[str | int, ...]
Files = Mapping[str, str]


def texts_of(value: Any, here: Path = ()) -> Iterator[Path]:
    """Every place of a plan that holds free text."""
    if type(value) is str:
        yield here
    elif is_dataclass(value):
        for one in fields(value):
            yield from texts_of(getattr(value, one.name), (*here, one.name))
    elif isinstance(value, tuple):
        for index, one in enumerate(value):
            yield from texts_of(one, (*here, index))


def with_text(value: Any, path: Path, text: str) -> Any:
    """The plan with another text in one place."""
    if not path:
        return text
    step, *rest = path
    if isinstance(value, tuple):
        assert isinstance(step, int)
        changed = with_text(value[step], tuple(rest), text)
        return (*value[:step], changed, *value[step + 1 :])
    assert isinstance(step, str)
    return replace(value, **{step: with_text(getattr(value, step), tuple(rest), text)})


def value_at(plan: Plan, path: Path) -> str:
    """The text in one place."""
    value: Any = plan
    for step in path:
        value = value[step] if isinstance(step, int) else getattr(value, step)
    return str(value)


def renamed(plan: Plan, old: str, text: str) -> Plan:
    """The plan with a text in place of every equal one."""
    for path in texts_of(plan):
        if value_at(plan, path) == old:
            plan = with_text(plan, path, text)
    return plan


PLANS = (tiny_plan(), banded_plan())
VALUES = [(plan, Counter(value_at(plan, path) for path in texts_of(plan))) for plan in PLANS]
# What stands in several places may be a name that must agree: it is changed in all at once.
PLACES = [
    (plan, path)
    for plan, values in VALUES
    for path in texts_of(plan)
    if values[value_at(plan, path)] == 1
]
NAMES = [
    (plan, value) for plan, values in VALUES for value in values if value and values[value] > 1
]


@dataclass(frozen=True)
class Case:
    """One text in one place of a plan.

    Attributes:
        place: Path of the place; a name stands for all places that hold it.
    """

    plan: Plan = field(repr=False)
    place: Path | str
    text: str

    def with_(self, text: str) -> Plan:
        """The plan with a text in the place."""
        if isinstance(self.place, str):
            return renamed(self.plan, self.place, text)
        changed: Plan = with_text(self.plan, self.place, text)
        return changed

    @property
    def hostile(self) -> Plan:
        """The plan with the hostile text."""
        return self.with_(self.text)

    @property
    def harmless(self) -> Plan:
        """The plan with a harmless word there."""
        return self.with_(HARMLESS)


def _case(where: tuple[Plan, Path | str], text: str) -> Case:
    return Case(*where, text)


TEXTS = st.sampled_from(HOSTILE) | st.text(min_size=1, max_size=12)
CASES = st.one_of(
    st.builds(_case, st.sampled_from(NAMES), TEXTS),
    st.builds(_case, st.sampled_from(PLACES), TEXTS),
)


many = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def outcome(write: Callable[[Plan], Files], plan: Plan) -> Files | None:
    """What is written; None where the plan is refused in our words."""
    try:
        return write(plan)
    except InvalidInput:
        return None


def shape(value: Any) -> Any:
    """What a document is made of, without its texts; names among its keys do not count."""
    if isinstance(value, Mapping):
        return sorted((shape(one) for one in value.values()), key=repr)
    if isinstance(value, list):
        return [shape(one) for one in value]
    return type(value).__name__


class Tags(HTMLParser):
    """Tags with the names of their attributes, and the texts of scripts."""

    def __init__(self, page: str) -> None:
        """Read a page."""
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep one tag."""
        self.found.append((tag, tuple(name for name, _ in attrs)))


def documents(files: Files) -> list[Any]:
    """Parsed YAML files, one document each, under paths that stay in their folder."""
    found = []
    for path, text in sorted(files.items()):
        assert not path.startswith("/")
        assert ".." not in path.split("/")
        assert path.isprintable()
        if path.endswith(".yaml"):
            (document,) = yaml.safe_load_all(text)
            found.append(document)
    return found


def arguments(value: Any) -> Iterator[str]:
    """Words of every container."""
    if isinstance(value, Mapping):
        for key in ("command", "args"):
            if isinstance(value.get(key), list):
                yield from value[key]
        for one in value.values():
            yield from arguments(one)
    elif isinstance(value, list):
        for one in value:
            yield from arguments(one)


@pytest.mark.parametrize("way", WAYS)
@given(case=CASES)
@settings(many, max_examples=8)
def test_manifests(way: str, case: Case) -> None:
    hostile, harmless = case.hostile, case.harmless
    _, options = WAYS[way]
    there = outcome(lambda plan: render(plan, options), hostile)
    if there is None:
        return
    found = documents(there)
    for word in (word for document in found for word in arguments(document)):
        # Kubernetes would put a variable there.
        assert "$(" not in word.replace("$$", "")
    for document in found:
        labels = document.get("metadata", {}).get("labels", {})
        assert all(
            re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{,61}[A-Za-z0-9])?", one)
            for one in labels.values()
        )
    expected = outcome(lambda plan: render(plan, options), harmless)
    if expected is not None:
        assert sorted(map(repr, map(shape, found))) == sorted(
            map(repr, map(shape, documents(expected)))
        )


@pytest.mark.parametrize("target", HostTarget)
@given(case=CASES)
@settings(many, max_examples=30)
def test_services_of_hosts(target: HostTarget, case: Case) -> None:
    hostile, harmless = case.hostile, case.harmless
    there = outcome(lambda plan: api.host_services(plan, target), hostile)
    expected = outcome(lambda plan: api.host_services(plan, target), harmless)
    if there is None or expected is None:
        return
    assert sorted(map(repr, map(shape, documents(there)))) == sorted(
        map(repr, map(shape, documents(expected)))
    )
    assert sorted(map(unit_keys, units(there))) == sorted(map(unit_keys, units(expected)))


def units(files: Files) -> list[str]:
    """Texts of systemd units."""
    return [text for path, text in files.items() if path.endswith((".service", ".target"))]


def unit_keys(text: str) -> list[str]:
    """Sections and settings of a unit, in order; a line that continues another has none."""
    assert not any(line.endswith("\\") for line in text.splitlines())
    return [line.partition("=")[0] for line in text.split("\n") if not line.startswith("#")]


@given(case=CASES)
@settings(many, max_examples=20)
def test_page(case: Case) -> None:
    hostile, harmless, text = case.hostile, case.harmless, case.text
    page, expected = (outcome(lambda p: {"": render_html(p)}, one) for one in (hostile, harmless))
    if page is None or expected is None:
        return
    tags = Tags(page[""]).found
    assert [tag for tag, _ in tags].count("script") == 1
    assert not any(name.startswith("on") for _, names in tags for name in names)
    if text.strip() and text.isprintable():
        assert set(tags) == set(Tags(expected[""]).found)


@given(case=CASES)
@settings(many, max_examples=10)
def test_answers_of_other_commands(case: Case) -> None:
    """Comparison, risk and sweep beside the plan, a sweep's own page, and a difference."""
    hostile = case.hostile
    pages = (
        render_html(hostile, beside(hostile)),
        render_sweep(sweep_of(hostile)),
        render_difference(difference(hostile, case.harmless)),
    )
    for page in pages:
        tags = Tags(page).found
        assert not any(name.startswith("on") for _, names in tags for name in names)
        assert [tag for tag, _ in tags].count("script") <= 1
        assert "img" not in {tag for tag, _ in tags}
    tables = {
        **render_csv(hostile, beside(hostile)),
        **difference_csv(difference(hostile, case.harmless)),
        "sweep": sweep_csv(sweep_of(hostile)),
        "comparison": comparison_csv(comparison_of(hostile)),
    }
    for text in tables.values():
        rows = csv.reader(io.StringIO(text, newline=""))
        assert not [cell for row in rows for cell in row if is_formula(cell)]


@given(case=CASES)
@settings(many)
def test_markdown(case: Case) -> None:
    hostile, harmless, text = case.hostile, case.harmless, case.text
    found, expected = (
        outcome(lambda p: {"": render_markdown(p)}, one) for one in (hostile, harmless)
    )
    if found is None or expected is None or not text.strip():
        return
    assert [columns(line) for line in prose(found[""])] == [
        columns(line) for line in prose(expected[""])
    ]


def prose(text: str) -> list[str]:
    """Lines outside of code, whose fence is longer than any inside."""
    return re.sub(r"^(`{3,})sh\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE).split("\n")


def columns(line: str) -> tuple[int, bool]:
    """Columns of a table's line, and whether it is a heading."""
    return len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)), line.startswith("#")


@given(case=CASES)
@settings(many)
def test_json_and_saved_plan(case: Case) -> None:
    hostile, harmless = case.hostile, case.harmless
    for write in (lambda p: {"": render_json(p)}, lambda p: {"": api.plan_text(p)}):
        found, expected = outcome(write, hostile), outcome(write, harmless)
        if found is not None and expected is not None:
            assert shape(json.loads(found[""])) == shape(json.loads(expected[""]))
    written = api.plan_yaml(hostile)
    assert yaml.safe_load(written) == json.loads(api.plan_text(hostile))


@given(case=CASES)
@settings(many)
def test_tables_for_spreadsheets(case: Case) -> None:
    hostile, harmless = case.hostile, case.harmless
    found, expected = outcome(render_csv, hostile), outcome(render_csv, harmless)
    if found is None or expected is None:
        return
    for name, text in found.items():
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len({len(row) for row in rows}) <= 1
        assert len(rows) == len(list(csv.reader(io.StringIO(expected[name], newline=""))))
        assert not [cell for row in rows for cell in row if is_formula(cell)]


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would compute a cell."""
    if not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")):
        return False
    try:
        Decimal(cell)
    except InvalidOperation:
        return True
    return False


@given(case=CASES)
@settings(many)
def test_terminal(case: Case) -> None:
    shown = plan_table(case.hostile, wide=True, width=120)
    for one in case.hostile.workloads[:2]:
        try:
            shown += api.explain(case.hostile, one.name)
        except GpuPackerError as error:
            shown += str(error)
    assert not re.search(OBEYED, visible(shown))


OBEYED = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
"""What a terminal would act on."""


def test_a_hostile_model_cannot_speak_to_the_terminal(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = llama()
    (key,) = (one for one in made.keys if one.name == "general.architecture")
    key.value = "\x1b[31mred\x1b]0;title\x07\u202e"
    path = tmp_path / "\x1b[2Jx.gguf"
    path.write_bytes(made.file())
    assert run(["inspect", str(path)]) == 2
    out, err = capsys.readouterr()
    assert "\\u001b[31mred" in err
    assert not re.search(OBEYED, out + err)
