"""Learning how the questions of one collection are to be read, so that the passages that answer them are nearer.

The loss, the passages and the verdict are those of `lab.training.frozen.projection`; what is learnt are small matrices
beside each linear layer of the encoder (LoRA), in batches, from where an earlier attempt was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lab.training.encoders.model import Encoder
from lab.training.encoders.training import EncoderTraining, learn
from lab.training.frozen.projection import TEMPERATURE, Vectors, ndcg
from lab.training.loop import Examples, Tell

AT_ONCE = 64
"""Questions that are read together where nothing is learnt from them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question in tokens, and by number the chunks that may answer it."""

    id: str
    ids: Sequence[int]
    chunks: Sequence[int]

    @property
    def rows(self) -> Sequence[Asked]:
        """What is read of it at once."""
        return (self,)

    @property
    def width(self) -> int:
        """Tokens."""
        return len(self.ids)


def run(folder: Path, job: Mapping[str, Any], tell: Tell) -> None:
    """As `learn` says."""
    learn(QuestionTraining, folder, job, tell)


def _vectors(
    encoder: Encoder, ids: Sequence[Sequence[int]], reads: Callable[[Sequence[int]], None] = lambda _: None
) -> Vectors:
    """In the order of the texts, which are read with others of their length; `reads` hears the places of those."""
    order = sorted(range(len(ids)), key=lambda at: (len(ids[at]), at))
    parts = []
    with torch.no_grad():
        for at in range(0, len(order), AT_ONCE):
            places = order[at : at + AT_ONCE]
            reads(places)
            parts.append(encoder.vectors([ids[one] for one in places]).numpy())
    found = np.concatenate(parts)
    placed = np.empty_like(found)
    placed[order] = found
    return placed


class QuestionTraining(EncoderTraining):
    """One job's encoder, and where it is."""

    def __init__(self, folder: Path, job: Mapping[str, Any], tell: Tell, encoder: Encoder) -> None:
        vectors = np.fromfile(folder / job["vectors"], dtype="<f4").reshape(-1, job["dimensions"])
        self._chunks = vectors[: len(job["owners"])]
        self._passages = torch.from_numpy(self._chunks)
        self._owners = np.array(job["owners"])
        self._grades = [{int(document): grade for document, grade in one["grades"].items()} for one in job["held_out"]]
        super().__init__(folder, job, tell, encoder)

    @staticmethod
    def say(
        encoder: Encoder,
        said: Sequence[Any],
        artifact: Mapping[str, Any] | None,  # noqa: ARG004  # nothing is learnt beside the matrices
    ) -> list[list[float]]:
        """Vectors."""
        found: list[list[float]] = _vectors(encoder, [encoder.ids(text) for text in said]).tolist()
        return found

    def _encoded(self, job: Mapping[str, Any]) -> Examples:
        ids = self._encoder.ids
        train = [Asked(one["id"], ids(one["question"]), one["chunks"]) for one in job["train"]]
        held_out = [Asked(one["id"], ids(one["question"]), ()) for one in job["held_out"]]
        return {"train": train, "held_out": held_out, "general": ()}

    def _share_of_loss(self, examples: Sequence[Any], batch: Sequence[Any]) -> Tensor:
        """Of the mean over a batch's questions, minus the log of the share of all chunks that what answers has."""
        near = self._encoder.vectors([one.ids for one in examples]) @ self._passages.T / TEMPERATURE
        right = torch.full(near.shape, -torch.inf)
        for row, one in enumerate(examples):
            right[row, list(one.chunks)] = 0.0
        lost = torch.logsumexp(near, dim=1) - torch.logsumexp(near + right, dim=1)
        return lost.sum() / len(batch)

    def _judge_first(self) -> dict[str, float]:
        return self._judge()[0]

    def _judge(self) -> tuple[dict[str, float], dict[str, float]]:
        """nDCG@10 of what is held out, by question and of all."""
        vectors = _vectors(
            self._encoder,
            [one.ids for one in self._held_out],
            lambda places: self._judge_by([self._held_out[at] for at in places]),
        )
        found = ndcg(vectors, self._chunks, self._owners, self._grades)
        by_question = dict(zip([one.id for one in self._held_out], found, strict=True))
        return by_question, {"valid_ndcg": sum(found) / len(found)}

    def _finish(self) -> None:
        """Judged as it will be served."""
        matrices = self._settle()
        after, valid = self._judge()
        self._end_epoch(valid)
        self._write_result(after, {}, valid, {"matrices": matrices})
