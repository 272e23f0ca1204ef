"""The engine `llamacpp`: any GGUF model by llama.cpp's own server, which runs as a child of this process.

It is spoken to as any other server of OpenAI's API is: `upstream` is the engine for these, told where the child
listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts.models.chat import ChatRequest
from inference.catalog.gguf_files import GgufFiles
from inference.catalog.gguf_header import read_header
from inference.catalog.gguf_tokenizer import tokenizer_json
from inference.catalog.llama_options import LlamaOptions
from inference.engines.llamacpp.heartbeat import Heartbeat
from inference.engines.llamacpp.memory import check_room, needed_bytes
from inference.engines.llamacpp.memory_pool import MemoryPool
from inference.engines.llamacpp.process import ServerOptions, ServerProcess, gpu_bytes, start_server
from inference.engines.llamacpp.request import LlamaModel, LlamaRequest, read_request
from inference.engines.llamacpp.server import LlamaServer
from inference.engines.llamacpp.tokens import Ask, LlamaTokens
from inference.engines.memory import MEGABYTE
from inference.errors import ModelTooLarge
from inference.protocol.engines import ChatEngine, Completion, Piece
from inference.protocol.tokens import TokenCodec
from inference.queueing.liveness import PROBE

ROOM = 1.5
"""How much more than by its file a model may take."""


class LlamaChat:
    """A `ChatEngine`. `locate` finds the files when the model is loaded; `key` is what the child lets callers in by."""

    def __init__(
        self,
        name: str,
        upstream: ChatEngine,
        *,
        locate: Callable[[], GgufFiles],
        moved: Callable[[str | None], None],
        key: str,
        model: LlamaModel,
        options: ServerOptions,
        declared: LlamaOptions,
        ask: Ask,
        heartbeat: Heartbeat,
        pool: MemoryPool,
        begins_asleep: bool = False,
    ) -> None:
        """`ask` calls the child beside OpenAI's calls; `heartbeat` tells when it hangs. `declared`: how much memory the
        child may take, and after how long without a call it is ended until the next one. One that `begins_asleep` is
        not started before somebody asks it."""
        self.name = name
        self._upstream = upstream
        self._locate = locate
        self._key = key
        self._model = model
        self._options = options
        self._memory_mb = declared.memory_mb
        self._files: GgufFiles | None = None
        self._loaded: object = None
        self._ask = ask
        self._tokens = LlamaTokens(name, self._ask_awake, self._body_of, self._weights)
        self._tokenizer: bytes | None = None
        self._pool = pool
        self._needed = 0
        self._begins_asleep = begins_asleep
        self._may_sleep = bool(declared.idle_seconds)
        self._server = LlamaServer(
            name,
            start=self._start,
            moved=moved,
            heartbeat=heartbeat,
            pool=pool,
            idle_seconds=declared.idle_seconds or 0,
        )

    @property
    def pid(self) -> int | None:
        """The number of the process that runs the model now."""
        return self._server.pid

    @property
    def loaded(self) -> object:
        """Which state of its files was loaded last: another one for other files."""
        return self._loaded

    @property
    def is_asleep(self) -> bool:
        """Whether its process is ended until somebody asks."""
        return self._server.is_asleep

    @property
    def weights(self) -> Path | None:
        """The model's file; none where it has others beside it: more parts, a projector, adapters."""
        return self._files.weights if self._files is not None and self._files.is_single else None

    async def open(self) -> None:
        """Check the files and start the process, unless it begins asleep; raises `CannotLoad`."""
        await self._look()
        bound = self._memory_mb * MEGABYTE if self._memory_mb else None
        if bound is not None:
            await self._check_room(bound)
        await self._server.open(bound or round(self._needed * ROOM), asleep=self._begins_asleep)

    async def close(self) -> None:
        """End the process."""
        await self._server.close()
        await self._upstream.close()

    async def probe(self) -> None:
        """Raise unless the process is there and answers, or sleeps: this does not wake it."""
        self._server.check()
        with self._server.hold():
            if not self._server.is_asleep:
                await self._upstream.probe()

    async def ping(self) -> None:
        """Have it make one token, which keeps it awake no longer; one that sleeps is left to."""
        with self._server.hold():
            if not self._server.is_asleep:
                await self._upstream.complete(read_request(PROBE, self._model).of(0))

    def tokenizer(self) -> bytes | None:
        """The declared file, else what the model's file says of it."""
        return self._tokenizer

    def tokens(self) -> TokenCodec | None:
        """By llama.cpp itself."""
        return self._tokens

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answers, made one after another: the slot still holds the prompt that all have in common."""
        asked = read_request(request, self._model)
        choices: list[dict[str, Any]] = []
        total = _Usage()
        async with self._server.use():
            for number in range(asked.choices):
                completion = await self._upstream.complete(asked.of(number))
                choices.append(_placed(completion.choices[0], number, asked))
                total.add(completion.usage)
        return Completion(tuple(choices), total.usage)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """The answers as they are made, one after another."""
        asked = read_request(request, self._model)
        total = _Usage()
        async with self._server.use():
            for number in range(asked.choices):
                async with aclosing(self._upstream.stream(asked.of(number))) as pieces:
                    async for piece in pieces:
                        total.add(piece.usage)
                        yield Piece(tuple(_placed(choice, number, asked) for choice in piece.choices))
        if total.usage is not None:
            yield Piece(usage=total.usage)

    def _body_of(self, request: ChatRequest) -> dict[str, Any]:
        return read_request(request, self._model).body

    def _weights(self) -> Path:
        assert self._files is not None
        return self._files.weights

    async def _ask_awake(self, path: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        async with self._server.use():
            return await self._ask(path, body)

    async def _look(self) -> None:
        """Find and check the files, which may take seconds; raises `CannotLoad`."""
        files = self._files = await asyncio.to_thread(self._locate)
        self._loaded = await asyncio.to_thread(files.state)
        header, *_ = [await asyncio.to_thread(read_header, file) for file in files.all()]
        self._tokenizer = self._upstream.tokenizer() or await asyncio.to_thread(tokenizer_json, header)
        self._model = replace(self._model, pictures=files.mmproj is not None, control_tokens=header.control_tokens())
        self._needed = needed_bytes(files, header, self._options.context * self._options.slots)

    async def _start(self) -> ServerProcess:
        """Start a process that serves the model, from the files that were checked, once more where they changed."""
        assert self._files is not None
        if await asyncio.to_thread(self._files.state) != self._loaded:
            await self._look()
        is_anew = not self._pool.has(self._server)
        if is_anew:
            await self._reserve()
        try:
            return await start_server(self.name, self._files, self._options, self._key)
        except BaseException:
            if is_anew:
                self._pool.release(self._server)
            raise

    async def _reserve(self) -> None:
        """Its part of the memory; raises `ModelTooLarge`. One that never sleeps, or says itself what it may take, has
        it whatever others may take later."""
        must = not self._may_sleep or self._memory_mb is not None
        layers, file = self._options.gpu_layers, self._weights().name
        await self._pool.reserve(self._server, file, self._needed, gpu_layers=layers, must=must)
        if must and self._memory_mb is None:
            try:
                await self._check_room(None)
            except ModelTooLarge:
                self._pool.release(self._server)
                raise

    async def _check_room(self, bound: int | None) -> None:
        layers = self._options.gpu_layers
        await check_room(self._weights().name, self._needed, bound=bound, gpu_layers=layers, gpu_bytes=gpu_bytes)


class _Usage:
    """Tokens of all choices, which have their prompt in common."""

    def __init__(self) -> None:
        self.usage: dict[str, Any] | None = None

    def add(self, usage: dict[str, Any] | None) -> None:
        if usage is None:
            return
        if self.usage is None:
            self.usage = dict(usage)
            return
        self.usage["completion_tokens"] += usage.get("completion_tokens", 0)
        self.usage["total_tokens"] += usage.get("completion_tokens", 0)


def _placed(choice: dict[str, Any], number: int, asked: LlamaRequest) -> dict[str, Any]:
    """A choice with its number, and without likeliest tokens that nobody asked for: llama.cpp gives at least one."""
    logprobs = choice.get("logprobs")
    if isinstance(logprobs, dict) and not asked.shows_likeliest:
        tokens = [{**token, "top_logprobs": []} for token in logprobs.get("content") or ()]
        choice = {**choice, "logprobs": {**logprobs, "content": tokens}}
    return {**choice, "index": number}
