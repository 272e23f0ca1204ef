"""`classification`: labels are learnt by a linear head over the vectors of an embedding model, which stays as it is.

It takes milliseconds, so that an attempt which was interrupted begins again and gives the same head: the loss is
convex, and the folds come from the job's seed. numpy is imported when something is learnt: an idle lab does without it.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate
from contracts.models.catalog import ModelInfo
from contracts.models.classification import MAX_MODEL_LABELS
from lab.tuning.errors import ClassesUnfit, HyperparametersUnfit
from lab.tuning.method import Figures, Trained, Work
from lab.tuning.sources.vectors import TextVectors
from servicekit.peers.client import Peer

if TYPE_CHECKING:
    from lab.tuning.methods.heads import Array, TrainedHead

LEAST_EXAMPLES = 2
"""Of a class, to learn from: with one nothing could be left out to choose by."""
Z = 1.96


def class_of(question: QuestionRecord) -> str | None:
    """Its one label; without any its one answer."""
    found = question.labels or question.answers
    return found[0] if len(found) == 1 else None


def text_of(question: QuestionRecord) -> str:
    """What is classified: the question, or all that the user says in a conversation."""
    said = [turn.content for turn in question.turns or () if turn.role == "user"]
    return "\n".join(said) if said else question.question or ""


@dataclass(frozen=True, slots=True)
class Classification:
    """As `Method` says."""

    inference: Peer
    name: str = "classification"
    needs: Sequence[str] = ()
    learns_answers: bool = True

    def settings(self, wanted: FineTuningCreate) -> dict[str, Any]:
        """As `Method` says; raises `HyperparametersUnfit`."""
        if wanted.hyperparameters is not None:
            raise HyperparametersUnfit
        return wanted.method.classification.hyperparameters.model_dump()

    def teaches(self, question: QuestionRecord) -> bool:
        """One that has exactly one label, or without any exactly one answer."""
        return class_of(question) is not None

    async def train(self, work: Work) -> Trained:
        """As `Method` says; raises `NotAnEmbeddingModel` or `ClassesUnfit`."""
        began = time.perf_counter()
        model = await TextVectors(self.inference).model(work)
        await work.report.based_on(model.id, model.digest)
        labels = [class_of(one) or "" for one in work.train]
        _check_classes(labels)
        names = sorted(set(labels))
        vectors, tokens = await self._vectors(work, model, [*map(text_of, [*work.train, *work.held_out]), *names])
        count = len(work.train)
        head = await asyncio.to_thread(_learnt, vectors[:count], labels, work)
        held_out, meant = vectors[count : -len(names)], vectors[-len(names) :]
        wanted = [class_of(one) or "" for one in work.held_out]
        by_labels = [names[at] for at in (held_out @ meant.T).argmax(axis=1)]
        most = Counter(labels).most_common(1)[0][0]
        after = _right(work.held_out, head.predicted(held_out), wanted)
        before = _right(work.held_out, [most] * len(wanted), wanted)
        figures = {
            "classes": float(len(names)),
            "l2": head.l2,
            **_interval("accuracy", list(after.values())),
            "majority_accuracy": _mean(list(before.values())),
            "zero_shot_accuracy": _mean(list(_right(work.held_out, by_labels, wanted).values())),
            "seconds": time.perf_counter() - began,
        }
        await work.report.say(_words(figures, len(wanted)))
        artifact = json.dumps(head.source(model.id, model.digest)).encode()
        return Trained(artifact, before, after, "correct", "classification", tokens, figures)

    async def _vectors(self, work: Work, model: ModelInfo, texts: Sequence[str]) -> tuple[Array, int]:
        """As queries, which is how inference reads what it classifies."""
        import numpy as np

        parts: list[Any] = []
        done = tokens = cut = 0
        async for part in TextVectors(self.inference).embed(work, model, texts, "query"):
            parts.append(part.rows)
            done, tokens, cut = done + len(part.rows), tokens + part.tokens, cut + part.cut
            await work.report.step(done, len(texts), tokens, {})
        if cut:
            await work.report.say(f"{cut} texts are longer than '{model.id}' reads: their beginning alone is learnt.")
        return np.concatenate(parts), tokens


def _check_classes(labels: Sequence[str]) -> None:
    counts = Counter(labels)
    if len(counts) < 2:
        raise ClassesUnfit(f"all {len(labels)} examples to learn from have the label '{next(iter(counts), '')}'")
    if len(counts) > MAX_MODEL_LABELS:
        raise ClassesUnfit(f"there are {len(counts)} different labels, of which {MAX_MODEL_LABELS} can be learnt")
    few = sorted(label for label, count in counts.items() if count < LEAST_EXAMPLES)
    if few:
        shown = ", ".join(f"'{label}'" for label in few[:5])
        raise ClassesUnfit(f"fewer than {LEAST_EXAMPLES} examples to learn from have the label {shown}")


def _learnt(vectors: Array, labels: Sequence[str], work: Work) -> TrainedHead:
    from lab.tuning.methods.heads import choose_l2, fit

    wanted = work.settings["l2"]
    return fit(vectors, labels, choose_l2(vectors, labels, work.seed) if wanted == "auto" else float(wanted))


def _right(questions: Sequence[QuestionRecord], said: Sequence[str], wanted: Sequence[str]) -> Figures:
    return {one.id: float(a == b) for one, a, b in zip(questions, said, wanted, strict=True)}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def _interval(name: str, values: Sequence[float]) -> dict[str, float]:
    """Of a share, with 95 %: Wilson (1927)."""
    count, share = max(1, len(values)), _mean(values)
    middle = (share + Z * Z / (2 * count)) / (1 + Z * Z / count)
    half = Z / (1 + Z * Z / count) * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    return {name: share, f"{name}_low": max(0.0, middle - half), f"{name}_high": min(1.0, middle + half)}


def _words(figures: Mapping[str, float], count: int) -> str:
    return (
        f"Of {count} held-out texts {figures['accuracy']:.2f} [{figures['accuracy_low']:.2f}, "
        f"{figures['accuracy_high']:.2f}] have the right label; by labels alone it is "
        f"{figures['zero_shot_accuracy']:.2f}, by the most frequent label {figures['majority_accuracy']:.2f}."
    )
