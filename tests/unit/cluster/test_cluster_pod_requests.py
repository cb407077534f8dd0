"""Memory the scheduler counts for a pod."""

from typing import Any

import pytest

from packer.cluster.pods import pod_of, pod_requests


def container(memory: str, **more: Any) -> dict[str, Any]:
    return {"resources": {"requests": {"memory": memory}}, **more}


@pytest.mark.parametrize(
    ("spec", "gib"),
    [
        ({"containers": [container("1Gi"), container("2Gi")]}, 3),
        ({"containers": [container("1Gi")], "initContainers": [container("5Gi")]}, 5),
        (
            {
                "containers": [container("1Gi")],
                "initContainers": [container("2Gi", restartPolicy="Always"), container("5Gi")],
            },
            7,
        ),
        ({"containers": [container("1Gi")], "overhead": {"memory": "1Gi"}}, 2),
        ({"containers": [container("1Gi")], "resources": {"requests": {"memory": "8Gi"}}}, 8),
        ({"containers": [{"resources": {"limits": {"memory": "4Gi"}}}]}, 4),
        ({"containers": [{}]}, 0),
    ],
)
def test_requests_are_counted_as_the_scheduler_does(spec: dict[str, Any], gib: int) -> None:
    assert pod_requests(spec).get("memory", 0) == gib * 2**30


def test_pods_that_ended_hold_nothing() -> None:
    item = {
        "metadata": {"namespace": "a", "name": "b", "uid": "c"},
        "spec": {"containers": [container("1Gi")], "nodeName": "n"},
        "status": {"phase": "Succeeded"},
    }
    assert pod_of(item) is None
