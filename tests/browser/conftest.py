"""A headless Chromium without network, and pages that remember what they logged and asked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.tools import require_tool

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_SECONDS = 60


@dataclass
class Opened:
    """A page, what it wrote to the console, and every address it asked for."""

    page: Page
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


OpenText = Callable[..., Opened]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests; Debian's package or whatever the machine has."""
    path = require_tool("chromium", "chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def open_text(browser: Browser, tmp_path: Path) -> Iterator[OpenText]:
    """Opens a text as a file of its own, offline, with the context's settings as keywords."""
    contexts: list[BrowserContext] = []

    def open_(text: str, name: str = "index.html", **settings: object) -> Opened:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        size = {"width": 1200, "height": 900}
        context = browser.new_context(**({"offline": True, "viewport": size} | settings))  # type: ignore[arg-type]
        context.set_default_timeout(_SECONDS * 1000)
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: opened.messages.append(message.text))
        opened.page.on("pageerror", lambda error: opened.messages.append(str(error)))
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.goto(file.as_uri())
        return opened

    yield open_
    for context in contexts:
        context.close()
