"""Draws the README's picture.

    python benchmarks/readme_picture.py plan.json docs/images/plan.svg

The picture is a function of the plan alone, so running it again changes nothing.
"""

import sys
from pathlib import Path

from packer.report.svg_picture import plan_svg
from packer.spec.plan_file import read_plan


def main(plan_path: Path, picture_path: Path) -> None:
    """Read a plan and write its picture."""
    plan = read_plan(plan_path.read_text(encoding="utf-8"), str(plan_path))
    picture_path.parent.mkdir(parents=True, exist_ok=True)
    picture_path.write_text(plan_svg(plan), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python benchmarks/readme_picture.py PLAN.json PICTURE.svg")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
