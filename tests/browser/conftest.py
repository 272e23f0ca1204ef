"""A home with the sample handbook, and the system's Chromium. Each page that a test ends with is kept as a picture."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.browser.visitor import SCHEMES
from tests.support.home.stack import RunningHome, handbook, home, http

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make test-browser does it")

__all__ = ["handbook", "home", "http"]
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PICTURES = Path(__file__).resolve().parents[2] / ".groundwork" / "pictures"
DEADLINE_MS = 120_000


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}: install Debian's chromium, or set CHROMIUM")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """An empty browser's page, which must end without an error of its own and without a refusal of its policy."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(DEADLINE_MS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
    yield page
    PICTURES.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=PICTURES / f"{name}-{scheme}.png")
    context.close()
    assert faults == []


@pytest.fixture
def signed_in(page: Any, home: RunningHome) -> Any:
    """The same, signed in as `groundwork open` does it."""
    page.goto(f"{home.base_url}/console/#token={home.client.session_token().token}")
    page.get_by_role("button", name="Sign out").wait_for()
    return page
