"""Tasks on processes of this machine.

The standard library's pools (and joblib's, which are made of them) are declared broken as soon as
one process dies, and every task in them is lost with it. Here each process has a pipe of its own:
when one is killed, for want of memory say, exactly its task fails, and another takes its place.
"""

import os
import signal
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from packer.sweep.task import Finished, Work, failure_of

_PATIENCE_SECONDS = 10.0
"""Given to processes that have nothing left to do, before they are killed."""


def usable_processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class _Worker:
    process: BaseProcess
    pipe: "Connection[Any, Any]"
    index: int = -1


class Processes:
    """An engine of fresh processes; they inherit nothing but what they are sent.

    Attributes:
        name: ``processes``.
        processes: How many run at once.
    """

    name = "processes"

    def __init__(self, processes: int) -> None:
        """As many processes as wanted; they start when there are tasks."""
        self.processes = processes

    def run(self, work: Work, shared: Any, tasks: Sequence[Any]) -> Generator[Finished, None, None]:
        """Every task once, as it comes back."""
        waiting = deque(enumerate(tasks))
        workers: list[_Worker] = []
        try:
            while waiting or workers:
                while waiting and len(workers) < self.processes:
                    workers.append(_started(work, shared, waiting.popleft()))
                ready = wait([one.pipe for one in workers])
                for worker in [one for one in workers if one.pipe in ready]:
                    finished = _collected(worker)
                    # The next task first: whoever takes the result may be slow with it.
                    if worker.process.exitcode is None and waiting:
                        _hand_out(worker, waiting.popleft())
                    else:
                        _dismiss(worker)
                        workers.remove(worker)
                    yield finished
        finally:
            for worker in workers:
                worker.process.kill()
                worker.process.join()


def _started(work: Work, shared: Any, task: tuple[int, Any]) -> _Worker:
    # Forking would copy the threads of libraries in a state that nobody can name.
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work, shared), daemon=True)
    process.start()
    theirs.close()
    worker = _Worker(process, ours)
    _hand_out(worker, task)
    return worker


def _hand_out(worker: _Worker, task: tuple[int, Any]) -> None:
    worker.index = task[0]
    try:
        worker.pipe.send(task[1])
    except OSError:
        worker.process.join()  # it died before it was asked; collecting tells how


def _collected(worker: _Worker) -> Finished:
    try:
        result, failure = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        return Finished(worker.index, failure=_death(worker.process.exitcode or 0))
    return Finished(worker.index, result, failure)


def _death(exit_code: int) -> str:
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = "; out of memory?" if -exit_code == signal.SIGKILL else ""
        return f"its process was killed by {name}{hint}"
    return f"its process ended with status {exit_code}"


def _dismiss(worker: _Worker) -> None:
    """Let a process end by itself: it sees the end of its pipe."""
    worker.pipe.close()
    worker.process.join(_PATIENCE_SECONDS)
    if worker.process.exitcode is None:
        worker.process.kill()
        worker.process.join()


def _serve(pipe: "Connection[Any, Any]", work: Work, shared: Any) -> None:
    """Answer tasks until the other end is closed, which it also is when that process dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = (work(shared, task), "")
        except Exception as error:
            answer = (None, failure_of(error))
        pipe.send(answer)
