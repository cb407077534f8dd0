"""Every input that fuzzing began from, kept or found: a result or one of our errors, in a second.

``make fuzz SECONDS=600`` looks for more; what it finds goes to ``findings/`` and stays.
"""

import time
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, run

HERE = Path(__file__).parent
_MOST_SECONDS = 1.0


def _kept(name: str) -> list[Path]:
    folders = (HERE / "seeds" / name, HERE / "findings" / name)
    return sorted(path for folder in folders if folder.is_dir() for path in folder.iterdir())


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_kept_inputs_give_a_result_or_one_of_our_errors(name: str) -> None:
    inputs = [*TARGETS[name].seeds(), *(path.read_bytes() for path in _kept(name))]
    assert inputs
    for content in inputs:
        begun = time.process_time()
        run(TARGETS[name], content)
        # Coverage's tracer makes everything a few times slower.
        assert time.process_time() - begun < 10 * _MOST_SECONDS, content[:100]


@pytest.mark.parametrize("name", sorted(set(TARGETS) - {"router-preset"}))
def test_seeds_reach_past_the_door(name: str) -> None:
    """A target whose seeds are all refused would fuzz the first check only."""
    accepted = 0
    for content in TARGETS[name].seeds():
        try:
            TARGETS[name].run(content)
        except Exception:
            continue
        accepted += 1
    assert accepted > 0
