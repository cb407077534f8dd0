import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from packer.errors import InvalidInput, InvalidModelFile, Unreachable
from packer.gguf import remote_model
from packer.gguf.addresses import is_remote
from packer.gguf.header import read_model
from packer.gguf.remote_file import RemoteFile, TimeLimits
from packer.gguf.remote_model import read_remote_model
from tests import gguf_bytes as made
from tests.unit.gguf.test_gguf_split import part_name, parts
from tests.untraced import run_untraced

QUICK = TimeLimits(stall_seconds=0.3, total_seconds=1.0)


@dataclass
class Site:
    """A web server on this machine that can be told to misbehave."""

    files: dict[str, bytes] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    answer: Callable[["Handler"], bool] | None = None
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.site.requests.append((self.path, wanted, self.headers.get("Authorization", "")))
        if self.site.answer is not None and self.site.answer(self):
            return
        content = self.site.files.get(self.path.partition("?")[0])
        if content is None:
            self.send(404)
            return
        size = self.site.sizes.get(self.path, len(content))
        first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", wanted).groups())  # type: ignore[union-attr]
        last = min(last, size - 1)
        # A file may be longer than what is stored of it: the rest is zeros.
        body = content[first : last + 1].ljust(last - first + 1, b"\0")
        self.send(206, body, {"Content-Range": f"bytes {first}-{last}/{size}"})

    def send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, content in (headers or {}).items():
            self.send_header(name, content)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has seen enough closes early; that is what some tests are about."""


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    server = QuietServer(("127.0.0.1", 0), type("SiteHandler", (Handler,), {"site": site}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site(files={"/model.gguf": made.llama().file()})) as running:
        yield running


def read(url: str) -> object:
    return read_model(url, lambda name: RemoteFile(name, limits=QUICK))


def refusal(site: Site, answer: Callable[[Handler], bool]) -> str:
    """The one error of a server that answers so."""
    site.answer = answer
    with pytest.raises(InvalidModelFile) as caught:
        read(f"{site.url}/model.gguf")
    (problem,) = caught.value.problems
    assert problem.code in {"P0301", "P0313"}
    assert problem.help
    return str(problem)


def unreachable(site: Site, answer: Callable[[Handler], bool]) -> str:
    site.answer = answer
    start = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        read(f"{site.url}/model.gguf")
    assert time.monotonic() - start < 5
    assert f"{site.url}/model.gguf" in str(caught.value)
    return str(caught.value)


def test_a_small_file_takes_one_request(site: Site) -> None:
    model = read_remote_model(f"{site.url}/model.gguf?download=true")
    assert model.name == "model.gguf"
    assert model.origin == f"{site.url}/model.gguf"
    assert model.file_bytes == len(site.files["/model.gguf"])
    assert len(model.tensors) == len(made.llama().tensors)
    assert [request[1] for request in site.requests] == ["bytes=0-4194303"]


def test_a_large_file_takes_three_requests_at_most(site: Site) -> None:
    content = made.llama(blocks=32, tokens=128_256)
    for key in content.keys:
        if key.name == "tokenizer.ggml.merges":
            key.value = [f"abcdefghijklmnopq {i}" for i in range(600_000)]
    content.tensors.append(made.Tensor("output.weight", (2**20, 2**10), 0))
    header = content.header()
    assert len(header) > 20 * 2**20
    site.files["/large.gguf"] = header
    site.sizes["/large.gguf"] = len(header) + content.data_bytes()
    assert site.sizes["/large.gguf"] > 4_300_000_000
    model = read_remote_model(f"{site.url}/large.gguf")
    assert model.vocabulary_size == 128_256
    assert model.file_bytes == site.sizes["/large.gguf"]
    assert len(site.requests) <= 3


def test_split_parts_are_found_beside_the_one_named(site: Site) -> None:
    site.files = {f"/{part_name(i)}": part.file() for i, part in enumerate(parts())}
    model = read_remote_model(f"{site.url}/{part_name(1)}?download=true")
    assert len(model.tensors) == len(made.llama().tensors)
    del site.files[f"/{part_name(2)}"]
    with pytest.raises(InvalidModelFile, match="P0301") as caught:
        read_remote_model(f"{site.url}/{part_name(1)}")
    assert part_name(2) in str(caught.value)


def test_a_truncated_remote_file_is_refused(site: Site) -> None:
    site.files["/model.gguf"] = made.llama().file()[:-1000]
    with pytest.raises(InvalidModelFile, match="P0309"):
        read_remote_model(f"{site.url}/model.gguf")


def whole_file(handler: Handler) -> bool:
    handler.send(200, handler.site.files["/model.gguf"])
    return True


def no_content_range(handler: Handler) -> bool:
    handler.send(206, b"GGUF")
    return True


def other_range(handler: Handler) -> bool:
    handler.send(206, b"GGUF", {"Content-Range": "bytes 4-7/1000"})
    return True


def impossible_range(handler: Handler) -> bool:
    handler.send(206, b"GGUF", {"Content-Range": "bytes 0-9999999/4"})
    return True


def compressed(handler: Handler) -> bool:
    headers = {"Content-Range": "bytes 0-3/1000", "Content-Encoding": "gzip"}
    handler.send(206, b"GGUF", headers)
    return True


def too_many_bytes(handler: Handler) -> bool:
    handler.send(206, b"GGUF" * 100, {"Content-Range": "bytes 0-3/1000"})
    return True


def too_few_bytes(handler: Handler) -> bool:
    handler.send(206, b"GG", {"Content-Range": "bytes 0-3/1000"})
    return True


def garbage(handler: Handler) -> bool:
    handler.wfile.write(b"\x00\xff garbage \r\n\r\n" * 10)
    handler.close_connection = True
    return True


def status(number: int) -> Callable[[Handler], bool]:
    def answer(handler: Handler) -> bool:
        handler.send(number)
        return True

    return answer


def redirect(target: str) -> Callable[[Handler], bool]:
    def answer(handler: Handler) -> bool:
        handler.send(302, headers={"Location": target})
        return True

    return answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (whole_file, "ignores ranges"),
        (no_content_range, "without saying which"),
        (other_range, "bytes 4-7 of 1000"),
        (impossible_range, "bytes 0-9999999 of 4"),
        (compressed, "compressed"),
        (too_many_bytes, "more bytes than it announced"),
        (too_few_bytes, "2 bytes where it announced 4"),
        (garbage, "not HTTP"),
        (status(404), "no such file"),
        (status(401), "a token is needed"),
        (status(403), "a token is needed"),
        (status(416), "no such bytes"),
        (status(204), "status 204"),
        (redirect("file:///etc/passwd"), "a redirect to file://"),
        (redirect("/model.gguf"), "more than 5 redirects"),
        (redirect("http://[::1"), "no URL"),
    ],
)
def test_a_server_that_misbehaves(
    site: Site, answer: Callable[[Handler], bool], expected: str
) -> None:
    assert expected in refusal(site, answer)


def stall(handler: Handler) -> bool:
    time.sleep(1)
    handler.close_connection = True
    return True


def drip(handler: Handler) -> bool:
    handler.send_response(206)
    handler.send_header("Content-Range", "bytes 0-999/1000")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(30):
        handler.wfile.write(b"G")
        handler.wfile.flush()
        time.sleep(0.1)
    return True


def drip_lines(handler: Handler) -> bool:
    """An answer whose lines come byte by byte: no stall, and no end."""
    handler.wfile.write(b"HTTP/1.1 206 Partial Content\r\nX-Long: ")
    for _ in range(30):
        handler.wfile.write(b"G")
        handler.wfile.flush()
        time.sleep(0.1)
    handler.close_connection = True
    return True


def hang_up(handler: Handler) -> bool:
    handler.send_response(206)
    handler.send_header("Content-Range", "bytes 0-999/1000")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"GGUF")
    handler.close_connection = True
    return True


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (stall, "no answer within 0.3 s"),
        (drip, "no whole header within 1 s"),
        (drip_lines, "no whole header within 1 s"),
        (status(500), "500"),
        (status(503), "try again later"),
        (status(429), "try again later"),
    ],
)
def test_a_server_that_does_not_answer(
    site: Site, answer: Callable[[Handler], bool], expected: str
) -> None:
    assert expected in unreachable(site, answer)


def test_a_connection_that_breaks_off(site: Site) -> None:
    assert "not HTTP" in refusal(site, hang_up)


def test_a_file_that_changes_meanwhile(site: Site) -> None:
    content = made.llama(tokens=64)
    content.keys.insert(0, made.Key("x.long", made.UINT8, [0] * (5 * 2**20)))
    site.files["/model.gguf"] = content.file()

    def answer(handler: Handler) -> bool:
        site.sizes["/model.gguf"] = len(site.files["/model.gguf"]) + len(site.requests)
        return False

    assert "the file changed" in refusal(site, answer)


def test_nobody_listens() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(Unreachable, match=f"http://127.0.0.1:{port}/model.gguf"):
        read(f"http://127.0.0.1:{port}/model.gguf")


def test_credentials_stay_with_the_first_host(site: Site) -> None:
    with serving(Site(files=site.files)) as other:
        # The same machine under another port is another origin, and so another party.
        site.answer = redirect(f"{other.url}/model.gguf")
        headers = {"Authorization": "Bearer secret"}
        read_model(f"{site.url}/model.gguf", lambda name: RemoteFile(name, headers, QUICK))
        assert [request[2] for request in site.requests] == ["Bearer secret"]
        assert [request[2] for request in other.requests] == [""]


def test_a_password_in_the_address_is_neither_shown_nor_forwarded(site: Site) -> None:
    host = site.url.removeprefix("http://")
    with serving(Site(files=site.files)) as other:
        site.answer = redirect(f"{other.url}/nothing.gguf")
        with pytest.raises(InvalidModelFile) as caught:
            read(f"http://me:secret@{host}/model.gguf?signature=abc")
        assert "secret" not in str(caught.value)
        assert "abc" not in str(caught.value)
        assert site.requests[0][2].startswith("Basic ")
        assert other.requests[0][2] == ""


def test_redirects_on_the_same_host_keep_credentials(site: Site) -> None:
    def answer(handler: Handler) -> bool:
        return handler.path == "/old.gguf" and redirect("/model.gguf")(handler)

    site.answer = answer
    read_model(
        f"{site.url}/old.gguf", lambda name: RemoteFile(name, {"Authorization": "Bearer t"}, QUICK)
    )
    assert [request[2] for request in site.requests] == ["Bearer t", "Bearer t"]


@pytest.mark.parametrize("url", ["http://", "https:///model.gguf", "http://[::1/model.gguf"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises((InvalidModelFile, Unreachable)):
        read(url)


def test_a_hub_reference_becomes_an_address(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def address(repo: str, file: str, *, revision: str | None) -> str:
        return f"{site.url}/{repo}/resolve/{revision or 'main'}/{file}"

    monkeypatch.setattr(huggingface_hub, "hf_hub_url", address)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "mine")
    site.files = {
        "/org/repo/resolve/main/sub/a.gguf": made.llama().file(),
        "/org/repo/resolve/v1/a.gguf": made.llama().file(),
    }
    model = read_remote_model("hf://org/repo/sub/a.gguf")
    assert model.origin == "hf://org/repo/sub/a.gguf"
    assert read_remote_model("hf://org/repo@v1/a.gguf").name == "a.gguf"
    assert site.requests[0][2] == "Bearer mine"
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    read_remote_model("hf://org/repo/sub/a.gguf")
    assert site.requests[-1][2] == ""


def test_a_hub_reference_needs_repository_and_file() -> None:
    with pytest.raises(InvalidModelFile, match="hf://organisation/repository/file"):
        read_remote_model("hf://org/repo")


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "packer.gguf.remote_file", None)
    monkeypatch.delattr("packer.gguf.remote_file", raising=False)
    with pytest.raises(InvalidInput, match=r"gpu-packer\[remote\]"):
        remote_model.read_remote_model("https://example.org/model.gguf")


def test_local_reading_imports_no_http() -> None:
    code = (
        "import sys, packer.gguf.header, packer.gguf.remote_model; "
        "assert not {'httpx2', 'huggingface_hub', 'numpy'} & set(sys.modules)"
    )
    assert run_untraced(code) == ""


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("https://a/b.gguf", True),
        ("HTTP://a/b.gguf", True),
        ("hf://o/r/f.gguf", True),
        ("./b.gguf", False),
        ("catalogue:qwen3-8b:Q4_K_M", False),
    ],
)
def test_what_is_remote(reference: str, expected: bool) -> None:
    assert is_remote(reference) is expected
