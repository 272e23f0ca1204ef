"""Learning how the questions of one collection are to be read, so that the passages that answer them are nearer.

The loss, the passages and the verdict are those of `lab.training.frozen.projection`; what is learnt are small matrices
beside each linear layer of the encoder (LoRA), in batches, from where an earlier attempt was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lab.training.encoders.model import Encoder, load_encoder, put_matrices
from lab.training.encoders.training import TOKENIZER, EncoderTraining
from lab.training.frozen.projection import TEMPERATURE, Vectors, ndcg
from lab.training.loop import Tell, check_size

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
    """Learn what `job.json` says, and leave `result.json`; or say what both make of texts (`said`). Raises
    `Impossible`."""
    torch.set_num_threads(job["threads"])
    encoder = load_encoder(Path(job["weights"]), folder / TOKENIZER)
    if "said" in job:
        return _encode(folder, encoder, job)
    learning = QuestionTraining(folder, job, tell, encoder)
    check_size(job, learning.reads_altogether())
    return learning.run()


def _encode(folder: Path, encoder: Encoder, job: Mapping[str, Any]) -> None:
    """`parity.json`: the vectors of the texts before and after."""
    ids = [encoder.ids(text) for text in job["said"]]
    found = {"base": _vectors(encoder, ids).tolist()}
    put_matrices(encoder, job["artifact"]["matrices"])
    found["tuned"] = _vectors(encoder, ids).tolist()
    (folder / "parity.json").write_text(json.dumps(found, allow_nan=False), encoding="utf-8")


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
        train = [Asked(one["id"], encoder.ids(one["question"]), one["chunks"]) for one in job["train"]]
        held_out = [Asked(one["id"], encoder.ids(one["question"]), ()) for one in job["held_out"]]
        super().__init__(folder, job, tell, {"train": train, "held_out": held_out, "general": ()}, encoder)

    def reads_altogether(self) -> int:
        """Tokens, as `Training.reads`."""
        examples = {"train": self._train, "held_out": self._held_out, "general": ()}
        return self.reads(examples, self._settings["n_epochs"])

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
