"""Learning how a reading model is to read the passages that searches of one collection find, and what is then added to
its log odds.

Odds, loss and verdict are those of `lab.training.frozen.correction`. That correction of the encoder as it is is where
this begins; it is learnt on together with small matrices beside each linear layer of the encoder (LoRA), in batches,
from where an earlier attempt was.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lab.training.encoders.model import Encoder, Pair, load_encoder, put_matrices
from lab.training.encoders.training import TOKENIZER, EncoderTraining
from lab.training.encoding import tokens_of
from lab.training.frozen.correction import CERTAIN, Read, chances_of, correction_of, judged, judged_in_general, learn
from lab.training.frozen.lbfgs import Array
from lab.training.loop import Tell, check_size

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
    """Learn what `job.json` says, and leave `result.json`; or say what both make of passages (`said`). Raises
    `Impossible`."""
    torch.set_num_threads(job["threads"])
    encoder = load_encoder(Path(job["weights"]), folder / TOKENIZER)
    if "said" in job:
        return _read_both(folder, encoder, job)
    learning = PassageTraining(folder, job, tell, encoder)
    check_size(job, learning.reads_altogether())
    return learning.run()


def _read_both(folder: Path, encoder: Encoder, job: Mapping[str, Any]) -> None:
    """`parity.json`: of each question's passages the chances before and after."""
    given = [[encoder.pair(one["question"], text) for text in one["texts"]] for one in job["said"]]
    artifact, found = job["artifact"], dict[str, list[list[float]]]()
    found["base"] = [chances_of(_read(encoder, pairs)[0]).tolist() for pairs in given]
    put_matrices(encoder, artifact["lora"]["matrices"])
    correction = correction_of(artifact)
    found["tuned"] = []
    for pairs in given:
        odds, features = _read(encoder, pairs)
        nothing = np.zeros(len(odds), dtype=np.int64)
        found["tuned"].append(chances_of(correction.corrected(Read(odds, features, nothing > 0, nothing))).tolist())
    (folder / "parity.json").write_text(json.dumps(found, allow_nan=False), encoding="utf-8")


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
        examples = {
            which: [self._passages(encoder, number) for number in job[which]]
            for which in ("train", "held_out", "general")
        }
        super().__init__(folder, job, tell, examples, encoder, (self._weights, self._rest))

    def _passages(self, encoder: Encoder, number: int) -> Passages:
        one = self._job["read"][number]
        pairs = [encoder.pair(one["question"], text) for text in one["texts"]]
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
