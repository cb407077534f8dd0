"""A real server on the CPU calibrates, and its own loads come back; others differ as they must.

How near predictions are is measured by ``python -m benchmarks.cpu_server_speed``, over three models
on a machine that does nothing else: beside other tests clock, caches and so the answers vary.
"""

import sys
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from benchmarks.cpu_server_speed import BAR, KNOWN, PREDICTED, SHAPES, check_model
from tests.tiny_models import write_tiny_model


@pytest.mark.skipif(sys.platform != "linux", reason="processor time of another process is read")
def test_loads_of_a_real_server_calibrate(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "small.gguf", SHAPES["small dense"])
    checked = list(check_model(path, steps=12, rounds=2))
    known = {(one.slots, one.depth): one for one in checked if one.was_known}
    predicted = {(one.slots, one.depth): one for one in checked if not one.was_known}
    assert (set(known), set(predicted)) == (set(KNOWN), set(PREDICTED))
    assert median(abs(one.error) for one in known.values()) <= BAR / 2
    both = known | predicted
    for depth in (64, 512):
        steps = [both[key].predicted for key in sorted(both) if key[1] == depth]
        assert all(one < more for one, more in pairwise(steps)), "more slots, a longer step"
    for slots in (1, 2, 4, 8):
        assert both[slots, 64].predicted < both[slots, 512].predicted, "deeper, a longer step"
