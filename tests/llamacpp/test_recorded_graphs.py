"""The record of graphs is what the pinned wheel builds."""

from pathlib import Path

import pytest

from tests.graph_facts import record
from tests.llamacpp.oracle import Oracle
from tests.llamacpp.record_graphs import recorded

_NAMES = sorted({one["model"] for one in record()})


@pytest.mark.parametrize("name", _NAMES[::12])
def test_record_is_what_the_wheel_builds(name: str, oracle: Oracle, tmp_path: Path) -> None:
    assert recorded(oracle, tmp_path, name) == [one for one in record() if one["model"] == name]
