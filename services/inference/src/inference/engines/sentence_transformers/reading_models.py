"""The forms of models that read: question answering, entailment and relevance of transformers, and our own reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.models.reading import Reads
from inference.catalog.packages import package_folder
from inference.catalog.sources import PackageSource
from inference.errors import CannotLoad
from inference.protocol.engines import Pair

SPAN_TOKENS = 64
"""Of the longest span."""
OWN = "reader.json"
"""Marks a folder as one of our own form."""
GROUP = 64
"""Weights of it that share a scale."""


@dataclass(frozen=True, slots=True)
class PairOutput:
    """What a model says of one pair, its second text being the passage; None is what it can't tell."""

    answers: float | None = None
    span: tuple[int, int] | None = None
    """Characters of the passage."""
    relevance: float | None = None
    supported: float | None = None
    contradicted: float | None = None
    features: NDArray[np.float32] | None = None
    """What the chance that it answers was made of."""


@dataclass(frozen=True, slots=True)
class Heads:
    """Of a batch, as tensors in float32: logits, but of `support` chances: of supported and, if told, contradicted.

    With `span` (batch, tokens, 2) and no `answers`, the first token stands for no answer, as SQuAD 2 has it.
    """

    answers: Any = None
    relevance: Any = None
    support: Any = None
    span: Any = None
    features: Any = None


@dataclass(frozen=True, slots=True)
class ReadingModel:
    """A `PairModel`: a module with its tokenizer, and what makes `Heads` of a batch."""

    module: Any
    tokenizer: Any
    tokenizer_folder: Path
    limit: int
    reads: frozenset[Reads]
    forward: Callable[[Mapping[str, Any]], Heads]
    sentence_first: bool = False
    """Whether it was trained on pairs of sentence and premise, in that order."""
    has_features: bool = False
    head: Mapping[str, Any] | None = None
    """Of our own form, what makes the odds that a passage answers of the features: `mix` and `answers`, each with
    weight and bias."""

    def compute(self, pairs: Sequence[Pair]) -> list[PairOutput]:
        """By one pass over the batch."""
        import torch

        coded = self.tokenizer(
            [first for first, _ in pairs],
            [second for _, second in pairs],
            truncation="longest_first",
            max_length=self.limit,
            padding=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        offsets = coded.pop("offset_mapping").numpy()
        with torch.inference_mode():
            heads = self.forward(dict(coded))
        rows = range(len(pairs))
        inside = [np.array([part == 1 for part in coded.sequence_ids(row)]) for row in rows]
        return [_output(heads, row, inside[row], offsets[row], pairs[row][1]) for row in rows]


def open_reading(folder: Path, torch: Any, limit: int) -> ReadingModel:
    """The model of a folder in float32, by the head that its files name; raises `CannotLoad`."""
    if (folder / OWN).is_file():
        return _own(folder, torch, limit)
    import transformers

    options: dict[str, Any] = {"local_files_only": True, "dtype": torch.float32}
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    architecture = (config.architectures or ["none"])[0]
    reads: frozenset[Reads]
    if architecture.endswith("ForQuestionAnswering"):
        module = transformers.AutoModelForQuestionAnswering.from_pretrained(folder, **options).eval()
        reads, forward = frozenset(("answers", "spans")), _question_answering(module, torch)
    elif not architecture.endswith("ForSequenceClassification"):
        raise CannotLoad(
            f"its architecture is {architecture}: a reading model is one ForQuestionAnswering or "
            "ForSequenceClassification (of relevance, or of entailment)"
        )
    else:
        module = transformers.AutoModelForSequenceClassification.from_pretrained(folder, **options).eval()
        reads, forward = _classification(module, torch)
    return ReadingModel(module, _tokenizer(folder, config, limit), folder, limit, reads, forward)


def _question_answering(module: Any, torch: Any) -> Callable[[Mapping[str, Any]], Heads]:
    def forward(batch: Mapping[str, Any]) -> Heads:
        made = module(**batch)
        return Heads(span=torch.stack((made.start_logits, made.end_logits), dim=2).float())

    return forward


def _classification(module: Any, torch: Any) -> tuple[frozenset[Reads], Callable[[Mapping[str, Any]], Heads]]:
    """One class is relevance; several are entailment, by their names."""
    if module.config.num_labels == 1:
        return frozenset(("relevance",)), lambda batch: Heads(relevance=module(**batch).logits[:, 0].float())
    names = {str(label).lower(): number for number, label in module.config.id2label.items()}
    supported = [names[name] for name in names if name.startswith(("entail", "support"))]
    contradicted = [names[name] for name in names if name.startswith(("contra", "refut"))]
    if len(supported) != 1 or len(contradicted) > 1:
        raise CannotLoad(
            f"id2label of its config.json has {', '.join(names)}: one must be named entailment, and another may be "
            "named contradiction"
        )
    chosen = supported + contradicted

    def forward(batch: Mapping[str, Any]) -> Heads:
        return Heads(support=torch.softmax(module(**batch).logits.float(), dim=1)[:, chosen])

    return frozenset(("support", "contradiction") if contradicted else ("support",)), forward


class _OwnConfig(BaseModel):
    """`reader.json`: how the weights beside it change an encoder, and what stands on it."""

    model_config = ConfigDict(extra="forbid")
    encoder: PackageSource | None = None
    """The encoder's folder; without it, it lies in the same one."""
    weights: str = "reader.safetensors"
    max_tokens: int = 256
    temperatures: dict[str, float] = {}
    """What logits of `answers`, `fits` and `entails` are divided by, so that chances are what they say."""


def _own(folder: Path, torch: Any, limit: int) -> ReadingModel:
    """The encoder as it was trained on, and the heads on its first token and its mean."""
    import transformers
    from safetensors.torch import load_file

    try:
        config = _OwnConfig.model_validate_json((folder / OWN).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise CannotLoad(f"{OWN}: {first['msg']} ({'.'.join(map(str, first['loc']))})") from None
    place = folder if config.encoder is None else package_folder(config.encoder.package) / config.encoder.folder
    encoder = transformers.AutoModel.from_pretrained(
        place, add_pooling_layer=False, local_files_only=True, dtype=torch.float32
    ).eval()
    loaded = load_file(folder / config.weights)
    given = {name: value if value.dtype == torch.uint8 else value.float() for name, value in loaded.items()}
    try:
        apply_changes(encoder, given, torch)
        forward = _own_heads(encoder, given, config.temperatures, torch)
    except (KeyError, AttributeError, RuntimeError) as error:
        raise CannotLoad(f"{config.weights} does not fit its encoder: {error}") from None
    tokenizer = _tokenizer(place, encoder.config, limit, config.max_tokens)
    reads: frozenset[Reads] = frozenset(("answers", "spans", "relevance", "support", "contradiction"))
    head = _head_of_answers(given, config.temperatures.get("answers", 1.0))
    made = ReadingModel(encoder, tokenizer, place, limit, reads, forward, sentence_first=True, has_features=True)
    return replace(made, head=head)


def _head_of_answers(given: Mapping[str, Any], temperature: float) -> Mapping[str, Any]:
    """Its last layer is divided by its temperature."""
    parts = {f"mix.{part}": given[f"mix.0.{part}"] for part in ("weight", "bias")}
    return parts | {f"answers.{part}": given[f"answers.{part}"] / temperature for part in ("weight", "bias")}


def apply_changes(encoder: Any, given: Mapping[str, Any], torch: Any) -> None:
    """Puts in what is given as it is, and adds to each matrix its change: four bits a weight, two weights a byte, and a
    scale for each `GROUP` (what training changes takes fewer bits than a weight: Liu et al. 2024, arXiv:2402.10193)."""
    unused = {name for name in given if name.startswith("encoder.")}
    with torch.no_grad():
        for plain, parameter in encoder.named_parameters():
            name = f"encoder.{plain}"
            if name in unused:
                unused.remove(name)
                parameter.copy_(given[name])
            elif f"{name}.bits" in unused:
                unused -= {f"{name}.bits", f"{name}.scale"}
                bits = given[f"{name}.bits"]
                levels = torch.stack((bits & 15, bits >> 4), dim=1).reshape(-1, GROUP).float() - 8
                parameter += (levels * given[f"{name}.scale"].unsqueeze(1)).reshape(parameter.shape)
    if unused:
        raise KeyError(min(unused))


def _own_heads(
    encoder: Any, given: Mapping[str, Any], temperatures: Mapping[str, float], torch: Any
) -> Callable[[Mapping[str, Any]], Heads]:
    functional = torch.nn.functional
    layers = {name: (given[f"{name}.weight"], given[f"{name}.bias"]) for name in ("mix.0", "answers", "fits")}
    layers |= {name: (given[f"{name}.weight"], given[f"{name}.bias"]) for name in ("entails", "span")}

    def logits(name: str, read: Any) -> Any:
        return functional.linear(read, *layers[name]) / temperatures.get(name, 1.0)

    def forward(batch: Mapping[str, Any]) -> Heads:
        hidden = encoder(**batch).last_hidden_state.float()
        mask = batch["attention_mask"].unsqueeze(-1).float()
        mean = (hidden * mask).sum(1) / mask.sum(1)
        ends = torch.cat((hidden[:, 0], mean), dim=1)
        both = functional.gelu(functional.linear(ends, *layers["mix.0"]))
        return Heads(
            answers=logits("answers", both)[:, 0],
            relevance=logits("fits", both)[:, 0],
            support=torch.softmax(logits("entails", both), dim=1)[:, :2],
            span=logits("span", hidden),
            features=ends,
        )

    return forward


def _tokenizer(folder: Path, config: Any, limit: int, most: int | None = None) -> Any:
    """Raises `CannotLoad` where it, or the model, reads less than `limit`."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.is_fast:
        raise CannotLoad("it has no tokenizer.json, by which spans are found")
    reads = min(getattr(config, "max_position_embeddings", limit), tokenizer.model_max_length, most or limit)
    if reads < limit:
        raise CannotLoad(f"max_input_tokens: it reads {reads}, the models file says {limit}")
    return tokenizer


def _output(heads: Heads, row: int, inside: NDArray[np.bool_], offsets: NDArray[np.int64], passage: str) -> PairOutput:
    def chance(logits: Any) -> float | None:
        return None if logits is None else _sigmoid(float(logits[row]))

    answers, span = chance(heads.answers), None
    if heads.span is not None:
        logits = heads.span[row].numpy()
        found = _best_span(logits, inside)
        if found is not None:
            first, last, score = found
            span = _trimmed(passage, int(offsets[first][0]), int(offsets[last][1]))
        if answers is None:
            answers = 0.0 if found is None else _sigmoid(score - float(logits[0].sum()))
    support = [None, None] if heads.support is None else [min(1.0, float(each)) for each in heads.support[row]]
    contradicted = support[1] if len(support) > 1 else None
    features = None if heads.features is None else heads.features[row].numpy()
    return PairOutput(answers, span, chance(heads.relevance), support[0], contradicted, features)


def _best_span(logits: NDArray[np.float32], inside: NDArray[np.bool_]) -> tuple[int, int, float] | None:
    """First and last token of the likeliest span inside the passage, and its logit; None where there is no passage."""
    places = np.flatnonzero(inside)
    if not len(places):
        return None
    scores = logits[places, 0][:, None] + logits[places, 1][None, :]
    near = np.triu(np.ones_like(scores, dtype=bool)) & ~np.triu(np.ones_like(scores, dtype=bool), SPAN_TOKENS)
    scores = np.where(near, scores, -np.inf)
    first, last = np.unravel_index(int(scores.argmax()), scores.shape)
    return int(places[first]), int(places[last]), float(scores[first, last])


def _trimmed(passage: str, start: int, end: int) -> tuple[int, int] | None:
    """Without blanks at its ends; None where nothing else is in it."""
    text = passage[start:end]
    start += len(text) - len(text.lstrip())
    end = start + len(text.strip())
    return (start, end) if start < end else None


def _sigmoid(logit: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(logit, -500, 500))))
