"""Classification on public or own texts: by labels alone, and by heads trained on a few examples of each class.

Usage: make bench-classification [SETS=/folder] [MODEL=minilm] [SHOTS=16] [SEEDS=5]

The tickets of `examples/support-tickets.csv` by topic, urgency and mood, and what `SETS` holds: CSV files with the
columns `text` and `label`: `NAME.train.csv` to draw examples from, `NAME.test.csv` to be judged by, and perhaps
`NAME.labels.csv` with `label` and `text`, what each label is about. Nothing is downloaded. Of a test file of more than
`MOST` texts every n-th is taken.
"""

from __future__ import annotations

import asyncio
import csv
import os
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.home import ROOT, write_result
from contracts.models.catalog import EmbeddingRequest
from inference.bootstrap import open_dependencies
from inference.protocol.engines import EmbeddingEngine, Vectors
from inference.serving.classification import TEMPERATURE, shares
from inference.serving.served_model import ServedModel
from inference.serving.vectors import embed
from inference.settings import InferenceSettings
from lab.tuning.methods.heads import choose_l2, fit

SETS = Path(os.environ["SETS"]) if "SETS" in os.environ else None
TICKETS = ROOT / "examples" / "support-tickets.csv"
KINDS = {"topic": "label", "urgency": "metadata.urgency", "mood": "metadata.mood"}
MODEL = os.environ.get("MODEL", "minilm")
SHOTS = int(os.environ.get("SHOTS", "16"))
MOST = 500
SEEDS = int(os.environ.get("SEEDS", "5"))
TEMPLATES = ("{}", "This is about {}.", "The topic is {}.")
TEMPERATURES = (0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15)


@dataclass(frozen=True)
class Set:
    """Texts with their labels, and what the labels are about."""

    name: str
    train: list[tuple[str, str]]
    test: list[tuple[str, str]]
    about: dict[str, str]


def main() -> None:
    """Measure, print, keep."""
    others = sorted(SETS.glob("*.test.csv")) if SETS else []
    sets = [*map(_tickets, KINDS), *(_read(file.parent, file.name.removesuffix(".test.csv")) for file in others)]
    write_result("classification", asyncio.run(_measured(sets)))


async def _measured(sets: Sequence[Set]) -> dict[str, object]:
    declared = yaml.safe_load((ROOT / "deploy" / "config" / "models.yaml").read_text(encoding="utf-8"))
    declared["models"] = [model for model in declared["models"] if model["name"] == MODEL]
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as folder:
        file = Path(folder) / "models.yaml"
        file.write_text(yaml.safe_dump(declared), encoding="utf-8")
        async with open_dependencies(InferenceSettings(models_file=file, data_dir=Path(folder))) as opened:
            await opened.models.loaded()
            served = opened.models.embedding(MODEL)
            for given in sets:
                for what, value in (await _of_set(served, given)).items():
                    print(f"{given.name:<17} {what:<60} {value}")
                    figures[f"{given.name}: {what}"] = value
    return figures


def _tickets(kind: str) -> Set:
    with TICKETS.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    column = KINDS[kind]
    train, test = ([(row["text"], row[column]) for row in rows if row["split"] == split] for split in ("train", "test"))
    return Set(f"tickets, {kind}", train, test, {label: label for label in sorted({label for _, label in test})})


def _read(folder: Path, name: str) -> Set:
    test = _rows(folder / f"{name}.test.csv")
    labels = sorted({label for _, label in test})
    about = {label: label.replace("_", " ") for label in labels}
    if (file := folder / f"{name}.labels.csv").exists():
        about |= {label: text for text, label in _rows(file)}
    train = [(text, label) for text, label in _rows(folder / f"{name}.train.csv") if label in about]
    return Set(name, train, test[:: max(1, len(test) // MOST)], about)


def _rows(file: Path) -> list[tuple[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return [(row["text"], row["label"]) for row in csv.DictReader(opened) if row["text"].strip()]


async def _of_set(served: ServedModel[EmbeddingEngine], given: Set) -> dict[str, object]:
    labels = list(given.about)
    gold = np.array([labels.index(label) for _, label in given.test])
    texts = await _embedded(served, [text for text, _ in given.test])
    most = Counter(label for _, label in given.test).most_common(1)[0][1]
    figures: dict[str, object] = {
        "classes · texts judged": f"{len(labels)} · {len(gold)}",
        "accuracy: the most frequent class": round(most / len(gold), 3),
    }
    for template in TEMPLATES:
        meant = await _embedded(served, [template.format(text) for text in given.about.values()])
        likeness = texts @ meant.T
        figures[f"accuracy: by labels alone, {template!r}"] = _share(likeness.argmax(axis=1) == gold)
        if template == TEMPLATES[0]:
            figures |= _calibration(served, likeness, gold)
    return figures | await _trained(served, given, texts)


def _calibration(served: ServedModel[EmbeddingEngine], likeness: Vectors, gold: NDArray[np.int64]) -> dict[str, object]:
    """How far scores are from how often they are right, and the loss, by temperature."""
    scale = 1 - served.model.unrelated_cosine
    figures: dict[str, object] = {}
    for temperature in sorted({*TEMPERATURES, TEMPERATURE}):
        scores = shares(likeness, temperature * scale)
        loss = -np.log(np.maximum(scores[np.arange(len(gold)), gold], 1e-9)).mean()
        figures[f"loss · calibration error at temperature {temperature}"] = f"{loss:.3f} · {_error(scores, gold):.3f}"
    return figures


def _error(scores: Vectors, gold: NDArray[np.int64]) -> float:
    """Expected calibration error over ten bins of the highest score."""
    highest, right = scores.max(axis=1), scores.argmax(axis=1) == gold
    bins = np.minimum((highest * 10).astype(int), 9)
    return sum(
        float((bins == at).mean()) * abs(float(highest[bins == at].mean()) - float(right[bins == at].mean()))
        for at in set(bins.tolist())
    )


async def _trained(served: ServedModel[EmbeddingEngine], given: Set, texts: Vectors) -> dict[str, object]:
    wanted, judged = [label for _, label in given.test], texts.astype(np.float64)
    found, errors, seconds, chosen = [], [], [], []
    for seed in range(SEEDS):
        examples = _drawn(given.train, seed)
        vectors = (await _embedded(served, [text for text, _ in examples])).astype(np.float64)
        own = [label for _, label in examples]
        l2 = choose_l2(vectors, own, seed)
        began = time.perf_counter()
        head = fit(vectors, own, l2)
        seconds.append(time.perf_counter() - began)
        chosen.append(l2)
        right = [one == other for one, other in zip(head.predicted(judged), wanted, strict=True)]
        found.append(mean(right))
        gold = np.array([head.labels.index(label) for label in wanted])
        errors.append(_error(head.scores(judged).astype(np.float32), gold))
    return {
        f"accuracy: head of {SHOTS} a class, mean · least · most of {SEEDS}": (
            f"{mean(found):.3f} · {min(found):.3f} · {max(found):.3f}"
        ),
        "calibration error of the head": round(mean(errors), 3),
        "l2 chosen": " ".join(map(str, chosen)),
        "ms to fit": round(1000 * median(seconds), 1),
    }


def _drawn(rows: Sequence[tuple[str, str]], seed: int) -> list[tuple[str, str]]:
    by_label: dict[str, list[str]] = defaultdict(list)
    for text, label in rows:
        by_label[label].append(text)
    chance = random.Random(seed)
    return [
        (text, label)
        for label, texts in sorted(by_label.items())
        for text in chance.sample(texts, min(SHOTS, len(texts)))
    ]


async def _embedded(served: ServedModel[EmbeddingEngine], texts: Sequence[str]) -> Vectors:
    parts = [
        (await embed(served, EmbeddingRequest(input=list(texts[at : at + 256])))).vectors
        for at in range(0, len(texts), 256)
    ]
    return np.concatenate(parts)


def _share(right: NDArray[np.bool_]) -> float:
    return round(float(right.mean()), 3)


if __name__ == "__main__":
    main()
