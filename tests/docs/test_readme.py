"""The README shows what the tool prints now, and its commands and links work."""

import os
import re

import pytest

from packer import api
from packer.cli.main import app
from packer.report.svg_picture import plan_svg
from tests.planned import ROOT, plan

README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "images" / "company.svg"
_TABLE = re.compile(r"(?<=<!-- plan -->\n).*?(?=<!-- /plan -->)", re.DOTALL)
_UPDATE = bool(os.environ.get("GPU_PACKER_UPDATE_GOLDEN"))


def shown_plan() -> str:
    """The table of the company fleet, without the seconds it took and the footnotes."""
    text = api.plan_table(plan("02-company-fleet"))
    text = re.sub(r" · [0-9.]+ s(?= · seed)", "", text)
    kept = text.split("\nUSED is the upper band")[0].rstrip()
    return f"```\n{kept}\n```\n"


def test_the_table_is_what_plan_prints() -> None:
    if _UPDATE:
        README.write_text(_TABLE.sub(lambda _: shown_plan(), README.read_text()), encoding="utf-8")
    match = _TABLE.search(README.read_text(encoding="utf-8"))
    assert match is not None
    assert match[0] == shown_plan(), "run `make golden`"


def test_the_picture_is_that_of_the_plan() -> None:
    picture = plan_svg(plan("02-company-fleet"))
    if _UPDATE:
        PICTURE.write_text(picture, encoding="utf-8")
    assert PICTURE.read_text(encoding="utf-8") == picture, "run `make golden`"


@pytest.mark.parametrize(
    "page", [README, *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("examples/*/*.md"))]
)
def test_links_lead_somewhere(page) -> None:  # type: ignore[no-untyped-def]
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [one.split("#")[0] for one in re.findall(r"\]\(([^)]+)\)", text)]
    missing = [
        one for one in targets if one and "://" not in one and not (page.parent / one).exists()
    ]
    assert not missing


def test_every_command_of_the_readme_exists() -> None:
    names = {command.name for command in app.registered_commands}
    used = set(re.findall(r"gpu-packer ([a-z]+)", README.read_text(encoding="utf-8")))
    assert used <= names
