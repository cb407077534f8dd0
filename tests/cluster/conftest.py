"""The cluster of these tests: one control plane per test process, or the one the user names."""

from collections.abc import Iterator

import pytest

from tests.cluster.binaries import HOW, find_binaries
from tests.cluster.control_plane import ControlPlane
from tests.tools import left_out


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    binaries = find_binaries()
    if binaries is None:
        left_out(f"there is no Kubernetes control plane; {HOW}")
    running = ControlPlane(binaries)
    yield running
    running.stop()
