"""`make bench-tuning [TOKENS=40000]`: the packaged model learns so many tokens by LoRA while people search.

A fresh home on this machine: its search is timed alone and while the job learns, one after another, a little apart.
Printed are the job's seconds from its start to its end, tokens a second, the most memory of its process, and what the
search's p95 is beside that of the search alone.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import httpx2
import psutil

from benchmarks.gateway.gateway_load import quantile
from benchmarks.home import ROOT, fresh_home, write_result

TOKENS = int(os.environ.get("TOKENS", "40000"))
TOKENS_A_LESSON = 43
"""Of the lessons below, by the packaged model's own count."""
EPOCHS = 3
PAUSE_SECONDS = 0.1
SEARCHES_ALONE = 200
HANDBOOK = ROOT / "examples" / "handbook"
CHILD = "lab.training"
THINGS = ("refund", "delivery", "warranty", "invoice", "password", "account", "discount", "repair", "payment", "visit")
QUERIES = ("How many days of paid leave?", "lost laptop", "price of the Team plan", "who approves an order?")


def main() -> None:
    """Measure, print, keep."""
    with fresh_home() as home:
        home.groundwork("ingest", str(HANDBOOK), "--collection", "handbook")
        headers = {"Authorization": f"Bearer {home.key}"}
        with httpx2.Client(base_url=home.base_url, headers=headers, timeout=120) as http:
            alone = [search(http, number) for number in range(SEARCHES_ALONE)]
            job, beside, memory = learn(http)
    result = {
        "tokens": TOKENS,
        "seconds": round(job["finished_at"] - job["started"], 1),
        "memory_mb": round(memory / 1e6),
        "verdict": job["groundwork"]["verdict"],
        "search_p95_ms": {"alone": quantile(alone, 0.95), "while it learns": quantile(beside, 0.95)},
        "searches": len(beside),
    }
    result["tokens_per_second"] = round(result["tokens"] / result["seconds"], 1)
    result["search_p95_ratio"] = round(quantile(beside, 0.95) / quantile(alone, 0.95), 2)
    print(json.dumps(result, indent=2))
    write_result("tuning", result)


def search(http: httpx2.Client, number: int) -> float:
    """Milliseconds of one search."""
    time.sleep(PAUSE_SECONDS)
    started = time.perf_counter()
    asked = {"query": f"{QUERIES[number % len(QUERIES)]} {number}"}
    http.post("/v1/collections/handbook/search", json=asked).raise_for_status()
    return (time.perf_counter() - started) * 1000


def learn(http: httpx2.Client) -> tuple[dict[str, Any], list[float], int]:
    """The finished job, milliseconds of each search beside it, and its process's most memory in bytes."""
    lessons = [lesson(number) for number in range(round(TOKENS / TOKENS_A_LESSON / EPOCHS / 0.9))]
    file = {"format": "messages", "name": "train.jsonl", "text": "\n".join(map(json.dumps, lessons))}
    http.post("/v1/question-sets", json={"name": "lessons", "file": file}).raise_for_status()
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": EPOCHS}}}
    asked = {"model": "smollm2", "training_file": "set:lessons", "seed": 7, "method": method}
    job = http.post("/v1/fine_tuning/jobs", json=asked).raise_for_status().json()
    started, beside, memory = 0.0, list[float](), 0
    while job["status"] not in ("succeeded", "failed", "cancelled"):
        if job["status"] == "running":
            started = started or time.time()
            beside += [search(http, len(beside) + each) for each in range(10)]
            memory = max(memory, used())
        else:
            time.sleep(0.1)
        job = http.get(f"/v1/fine_tuning/jobs/{job['id']}").raise_for_status().json()
    if job["status"] != "succeeded":
        raise SystemExit(f"the job {job['status']}: {job['error']}")
    return {**job, "started": started}, beside, memory


def used() -> int:
    """Bytes of the process that learns."""
    processes = psutil.process_iter(["cmdline", "memory_info"])
    mine = (one.info for one in processes if CHILD in " ".join(one.info["cmdline"] or ()))
    return max((one["memory_info"].rss for one in mine), default=0)


def lesson(number: int) -> dict[str, object]:
    """A question and its answer of a support desk, all different."""
    thing, desk = THINGS[number % len(THINGS)], number // len(THINGS)
    said = [
        {"role": "user", "content": f"Customer {number} asks about a {thing} at desk {desk}. Whom do I write to?"},
        {"role": "assistant", "content": f"Write to {thing}-{desk}@support.example, and name customer {number} there."},
    ]
    return {"messages": said}


if __name__ == "__main__":
    main()
