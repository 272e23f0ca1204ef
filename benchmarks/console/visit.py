"""A browser at the console of a home: signed in, and watched for all that a page must not do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.home import Home
from groundwork.client import Groundwork

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
DEADLINE_MS = 300_000
TYPED = """
window.typed = [];
addEventListener("keydown", ({ timeStamp }) =>
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => typed.push(performance.now() - timeStamp);
    port2.postMessage(0); // comes once the frame is painted
  }), true);
"""


@dataclass(frozen=True)
class Console:
    """A running home, its admin's client, and a browser."""

    home: Home
    client: Groundwork
    browser: Any

    @contextmanager
    def visit(self) -> Iterator[Visit]:
        """A browser with nothing cached, signed in."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.set_default_timeout(DEADLINE_MS)
        visit = Visit(page, self.home.base_url)
        page.goto(f"{self.home.base_url}/console/#token={self.client.session_token().token}")
        page.get_by_role("button", name="Sign out").wait_for()
        try:
            yield visit
        finally:
            context.close()

    def cookies(self) -> Any:
        """What signs further browsers in, so that their first page is an ordinary one."""
        with self.visit() as visit:
            return visit.page.context.storage_state()


@dataclass
class Visit:
    """A page that is signed in."""

    page: Any
    base_url: str

    def go(self, path: str) -> None:
        """Load a page of the console anew."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.base_url}/console/#/{path}")
        self.page.get_by_role("button", name="Sign out").wait_for()

    def watch_keys(self) -> None:
        """From now on `press` can tell."""
        self.page.evaluate(TYPED)

    def press(self, key: str) -> float:
        """Milliseconds from a key to the end of the next frame."""
        count = self.page.evaluate("typed.length")
        self.page.keyboard.press(key)
        self.page.wait_for_function("(count) => typed.length > count", arg=count)
        return float(self.page.evaluate("typed.at(-1)"))


@contextmanager
def chromium() -> Iterator[Any]:
    """Debian's Chromium."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        raise SystemExit("playwright is not installed: `make test-browser` does it") from None
    if not CHROMIUM.exists():
        raise SystemExit(f"there is no {CHROMIUM}: install Debian's chromium, or set CHROMIUM")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()
