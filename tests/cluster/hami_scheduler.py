"""Cards given out by HAMi: one more kube-scheduler, and the extender that picks its cards.

The extender is HAMi's own program where ``GPU_PACKER_TEST_HAMI`` names it; its module is not on the
Go module proxy, so elsewhere a stand-in keeps its rules.

Source: HAMi 2.10.0, charts/hami/templates/scheduler/configmap.yaml.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.control_plane import ControlPlane
from tests.cluster.hami_extender import stand_in
from tests.cluster.hami_program import running_program

PROGRAM = "GPU_PACKER_TEST_HAMI"
"""Path of HAMi's scheduler, built with ``go build ./cmd/scheduler`` in its sources."""
NAME = "hami-scheduler"
_MANAGED = ("nvidia.com/gpu", "nvidia.com/gpumem")


@contextmanager
def hami_scheduler(plane: ControlPlane) -> Iterator[None]:
    """A second scheduler that pods of HAMi name, while the body runs."""
    given = os.environ.get(PROGRAM)
    extender = running_program(plane, Path(given)) if given else stand_in(plane)
    with extender as port:
        plane.start_scheduler(NAME, _configuration(port, binds=bool(given)))
        try:
            yield
        finally:
            plane.end(NAME)


def _configuration(port: int, *, binds: bool) -> dict[str, Any]:
    extender = {
        "urlPrefix": f"http://127.0.0.1:{port}",
        "filterVerb": "filter",
        **({"bindVerb": "bind"} if binds else {}),
        "weight": 1,
        "nodeCacheCapable": True,
        "httpTimeout": "30s",
        "managedResources": [{"name": name, "ignoredByScheduler": True} for name in _MANAGED],
    }
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "profiles": [{"schedulerName": NAME}],
        "extenders": [extender],
    }
