"""An end to connections that never stall but never finish: a server may send byte after byte.

Time limits of HTTP libraries start anew with every byte. Here the connection itself is shut down
when time is up, whatever it is busy with: a handshake, the lines of an answer, or its body.
"""

import socket
import threading
import time
from typing import Any


class TimeLimit:
    """Shuts every connection it was shown down when its seconds are over."""

    def __init__(self, seconds: float) -> None:
        """Time starts now."""
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._shut_down)
        self._timer.daemon = True
        self._timer.start()

    @property
    def is_over(self) -> bool:
        """Whether time is up."""
        return time.monotonic() >= self._end

    def watch(self, event: str, info: dict[str, Any]) -> None:
        """Callback of the HTTP library's ``trace`` extension: take note of new connections."""
        if event != "connection.connect_tcp.complete":
            return
        # A copy: the handshake of TLS takes the socket away from the stream.
        copy = info["return_value"].get_extra_info("socket").dup()
        with self._lock:
            self._connections.append(copy)
        if self.is_over:
            self._shut_down()

    def close(self) -> None:
        """Stop watching."""
        self._timer.cancel()
        with self._lock:
            while self._connections:
                self._connections.pop().close()

    def _shut_down(self) -> None:
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    # The server was faster: its end is closed already.
                    continue
