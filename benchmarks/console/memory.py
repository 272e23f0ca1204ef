"""What the gateway's memory grows by while the console's pages are loaded."""

from __future__ import annotations

from typing import Any

from benchmarks.console.visit import Console
from benchmarks.home import Home
from benchmarks.platform.load_watch import Watch
from webconsole.assets import load_assets

PAGES = ("chat", "documents", "search", "agents", "usage", "operations/health", "operations/models", "operations/jobs",
         "operations/keys", "operations/audit")  # fmt: skip
WARM_CALLS = 50


def measure(console: Console) -> dict[str, Any]:
    """Resident memory after some calls of the API, and after every page was loaded."""
    for _ in range(WARM_CALLS):  # what any first call costs is not the console's
        console.client.models()
    before = _resident(console.home)
    with console.visit() as visit:
        for page in PAGES:
            visit.go(page)
            visit.page.locator("main :is(h1, h2, .hint)").first.wait_for(state="attached")
            visit.page.wait_for_load_state("networkidle")
        after = _resident(console.home)
    assets = load_assets().values()
    return {
        "resident before, MB": round(before / 1e6, 1),
        "after all pages, MB": round(after / 1e6, 1),
        "files held since the start, MB": round(sum(len(one.body) + len(one.compressed) for one in assets) / 1e6, 2),
    }


def _resident(home: Home) -> int:
    """Bytes of the gateway's processes."""
    return int(sum(process.memory_info().rss for process in Watch(home).processes()["gateway"]))
