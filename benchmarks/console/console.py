"""The web console in Debian's Chromium, with the packaged parts behind it.

Usage: make bench-console [PARTS=memory,paint,…] [MESSAGES=1000] [FILES=200] [INJECTION_DATA=folder]
[CHROMIUM=/usr/bin/chromium]

1. `memory`: what the gateway's resident memory grows by while every page is loaded. Goal: 10 MB at most.
2. `paint`: bytes of JavaScript and CSS, compressed, before the first answer; first paint and largest contentful paint
   of five browsers with empty caches on loopback (medians). Goals: 100 kB; 300 ms and 1 s.
3. `thread`: a conversation of 1,000 messages: until its last is seen, from a key to the next painted frame while it is
   open, elements of the page. Goals: 1 s, 50 ms, 3,000.
4. `citations`: 100 citations of answers from the sample handbook, about half of them on pages of PDFs, each opened as
   they came and after a reload; what is marked, on pages each pixel, is compared with the API. Goal: all exactly.
5. `hostile`: the texts of `make bench-injection` and markup of our own as texts, titles and file names, in the chat,
   the documents, their details, the viewer, the search lab, a run's timeline: scripts, links, images, CSP reports.
   Goal: 0.
6. `drop`: 200 files dropped at once: states that are the API's at the end; the longest task, and keys to frames
   meanwhile.

It needs playwright, which `make test-browser` installs, and Chromium.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from benchmarks.console import citations, drop, hostile, memory, paint, thread
from benchmarks.console.visit import Console, chromium
from benchmarks.home import fresh_home, write_result
from groundwork.client import Groundwork

PARTS: dict[str, Callable[[Console], dict[str, Any]]] = {
    "memory": memory.measure,
    "paint": paint.measure,
    "thread": thread.measure,
    "citations": citations.measure,
    "hostile": hostile.measure,
    "drop": drop.measure,
}
"""In this order: memory is measured before anything else has asked for a page."""


def main() -> int:
    """Measure the chosen parts in one home; the exit status tells whether all were known."""
    chosen = os.environ.get("PARTS", ",".join(PARTS)).split(",")
    if unknown := set(chosen) - set(PARTS):
        print(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
        return 2
    results: dict[str, Any] = {}
    with fresh_home() as home, Groundwork(home.base_url, home.key) as client, chromium() as browser:
        for name in [part for part in PARTS if part in chosen]:
            results[name] = PARTS[name](Console(home, client, browser))
            print(f"{name}: " + ", ".join(f"{what} {value}" for what, value in results[name].items()), flush=True)
    write_result("console", results)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
