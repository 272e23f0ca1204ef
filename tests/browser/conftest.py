"""A home with the sample handbook, and the system's Chromium. The page that a test ends with is kept as a picture."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.browser.visitor import SCHEMES
from tests.support.home.stack import RunningHome, handbook, home, http

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make test-browser does it")

__all__ = ["handbook", "home", "http"]
KNOWN = [Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium")]
"""The engine alone takes half the processor's time that the whole browser takes for the same pages."""
CHROMIUM = Path(os.environ.get("CHROMIUM") or next(filter(Path.exists, KNOWN), KNOWN[-1]))
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PICTURES = Path(__file__).resolve().parents[2] / ".groundwork" / "pictures"
IN_BOTH_SCHEMES = ("test_accessibility",)
"""Of which tests the page is kept dark, too: they come by every page."""
DEADLINE_MS = 120_000


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}: install Debian's chromium-headless-shell or chromium, or set CHROMIUM")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def visiting(chromium: Any) -> Iterator[Any]:
    """A visitor's browser."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture(scope="session")
def context(chromium: Any) -> Iterator[Any]:
    """One visitor's browser: it has the console's files from the first page on, as a visitor's has."""
    with visiting(chromium) as context:
        yield context


@pytest.fixture
def page(context: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page of a browser that keeps nothing of earlier ones but the console's files. It must end without an error of
    its own and without a refusal of its policy.
    """
    page = context.new_page()
    page.set_default_timeout(DEADLINE_MS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
    yield page
    PICTURES.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    for scheme in SCHEMES if request.node.path.stem in IN_BOTH_SCHEMES else SCHEMES[:1]:
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=PICTURES / f"{name}-{scheme}.png")
    _forget(page)
    assert faults == []


def _forget(page: Any) -> None:
    """Close all tabs, and leave nothing that they kept for a visitor."""
    context, origin = page.context, page.evaluate("location.origin")
    empty = context.new_page()
    for tab in context.pages:
        if tab != empty:
            tab.close()
    session = context.new_cdp_session(empty)
    session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "cookies,local_storage,indexeddb"})
    empty.close()


@pytest.fixture
def signed_in(page: Any, home: RunningHome) -> Any:
    """The same, signed in as `groundwork open` does it."""
    page.goto(f"{home.base_url}/console/#token={home.client.session_token().token}")
    page.get_by_role("button", name="Sign out").wait_for()
    return page
