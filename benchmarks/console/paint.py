"""What is loaded before the first answer, and when the first page is seen."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.console.visit import Console

BROWSERS = 5
PAINTS = """
window.largest = 0;
new PerformanceObserver((list) => {
  for (const { startTime } of list.getEntries()) largest = startTime;
}).observe({ type: "largest-contentful-paint", buffered: true });
"""
FIRST = 'performance.getEntriesByName("first-paint")[0].startTime'


def measure(console: Console) -> dict[str, Any]:
    """Compressed bytes, and medians of browsers that have nothing cached."""
    cookies = console.cookies()
    seen = [_first_page(console, cookies) for _ in range(BROWSERS)]
    sizes, first, largest = zip(*seen, strict=True)
    return {
        "JS and CSS before the first answer, kB": round(max(sizes) / 1e3, 1),
        "first paint, ms": round(statistics.median(first)),
        "largest contentful paint, ms": round(statistics.median(largest)),
    }


def _first_page(console: Console, cookies: Any) -> tuple[int, float, float]:
    """Bytes, first and largest paint of one browser with an empty cache."""
    context = console.browser.new_context(viewport={"width": 1280, "height": 800}, storage_state=cookies)
    context.add_init_script(PAINTS)
    page = context.new_page()
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(f"{console.home.base_url}/console/")
    page.get_by_label("Question", exact=True).wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_function("() => largest > 0")
    files = [one for one in answers if one.url.endswith((".js", ".css"))]
    size = sum(one.request.sizes()["responseBodySize"] for one in files)
    first, largest = page.evaluate(FIRST), page.evaluate("largest")
    context.close()
    return size, first, largest
