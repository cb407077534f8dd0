"""Tasks on a Ray cluster that runs already; gpu-packer must be installed on its nodes."""

import socket
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from packer.errors import Unreachable
from packer.sweep.missing import library
from packer.sweep.task import Finished, Work, failure_of

_CONNECT_SECONDS = 20
_AT_ONCE_PER_PROCESSOR = 4
"""Tasks handed to the cluster ahead of time, so that no processor waits for the next."""


class RayCluster:
    """An engine of one task per processor of a Ray cluster.

    Attributes:
        name: ``ray``.
        address: ``host:port`` of the head node, ``ray://host:port`` of a Ray client, or ``auto``.
        processes: Processors of the cluster, once it is reached.
    """

    name = "ray"

    def __init__(self, address: str) -> None:
        """The cluster is reached when there are tasks."""
        self.address = address
        self.processes = 0

    def run(self, work: Work, shared: Any, tasks: Sequence[Any]) -> Iterator[Finished]:
        """Every task once, as it comes back."""
        ray = library("ray", "ray")
        _require_listener(self.address)
        with _connected(ray, self.address):
            self.processes = int(ray.cluster_resources().get("CPU", 1))
            boxed = (ray.put(shared),)
            remote = ray.remote(num_cpus=1, max_retries=0)(_on_worker)
            waiting, running = deque(enumerate(tasks)), dict[Any, int]()
            while waiting or running:
                while waiting and len(running) < _AT_ONCE_PER_PROCESSOR * self.processes:
                    index, task = waiting.popleft()
                    running[remote.remote(work, boxed, task)] = index
                (done,), _ = ray.wait(list(running))
                yield _finished(ray, done, running.pop(done))


_unpacked: dict[str, Any] = {}


def _on_worker(work: Work, boxed: tuple[Any], task: Any) -> Any:
    """One task, with what all share unpacked once per process.

    Ray unpacks an argument anew for every task; what is remembered about its parts would be lost.
    """
    key = boxed[0].hex()
    if key not in _unpacked:
        _unpacked.clear()
        _unpacked[key] = library("ray", "ray").get(boxed[0])
    return work(_unpacked[key], task)


def _require_listener(address: str) -> None:
    """Refuse an address that nobody listens at: Ray would end this very process, not raise."""
    place = address.removeprefix("ray://")
    host, _, port = place.rpartition(":")
    if not port.isdecimal():  # such as "auto"
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise Unreachable(f"no Ray cluster answers at {address}: {failure_of(error)}") from error


@contextmanager
def _connected(ray: ModuleType, address: str) -> Iterator[None]:
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise Unreachable(f"no Ray cluster answers at {address}: {failure_of(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _finished(ray: ModuleType, reference: Any, index: int) -> Finished:
    try:
        return Finished(index, ray.get(reference))
    except ray.exceptions.RayTaskError as error:
        return Finished(index, failure=failure_of(error.cause or error))
    except ray.exceptions.RayError as error:
        return Finished(index, failure=failure_of(error))
