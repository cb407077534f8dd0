"""Every error number raised in packer/ has its section in docs/errors.md, and the other way."""

import re
from pathlib import Path

PAGE = Path("docs/errors.md").read_text()
SECTIONS = re.findall(r"^## (P\d{4})$", PAGE, re.MULTILINE)
# A code that is raised stands in quotes; docstrings and help texts show examples without.
RAISED = {
    code
    for path in Path("packer").rglob("*.py")
    for code in re.findall(r'"(P\d{4})"', path.read_text())
}


def test_every_error_number_has_its_section() -> None:
    assert sorted(RAISED - set(SECTIONS)) == []


def test_every_section_is_of_an_error_that_can_happen() -> None:
    assert sorted(set(SECTIONS) - RAISED) == []


def test_sections_are_sorted_and_none_is_empty() -> None:
    assert sorted(set(SECTIONS)) == SECTIONS
    bodies = re.split(r"^## P\d{4}$", PAGE, flags=re.MULTILINE)[1:]
    assert all(len(body.strip()) > 20 for body in bodies)


def test_every_block_is_introduced() -> None:
    introduced = set(re.findall(r"^\| (P\d\d)xx \|", PAGE, re.MULTILINE))
    assert {code[:3] for code in SECTIONS} <= introduced
