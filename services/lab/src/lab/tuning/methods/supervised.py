"""`supervised`: a chat model learns the answers of a question set, by small matrices beside its own (LoRA).

The learning is a process of its own, `python -m lab.training`: nothing here loads torch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import FineTuningCreate, SupervisedHyperparameters
from lab.tuning.bases import Base, Bases
from lab.tuning.child import run_child
from lab.tuning.errors import HyperparametersTwice
from lab.tuning.gates.parity import Agreement, Said
from lab.tuning.method import Trained, Work
from lab.tuning.methods.process import MODULE, Limits, Listener, disk_watched, read_json, write_json

MOST_CHARACTERS = 16
"""Of a token, over a whole example; those of most languages have 2 to 5. What has more is longer than `max_tokens`, and
is not even made into tokens."""
AUTO = {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 1.0}
Lessons = Callable[[QuestionRecord], Sequence[dict[str, Any]]]
"""What a question teaches, as the process reads it."""


@dataclass(frozen=True, slots=True)
class Supervised:
    """As `Method` says."""

    bases: Bases
    limits: Limits
    name: str = "supervised"
    needs: Sequence[str] = ("torch", "transformers", "gguf")
    learns_answers: bool = True
    measure: str = "loss"
    """That held-out questions are judged by."""

    def settings(self, wanted: FineTuningCreate) -> dict[str, Any]:
        """As `Method` says; raises `HyperparametersTwice`."""
        given = wanted.method.supervised.hyperparameters
        if wanted.hyperparameters is not None:
            if given != SupervisedHyperparameters():
                raise HyperparametersTwice
            given = wanted.hyperparameters
        said = given.model_dump()
        return {name: AUTO[name] if value == "auto" else value for name, value in said.items()}

    def teaches(self, question: QuestionRecord) -> bool:
        """One that has an answer."""
        return bool(question.answers)

    def lessons(self, question: QuestionRecord) -> Sequence[dict[str, Any]]:
        """The first of its answers; any other is right as well, but one that is learnt is enough."""
        return [_example(question)]

    async def train(self, work: Work) -> Trained:
        """As `Method` says."""
        base = await self.bases.get(work.model, work.token)
        await work.report.based_on(base.model, base.digest)
        with disk_watched():
            await asyncio.to_thread(_write_job, work, base, self.limits, self.lessons, self.name)
            limits = self.limits
            await run_child(MODULE, work.folder, Listener(work).hear, limits.silent_seconds, limits.processes)
            trained = await asyncio.to_thread(_read_result, work.folder, self.measure)
        again = await self.bases.get(work.model, work.token)  # it may be another one after hours
        await work.report.based_on(again.model, again.digest)
        return trained

    async def agreement(self, work: Work, base: Sequence[Said], tuned: Sequence[Said]) -> Agreement:
        """As `ParityCheck` says: the trainer reads the adapter's file, as it was kept."""
        weights = await self.bases.get(work.model, work.token)
        await work.report.based_on(weights.model, weights.digest)
        with disk_watched():
            await asyncio.to_thread(_write_check, work, weights, self.limits, base, tuned)
            await run_child(MODULE, work.folder, Listener(work).hear, self.limits.silent_seconds)
            found = await asyncio.to_thread(read_json, work.folder / "parity.json")
        return Agreement(found["base"], found["tuned"])


def _write_job(work: Work, base: Base, limits: Limits, lessons: Lessons, method: str) -> None:
    work.folder.mkdir(parents=True, exist_ok=True)
    (work.folder / "tokenizer.json").write_bytes(base.tokenizer)
    job: dict[str, Any] = {
        "method": method,
        "weights": str(base.weights),
        "base": base.digest,
        "seed": work.seed,
        "settings": dict(work.settings),
        "threads": limits.threads,
        "device": limits.device,
        "most_tokens": limits.most_tokens,
        "longer": {},
    }
    most = work.settings["max_tokens"] * MOST_CHARACTERS
    examples = {
        "train": [lesson for one in work.train for lesson in lessons(one)],
        "held_out": [lesson for one in work.held_out for lesson in lessons(one)],
        "general": [_example(one) for one in work.general],
    }
    for name, found in examples.items():
        job[name] = [one for one in found if _length(one) <= most]
        job["longer"][name] = len(found) - len(job[name])
    write_json(work.folder / "job.json", job)


def _write_check(work: Work, base: Base, limits: Limits, plain: Sequence[Said], tuned: Sequence[Said]) -> None:
    work.folder.mkdir(parents=True, exist_ok=True)
    (work.folder / "tokenizer.json").write_bytes(base.tokenizer)
    job = {
        "weights": str(base.weights),
        "threads": limits.threads,
        "device": limits.device,
        "settings": dict(work.settings),
        "said": {
            name: [
                {
                    "id": one.question.id,
                    "messages": messages_of(one.question),
                    "answer": one.text,
                    "is_whole": one.is_whole,
                }
                for one in said
            ]
            for name, said in (("base", plain), ("tuned", tuned))
        },
    }
    write_json(work.folder / "job.json", job)


def _length(example: Mapping[str, Any]) -> int:
    """Characters of what is read at once."""
    asked = sum(len(message["content"]) for message in example["messages"])
    return asked + max(len(example["answer"]), len(example.get("rejected", "")))


def messages_of(question: QuestionRecord) -> list[dict[str, str]]:
    """What is asked, as a chat."""
    turns = [{"role": turn.role, "content": turn.content} for turn in question.turns or ()]
    return turns or [{"role": "user", "content": question.question or ""}]


def _example(question: QuestionRecord) -> dict[str, Any]:
    return {"id": question.id, "messages": messages_of(question), "answer": question.answers[0]}


def _read_result(folder: Path, measure: str = "loss") -> Trained:
    result = read_json(folder / "result.json")
    return Trained(
        artifact=(folder / "adapter.gguf").read_bytes(),
        before=result["before"],
        after=result["after"],
        general_before=result.get("general_before", {}),
        general_after=result.get("general_after", {}),
        measure=measure,
        general_measure="loss",
        tokens=result["tokens"],
        figures=result["figures"],
    )
