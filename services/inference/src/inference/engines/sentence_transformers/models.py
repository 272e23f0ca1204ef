"""sentence-transformers in this process: the encoder of embeddings, and cross-encoders for rerank."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from contracts.models.catalog import INPUT_TYPES, InputType
from inference.engines import torch_runtime
from inference.engines.file_tokens import FileTokens
from inference.engines.sentence_transformers.packed_linear import pack_linears
from inference.engines.sentence_transformers.weights import check_weights
from inference.errors import CannotLoad, ModelNotReady
from inference.metrics import TRUNCATED
from inference.protocol.engines import NO_EXTRA_FIELDS, ExtraFields, RankingResult, Vectors
from inference.protocol.prefixes import NO_PREFIXES, Prefixes
from inference.protocol.tokens import TokenCodec
from inference.queueing.admission import Admission
from inference.queueing.liveness import Liveness
from inference.requests.generation_request import CHARACTERS_A_TOKEN, reject_unknown_fields

log = structlog.get_logger(__name__)
LEAST_COSINE = 0.995
"""all-MiniLM-L6-v2 reaches 0.9995 and more; a model that needs float32's range falls far below."""
MOST_OFF = 0.02
"""How far a score of relevance, from 0 to 1, may move."""
CHECKED = (
    "What is covered by the warranty, and for how long?",
    "The pump must be off before the cover is opened. Wait until the gauge shows zero, then loosen the four screws.",
    "def area(radius: float) -> float:\n    return 3.14159 * radius ** 2",
    "Der Vertrag verlängert sich um ein Jahr, wenn er nicht drei Monate vor Ablauf gekündigt wird.",
    "| year | revenue | profit |\n| 2021 | 1,204.5 | -17 |\n| 2022 | 1,377.0 | 211 |",
)
"""A question, prose, code, another language, a table."""
PAIRS_AT_ONCE = 8
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
    ) -> None:
        self._locate = locate
        self._dimensions = dimensions
        self._limit = max_input_tokens
        self._precision = precision
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

    def _load(self, folder: Path) -> Any:
        """In float32."""
        from sentence_transformers import SentenceTransformer

        options = {"dtype": self._torch.float32}
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, model_kwargs=options)
        dimensions, limit = model.get_embedding_dimension(), model.max_seq_length
        if dimensions != self._dimensions:
            raise CannotLoad(f"dimensions: it makes {dimensions}, the models file says {self._dimensions}")
        if limit is not None and limit < self._limit:
            raise CannotLoad(f"max_input_tokens: it reads {limit}, the models file says {self._limit}")
        model.max_seq_length = self._limit
        return model.eval()

    def _lower_precision(self) -> bool:
        """Go on in bfloat16 if this model's vectors remain what they are in float32."""
        exact = self.encode(CHECKED)
        self._model.to(self._torch.bfloat16)
        packed = pack_linears(self._torch, self._model)
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
        torch = self._torch
        torch_runtime.use_threads(torch, 1)
        with self._tokenizing:  # a tokenizer pads to what the last call set
            features = self._model.preprocess(list(texts))
        self._round_up(features)
        with torch.inference_mode():
            rows = self._model(features)["sentence_embedding"].float()
            normalized = torch.nn.functional.normalize(rows, p=2, dim=1)
        return np.asarray(normalized.numpy(), dtype=np.float32)

    def _round_up(self, features: Any) -> None:
        """Pad to a multiple of `LENGTHS`. oneDNN compiles for each shape and keeps what it compiled: where every length
        has a shape of its own, the first 400 texts took a third longer, and the process 150 MB more (measured).
        """
        tokenizer = self._model.tokenizer
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


class CrossEncoderRank:
    """A `RerankEngine` over a cross-encoder folder, one call at a time in a thread of its own."""

    def __init__(
        self,
        model: str,
        locate: Callable[[], Path],
        admission: Admission,
        *,
        max_input_tokens: int,
        precision: torch_runtime.Precision,
        threads: int,
        fresh_seconds: float,
        stalled_seconds: float,
    ) -> None:
        self._name = model
        self._locate = locate
        self._admission = admission
        self._limit = max_input_tokens
        self._precision = precision
        self._threads = threads
        self._model: Any = None
        self._counter: Any = None
        self._tokenizer: bytes | None = None
        self._tokens = FileTokens(lambda: self._tokenizer or b"")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"rank-{model}")
        self._liveness = Liveness(
            model,
            ask=lambda: self.rank("ready?", ["yes"]),
            busy=lambda: admission.running > 0,
            fresh_seconds=fresh_seconds,
            stalled_seconds=stalled_seconds,
        )

    async def open(self) -> None:
        """Load, then score one pair."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._load)
        await self.probe()

    async def close(self) -> None:
        """End the thread after the pairs that it is at."""
        await self._liveness.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def probe(self) -> None:
        """Raise unless it scores."""
        await self._liveness.check()

    def tokenizer(self) -> bytes | None:
        """Without truncation and padding."""
        return self._tokenizer

    def tokens(self) -> TokenCodec | None:
        """By its tokenizer."""
        return self._tokens

    async def rank(self, query: str, documents: Sequence[str], extra: ExtraFields = NO_EXTRA_FIELDS) -> RankingResult:
        """Scores from 0 to 1. A pair longer than the model reads is cut, and counted."""
        if self._model is None:
            raise ModelNotReady(self._name, "it is not loaded")
        reject_unknown_fields(extra)
        read = sum(map(len, documents)) + len(query) * len(documents)
        release = await self._admission.enter(read // CHARACTERS_A_TOKEN)
        try:
            loop = asyncio.get_running_loop()
            lengths = await loop.run_in_executor(self._thread, self._lengths, query, documents)
            scores = [0.0] * len(documents)
            order = sorted(range(len(documents)), key=lambda each: lengths[each])  # those of a length share a batch
            for start in range(0, len(documents), PAIRS_AT_ONCE):  # a caller that leaves is noticed in between
                part = order[start : start + PAIRS_AT_ONCE]
                made = await loop.run_in_executor(self._thread, self._score, query, [documents[each] for each in part])
                for each, score in zip(part, made, strict=True):
                    scores[each] = score
                self._liveness.record_progress()
        finally:
            release()
        truncated = sum(length > self._limit for length in lengths)
        if truncated:
            TRUNCATED.labels(self._name).inc(truncated)
        return RankingResult(tuple(scores), sum(min(length, self._limit) for length in lengths), truncated)

    def _load(self) -> None:
        folder = self._locate()  # first: importing takes seconds
        check_weights(folder)
        torch = torch_runtime.import_engines()
        torch_runtime.use_threads(torch, self._threads)
        from tokenizers import Tokenizer  # imported in its thread: seconds

        self._tokenizer = plain_tokenizer(folder)
        self._counter = Tokenizer.from_str(self._tokenizer.decode())
        self._model = self._loaded(folder, torch)
        if torch_runtime.dtype_for(torch, self._precision) is torch.bfloat16:
            exact = self._score(CHECKED[0], CHECKED)
            self._model.model.to(torch.bfloat16)
            pack_linears(torch, self._model.model)
            off = max(abs(one - other) for one, other in zip(exact, self._score(CHECKED[0], CHECKED), strict=True))
            if not off <= MOST_OFF:
                log.error("bfloat16 changes this model's scores: it goes on in float32", off=round(off, 4))
                self._model = self._loaded(folder, torch)
        torch_runtime.return_memory()

    def _loaded(self, folder: Path, torch: Any) -> Any:
        """In float32."""
        from sentence_transformers import CrossEncoder

        options = {"dtype": torch.float32}
        return CrossEncoder(
            str(folder),
            device="cpu",
            local_files_only=True,
            max_length=self._limit,
            num_labels=1,
            model_kwargs=options,
        )

    def _lengths(self, query: str, documents: Sequence[str]) -> list[int]:
        pairs = [(query, document) for document in documents]
        return [len(encoding.ids) for encoding in self._counter.encode_batch(pairs)]

    def _score(self, query: str, documents: Sequence[str]) -> list[float]:
        pairs = [(query, document) for document in documents]
        return [float(score) for score in self._model.predict(pairs, show_progress_bar=False)]


def agreement(exact: Vectors, other: Vectors) -> float:
    """The lowest cosine between normalised rows; -1 where one is not a number."""
    cosines = np.sum(exact * other, axis=1)
    return float(cosines.min()) if np.isfinite(cosines).all() else -1.0
