"""Ctrl-C: whether it is behind what ended a command."""

import signal
from types import FrameType


class CtrlC:
    """Whether Ctrl-C was pressed, whatever a library made of the ``KeyboardInterrupt``.

    Libraries wrap it: Python in a ``RuntimeError`` while a class is made, pydantic-core in the
    words of a ``SchemaError`` that does not even name its cause.
    """

    def __init__(self) -> None:
        self._is_pressed = False

    def listen(self) -> None:
        """Remember the signal from now on. A job told to ignore it goes on ignoring it."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._remember)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._is_pressed = True
        signal.default_int_handler(number, frame)

    def pass_on(self) -> None:
        """Raise a press that a library swallowed, as extension modules do while they are loaded."""
        if self._is_pressed:
            raise KeyboardInterrupt

    def is_behind(self, error: BaseException | None) -> bool:
        """Whether an error came of it."""
        if self._is_pressed:
            return True
        while error is not None and not isinstance(error, KeyboardInterrupt):
            error = error.__cause__ or error.__context__
        return error is not None


CTRL_C = CtrlC()
"""That of this process."""
