"""A model of vLLM with an adapter that was learnt beside it: loaded into the running server, and asked by its name.

A server that was started anew has none: a probe sees that it is missing, a call is told so, and either has it loaded
again. Of several servers behind one address each is told by the first call that comes to it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from contracts.models.chat import ChatRequest
from inference.engines.openai.chat import JSON, UpstreamChat
from inference.engines.openai.failures import SHOWN
from inference.errors import CannotLoad, ModelNotReady, UpstreamBroke
from inference.protocol import codec
from servicekit.core.errors import ServiceError
from servicekit.peers.client import PeerStream

log = structlog.get_logger(__name__)
LOAD_SECONDS = 60.0
"""For vLLM to read some megabytes from a volume."""
RETRY_SECONDS = 5.0
"""After a failure, how long calls are given it before the server is asked again."""
ATTEMPTS = 3
"""Of a call, each after the adapter was loaded: the next one may come to another server behind the address."""
IS_THERE = "has already been loaded"
NO_SUCH_ROUTE = "Not Found"
START = (
    "its server takes no adapters while it runs: declare `vllm.lora` in the models file and start vLLM by "
    "deploy/vllm/serve.py (--enable-lora, VLLM_ALLOW_RUNTIME_LORA_UPDATING=True)"
)


@dataclass(frozen=True, slots=True)
class Adapter:
    """One of a tuning job."""

    name: str
    """In vLLM."""
    folder: Path
    """Where vLLM reads it."""
    write: Callable[[], None]
    """Has it there; raises `CannotLoad`, and blocks."""
    is_declared: Callable[[], bool]
    """Whether a model is declared with it still."""
    is_proven: bool = False
    """Whether a server has loaded it before: one that refuses it now may be started otherwise yet."""


class AdapterGone(UpstreamBroke):
    """The server does not have the adapter, or has it no more."""

    def __init__(self, model: str) -> None:
        super().__init__(model, "has not loaded what was learnt")


class AdapterRefused(ModelNotReady):
    """The server does not load the adapter."""

    def __init__(self, model: str, why: str) -> None:
        """`why`: for who publishes it and for the log; callers can do nothing about it."""
        super().__init__(
            model, "its server has not loaded what was learnt, and inference's log says why", RETRY_SECONDS
        )
        self.why = why


class AdapterChat(UpstreamChat):
    """A `ChatEngine`."""

    def __init__(self, *args: Any, adapter: Adapter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._adapter = adapter
        self._loading: asyncio.Task[None] | None = None
        self._failed_at = -math.inf

    async def open(self) -> None:
        """Have the files where vLLM reads them, and have it load them where it is there: until then another version
        answers. Raises `CannotLoad` where it refuses what none has loaded before; else that is the probe's question."""
        await asyncio.to_thread(self._adapter.write)
        try:
            await self.probe()
        except AdapterRefused as refused:
            if not self._adapter.is_proven:
                raise CannotLoad(refused.why) from None
        except ServiceError as error:
            log.info("an adapter can't be loaded yet", model=self.name, error=repr(error)[:200])

    async def close(self) -> None:
        """Have vLLM let go of an adapter that no model is declared with any more."""
        await super().close()
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        if self._adapter.is_declared():
            return
        try:
            await self._send("/v1/unload_lora_adapter", {"lora_name": self._adapter.name})
        except ServiceError as error:  # it is gone with the next start of vLLM
            log.info("an adapter can't be unloaded", model=self.name, error=repr(error)[:200])

    async def probe(self) -> None:
        """Raise unless the server answers, and has the adapter now."""
        if self._adapter.name not in await self._served():
            await self._load()

    async def post(self, path: str, body: Mapping[str, Any], *, bulk: bool = False) -> dict[str, Any]:
        """As any, once the server has the adapter."""
        for _ in range(ATTEMPTS):
            try:
                return await super().post(path, body, bulk=bulk)
            except AdapterGone:
                await self._load()
        return await super().post(path, body, bulk=bulk)

    async def stream_of(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """As any, once the server has the adapter: nothing of an answer comes before that."""
        for attempt in range(ATTEMPTS + 1):
            try:
                async with aclosing(super().stream_of(path, body)) as events:
                    async for event in events:
                        yield event
                return
            except AdapterGone:
                if attempt == ATTEMPTS:
                    raise
                await self._load()

    def _body(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        return super()._body(request, stream=stream) | {"model": self._adapter.name}

    def _check_known_call(self, path: str, status: int) -> None:
        """vLLM has all calls: what it does not know is the adapter."""

    def _check_answer(self, answer: PeerStream, content: bytes, failed: bool = False) -> dict[str, Any]:
        if answer.status == 404:
            raise AdapterGone(self.name)
        return super()._check_answer(answer, content, failed)

    async def _served(self) -> set[str]:
        """The names that the server answers to; raises where it does not."""
        async with self._peer.stream(
            "GET", "/models", token=self._key, check_status=False, timeout_seconds=2.5
        ) as answer:
            content = b"".join([piece async for piece in answer.pieces()])
            listed = super()._check_answer(answer, content).get("data")
        return {str(one.get("id")) for one in listed or () if isinstance(one, dict)}

    async def _load(self) -> None:
        """Return when it is loaded, once for all who wait; raises `AdapterRefused`, or that the server is away."""
        if self._loading is None or (self._loading.done() and time.monotonic() - self._failed_at >= RETRY_SECONDS):
            self._loading = asyncio.create_task(self._load_once())
            self._loading.add_done_callback(self._record)
        await asyncio.shield(self._loading)  # who gives up must not undo it for the others

    def _record(self, loading: asyncio.Task[None]) -> None:
        failed = not loading.cancelled() and loading.exception() is not None
        self._failed_at = time.monotonic() if failed else -math.inf

    async def _load_once(self) -> None:
        try:
            await asyncio.to_thread(self._adapter.write)  # a volume may have been emptied
        except CannotLoad as error:
            log.error("an adapter can't be written", model=self.name, error=str(error))
            raise AdapterRefused(self.name, str(error)) from None
        wanted = {"lora_name": self._adapter.name, "lora_path": str(self._adapter.folder)}
        status, said = await self._send("/v1/load_lora_adapter", wanted)
        if status < 400 or IS_THERE in said:
            log.info("an adapter was loaded", model=self.name, status=status)
            return
        why = self._why_not(status, said)
        log.error("an adapter was not loaded", model=self.name, folder=wanted["lora_path"], said=said, why=why)
        raise AdapterRefused(self.name, why)

    def _why_not(self, status: int, said: str) -> str:
        if status == 404 and said.strip() == NO_SUCH_ROUTE:
            return START
        if status == 404:
            return (
                "its server does not find the adapter's folder: mount the volume of INFERENCE_VLLM_ADAPTERS_DIR in "
                "vLLM, too, under the same path"
            )
        return f"its server refuses what was learnt: {said.replace(str(self._adapter.folder), '…')}"

    async def _send(self, path: str, body: Mapping[str, Any]) -> tuple[int, str]:
        """Status and words of a call that is not OpenAI's."""
        assert self._root is not None
        async with self._root.stream(
            "POST",
            path,
            token=self._key,
            body=codec.write(body),
            headers=JSON,
            check_status=False,
            timeout_seconds=LOAD_SECONDS,
        ) as answer:
            content = b"".join([piece async for piece in answer.pieces()])
        return answer.status, _words_of(content)[:SHOWN]


def chat_of(parts: Mapping[str, Any], adapter: Adapter | None) -> UpstreamChat:
    """The engine of a server's model, with what was learnt or without."""
    return UpstreamChat(**parts) if adapter is None else AdapterChat(**parts, adapter=adapter)


def _words_of(content: bytes) -> str:
    try:
        parsed = codec.read(content)
    except ValueError:
        return content.decode(errors="replace")
    inner = parsed.get("error", parsed) if isinstance(parsed, dict) else parsed
    words = inner.get("message", inner.get("detail", "")) if isinstance(inner, dict) else inner
    return str(words)
