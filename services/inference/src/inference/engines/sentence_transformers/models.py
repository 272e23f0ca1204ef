"""Sentence vectors in this process: the encoder of embeddings."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from contracts.models.catalog import INPUT_TYPES, InputType
from inference.catalog.learnt.lora import Lora
from inference.engines import torch_runtime
from inference.engines.sentence_transformers.beside import merge
from inference.engines.sentence_transformers.packed_linear import pack_linears
from inference.engines.sentence_transformers.sentence_folders import SentenceModel, open_sentences
from inference.engines.sentence_transformers.weights import check_weights
from inference.errors import CannotLoad
from inference.protocol.engines import Vectors
from inference.protocol.prefixes import NO_PREFIXES, Prefixes

log = structlog.get_logger(__name__)
LEAST_COSINE = 0.995
"""all-MiniLM-L6-v2 reaches 0.9995 and more; a model that needs float32's range falls far below."""
CHECKED = (
    "What is covered by the warranty, and for how long?",
    "The pump must be off before the cover is opened. Wait until the gauge shows zero, then loosen the four screws.",
    "def area(radius: float) -> float:\n    return 3.14159 * radius ** 2",
    "Der Vertrag verlängert sich um ein Jahr, wenn er nicht drei Monate vor Ablauf gekündigt wird.",
    "| year | revenue | profit |\n| 2021 | 1,204.5 | -17 |\n| 2022 | 1,377.0 | 211 |",
)
"""A question, prose, code, another language, a table."""
LENGTHS = 16


def plain_tokenizer(folder: Path) -> bytes:
    """A folder's `tokenizer.json` without truncation and padding, which make every text seem as long as the cut."""
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    content["truncation"] = content["padding"] = None
    return json.dumps(content, ensure_ascii=False).encode()


def prompts(named: Mapping[str, str]) -> Prefixes:
    """The prompts of sentence-transformers as prefixes. Those of tasks other than search are nobody's here."""
    found: dict[InputType, str] = {}
    for name in INPUT_TYPES:
        if named.get(name):
            found.setdefault(INPUT_TYPES[name], named[name])
    return Prefixes(**found)


class SentenceEncoder:
    """An `Encoder` over a sentence-transformers model folder. `encode` may run in several threads at once.

    Several batches on a core each embed more than one batch on several cores: cores that share a batch mostly wait for
    each other (0501).
    """

    def __init__(
        self,
        locate: Callable[[], Path],
        *,
        dimensions: int,
        max_input_tokens: int,
        precision: torch_runtime.Precision,
        lora: Lora | None = None,
    ) -> None:
        """`lora` becomes a part of the encoder."""
        self._locate = locate
        self._dimensions = dimensions
        self._limit = max_input_tokens
        self._precision = precision
        self._lora = lora
        self._torch: Any = None
        self._model: Any = None
        self._tokenizing = threading.Lock()
        self._counter: Any = None
        self._tokenizer = b""
        self._prefixes = NO_PREFIXES

    def open(self) -> None:
        """Load; raises `CannotLoad` when it is too large, or `dimensions` or `max_input_tokens` are not the model's."""
        folder = self._locate()  # first: importing takes seconds
        check_weights(folder)
        self._torch = torch = torch_runtime.import_engines()
        torch_runtime.use_threads(torch, 1)
        from tokenizers import Tokenizer  # imported in its thread: seconds

        dtype = torch_runtime.dtype_for(torch, self._precision)
        self._model = self._load(folder)
        if dtype is torch.bfloat16 and not self._lower_precision():
            self._model, dtype = self._load(folder), torch.float32
        self._tokenizer = plain_tokenizer(folder)
        self._counter = Tokenizer.from_str(self._tokenizer.decode())
        self._prefixes = prompts(self._model.prompts)
        torch_runtime.return_memory()
        log.info("embedding model loaded", folder=folder.name, dtype=str(dtype))

    def close(self) -> None:
        """Free the model; what it says of its texts stays."""
        self._model = self._counter = None

    def _load(self, folder: Path) -> SentenceModel:
        """In float32."""
        model = open_sentences(folder, self._torch)
        if model.dimensions != self._dimensions:
            raise CannotLoad(f"dimensions: it makes {model.dimensions}, the models file says {self._dimensions}")
        if model.limit is not None and model.limit < self._limit:
            raise CannotLoad(f"max_input_tokens: it reads {model.limit}, the models file says {self._limit}")
        if self._lora is not None:
            merge(model.module, self._lora, self._torch)
        return model

    def _lower_precision(self) -> bool:
        """Go on in bfloat16 if this model's vectors remain what they are in float32."""
        exact = self.encode(CHECKED)
        self._model.module.to(self._torch.bfloat16)
        packed = pack_linears(self._torch, self._model.module)
        cosine = agreement(exact, self.encode(CHECKED))
        if cosine < LEAST_COSINE:
            log.error("bfloat16 changes this model's vectors: it goes on in float32", cosine=round(cosine, 5))
            return False
        log.info("bfloat16 agrees with float32", cosine=round(cosine, 5), packed=packed)
        return True

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones included."""
        return [len(encoding.ids) for encoding in self._counter.encode_batch_fast(list(texts))]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Normalised float32 rows."""
        torch, model = self._torch, self._model
        torch_runtime.use_threads(torch, 1)
        with self._tokenizing:  # a tokenizer pads to what the last call set
            features = model.features(texts, self._limit)
        self._round_up(features, model.tokenizer)
        with torch.inference_mode():
            rows = model.rows(features).float()
            normalized = torch.nn.functional.normalize(rows, p=2, dim=1)
        return np.asarray(normalized.numpy(), dtype=np.float32)

    def _round_up(self, features: Any, tokenizer: Any) -> None:
        """Pad to a multiple of `LENGTHS`. oneDNN compiles for each shape and keeps what it compiled: where every length
        has a shape of its own, the first 400 texts took a third longer, and the process 150 MB more (measured).
        """
        length = features["input_ids"].shape[1]
        extra = min(-length % LENGTHS, self._limit - length)
        if extra > 0 and tokenizer.padding_side == "right":
            for name, fill in (("input_ids", tokenizer.pad_token_id), ("attention_mask", 0), ("token_type_ids", 0)):
                if name in features:
                    features[name] = self._torch.nn.functional.pad(features[name], (0, extra), value=fill)

    def tokenizer(self) -> bytes:
        """Without truncation and padding."""
        return self._tokenizer

    def prefixes(self) -> Prefixes:
        """The prompts of the folder's `config_sentence_transformers.json`, none before it is loaded."""
        return self._prefixes


def agreement(exact: Vectors, other: Vectors) -> float:
    """The lowest cosine between normalised rows; -1 where one is not a number."""
    cosines = np.sum(exact * other, axis=1)
    return float(cosines.min()) if np.isfinite(cosines).all() else -1.0
