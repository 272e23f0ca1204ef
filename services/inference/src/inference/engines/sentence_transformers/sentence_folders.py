"""What makes sentence vectors of a model folder: transformers alone where its modules are the usual ones.

Importing sentence-transformers takes a second or two and 50 MB. What it does for most folders is little: one encoder
of text, whose first token or mean is the vector. It opens the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Pooling = Literal["cls", "mean"]
USUAL_ENCODERS = frozenset(
    ("BertModel", "XLMRobertaModel", "RobertaModel", "MPNetModel", "DistilBertModel", "ModernBertModel")
)
"""Architectures that read text in both directions and are given token ids and a mask."""
POOLINGS: Mapping[str, Pooling] = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}
"""As `1_Pooling/config.json` names them."""
LEAST_TOKENS = 1e-9
"""The mean of no token is nothing, not an error."""


class SentenceModel(Protocol):
    """The computing half of an encoder, in float32 until `module` is moved."""

    @property
    def module(self) -> Any:
        """Of torch."""
        ...

    @property
    def tokenizer(self) -> Any:
        """Of transformers."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers of a vector."""
        ...

    @property
    def limit(self) -> int | None:
        """Tokens that it was made to read, special ones included; None where its folder does not say."""
        ...

    @property
    def prompts(self) -> Mapping[str, str]:
        """What comes before a text, by the task's name."""
        ...

    def features(self, texts: Sequence[str], limit: int) -> dict[str, Any]:
        """Token ids and their mask, cut at `limit` tokens and padded to the longest."""
        ...

    def rows(self, features: Mapping[str, Any]) -> Any:
        """A vector for each text (texts, dimensions), of any length."""
        ...


@dataclass(frozen=True)
class UsualSentences:
    """An encoder of transformers with its first token's vector, or the mean of all tokens' ones."""

    module: Any
    tokenizer: Any
    pooling: Pooling
    limit: int
    prompts: Mapping[str, str]

    @property
    def dimensions(self) -> int:
        """Of the encoder."""
        return int(self.module.config.hidden_size)

    def features(self, texts: Sequence[str], limit: int) -> dict[str, Any]:
        """Special tokens included."""
        return dict(
            self.tokenizer(list(texts), padding=True, truncation="longest_first", max_length=limit, return_tensors="pt")
        )

    def rows(self, features: Mapping[str, Any]) -> Any:
        """Sums in float32, also of an encoder in bfloat16."""
        hidden = self.module(**features).last_hidden_state
        if self.pooling == "cls":
            return hidden[:, 0]
        mask = features["attention_mask"].unsqueeze(-1).float()
        return (hidden.float() * mask).sum(1) / mask.sum(1).clamp(min=LEAST_TOKENS)


@dataclass(frozen=True)
class AnySentences:
    """Whatever sentence-transformers opens."""

    module: Any
    """Its `SentenceTransformer`."""

    @property
    def tokenizer(self) -> Any:
        """Of its first module."""
        return self.module.tokenizer

    @property
    def dimensions(self) -> int:
        """Of its last module."""
        return int(self.module.get_embedding_dimension())

    @property
    def limit(self) -> int | None:
        """As it says."""
        limit: int | None = self.module.max_seq_length
        return limit

    @property
    def prompts(self) -> Mapping[str, str]:
        """Of `config_sentence_transformers.json`."""
        prompts: Mapping[str, str] = self.module.prompts
        return prompts

    def features(self, texts: Sequence[str], limit: int) -> dict[str, Any]:
        """As its modules take them."""
        self.module.max_seq_length = limit
        features: dict[str, Any] = self.module.preprocess(list(texts))
        return features

    def rows(self, features: Mapping[str, Any]) -> Any:
        """Through all modules."""
        return self.module(dict(features))["sentence_embedding"]


def open_sentences(folder: Path, torch: Any) -> SentenceModel:
    """The model of a folder in float32, ready to compute. Blocks for seconds."""
    return _usual(folder, torch) or _any(folder, torch)


def _usual(folder: Path, torch: Any) -> UsualSentences | None:
    """None where a module, a setting or the encoder is not one of the usual."""
    pooling, transformer = _pooling(folder), _content(folder / "sentence_bert_config.json")
    config, limit = _content(folder / "config.json"), transformer.get("max_seq_length")
    if pooling is None or not isinstance(limit, int) or not transformer.keys() <= {"max_seq_length", "do_lower_case"}:
        return None
    if transformer.get("do_lower_case") or "auto_map" in config:
        return None
    if not USUAL_ENCODERS.issuperset(config.get("architectures") or [""]):
        return None
    from transformers import AutoModel, AutoTokenizer

    module = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    prompts = _content(folder / "config_sentence_transformers.json").get("prompts") or {}
    return UsualSentences(module, tokenizer, pooling, limit, prompts)


def _pooling(folder: Path) -> Pooling | None:
    """Of the modules "an encoder, pooling" and perhaps "length 1", which vectors are brought to anyway."""
    modules = _listed(folder / "modules.json")
    kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules]
    if kinds[:2] != ["Transformer", "Pooling"] or kinds[2:] not in ([], ["Normalize"]) or modules[0].get("path"):
        return None
    config = _content(folder / str(modules[1].get("path")) / "config.json")
    if config.get("include_prompt") is False:
        return None
    if (named := config.get("pooling_mode")) is None:
        chosen = [name for name, value in config.items() if name.startswith("pooling_mode_") and value is True]
        return POOLINGS.get(chosen[0]) if len(chosen) == 1 else None
    return next((each for each in POOLINGS.values() if each == named), None)


def _any(folder: Path, torch: Any) -> AnySentences:
    from sentence_transformers import SentenceTransformer

    options = {"dtype": torch.float32}
    return AnySentences(
        SentenceTransformer(str(folder), device="cpu", local_files_only=True, model_kwargs=options).eval()
    )


def _content(file: Path) -> dict[str, Any]:
    """Nothing where there is no such file, or it is no object."""
    found = _read(file)
    return found if isinstance(found, dict) else {}


def _listed(file: Path) -> list[dict[str, Any]]:
    found = _read(file)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
