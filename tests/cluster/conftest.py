"""The cluster of these tests: one control plane per test process, or the one the user names."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.binaries import HOW, Binaries, find_binaries, missing
from tests.cluster.control_plane import ControlPlane
from tests.cluster.given_cluster import VARIABLE, GivenCluster
from tests.tools import left_out


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    found = find_binaries()
    if found is None:
        left_out(f"there is no Kubernetes control plane ({', '.join(missing())}); {HOW}")
    return found


@pytest.fixture(scope="session")
def plane(binaries: Binaries) -> Iterator[ControlPlane]:
    given = os.environ.get(VARIABLE)
    running = GivenCluster(Path(given), binaries) if given else ControlPlane(binaries)
    yield running
    running.stop()
