"""The tests on a cluster that runs already: used, emptied again, never ended."""

import os
import subprocess
import sys
from pathlib import Path

from tests.cluster.campaign import full_only
from tests.cluster.control_plane import ControlPlane
from tests.cluster.given_cluster import VARIABLE
from tests.tools import REQUIRE_TOOLS

_FOLDER = Path(__file__).parent


@full_only
def test_a_ready_cluster_is_used_and_left_as_it_was(plane: ControlPlane) -> None:
    before = plane.read("namespaces,nodes,deviceclasses,customresourcedefinitions")["items"]
    files = [_FOLDER / f"test_cluster_{name}.py" for name in ("accepts", "apply", "faults")]
    given = {VARIABLE: str(plane.kubeconfig), REQUIRE_TOOLS: "0", "GPU_PACKER_CLUSTER_TEST": ""}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *files],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "the authority of a given cluster is not ours" in done.stdout
    after = plane.read("namespaces,nodes,deviceclasses,customresourcedefinitions")["items"]
    assert [one["metadata"]["name"] for one in after] == [one["metadata"]["name"] for one in before]
