# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = [
#   "open-webui==0.12.4",
#   "playwright==1.65.2",
# ]
# ///
"""Open WebUI as it is installed, in Chromium: it starts on the documents, and shows an answer with its source."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

START_SECONDS = 300.0
ANSWER_MILLISECONDS = 120_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def open_webui(folder: Path) -> Iterator[str]:
    """Its address, once it answers; nothing is set but where the models are, and that nobody signs in."""
    port = free_port()
    settings = {
        "DATA_DIR": str(folder),
        "WEBUI_AUTH": "False",
        "WEBUI_SECRET_KEY": "only here",
        "ENABLE_OLLAMA_API": "False",
        "OPENAI_API_BASE_URL": os.environ["OPENAI_BASE_URL"],
        "RAG_EMBEDDING_ENGINE": "openai",
        "OFFLINE_MODE": "True",
    }
    command = [Path(sys.executable).parent / "open-webui", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not answers(f"http://127.0.0.1:{port}/health"):
                waits = process.poll() is None and time.monotonic() < deadline
                assert waits, (folder / "log").read_text()[-3000:]
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def ask(page: Page, question: str, expected: str) -> None:
    """Type a question, and wait until the page shows the answer."""
    box = page.locator("#chat-input")
    box.wait_for(timeout=ANSWER_MILLISECONDS)
    page.keyboard.press("Escape")  # what is new in this release, shown once
    page.get_by_role("dialog").wait_for(state="hidden", timeout=ANSWER_MILLISECONDS)
    box.click()
    page.keyboard.type(question)
    page.keyboard.press("Enter")
    page.locator("#messages-container, main").get_by_text(expected).first.wait_for(timeout=ANSWER_MILLISECONDS)


chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
assert chromium, "Chromium is not installed here"
with tempfile.TemporaryDirectory() as name, open_webui(Path(name)) as address, sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
    page = browser.new_page()
    page.goto(address)
    ask(page, "Can an order be sent back?", "Yes.")
    page.get_by_text("1 Source").first.wait_for(timeout=ANSWER_MILLISECONDS)
    if kept := os.environ.get("PICTURES"):
        page.screenshot(path=Path(kept) / "open-webui.png")
    browser.close()
