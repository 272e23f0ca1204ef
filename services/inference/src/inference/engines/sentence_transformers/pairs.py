"""Models of pairs of texts in this process: bounded, batched by length, one batch at a time in their own thread."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import structlog

from inference.engines import torch_runtime
from inference.engines.file_tokens import FileTokens
from inference.engines.sentence_transformers.models import CHECKED, plain_tokenizer
from inference.engines.sentence_transformers.packed_linear import pack_linears
from inference.engines.sentence_transformers.weights import check_weights
from inference.errors import ModelNotReady
from inference.metrics import TRUNCATED
from inference.protocol.engines import Pair
from inference.protocol.tokens import TokenCodec
from inference.queueing.admission import Admission
from inference.queueing.fair_queue import caller_is_bulk
from inference.queueing.liveness import Liveness
from inference.requests.generation_request import CHARACTERS_A_TOKEN

log = structlog.get_logger(__name__)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
MOST_OFF = 0.02
"""How far a score, from 0 to 1, may move in bfloat16."""
PAIRS_AT_ONCE = 8
PAIR_TOKENS = 512
"""What a model of rerank or reading reads of a pair unless the models file says otherwise."""


class PairModel(Protocol[T_co]):
    """The computing half of an engine of pairs. Plain functions, called from one thread at a time."""

    @property
    def module(self) -> Any:
        """Of torch: it may be moved to another precision."""
        ...

    @property
    def tokenizer_folder(self) -> Path:
        """Where `tokenizer.json` is."""
        ...

    def compute(self, pairs: Sequence[Pair]) -> Sequence[T_co]:
        """Something for each pair, which is read up to the model's limit."""
        ...


@dataclass(frozen=True, slots=True)
class Computed(Generic[T_co]):
    """Something for each pair, in their order."""

    values: tuple[T_co, ...]
    tokens: int
    truncated: int


class PairEngine(ABC, Generic[T]):
    """What engines over a `PairModel` have in common."""

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
        self.name = model
        self.limit = max_input_tokens
        self.model: Any = None
        """A `PairModel[T]`; None until it is loaded."""
        self._locate = locate
        self._admission = admission
        self._precision = precision
        self._threads = threads
        self._counter: Any = None
        self._tokenizer: bytes | None = None
        self._tokens = FileTokens(lambda: self._tokenizer or b"")
        self._thread: ThreadPoolExecutor | None = None
        """None before it is opened, and once it is closed."""
        self._liveness = Liveness(
            model,
            ask=lambda: self.work([("ready?", "yes")]),
            busy=lambda: admission.running > 0,
            fresh_seconds=fresh_seconds,
            stalled_seconds=stalled_seconds,
        )

    @abstractmethod
    def load(self, folder: Path, torch: Any) -> PairModel[T]:
        """The model in float32; raises `CannotLoad`. Blocks."""

    @abstractmethod
    def scores(self, value: T) -> Sequence[float]:
        """What of a value is a number from 0 to 1: by it precisions are compared."""

    async def open(self) -> None:
        """Load, then compute one pair."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"pairs-{self.name}")
        await self._in_thread(self._open)
        await self.probe()

    async def close(self) -> None:
        """End the thread after the pairs that it is at, and free the model; it may be opened again."""
        await self._liveness.close()
        self._liveness.invalidate()  # opened again it has to show anew that it computes
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
        self._thread = self.model = self._counter = None

    async def probe(self) -> None:
        """Raise unless it computes."""
        await self._liveness.check()

    def tokenizer(self) -> bytes | None:
        """Without truncation and padding."""
        return self._tokenizer

    def tokens(self) -> TokenCodec | None:
        """By its tokenizer."""
        return self._tokens

    async def work(self, pairs: Sequence[Pair], *, bulk: bool = False) -> Computed[T]:
        """A value for each pair. A pair longer than the model reads is cut, and counted. After each batch a caller that
        leaves is noticed, and bulk lets queries go first."""
        if self.model is None:
            raise ModelNotReady(self.name, "it is not loaded")
        bulk = bulk or caller_is_bulk()
        model, tokens = self.model, sum(map(len, map("".join, pairs))) // CHARACTERS_A_TOKEN
        values: dict[int, T] = {}
        release = await self._admission.enter(tokens, bulk=bulk)
        try:
            lengths = await self._in_thread(self._lengths, self._counter, pairs)
            order = sorted(range(len(pairs)), key=lengths.__getitem__)  # those of a length share a batch
            for start in range(0, len(pairs), PAIRS_AT_ONCE):
                if bulk:
                    release = await self._admission.give_way(release, tokens)
                part = order[start : start + PAIRS_AT_ONCE]
                made = await self._in_thread(model.compute, [pairs[each] for each in part])
                values.update(zip(part, made, strict=True))
                self._liveness.record_progress()
        finally:
            release()
        truncated = sum(length > self.limit for length in lengths)
        if truncated:
            TRUNCATED.labels(self.name).inc(truncated)
        read = sum(min(length, self.limit) for length in lengths)
        return Computed(tuple(values[each] for each in range(len(pairs))), read, truncated)

    async def _in_thread(self, call: Callable[..., Any], *given: Any) -> Any:
        """Raises `ModelNotReady` where it was closed meanwhile."""
        if self._thread is None:
            raise ModelNotReady(self.name, "it is shutting down")
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *given)

    def _open(self) -> None:
        folder = self._locate()  # first: importing takes seconds
        check_weights(folder)
        torch = torch_runtime.import_engines()
        torch_runtime.use_threads(torch, self._threads)
        from tokenizers import Tokenizer  # imported in its thread: seconds

        self.model = self.load(folder, torch)
        self._tokenizer = plain_tokenizer(self.model.tokenizer_folder)
        self._counter = Tokenizer.from_str(self._tokenizer.decode())
        if torch_runtime.dtype_for(torch, self._precision) is torch.bfloat16:
            exact = self._checked()
            self.model.module.to(torch.bfloat16)
            pack_linears(torch, self.model.module)
            off = max(abs(one - other) for one, other in zip(exact, self._checked(), strict=True))
            if not off <= MOST_OFF:
                log.error("bfloat16 changes this model's scores: it goes on in float32", off=round(off, 4))
                self.model = self.load(folder, torch)
        torch_runtime.return_memory()

    def _checked(self) -> list[float]:
        values = self.model.compute([(CHECKED[0], text) for text in CHECKED])
        return [score for value in values for score in self.scores(value)]

    @staticmethod
    def _lengths(counter: Any, pairs: Sequence[Pair]) -> list[int]:
        return [len(encoding.ids) for encoding in counter.encode_batch(list(pairs))]
