"""A file on an HTTP server, read by range requests: few, bounded in bytes and in time.

Needs the extra ``gpu-packer[remote]``; import this module only when a remote file is asked for.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self

import httpx2

from packer.errors import InvalidModelFile, Location, Problem, Unreachable
from packer.gguf.addresses import without_secrets
from packer.gguf.byte_ranges import cannot_open
from packer.gguf.time_limit import TimeLimit

_READ_AHEAD = (4 * 2**20, 16 * 2**20, 64 * 2**20)
"""Bytes of the first, second and any later request: three reach the end of every header in use."""
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_MISSING = (404, 410)
_NOT_ALLOWED = (401, 403)
_NO_SUCH_BYTES = 416  # its name in HTTPStatus changed between Python versions
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")
_RANGES_HELP = "download the file, or use a server that answers range requests"


@dataclass(frozen=True)
class TimeLimits:
    """Seconds without an answer, and seconds for the whole header."""

    stall_seconds: float = 15.0
    total_seconds: float = 120.0


class RemoteFile:
    """One file behind ``http://`` or ``https://``; a context manager.

    Credentials (``headers``, or a user name in the URL) go to the first host only.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str] | None = None, limits: TimeLimits | None = None
    ) -> None:
        """Ask for the first bytes, which also tells the size.

        Raises:
            InvalidModelFile: There is no such file, or the server cannot serve ranges.
            Unreachable: The server does not answer, or not in time.
        """
        self._limits = limits or TimeLimits()
        try:
            self._url = httpx2.URL(url)
        except httpx2.InvalidURL as error:
            raise cannot_open(url, f"not a URL: {error}") from error
        self.name = without_secrets(url)
        self._credentials = dict(headers or {})
        self._requests = 0
        self.size = 0
        self._client = httpx2.Client(timeout=self._limits.stall_seconds, follow_redirects=False)
        self._limit = TimeLimit(self._limits.total_seconds)
        try:
            self._first = self._request(0, 1)
        except BaseException:
            self._close()
            raise

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from ``offset``: at least ``length`` unless the file ends; reads far ahead."""
        if offset + length <= len(self._first):
            return self._first[offset:]
        return self._request(offset, length)

    def _request(self, offset: int, length: int) -> bytes:
        ahead = _READ_AHEAD[min(self._requests, len(_READ_AHEAD) - 1)]
        self._requests += 1
        last = offset + max(length, ahead) - 1
        if self.size:
            last = min(last, self.size - 1)
        with self._network_errors():
            for _ in range(_MOST_REDIRECTS + 1):
                with self._client.stream(
                    "GET",
                    self._url,
                    headers=self._headers(offset, last),
                    extensions={"trace": self._limit.watch},
                ) as r:
                    if r.status_code not in _REDIRECTS:
                        return self._content(r, offset, last)
                    self._redirect(r)
        raise self._refused(f"more than {_MOST_REDIRECTS} redirects")

    def _headers(self, first: int, last: int) -> dict[str, str]:
        ranges = {"Range": f"bytes={first}-{last}", "Accept-Encoding": "identity"}
        return ranges | self._credentials

    def _redirect(self, response: httpx2.Response) -> None:
        """Go on at the new address, for all later requests too; leave credentials behind."""
        try:
            target = self._url.join(response.headers.get("Location", ""))
        except httpx2.InvalidURL as error:
            raise self._refused("a redirect to something that is no URL") from error
        is_weaker = self._url.scheme == "https" and target.scheme != "https"
        if target.scheme not in ("http", "https") or is_weaker:
            raise self._refused(f"a redirect to {target.scheme}://{target.host}")
        if _origin(target) != _origin(self._url):
            self._credentials = {}
            target = target.copy_with(username=None, password=None)
        self._url = target

    def _content(self, response: httpx2.Response, first: int, last: int) -> bytes:
        self._check_status(response.status_code)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self._refused("the bytes compressed, so that offsets mean nothing")
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None:
            raise self._refused("a part without saying which (Content-Range)")
        start, end, size = int(match[1]), int(match[2]), int(match[3])
        if start != first or not first <= end <= last or end >= size:
            raise self._refused(
                f"bytes {start}-{end} of {size} where {first}-{last} were asked for"
            )
        if self.size not in (0, size):
            raise self._refused("another size than a moment ago: the file changed")
        self.size = size
        return self._body(response, end - start + 1)

    def _check_status(self, status: int) -> None:
        if status in _MISSING:
            raise cannot_open(self.name, f"the server says {status}: there is no such file")
        if status in _NOT_ALLOWED:
            raise cannot_open(self.name, f"the server says {status}: a token is needed, or another")
        if status == HTTPStatus.OK:
            raise self._refused("the whole file: it ignores ranges")
        if status == _NO_SUCH_BYTES:
            raise self._refused("that there are no such bytes: the file is empty or changed")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise Unreachable(f"{self.name}: the server says {status}; try again later")
        if status != HTTPStatus.PARTIAL_CONTENT:
            raise self._refused(f"status {status}")

    def _body(self, response: httpx2.Response, length: int) -> bytes:
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > length:
                raise self._refused("more bytes than it announced")
        if len(body) < length:
            raise self._refused(f"{len(body)} bytes where it announced {length}")
        return bytes(body)

    @contextmanager
    def _network_errors(self) -> Iterator[None]:
        """Turn what the network does into one line that names the file."""
        try:
            yield
        except httpx2.TransportError as error:
            if self._limit.is_over:
                seconds = self._limits.total_seconds
                raise Unreachable(f"{self.name}: no whole header within {seconds:g} s") from error
            raise self._named(error) from error

    def _named(self, error: httpx2.TransportError) -> InvalidModelFile | Unreachable:
        """The user's error for one of the network."""
        if isinstance(error, httpx2.TimeoutException):
            seconds = self._limits.stall_seconds
            return Unreachable(f"{self.name}: no answer within {seconds:g} s")
        if isinstance(error, httpx2.UnsupportedProtocol):
            return cannot_open(self.name, str(error))
        if isinstance(error, httpx2.RemoteProtocolError):
            return self._refused(f"something that is not HTTP: {error}")
        return Unreachable(f"{self.name}: {error or type(error).__name__}")

    def _refused(self, answer: str) -> InvalidModelFile:
        return InvalidModelFile(
            Problem(
                "P0313",
                f"the server answers with {answer}",
                Location(self.name),
                help=_RANGES_HELP,
            )
        )

    def _close(self) -> None:
        self._client.close()
        self._limit.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
