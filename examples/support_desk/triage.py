"""What a ticket is about, how it is meant and how soon it needs an answer: trained heads over packaged embeddings.

Each is learnt in seconds from the split `train` of the tickets, with 16 of each topic, and judged by the split `test`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.improvement.question_sets import QuestionSet
from contracts.models.classification import Classification
from groundwork.client import Groundwork, GroundworkError

TICKETS = Path(__file__).parent.parent / "support-tickets.csv"
SECONDS = 600.0


@dataclass(frozen=True)
class Head:
    """Which embedding model it reads, and the label of a row of the file."""

    embedding_model: str
    """`minilm` tells what is said (topics), `multilingual-e5-small` also how."""
    label: Callable[[Mapping[str, str]], str]


HEADS = {
    "topic": Head("minilm", lambda row: row["label"]),
    "mood": Head("multilingual-e5-small", lambda row: "angry" if row["metadata.mood"] == "negative" else "calm"),
    "urgency": Head("multilingual-e5-small", lambda row: row["metadata.urgency"]),
}


def train(client: Groundwork) -> dict[str, str]:
    """The models that the heads are served as; those are learnt that these tickets have no model of yet."""
    with TICKETS.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    served, known = {}, {model.id for model in client.models()}
    for what, head in HEADS.items():
        items = [{"question": row["text"], "labels": [head.label(row)], "split": row["split"]} for row in rows]
        saved = client.question_sets.save(f"desk-{what}", items)
        suffix = f"desk-{what}-{saved.digest[-8:]}"  # other tickets, another model
        served[what] = f"{head.embedding_model}+{suffix}"
        if served[what] in known:
            print(f"  {what}: served already as {served[what]}")
        else:
            print(f"  {what}: {learn(client, saved, head, suffix)}")
    return served


def learn(client: Groundwork, tickets: QuestionSet, head: Head, suffix: str) -> str:
    """Learn one, which its job publishes where it is better than the most frequent label; how good it is, in words."""
    job = client.tuning.start(
        tickets.name, head.embedding_model, version=tickets.version, method="classification", suffix=suffix, seed=7
    )
    ended = client.tuning.wait(job.id, timeout=SECONDS)
    if ended.fine_tuned_model is None:
        why = ended.error.message if ended.error else f"{ended.groundwork.not_published}, {ended.groundwork.words}"
        raise GroundworkError(f"The head '{suffix}' is not served: {why}")
    right, frequent = (ended.groundwork.figures[name] for name in ("accuracy", "majority_accuracy"))
    return f"right on {right:.0%} of held-out tickets (always the most frequent label: {frequent:.0%})"


def sort(client: Groundwork, heads: Mapping[str, str], ticket: str) -> dict[str, Classification]:
    """By the name of each head what it says of a ticket."""
    return {what: client.classify([ticket], model=model)[0] for what, model in heads.items()}
