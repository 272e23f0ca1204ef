"""The in-process chat engine: a Hugging Face causal model, one answer at a time, streamed, stoppable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from contracts.models.chat import ChatRequest
from inference.engines import torch_runtime
from inference.engines.file_tokens import FileTokens
from inference.engines.logits_processors import LogitsProcessor, LogitsProcessors
from inference.engines.transformers.generation import Generation, Loaded
from inference.engines.transformers.prompt import ChatPrompt
from inference.errors import CannotLoad, ModelNotReady
from inference.protocol.engines import Completion, Piece
from inference.protocol.pieces import collect
from inference.protocol.tokens import TokenCodec
from inference.queueing.admission import Admission
from inference.queueing.liveness import PROBE, Liveness
from inference.requests.generation_request import (
    GenerationRequest,
    estimate_tokens,
    read_generation_request,
    room_for_answer,
)
from servicekit.core.errors import InvalidRequest, ServiceError

log = structlog.get_logger(__name__)


class TransformersChat:
    """A `ChatEngine` over a model folder. Calls beyond the one being answered wait in `admission`'s queue."""

    def __init__(
        self,
        name: str,
        locate: Callable[[], Path],
        admission: Admission,
        *,
        context_length: int,
        usual_tokens: int,
        precision: torch_runtime.Precision,
        threads: int,
        fresh_seconds: float,
        stalled_seconds: float,
    ) -> None:
        self._name = name
        self._locate = locate
        self._admission = admission
        self._context = context_length
        self._usual_tokens = usual_tokens
        self._precision = precision
        self._threads = threads
        self._loaded: Loaded | None = None
        self._tokens = FileTokens(lambda: self.tokenizer() or b"")
        self._current: Generation | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"chat-{name}")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix=f"read-{name}")
        """Makes tokens of the prompts of calls in the queue."""
        self._liveness = Liveness(
            name,
            ask=lambda: self.complete(PROBE),
            busy=lambda: admission.running > 0,
            fresh_seconds=fresh_seconds,
            stalled_seconds=stalled_seconds,
        )

    async def open(self) -> None:
        """Load, then generate a token, so that the first caller finds a warm model."""
        self._loaded = await asyncio.get_running_loop().run_in_executor(self._thread, self._load)
        await self._liveness.check()

    async def close(self) -> None:
        """Stop the answer that is being made."""
        await self._liveness.close()
        if self._current is not None:
            self._current.abandon()
        for threads in (self._reading, self._thread):
            threads.shutdown(wait=False, cancel_futures=True)

    async def probe(self) -> None:
        """Raise unless it generates."""
        await self._liveness.check()

    def tokenizer(self) -> bytes | None:
        """The folder's `tokenizer.json`; chat tokenizers neither cut nor pad."""
        return (self._locate() / "tokenizer.json").read_bytes()

    def tokens(self) -> TokenCodec | None:
        """By its tokenizer."""
        return self._tokens

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer."""
        return await collect(self.stream(request))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """The answer as it is made."""
        generation_request = read_generation_request(request)
        loaded = self._loaded
        if loaded is None:
            raise ModelNotReady(self._name, "it is not loaded")
        generation = await self._begun(loaded, generation_request)
        try:
            while True:
                piece = await generation.pieces.get()
                if isinstance(piece, ServiceError):
                    raise piece
                yield piece
                if piece.usage is not None:
                    return
        finally:
            generation.abandon()

    async def _begun(self, loaded: Loaded, generation_request: GenerationRequest) -> Generation:
        """Its generation, once it has its slot. It queues before its prompt is read, so that is bounded, too."""
        loop = asyncio.get_running_loop()
        ticket = self._admission.join(estimate_tokens(generation_request, self._context, self._usual_tokens))
        try:
            prompt, processor = await loop.run_in_executor(self._reading, self._prepare, loaded, generation_request)
            count = partial(_count, loaded)
            room = room_for_answer(generation_request, len(prompt), self._context, self._usual_tokens, count)
            ticket.set_tokens(len(prompt) + room * generation_request.choices)
            await ticket.wait()
            generation = Generation(
                self._name, loaded, generation_request, prompt, room, processor, self._liveness.record_progress
            )
            running = loop.run_in_executor(self._thread, self._run, generation)
        except BaseException:
            ticket.release()
            raise
        running.add_done_callback(lambda _: ticket.release())  # the slot is free when the thread is, not before
        return generation

    def _run(self, generation: Generation) -> None:
        self._current = generation
        generation.run()

    def _prepare(
        self, loaded: Loaded, generation_request: GenerationRequest
    ) -> tuple[list[int], LogitsProcessor | None]:
        vocabulary = loaded.tokenizer.get_vocab_size()
        if any(token >= vocabulary for token in generation_request.sampling.logit_bias):
            raise InvalidRequest(f"The model's tokens are 0 to {vocabulary - 1}.", param="logit_bias")
        return self._prompt(loaded, generation_request), loaded.processors.create(generation_request)

    def _prompt(self, loaded: Loaded, generation_request: GenerationRequest) -> list[int]:
        from jinja2 import TemplateError  # comes with transformers

        if generation_request.raw:
            raw: list[int] = loaded.tokenizer.encode(
                generation_request.messages[0]["content"]
            ).ids  # begun as it was in training
            return raw
        try:
            return loaded.prompt.tokens(generation_request.messages)
        except TemplateError as error:
            raise InvalidRequest(
                f"The model's chat template refuses these messages: {error}", param="messages"
            ) from None

    def _load(self) -> Loaded:
        folder = self._locate()  # first: importing takes seconds
        torch = torch_runtime.import_engines()
        torch_runtime.use_threads(torch, self._threads)
        from tokenizers import Tokenizer  # imported in its thread: seconds
        from transformers import AutoModelForCausalLM, AutoTokenizer

        dtype = torch_runtime.dtype_for(torch, self._precision)
        model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype, local_files_only=True).eval()
        readable = getattr(model.config, "max_position_embeddings", self._context)
        if readable < self._context:
            raise CannotLoad(f"context_length: it reads {readable}, the models file says {self._context}")
        for layer in model.get_decoder().layers:
            layer.register_forward_pre_hook(self._before_layer)
        template = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        ends = _ends(model, template)
        processors = LogitsProcessors.for_file(folder / "tokenizer.json", model.config.vocab_size, sorted(ends))
        torch_runtime.return_memory()
        log.info("chat model loaded", folder=folder.name, dtype=str(dtype), threads=self._threads)
        prompt = ChatPrompt(
            folder / "tokenizer.json",
            lambda messages: str(template.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)),
        )
        return Loaded(torch, model, tokenizer, prompt, ends, processors, readable if _is_fillable(model) else 0)

    def _before_layer(self, *_: Any) -> None:
        if self._current is not None:
            self._current.check()  # so that reading a long prompt can be stopped, too


def _count(loaded: Loaded, text: str) -> int:
    return len(loaded.tokenizer.encode(text, add_special_tokens=False).ids)


def _is_fillable(model: Any) -> bool:
    """Whether it computes on a processor and none of its layers forgets tokens or mixes them into one state."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    plain = all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)
    return plain and model.device.type == "cpu"


def _ends(model: Any, template: Any) -> frozenset[int]:
    declared = model.generation_config.eos_token_id
    ids = declared if isinstance(declared, list) else [declared, template.eos_token_id]
    return frozenset(number for number in ids if number is not None)
