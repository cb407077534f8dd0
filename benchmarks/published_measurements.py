"""docs/published-measurements.md: three articles beside our estimates, row by row.

    python -m benchmarks.published_measurements [--write docs/published-measurements.md]

Published figures are in tests/data/published; everything else is computed here. A test compares the
page with what this prints.
"""

import argparse
import json
from pathlib import Path

from benchmarks import published_decisions, published_drafts, published_memory, published_mtp

ARTICLES = json.loads(
    (published_memory.ROOT / "tests/data/published/articles.json").read_text(encoding="utf-8")
)
_HEAD = f"""# Published measurements

Three articles started this project. Here every figure of theirs stands beside ours, with the
reason where they differ. The page is written by `make published` from
`tests/data/published/articles.json` (read {ARTICLES["read"]}) and compared by a test. How we
estimate is in [memory-model.md](memory-model.md) and [performance-model.md](performance-model.md).
"""
_GUARD = """
`gpu-packer estimate` exits 1 for a command line over budget, so it can guard a launch."""


def document() -> str:
    """The page."""
    lines = [
        _HEAD,
        *published_memory.section(ARTICLES["memory"]),
        *published_drafts.section(ARTICLES["draft"]),
        *published_mtp.section(ARTICLES["mtp"]),
        *published_decisions.section(ARTICLES["mtp"]),
        _GUARD,
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description="Published measurements beside our estimates")
    parser.add_argument("--write", type=Path)
    path = parser.parse_args().write
    if path is None:
        print(document(), end="")
    else:
        path.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
