"""Tasks on a Dask cluster that runs already; gpu-packer must be installed on its workers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from packer.errors import Unreachable
from packer.sweep.missing import library
from packer.sweep.task import Finished, Work, failure_of

_CONNECT_SECONDS = 20


class DaskCluster:
    """An engine of the workers of a Dask cluster.

    Attributes:
        name: ``dask``.
        address: ``tcp://host:port`` of the scheduler.
        processes: Threads of all workers, once the cluster is reached.
    """

    name = "dask"

    def __init__(self, address: str) -> None:
        """The cluster is reached when there are tasks."""
        self.address = address
        self.processes = 0

    def run(self, work: Work, shared: Any, tasks: Sequence[Any]) -> Iterator[Finished]:
        """Every task once, as it comes back."""
        distributed = library("distributed", "dask")
        with _connected(distributed, self.address) as client:
            self.processes = sum(client.nthreads().values())
            (kept,) = client.scatter([shared], broadcast=True, hash=False)
            indexes = {
                client.submit(work, kept, task, pure=False): index
                for index, task in enumerate(tasks)
            }
            for future in distributed.as_completed(list(indexes), loop=client.loop):
                yield _finished(future, indexes.pop(future))
                future.release()


@contextmanager
def _connected(distributed: ModuleType, address: str) -> Iterator[Any]:
    try:
        client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise Unreachable(f"no Dask cluster answers at {address}: {failure_of(error)}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
        except TimeoutError as error:
            raise Unreachable(f"the Dask cluster at {address} has no worker") from error
        yield client


def _finished(future: Any, index: int) -> Finished:
    error = future.exception()
    if error is not None:
        return Finished(index, failure=failure_of(error))
    return Finished(index, future.result())
