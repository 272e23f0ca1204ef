"""Renders what the filter of answers makes of hostile texts; ends with 1 if anything in it is live.

TEXTS=100000 and SEED=1 by default; `make fuzz-speech`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from agent.sanitisation.sanitiser import Sanitiser, label, sanitise, sanitise_shaped, sanitise_value
from agent.steps.emitted_text import EmittedText
from benchmarks.agent.hostile_texts import hostile_texts
from benchmarks.agent.rendering import live

SHARE = 2_000


def spoken(text: str) -> str:
    """As a run says it, in pieces of five characters."""
    emitted = EmittedText()
    for at in range(0, len(text), 5):
        emitted.feed(text[at : at + 5])
    emitted.end()
    return emitted.text


def cited(text: str) -> str:
    """As an answer shows it: sentences with markers behind them."""
    return f"{sanitise(text)} [1]\nNext. [2]"


def as_json(text: str) -> str:
    """As a run with a schema gives it."""
    return json.dumps(sanitise_value({"a": text, text: 1}, frozenset("a")), ensure_ascii=False)


PATHS: dict[str, Callable[[str], str]] = {
    "answer": cited,
    "run": spoken,
    "string": lambda text: str(sanitise_value(text)),
    "json": as_json,
}


def split_anywhere(text: str) -> list[str]:
    """The places at which a text cut in two comes out otherwise than whole; empty if there is none."""
    wrong = []
    for shaped, whole in ((False, sanitise(text)), (True, sanitise_shaped(text))):
        for cut in range(len(text) + 1):
            through = Sanitiser(shaped=shaped)
            if through.feed(text[:cut]) + through.feed(text[cut:]) + through.end() != whole:
                wrong.append(f"{'run' if shaped else 'answer'} at {cut}")
        through = Sanitiser(shaped=shaped)
        if "".join(map(through.feed, text)) + through.end() != whole:
            wrong.append("by character")
    return wrong


def examined(seed: int, count: int) -> list[str]:
    """What is wrong with so many texts of a seed."""
    wrong = []
    for number, text in enumerate(hostile_texts(count, seed)):
        for path, shown in PATHS.items():
            if alive := live(shown(text)):
                wrong.append(f"{path}: {text!r}\n  -> {shown(text)!r}\n  -> {alive[:3]}")
        if re.search(r"<[a-z/!?]|\]\(|!\[|\n", title := label(text), re.IGNORECASE):
            wrong.append(f"label: {text!r}\n  -> {title!r}")
        if number % 50 == 0 and (cuts := split_anywhere(text)):
            wrong.append(f"split: {text!r} {cuts[:5]}")
    return wrong


def main() -> int:
    """Print what is live, with the text that it came from."""
    count, seed = int(os.environ.get("TEXTS", "100000")), int(os.environ.get("SEED", "1"))
    began = time.perf_counter()
    shares = [(seed * 100_000 + number, min(SHARE, count - number * SHARE)) for number in range(-(-count // SHARE))]
    with ProcessPoolExecutor() as pool:
        wrong = [line for found in pool.map(examined, *zip(*shares, strict=True)) for line in found]
    print("\n".join(wrong[:20]))
    seconds = time.perf_counter() - began
    print(f"{count:,} texts, {len(PATHS)} paths, 2 renderers: {len(wrong)} live, {seconds:.0f} s")
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main())
