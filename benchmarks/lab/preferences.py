"""`make bench-preferences [DATA=folder] [PAIRS=300] [HELD_OUT=100] [TEXT=1]`: a model learns what people prefer.

A fresh home on this machine: pairs of right and invented answers to a question (HaluEval's question answering, MIT, of
DATA `judging/halueval`) are a question set, of which so many pairs are learnt from and others held out, drawn by a
seed, one of each question. Printed are the job's verdict, its figures and its seconds; and of how many held-out pairs
the shorter answer is the preferred one, which a length alone would tell. Without TEXT the text that a question is about
is left out: what is learnt then is how to answer, not what, in half the time.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.home import ROOT, fresh_home, write_result

DATA = Path(os.environ.get("DATA") or ROOT.parent / "shared" / "data")
PAIRS = int(os.environ.get("PAIRS", "300"))
HELD_OUT = int(os.environ.get("HELD_OUT", "100"))
TEXT = os.environ.get("TEXT") == "1"
HYPERPARAMETERS = json.loads(os.environ.get("HYPERPARAMETERS", "{}"))
SEED = 7


def main() -> None:
    """Measure, print, keep."""
    file = DATA / "judging" / "halueval" / "qa_pairs.jsonl"
    if not file.is_file():
        raise SystemExit(f"{file} is not there. Name the folder that has judging/halueval with DATA=…")
    pairs = drawn(file)
    with fresh_home() as home:
        headers = {"Authorization": f"Bearer {home.key}"}
        with httpx2.Client(base_url=home.base_url, headers=headers, timeout=120) as http:
            job = learn(http, pairs)
    held_out = [pair for pair in pairs if pair["split"] == "test"]
    shorter = sum(len(pair["chosen"]) < len(pair["rejected"]) for pair in held_out)
    report = job["groundwork"]
    result = {
        "pairs": report["card"]["train"],
        "held_out": report["card"]["held_out"],
        "verdict": report["words"],
        "general": report["general"],
        "parity": report["parity"],
        "figures": report["figures"],
        "preferred_is_shorter": round(shorter / len(held_out), 3),
        "seconds": job["seconds"],
    }
    print(json.dumps(result, indent=2))
    write_result("preferences", result)


def drawn(file: Path) -> list[dict[str, Any]]:
    """Lines of a preference file: so many to learn from, so many that are held out."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    differ = [row for row in rows if row["right_answer"] != row["hallucinated_answer"]]
    fit = list({row["question"]: row for row in differ}.values())
    random.Random(SEED).shuffle(fit)  # a draw, no secret
    if len(fit) < PAIRS + HELD_OUT:
        raise SystemExit(f"There are pairs of {len(fit)} questions: choose fewer PAIRS or HELD_OUT.")
    return [
        {
            "prompt": f"{row['knowledge']}\n\n{row['question']}" if TEXT else row["question"],
            "chosen": row["right_answer"],
            "rejected": row["hallucinated_answer"],
            "split": "train" if at < PAIRS else "test",
        }
        for at, row in enumerate(fit[: PAIRS + HELD_OUT])
    ]


def learn(http: httpx2.Client, pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """The finished job, with its seconds from its start to its end."""
    file = {"format": "preference", "name": "pairs.jsonl", "text": "\n".join(map(json.dumps, pairs))}
    saved = {"name": "pairs", "file": file, "duplicates": "skip"}
    http.post("/v1/question-sets", json=saved).raise_for_status()
    method = {"type": "dpo", "dpo": {"hyperparameters": HYPERPARAMETERS}}
    asked: dict[str, Any] = {"model": "smollm2", "training_file": "set:pairs", "seed": SEED, "method": method}
    asked["groundwork"] = {"leaks": "skip", "sensitive": "keep"}
    job = http.post("/v1/fine_tuning/jobs", json=asked).raise_for_status().json()
    started = 0.0
    while job["status"] not in ("succeeded", "failed", "cancelled"):
        started = started or (time.time() if job["status"] == "running" else 0.0)
        time.sleep(1)
        job = http.get(f"/v1/fine_tuning/jobs/{job['id']}").raise_for_status().json()
    if job["status"] != "succeeded":
        raise SystemExit(f"the job {job['status']}: {job['error']}")
    return {**job, "seconds": round(job["finished_at"] - started, 1)}


if __name__ == "__main__":
    main()
