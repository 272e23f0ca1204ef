"""Many files dropped at once: whether each one's state is right at the end, and whether one can type meanwhile."""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from typing import Any

from benchmarks.console.visit import Console, Visit

FILES = int(os.environ.get("FILES", "200"))
SECONDS = float(os.environ.get("DROP_SECONDS", "300"))
COLLECTION = "dropped"
EVERY_SECONDS = 0.1
"""Between keys, so that typing is not what keeps the page busy."""
DROP = """(files) => {
  window.tasks = [];
  const note = (list) => tasks.push(...list.getEntries().map(({ duration }) => duration));
  new PerformanceObserver(note).observe({ type: "longtask" });
  const dataTransfer = new DataTransfer();
  for (const { name, text } of files) dataTransfer.items.add(new File([text], name));
  const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
  document.querySelector(".adder").dispatchEvent(event);
}"""
ROWS = "rows => rows.map(row => [row.querySelector('.name').textContent, row.dataset.state, row.textContent])"


def measure(console: Console) -> dict[str, Any]:
    """Files whose state on the page is the API's; the longest task, and keys to frames, until the last has ended."""
    console.client.collections.ensure(COLLECTION)
    files = [_file(number) for number in range(FILES)]
    with console.visit() as visit:
        visit.go(f"documents/{COLLECTION}")
        visit.page.get_by_label("Address of a page to fetch").click()
        visit.watch_keys()
        began = time.monotonic()
        visit.page.evaluate(DROP, files)
        typed = _type_until_ended(visit, began + SECONDS)
        seconds = time.monotonic() - began
        tasks = visit.page.evaluate("tasks")
        shown = _shown(visit)
    expected = _expected(console, [file["name"] for file in files])
    wrong = {name: (shown.get(name), state) for name, state in expected.items() if shown.get(name) != state}
    for name, (seen, state) in list(wrong.items())[:10]:
        print(f"{name} is {state}, the page says {seen}")
    return {
        "files": len(files),
        "as the API has them": len(expected) - len(wrong),
        **dict(Counter(expected.values())),
        "seconds": round(seconds),
        "longest task, ms": round(max(tasks, default=0)),
        "tasks above 50 ms": len(tasks),
        "keys": len(typed),
        "key to frame, median, ms": round(statistics.median(typed), 1),
        "p95, ms": round(sorted(typed)[int(len(typed) * 0.95)], 1),
        "at most, ms": round(max(typed), 1),
    }


def _file(number: int) -> dict[str, str]:
    """Mostly notes; some that can't be read, some that are empty."""
    if number % 20 == 7:
        return {"name": f"report-{number}.pdf", "text": f"%PDF-1.7 this is no PDF, number {number}"}
    if number % 20 == 13:
        return {"name": f"nothing-{number}.md", "text": ""}
    text = f"# Note {number}\n\nThe kettle in room {number} boils for {60 + number} seconds before it is silent.\n"
    return {"name": f"note-{number}.{('md', 'txt', 'html')[number % 3]}", "text": text}


def _type_until_ended(visit: Visit, until: float) -> list[float]:
    """Milliseconds from each key to its frame, until nothing is under way."""
    typed = []
    ended = visit.page.locator(".uploads").get_by_role("button", name="Clear")
    while not ended.count() and time.monotonic() < until:
        typed.append(visit.press("abcdefghij"[len(typed) % 10]))
        time.sleep(EVERY_SECONDS)
    return typed


def _shown(visit: Visit) -> dict[str, str]:
    """What the page says of each file; a failure that says nothing is none."""
    if (whole := visit.page.get_by_role("button", name="Show all")).count():
        whole.click()
    rows = visit.page.locator(".uploads li")
    found = rows.evaluate_all(ROWS)
    says = {
        name: rows.nth(at).locator(".problem").count() for at, (name, state, _) in enumerate(found) if state == "failed"
    }
    return {name: state if state != "failed" or says[name] else "failed without a reason" for name, state, _ in found}


def _expected(console: Console, names: list[str]) -> dict[str, str]:
    """By the API; what it has not taken has failed."""
    documents = {one.source: str(one.status) for one in console.client.documents.list(COLLECTION)}
    return {name: documents.get(name, "failed") for name in names}
