"""The flag tables that ship with the package."""

import pytest

from packer.llamacpp.flag_table import PROGRAMS, flag_table, known_builds, nearest_build
from packer.llamacpp.shorthands import SHORTHANDS
from packer.llamacpp.sizing import rule_of, sizing_flags


def test_builds_known_by_name() -> None:
    assert known_builds() == ("b11434", "b11549")


@pytest.mark.parametrize(
    ("build", "nearest"),
    [
        ("b11434", "b11434"),
        ("b1", "b11434"),
        ("11490", "b11434"),
        ("b11500", "b11549"),
        ("b99999", "b11549"),
        ("master", "b11549"),
    ],
)
def test_nearest_build(build: str, nearest: str) -> None:
    assert nearest_build(build) == nearest


@pytest.mark.parametrize("build", known_builds())
def test_tables_are_sound(build: str) -> None:
    table = flag_table(build)
    spellings = [name for flag in table.flags for name in (*flag.names, *flag.negated)]
    assert len(spellings) == len(set(spellings)) == len(table.by_name)
    assert all(set(flag.programs) <= set(PROGRAMS) for flag in table.flags)
    assert all(name.startswith("-") for name in spellings)
    assert all(flag.value == "none" for flag in table.flags if flag.negated)
    assert len(table.flags) > 250


@pytest.mark.parametrize("build", known_builds())
def test_every_rule_belongs_to_a_flag(build: str) -> None:
    by_name = flag_table(build).by_name
    newer = {"--moe-cache-mib"}
    assert {name for name in sizing_flags() if name not in by_name} <= newer
    assert all(rule_of(by_name[name]) for name in SHORTHANDS)
