"""A function in a forked child: its answer, or how it ended instead."""

import os
import pickle
import resource
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from enum import StrEnum
from typing import Any

_MOST_BYTES = 8 * 2**30


class Ending(StrEnum):
    """How a child ended."""

    RETURNED = "returned"
    DIED = "died"
    TOO_LONG = "too long"


def in_child(function: Callable[[], Any], seconds: float) -> tuple[Ending, Any]:
    """Answer of a function that runs in a child, in a process group of its own.

    Args:
        function: What to call; its answer must be picklable.
        seconds: Processor time it may take; on the clock sixty times that and five minutes, for
            one that waits for ever.
    """
    with tempfile.TemporaryFile() as answer:
        child = os.fork()
        if child == 0:
            _work(function, seconds, answer)
        try:
            too_long = not _has_ended(child, 60 * seconds + 300)
        finally:
            _end_group(child)
            _, status = os.waitpid(child, 0)
        if too_long or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF):
            return Ending.TOO_LONG, None
        if status != 0:
            return Ending.DIED, None
        answer.seek(0)
        return Ending.RETURNED, pickle.load(answer)


def _work(function: Callable[[], Any], seconds: float, answer: Any) -> None:
    """Body of the child; does not return."""
    status = 1
    try:
        os.setpgid(0, 0)
        limit_seconds(seconds)
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
        pickle.dump(function(), answer)
        answer.flush()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def limit_seconds(seconds: float) -> None:
    """End this process after so much more processor time."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _has_ended(child: int, seconds: float) -> bool:
    handle = os.pidfd_open(child)
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def _end_group(child: int) -> None:
    """What a child leaves running ends with it."""
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(child, signal.SIGKILL)
