"""Work for engines to do: small functions of a module, as other processes need them."""

import os
import signal
import time


def doubled(shared: int, task: int) -> int:
    """A result that needs both."""
    return shared + 2 * task


def doubled_or_not(shared: int, task: int) -> int:
    """Some tasks raise, some kill the process they are in."""
    if task == 3:
        raise ValueError("three   is\nrefused")
    if task == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    if task == 7:
        os._exit(9)
    return doubled(shared, task)


def own_process(shared: float, task: int) -> int:
    """Where it ran, after a while."""
    time.sleep(shared)
    return os.getpid()
