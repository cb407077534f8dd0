"""Reports and schemas through the API: which files are written, which names are refused."""

from pathlib import Path

import pytest

from packer import api
from packer.errors import InvalidInput
from tests.planned import plan

EXAMPLE = "01-four-models-one-card"


@pytest.mark.parametrize(
    ("formats", "names"),
    [
        (("html", "markdown", "json"), {"index.html", "report.md", "report.json"}),
        (("markdown",), {"report.md"}),
        (["json", "json"], {"report.json"}),
    ],
)
def test_what_is_asked_is_written(
    formats: tuple[str, ...], names: set[str], tmp_path: Path
) -> None:
    out = tmp_path / "report"
    assert set(api.report(plan(EXAMPLE), out, formats=formats)) == names
    assert {path.name for path in out.iterdir()} == {*names, ".gpu-packer"}


def test_tables_are_written_as_csv(tmp_path: Path) -> None:
    names = api.report(plan(EXAMPLE), tmp_path / "report", formats=("csv",))
    assert names
    assert all(name.endswith(".csv") for name in names)


@pytest.mark.parametrize(("formats", "title"), [(("pdf", "html"), "pdf is no"), ((), "no format")])
def test_an_unknown_format_writes_nothing(
    formats: tuple[str, ...], title: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=rf"P0482\]: {title}"):
        api.report(plan(EXAMPLE), tmp_path / "report", formats=formats)
    assert list(tmp_path.iterdir()) == []
