"""Saved plans: read, written, shown and explained."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packer.plan.plan import Plan


def read_plan(path: str | Path) -> "Plan":
    """A saved plan; ``-`` is standard input.

    Raises:
        InvalidInput: The file is no plan, or one of another version.
    """
    from packer.files.text import read_text, shown_name
    from packer.spec.plan_file import read_plan as parse_plan

    return parse_plan(read_text(path), shown_name(path))


def plan_text(plan: "Plan") -> str:
    """The plan as JSON, the contract of ``schemas/plan.schema.json``."""
    from packer.spec.plan_file import format_plan

    return format_plan(plan)


def plan_yaml(plan: "Plan") -> str:
    """The plan as YAML, with the keys of the JSON."""
    import json

    import yaml

    text = plan_text(plan)
    # YAML takes these three for ends of lines, and its writer would fold them to blanks.
    readable = not any(end in text for end in "\x85\u2028\u2029")
    return yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=readable)


def save(plan: "Plan", path: str | Path) -> None:
    """Write a plan as JSON, whole or not at all."""
    from packer.files.single_file import write_file

    write_file(Path(path), plan_text(plan))


def plan_table(plan: "Plan", *, wide: bool = False, width: int = 120) -> str:
    """The plan for people in a terminal."""
    from packer.report.terminal import plan_table as table
    from packer.report.terminal import shows_unicode

    return table(plan, wide=wide, width=width, unicode=shows_unicode(sys.stdout))


def moves_text(plan: "Plan") -> str:
    """One line on what changes against the plan it was made from; empty without one."""
    from packer.plan.moves import moves_note

    return moves_note(plan.moves) if plan.moves else ""


def replan_text(old: "Plan", new: "Plan") -> str:
    """What a new plan changes of what runs, with cards and cost beside those of the last plan."""
    from packer.report.replan_text import replan_text as text_of

    return text_of(old, new)


def explain(plan: "Plan", workload: str) -> str:
    """Why a workload runs where it does, what was refused, and what would save a card."""
    from packer.plan.explanation import explain_workload

    return explain_workload(plan, workload)
