"""The reader: an encoder with a head for each judgement, and what it loses by being wrong.

`inference.engines.sentence_transformers.reading_models` runs it; names of layers are those that it looks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional

from research.reader.examples import UNSUPPORTED, Example

MAX_TOKENS = 256
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""What an encoder takes of a batch; not every tokenizer tells the two texts apart by types."""
UNKNOWN = -1
WEIGHTS = {"answers": 1.0, "span": 0.35, "fits": 0.25, "entails": 1.0, "choice": 0.5}
"""Of each loss, a mean over the examples that it judges, in the sum."""
OTHERS_COUNT = 1.6
"""What all passages count that stand in a group beside the one that answers, which counts 1."""


class ReaderModel(nn.Module):
    """Heads on the first token and the mean of all, and one on each token for spans."""

    def __init__(self, folder: Path, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = transformers.AutoModel.from_pretrained(
            folder,
            add_pooling_layer=False,
            local_files_only=True,
            dtype=torch.float32,
            attn_implementation="eager",
            attention_probs_dropout_prob=0.0,
            hidden_dropout_prob=0.0,
        )
        width = self.encoder.config.hidden_size
        self.mix = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Dropout(dropout))
        self.answers, self.fits = nn.Linear(width, 1), nn.Linear(width, 1)
        self.entails, self.span = nn.Linear(width, 3), nn.Linear(width, 2)
        for parameter in self.encoder.embeddings.parameters():
            parameter.requires_grad = False

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Logits: answers (batch), fits (batch), entails (batch, 3), span (batch, tokens, 2)."""
        hidden = self.encoder(**{name: batch[name] for name in INPUTS if name in batch}).last_hidden_state.float()
        mask = batch["attention_mask"].unsqueeze(-1).float()
        both = self.mix(torch.cat((hidden[:, 0], (hidden * mask).sum(1) / mask.sum(1)), dim=1))
        return {
            "answers": self.answers(both)[:, 0],
            "fits": self.fits(both)[:, 0],
            "entails": self.entails(both),
            "span": self.span(hidden),
        }


def coded(examples: Sequence[Example], tokenizer: Any) -> dict[str, Tensor]:
    """A batch with its labels, as the service codes pairs; `UNKNOWN` where an example does not say."""
    made = tokenizer(
        [one.first for one in examples],
        [one.second for one in examples],
        truncation="longest_first",
        max_length=MAX_TOKENS,
        padding=True,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    offsets = made.pop("offset_mapping")
    inside = torch.tensor([[part == 1 for part in made.sequence_ids(row)] for row in range(len(examples))])
    spans = torch.full((len(examples), 2), UNKNOWN)
    for row, one in enumerate(examples):
        if one.span is not None:
            starts, ends = offsets[row, :, 0], offsets[row, :, 1]
            held = inside[row] & (starts < one.span[1]) & (ends > one.span[0])
            places = held.nonzero()[:, 0]
            if len(places) and int(ends[places[-1]]) >= one.span[1]:
                spans[row] = torch.stack((places[0], places[-1]))
    labels = {
        "answers": [UNKNOWN if one.answers is None else int(one.answers) for one in examples],
        "fits": [UNKNOWN if one.fits is None else int(one.fits) for one in examples],
        "entails": [UNKNOWN if one.support is None else one.support for one in examples],
    }
    # A passage that was cut before its answer ends does not answer any more.
    lost = [one.span is not None and int(spans[row, 0]) == UNKNOWN for row, one in enumerate(examples)]
    labels["answers"] = [UNKNOWN if gone else label for label, gone in zip(labels["answers"], lost, strict=True)]
    return {**made, "inside": inside, "spans": spans, **{f"is_{k}": torch.tensor(v) for k, v in labels.items()}}


def grouped(groups: Sequence[Sequence[Example]], tokenizer: Any) -> dict[str, Tensor]:
    """A batch of groups: questions each with several passages, of which the first answers or none does; `counts` says
    how much each row does, `chosen` (groups, 2) where a group begins whose first passage answers, and how many rows it
    has."""
    made = coded([one for group in groups for one in group], tokenizer)
    counts = [
        OTHERS_COUNT / (len(group) - 1) if at and group[0].answers else 1.0
        for group in groups
        for at in range(len(group))
    ]
    starts = [sum(map(len, groups[:at])) for at in range(len(groups))]
    chosen = [
        (start, len(group))
        for start, group in zip(starts, groups, strict=True)
        if len(group) > 1 and int(made["is_answers"][start]) == 1
    ]
    return {**made, "counts": torch.tensor(counts), "chosen": torch.tensor(chosen).reshape(-1, 2)}


def losses(made: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By head, where the batch has examples of it; `choice`, where it has groups, of the passage that answers."""
    found: dict[str, Tensor] = {}
    for head in ("answers", "fits"):
        known = batch[f"is_{head}"] != UNKNOWN
        if known.any():
            wanted = batch[f"is_{head}"][known].float()
            counts = batch["counts"][known] if head == "answers" and "counts" in batch else torch.ones_like(wanted)
            lost = functional.binary_cross_entropy_with_logits(made[head][known], wanted, counts, reduction="sum")
            found[head] = lost / counts.sum()
    if "chosen" in batch and len(batch["chosen"]):
        found["choice"] = torch.stack(
            [-functional.log_softmax(made["answers"][at : at + rows], 0)[0] for at, rows in batch["chosen"].tolist()]
        ).mean()
    known = batch["is_entails"] != UNKNOWN
    if known.any():
        found["entails"] = _entailment(made["entails"][known], batch["is_entails"][known])
    known = batch["spans"][:, 0] != UNKNOWN
    if known.any():
        logits = made["span"][known].masked_fill(~batch["inside"][known].unsqueeze(-1), -1e4)
        ends = [functional.cross_entropy(logits[:, :, at], batch["spans"][known][:, at]) for at in (0, 1)]
        found["span"] = (ends[0] + ends[1]) / 2
    return found


def _entailment(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy; where only "not supported" is known, of both other classes together."""
    chances = functional.log_softmax(logits, dim=1)
    either = torch.logsumexp(chances[:, 1:], dim=1)
    exact = chances.gather(1, wanted.clamp(max=UNSUPPORTED - 1).unsqueeze(1))[:, 0]
    return -torch.where(wanted == UNSUPPORTED, either, exact).mean()
