"""Learning how a reading model is to read the passages that searches of one collection find, and what is then added to
its log odds.

Odds, loss and verdict are those of `lab.training.frozen.correction`. That correction of the encoder as it is is where
this begins; it is learnt on together with small matrices beside each linear layer of the encoder (LoRA), in batches,
from where an earlier attempt was.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lab.training.encoders.model import Encoder, Pair
from lab.training.encoders.training import EncoderTraining
from lab.training.encoders.training import learn as learn_beside
from lab.training.encoding import tokens_of
from lab.training.frozen.correction import CERTAIN, Read, correction_of, judged, judged_in_general, learn
from lab.training.frozen.lbfgs import Array
from lab.training.loop import Examples, Tell

AT_ONCE = 16
"""Pairs that are read together where nothing is learnt from them."""
HEAD_RATE = 0.1
"""By how much slower the correction is learnt than the matrices: it begins where it is best without them."""
MOST_ODDS = float(np.log((1 - CERTAIN) / CERTAIN))


@dataclass(frozen=True, slots=True)
class Passages:
    """What was found for a question, each with it in tokens, and whether it answers."""

    id: str
    rows: Sequence[Pair]
    answers: Sequence[bool]

    @property
    def width(self) -> int:
        """Tokens of each in a pass."""
        return max(one.width for one in self.rows)


def run(folder: Path, job: Mapping[str, Any], tell: Tell) -> None:
    """As `learn_beside` says."""
    learn_beside(PassageTraining, folder, job, tell)


def _read(encoder: Encoder, pairs: Sequence[Pair]) -> tuple[Array, Array]:
    """Log odds and features, in the order of the pairs, which are read with others of their length."""
    order = sorted(range(len(pairs)), key=lambda at: (pairs[at].width, at))
    parts = []
    with torch.no_grad():
        for at in range(0, len(order), AT_ONCE):
            features = encoder.features([pairs[one] for one in order[at : at + AT_ONCE]])
            parts.append(torch.cat((_bounded(encoder.odds(features)).unsqueeze(1), features), dim=1).numpy())
    found = np.concatenate(parts).astype(np.float64)
    placed = np.empty_like(found)
    placed[order] = found
    return placed[:, 0], placed[:, 1:]


def _bounded(odds: Tensor) -> Tensor:
    """As inference has them: chances nearer to 0 and 1 say no more."""
    return odds.clamp(-MOST_ODDS, MOST_ODDS)


class PassageTraining(EncoderTraining):
    """One job's encoder and correction, and where they are."""

    def __init__(self, folder: Path, job: Mapping[str, Any], tell: Tell, encoder: Encoder) -> None:
        self._job = job
        width = encoder.head["mix.weight"].shape[1]
        self._weights, self._rest = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(2))
        super().__init__(folder, job, tell, encoder, (self._weights, self._rest))

    @staticmethod
    def say(encoder: Encoder, said: Sequence[Any], artifact: Mapping[str, Any] | None) -> list[list[float]]:
        """Log odds that passages answer; with what was learnt as its correction has them."""
        found = []
        for one in said:
            odds, features = _read(encoder, [encoder.pair(one["question"], text) for text in one["texts"]])
            if artifact is not None:
                nothing = np.zeros(len(odds), dtype=np.int64)
                odds = correction_of(artifact).corrected(Read(odds, features, nothing > 0, nothing))
            found.append(np.clip(odds, -MOST_ODDS, MOST_ODDS).tolist())
        return found

    def _encoded(self, job: Mapping[str, Any]) -> Examples:
        return {which: [self._passages(number) for number in job[which]] for which in ("train", "held_out", "general")}

    def _passages(self, number: int) -> Passages:
        one = self._job["read"][number]
        pairs = [self._encoder.pair(one["question"], text) for text in one["texts"]]
        return Passages(self._job["ids"][number], pairs, one["answers"])

    def reads_altogether(self) -> int:
        """Tokens: those to learn from once more, for the correction to begin with, and what judges before and after."""
        train, held_out, general = (sum(map(tokens_of, some)) for some in (self._train, self._held_out, self._general))
        epochs = int(self._settings["n_epochs"])
        return train * (epochs + 1) + 2 * (held_out + general)

    def _odds(self, features: Tensor) -> Tensor:
        scale, offset = 1 + HEAD_RATE * self._rest[0], HEAD_RATE * self._rest[1]
        own = _bounded(self._encoder.odds(features))
        return own * scale + features @ (HEAD_RATE * self._weights) + offset

    def _share_of_loss(self, examples: Sequence[Any], batch: Sequence[Any]) -> Tensor:
        """Of the mean over a batch's questions: the log loss of their passages, and minus the log of the share that
        what answers has of them."""
        odds = self._odds(self._encoder.features([pair for one in examples for pair in one.rows]))
        total, at = torch.zeros(()), 0
        for one in examples:
            some, right = odds[at : at + len(one.rows)], torch.tensor(one.answers)
            total = total + functional.binary_cross_entropy_with_logits(some, right.float(), reduction="sum")
            if bool(right.any()):
                total = total + torch.logsumexp(some, 0) - torch.logsumexp(some[right], 0)
            at += len(one.rows)
        return total / len(batch)

    def _judge_first(self) -> dict[str, float]:
        """What the reading model says before; and the correction that is best for it is where learning begins."""
        for which in ("held_out", "general"):
            for one, (odds, _) in zip(self._examples(which), self._read_all(which), strict=True):
                self._state.reference[f"{which} {one.id}"] = odds.tolist()
        found = learn(self._joined(self._train, self._read_all("train")), self._job["l2"], self._job["head_steps"])
        with torch.no_grad():
            self._weights.copy_(torch.from_numpy(found.weights) / HEAD_RATE)
            self._rest.copy_(torch.tensor([found.scale - 1, found.offset]) / HEAD_RATE)
        return {}

    def _examples(self, which: str) -> Sequence[Passages]:
        return {"train": self._train, "held_out": self._held_out, "general": self._general}[which]

    def _read_all(self, which: str) -> list[tuple[Array, Array]]:
        found = []
        for one in self._examples(which):
            self._judge_by([one])
            found.append(_read(self._encoder, one.rows))
        return found

    def _losses(self, asked: Sequence[Any]) -> dict[str, float]:
        """They are judged at the end, by what was said before."""
        return {}

    def _judge(self) -> tuple[dict[str, float], dict[str, float]]:
        """What is held out is not read on the way, which would take as long as to learn."""
        return {}, {}

    def _finish(self) -> None:
        """Judged as it will be served."""
        matrices = self._settle()
        scale, offset = (HEAD_RATE * self._rest.detach()).tolist()
        head = {
            "weights": base64.b64encode((HEAD_RATE * self._weights.detach()).numpy().astype("<f4").tobytes()).decode(),
            "scale": 1 + scale,
            "offset": offset,
        }
        self._state.before, after, figures = self._judge_by_all("held_out", head, judged)
        self._state.general_before, general, others = self._judge_by_all("general", head, judged_in_general)
        self._end_epoch(figures)
        lora = {"rank": self._settings["rank"], "matrices": matrices}
        self._write_result(after, general, {**figures, **others}, {**head, "lora": lora})

    def _judge_by_all(self, which: str, head: Mapping[str, Any], judge: Callable[..., Any]) -> Any:
        """By question before and after, and figures of all."""
        examples = self._examples(which)
        if not examples:
            return {}, {}, {}
        read = self._joined(examples, self._read_all(which))
        before = np.concatenate([np.array(self._state.reference[f"{which} {one.id}"]) for one in examples])
        return judge(self._job, replace(read, odds=before), correction_of(head).corrected(read))

    @staticmethod
    def _joined(examples: Sequence[Passages], read: Sequence[tuple[Array, Array]]) -> Read:
        odds, features = (np.concatenate(parts) for parts in zip(*read, strict=True))
        answers = np.concatenate([np.array(one.answers, dtype=bool) for one in examples])
        return Read(odds, features, answers, np.repeat(np.arange(len(read)), [len(one.rows) for one in examples]))
