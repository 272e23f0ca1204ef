"""A long conversation: how soon its end is seen, and whether one can type beside it."""

from __future__ import annotations

import os
import statistics
from typing import Any

from benchmarks.console.visit import Console, Visit
from contracts.agents.runs import NewMessage

MESSAGES = int(os.environ.get("MESSAGES", "1000"))
AT_ONCE = 100
KEYS = 50
ANSWER = "The policy says so in its second part, and names who decides, by when, and what happens otherwise. " * 4
SEEN = """
const look = () => {
  const last = [...document.querySelectorAll(".turn .answer")].at(-1);
  const box = last?.textContent.includes("answer number END.") && last.getBoundingClientRect();
  if (box && box.bottom > 0 && box.top < innerHeight) window.seen = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


def measure(console: Console) -> dict[str, Any]:
    """Milliseconds until the end is seen, from keys to frames, and elements."""
    thread = _thread(console)
    with console.visit() as visit:
        visit.page.add_init_script(SEEN.replace("END", str(MESSAGES // 2 - 1)))
        visit.go(f"chat/{thread}")
        visit.page.wait_for_function("() => window.seen")
        opened = visit.page.evaluate("seen")
        typed = _typed(visit)
        elements = visit.page.evaluate("document.querySelectorAll('*').length")
    return {
        "messages": MESSAGES,
        "last message seen, ms": round(opened),
        "key to frame, median, ms": round(statistics.median(typed), 1),
        "p95, ms": round(sorted(typed)[int(len(typed) * 0.95)], 1),
        "elements": elements,
    }


def _thread(console: Console) -> str:
    """A conversation of questions and answers."""
    thread = console.client.threads.create({"title": "A long one"}).id
    for first in range(0, MESSAGES // 2, AT_ONCE // 2):
        pairs = [
            (
                NewMessage(role="user", content=f"Question number {number}: what does the policy say?"),
                NewMessage(role="assistant", content=f"{ANSWER}\n\nThis is answer number {number}."),
            )
            for number in range(first, min(MESSAGES // 2, first + AT_ONCE // 2))
        ]
        console.client.threads.add(thread, [message for pair in pairs for message in pair])
    return str(thread)


def _typed(visit: Visit) -> list[float]:
    """Milliseconds from each of some keys to the end of the next frame."""
    visit.page.get_by_label("Question", exact=True).click()
    visit.watch_keys()
    return [visit.press("abcde fghi"[number % 10]) for number in range(KEYS)]
