"""One request's generation in a thread: tokens in, pieces out to the event loop, stoppable at each layer."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from inference.engines.logits_processors import LogitsProcessor, LogitsProcessors
from inference.engines.transformers.answer import Answer
from inference.engines.transformers.prompt import ChatPrompt
from inference.engines.transformers.sampler import Sampler
from inference.metrics import TOKENS
from inference.protocol.engines import Piece
from inference.protocol.pieces import usage_of, usage_piece
from inference.requests.generation_request import GenerationRequest
from servicekit.core.errors import Internal, ServiceError

log = structlog.get_logger(__name__)


SHAPED = 32
"""A processor reads prompts in multiples of so many tokens: oneDNN compiles, and keeps, kernels for each length."""


class GenerationFailed(Internal):
    """The model failed."""

    code = "generation_failed"

    def __init__(self, model: str) -> None:
        super().__init__(f"The model '{model}' failed on this conversation. Give your operator the request id.")


class Abandoned(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model ready to generate."""

    torch: Any
    model: Any
    tokenizer: Any
    """The `tokenizers` object, for ids and text."""
    prompt: ChatPrompt
    ends: frozenset[int]
    """Ids that end an answer."""
    processors: LogitsProcessors
    fillable: int = 0
    """Up to how many tokens prompts are filled up; 0 where filling could not be taken away again."""


class Generation:
    """Runs in a thread (`run`); its pieces arrive on the event loop (`pieces`), the last with `usage`, or an error."""

    def __init__(
        self,
        name: str,
        loaded: Loaded,
        generation_request: GenerationRequest,
        prompt: list[int],
        room: int,
        processor: LogitsProcessor | None,
        progressed: Callable[[], None],
    ) -> None:
        self._name = name
        self._loaded = loaded
        self._generation_request = generation_request
        self._prompt = prompt
        self._room = room
        self._processor = processor
        self._progressed = progressed
        self._loop = asyncio.get_running_loop()
        self._abandoned = threading.Event()
        self._has_begun = False
        self._written = 0
        self.pieces: asyncio.Queue[Piece | ServiceError] = asyncio.Queue()

    def abandon(self) -> None:
        """Stop at the next layer."""
        self._abandoned.set()

    def check(self) -> None:
        """Raise `Abandoned` once nobody waits; called before each layer."""
        if self._abandoned.is_set():
            raise Abandoned

    def run(self) -> None:
        """Generate to the end."""
        try:
            self.check()
            self._has_begun = True
            with self._loaded.torch.inference_mode():
                self._generate()
            self._send(usage_piece(usage_of(len(self._prompt), self._written)))
        except Abandoned:
            log.debug("generation abandoned", model=self._name, written=self._written)
            if self._has_begun:  # else counted with the answer's usage
                TOKENS.labels(self._name, "prompt").inc(len(self._prompt))
            TOKENS.labels(self._name, "completion").inc(self._written)
        except ServiceError as error:
            self._send(error)
        except Exception as error:  # the thread's outermost level: the caller must hear of it
            log.exception("generation failed", model=self._name, exc_info=error)
            self._send(GenerationFailed(self._name))

    def _generate(self) -> None:
        """Read the prompt once, then write each choice from there."""
        from transformers import DynamicCache  # loaded with the model, not with the service

        loaded, generation_request = self._loaded, self._generation_request
        sampler = Sampler(loaded.torch, generation_request.sampling, loaded.model.device)
        read = DynamicCache(config=loaded.model.config)
        logits = self._read(read)
        for index in range(generation_request.choices):
            last = index == generation_request.choices - 1
            sampler.restart()
            self._write(index, logits, read if last else copy.deepcopy(read), sampler)

    def _write(self, index: int, logits: Any, cache: Any, sampler: Sampler) -> None:
        processor = self._processor.again() if self._processor else None
        answer = Answer(
            self._generation_request, index, self._loaded.tokenizer, self._loaded.processors.bytes_of, self._send
        )
        for count in range(1, self._room + 1):
            self.check()
            token = sampler.pick(logits, processor.allowed() if processor else None)
            self._progressed()
            if token in self._loaded.ends:
                answer.end("stop")
                return
            self._written += 1
            over = processor.take(token) if processor else False
            likely = sampler.likeliest(logits, token) if self._generation_request.sampling.logprobs else None
            if answer.take(token, likely) or over:
                answer.end("stop")
                return
            if count < self._room:
                logits = self._forward([token], cache)
        answer.end("length")

    def _read(self, cache: Any) -> Any:
        """The logits after the prompt. It is filled up behind its end: no token sees later ones, so nothing changes."""
        loaded, length = self._loaded, len(self._prompt)
        filling = max(0, min(-length % SHAPED, loaded.fillable - length))
        last = loaded.torch.tensor([length - 1], device=loaded.model.device)
        logits = self._forward([*self._prompt, *self._prompt[-1:] * filling], cache, last)
        cache.crop(-filling)
        return logits

    def _forward(self, tokens: list[int], cache: Any, keep: Any = 1) -> Any:
        """The logits after these tokens, or after the one to `keep`; the cache then holds all of them, too."""
        model = self._loaded.model
        ids = self._loaded.torch.tensor([tokens], device=model.device)
        return model(input_ids=ids, cache=cache, use_cache=True, logits_to_keep=keep).logits[0, -1].float()

    def _send(self, piece: Piece | ServiceError) -> None:
        try:
            self._loop.call_soon_threadsafe(self.pieces.put_nowait, piece)
        except RuntimeError:  # the event loop has ended: so has everybody who could read this
            raise Abandoned from None
