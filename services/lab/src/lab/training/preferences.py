"""Learning which of two answers people prefer, without a reward model: direct preference optimisation.

Of a prompt x with the preferred answer w and the rejected one l, the loss is

    -log sigmoid(margin),  margin = beta · ((log p(w|x) - log q(w|x)) - (log p(l|x) - log q(l|x)))

where p is the model that learns and q the one that it began as; log p of an answer is the sum over its tokens, with the
end of its turn. Rafailov et al., "Direct Preference Optimization: Your Language Model is Secretly a Reward Model"
(2023), equation 7; beta · (log p - log q) is the answer's reward. q is p without its small matrices, so that it is read
once, before anything is learnt.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lab.training.encoding import Encoded, EncodedPair, tokens_of
from lab.training.impossible import not_finite
from lab.training.loop import Examples, Tell, Training, learn, passes

PREFERENCE_RATE = 1e-4
SHOWN, MOST_SHOWN = 10, 24
"""How often held-out pairs are read on the way, for the curves, and how many of them."""


def run(folder: Path, job: Mapping[str, Any], tell: Tell) -> None:
    """Learn, and write `adapter.gguf` and `result.json`; raises `Impossible`."""
    learn(PreferenceTraining, folder, job, tell)


class PreferenceTraining(Training):
    """One job's model, that learns from pairs."""

    highest_rate = PREFERENCE_RATE

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._margins: list[float] = []
        """Of the pairs that were learnt from since a step was told."""
        self._every = max(1, len(self._plan.batches) // SHOWN)
        self._state.data += " by answers"  # checkpoints whose pairs were kept by id are not gone on from

    @classmethod
    def reads(cls, examples: Examples, epochs: int) -> int:
        """As of answers; pairs to learn from are read once more before, and some held-out ones on the way."""
        train, shown = (sum(map(tokens_of, some)) for some in (examples["train"], examples["held_out"][:MOST_SHOWN]))
        return super().reads(examples, epochs) + train + SHOWN * shown

    def _share_of_loss(self, examples: Sequence[Any], batch: Sequence[Any]) -> Tensor:
        """Of a pair."""
        margins = self._margins_of(examples, self._pair_sums(examples))
        self._margins += margins.tolist()
        share: Tensor = -functional.logsigmoid(margins).sum() / len(batch)
        return share

    def _step_figures(self) -> dict[str, float]:
        """Of the pairs that were learnt from since the last time, and now and then of some that are held out."""
        found = _figures("train", self._margins)
        self._margins = []
        if self._state.step % self._every == 0:
            some = self._held_out[:MOST_SHOWN]
            found |= _figures("valid", self._margins_of(some, self._read(some)).tolist())
        return found

    def _judge_first(self) -> dict[str, float]:
        pairs = [*self._train, *self._held_out]
        sums = self._read(pairs).tolist()
        self._state.reference = {_key(pair): both for pair, both in zip(pairs, sums, strict=True)}
        return self._preferred(torch.tensor(sums[len(self._train) :]))

    def _judge(self) -> tuple[dict[str, float], dict[str, float]]:
        sums = self._read(self._held_out)
        margins = self._margins_of(self._held_out, sums)
        figures = {
            "valid_loss": -functional.logsigmoid(margins).mean().item(),
            **_figures("valid", margins.tolist()),
            **self._accuracies("", sums),
            **self._accuracies("_before", self._first_of(self._held_out)),
        }
        return self._preferred(sums), figures

    def _accuracies(self, when: str, sums: Tensor) -> dict[str, float]:
        """A question's share of pairs that are right, by token, which decides, and by sum, as the loss has it: sums
        ask mostly which answer is shorter."""
        ways = {"preference_accuracy": self._preferred(sums), "preference_accuracy_by_sum": self._by_question(sums)}
        return {f"{name}{when}": sum(right.values()) / len(right) for name, right in ways.items()}

    def _preferred(self, sums: Tensor) -> dict[str, float]:
        """By question, the share of its held-out pairs of which the model itself finds the preferred answer likelier,
        a token: that can be asked of the model that it began as, too, by which all rewards are 0."""
        learnt = [[row.learnt for row in pair.rows] for pair in self._held_out]
        return self._by_question(sums / torch.tensor(learnt))

    def _by_question(self, likely: Tensor) -> dict[str, float]:
        by_question: dict[str, list[float]] = {}
        for pair, (preferred, rejected) in zip(self._held_out, likely.tolist(), strict=True):
            by_question.setdefault(pair.id, []).append(_right(preferred - rejected))
        return {name: sum(values) / len(values) for name, values in by_question.items()}

    def _first_of(self, pairs: Sequence[EncodedPair]) -> Tensor:
        """(n, 2): the sums of the model that it began as."""
        return torch.tensor([self._state.reference[_key(pair)] for pair in pairs])

    def _margins_of(self, pairs: Sequence[EncodedPair], sums: Tensor) -> Tensor:
        """(n,): by how much more the preferred answer is rewarded than the other."""
        rewards = self._settings["beta"] * (sums - self._first_of(pairs))
        return rewards[:, 0] - rewards[:, 1]

    def _read(self, pairs: Sequence[EncodedPair]) -> Tensor:
        """(n, 2): as `_pair_sums`, of any number; raises `Impossible` where one is no number."""
        found: dict[str, list[float]] = {}
        for some in passes(pairs):
            self._judge_by(some)
            with torch.no_grad():
                sums = self._pair_sums(some)
            found |= {_key(pair): both for pair, both in zip(some, sums.tolist(), strict=True)}
        for pair in pairs:
            if not all(map(math.isfinite, found[_key(pair)])):
                raise not_finite(math.nan, f"of the question '{pair.id}' after step {self._state.step}")
        return torch.tensor([found[_key(pair)] for pair in pairs])

    def _pair_sums(self, pairs: Sequence[EncodedPair]) -> Tensor:
        """(n, 2): the log-probabilities of both answers."""
        rows: list[Encoded] = [row for pair in pairs for row in pair.rows]
        losses, numbers = self._token_losses(rows)
        sums = torch.zeros(len(rows)).index_add(0, numbers, -losses)
        return sums.reshape(-1, 2)


def _key(pair: EncodedPair) -> str:
    """By what is read: an id is its question's in one set only, and held-out pairs may be of another."""
    return hashlib.sha256(repr((pair.preferred.ids, pair.rejected.ids)).encode()).hexdigest()


def _right(gap: float) -> float:
    """1 where the preferred one is ahead; a tie is half of it."""
    return 0.5 if gap == 0 else float(gap > 0)


def _figures(which: str, margins: Sequence[float]) -> dict[str, float]:
    """Of some pairs' rewards; none where there are no pairs."""
    if not margins:
        return {}
    return {
        f"{which}_reward_accuracy": sum(map(_right, margins)) / len(margins),
        f"{which}_reward_margin": sum(margins) / len(margins),
    }
