from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from services.inference.tests.engines.wrappers.engines import FakeEngine, asked, streamed
from tests.support.inference.packaged import packaged_gguf

from contracts.models.chat import ChatRequest
from inference.catalog.gguf_files import GgufFiles
from inference.catalog.gguf_header import read_header
from inference.catalog.gguf_tokenizer import tokenizer_json
from inference.catalog.llama_options import GenerationDefaults, LlamaOptions
from inference.engines.llamacpp import chat, memory_pool
from inference.engines.llamacpp.chat import LlamaChat
from inference.engines.llamacpp.heartbeat import Heartbeat
from inference.engines.llamacpp.memory_pool import MemoryPool
from inference.engines.llamacpp.process import ServerOptions, ServerProcess
from inference.engines.llamacpp.request import LlamaModel
from inference.errors import CannotLoad, FileInvalid, ModelNotReady, ModelTooLarge
from inference.protocol.engines import ChatEngine, Piece
from servicekit.core.errors import InvalidRequest

TOKEN = {"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": [{"token": "a", "logprob": -0.1}]}


async def tokens(path: str, body: object) -> dict[str, Any]:
    """What a server answers to `/tokenize`."""
    return {"tokens": [1, 2]}


async def answered() -> None:
    """By a process that does not hang."""


def engine(
    upstream: ChatEngine,
    *files: Path,
    memory_mb: int | None = None,
    idle_seconds: int | None = None,
    pool: MemoryPool | None = None,
    begins_asleep: bool = False,
) -> LlamaChat:
    adapters = tuple((file, 1.0) for file in files[1:])
    return LlamaChat(
        "m",
        upstream,
        locate=lambda: GgufFiles(files[0], adapters=adapters),
        moved=lambda address: None,
        key="key",
        model=LlamaModel(100, GenerationDefaults()),
        options=ServerOptions(100, 1, 1, None),
        declared=LlamaOptions(memory_mb=memory_mb, idle_seconds=idle_seconds),
        ask=tokens,
        heartbeat=Heartbeat(answered, 60),
        pool=pool or MemoryPool(lambda: None),
        begins_asleep=begins_asleep,
    )


class Process:
    """Stands where a `ServerProcess` is."""

    pid = 1
    address = "http://127.0.0.1:1"

    async def wait(self, seconds: float) -> int | None:
        await asyncio.sleep(0)
        return None

    def memory_bytes(self) -> int:
        return 0

    def private_bytes(self) -> int:
        return 0

    def cpu_seconds(self) -> float | None:
        return None

    async def end(self) -> None:
        """At once."""


class Starts:
    """Stands where `start_server` is."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, *_: object) -> Any:
        self.count += 1
        return Process()


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Starts:
    starts = Starts()
    monkeypatch.setattr(chat, "start_server", starts)
    return starts


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(packaged_gguf(), tmp_path / "m.gguf"))


def put(content: bytes, file: Path) -> None:
    file.write_bytes(content)


async def asleep(llama: LlamaChat) -> None:
    """Have nobody ask it for as long as it takes."""
    llama._server._used_at = -math.inf
    async with asyncio.timeout(60):
        while not llama.is_asleep or llama.pid is not None:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0)


class Likely(FakeEngine):
    """Gives the likeliest tokens, though nobody asked for them."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        delta = {"content": "a"}
        yield Piece(({"index": 0, "delta": delta, "finish_reason": "stop", "logprobs": {"content": [dict(TOKEN)]}},))


async def test_choices_are_made_one_after_another_and_their_prompt_is_counted_once() -> None:
    server = FakeEngine("one", "two", "three", "four")
    whole = await engine(server).complete(asked(n=2, seed=5))
    assert [(choice["index"], choice["message"]["content"]) for choice in whole.choices] == [(0, "one"), (1, "two")]
    assert whole.usage == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert [request.seed for request in server.requests] == [5, 6]
    pieces = [piece async for piece in engine(server).stream(asked(n=2))]
    assert {choice["index"] for piece in pieces for choice in piece.choices} == {0, 1}
    assert [piece.usage for piece in pieces if piece.usage] == [whole.usage]


async def test_likeliest_tokens_are_shown_only_if_they_are_asked_for() -> None:
    for more, shown in (({}, []), ({"top_logprobs": 1}, TOKEN["top_logprobs"])):
        pieces = [piece async for piece in engine(Likely()).stream(asked(logprobs=True, **more))]
        token: dict[str, Any] = pieces[0].choices[0]["logprobs"]["content"][0]
        assert token["top_logprobs"] == shown
        assert token["logprob"] == -0.1


async def test_before_its_process_is_there_it_is_not_ready() -> None:
    with pytest.raises(ModelNotReady, match="loading"):
        await engine(FakeEngine()).probe()


async def test_files_are_looked_at_before_a_process_is_started(tmp_path: Path) -> None:
    (tmp_path / "adapter.gguf").write_bytes(b"no model")
    with pytest.raises(FileInvalid, match=r"adapter\.gguf"):
        await engine(FakeEngine(), packaged_gguf(), tmp_path / "adapter.gguf").open()
    with pytest.raises(ModelTooLarge, match="its memory_mb allows"):
        await engine(FakeEngine(), packaged_gguf(), memory_mb=64).open()


async def test_its_tokenizer_is_what_its_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(*_: object) -> ServerProcess:
        raise CannotLoad("no process in unit tests")

    monkeypatch.setattr(chat, "start_server", start)
    server = FakeEngine()
    monkeypatch.setattr(server, "tokenizer", lambda: None)
    llama = engine(server, packaged_gguf())
    with pytest.raises(CannotLoad):
        await llama.open()
    assert llama.tokenizer() == tokenizer_json(read_header(packaged_gguf()))


async def test_text_streams_through() -> None:
    assert await streamed(engine(FakeEngine("Hello")).stream(asked())) == ("Hello", [], 4)


async def test_every_call_wakes_it_and_no_probe_does(starts: Starts, file: Path) -> None:
    server = FakeEngine("probed", "whole", "streamed")
    llama = engine(server, file, idle_seconds=300)
    await llama.open()
    await llama.ping()
    assert len(server.requests) == 1, "one that is awake is asked"
    await asleep(llama)
    for _ in range(3):
        await llama.probe()
        await llama.ping()
    assert (llama.is_asleep, starts.count, len(server.requests)) == (True, 1, 1)
    await llama.complete(asked())
    assert (llama.is_asleep, starts.count) == (False, 2)
    await asleep(llama)
    assert (await streamed(llama.stream(asked())))[0] == "streamed"
    assert starts.count == 3
    await asleep(llama)
    codec = llama.tokens()
    assert codec is not None
    assert (await codec.encode("Hi", special=False)).ids == [1, 2]
    assert starts.count == 4
    await llama.close()


async def test_what_it_refuses_does_not_wake_it(starts: Starts, file: Path) -> None:
    llama = engine(FakeEngine(), file, idle_seconds=300)
    await llama.open()
    await asleep(llama)
    with pytest.raises(InvalidRequest):
        await llama.complete(asked(min_p=7))
    assert llama.is_asleep
    await llama.close()


async def test_a_stream_that_is_left_lets_it_sleep(starts: Starts, file: Path) -> None:
    llama = engine(FakeEngine("a long answer"), file, idle_seconds=300)
    await llama.open()
    pieces = llama.stream(asked())
    await anext(pieces)
    assert llama._server._holds == 1
    await pieces.aclose()
    await asleep(llama)
    await llama.close()


async def test_a_file_that_changed_meanwhile_is_checked_before_it_is_loaded(starts: Starts, file: Path) -> None:
    llama = engine(FakeEngine("again"), file, idle_seconds=300)
    await llama.open()
    first = llama.loaded
    await asleep(llama)
    assert llama.loaded == first
    put(b"no model", file)
    with pytest.raises(ModelNotReady, match=r"m\.gguf is no GGUF file") as told:
        await llama.complete(asked())
    assert (told.value.code, starts.count) == (FileInvalid.code, 1)
    with pytest.raises(ModelNotReady):
        await llama.probe()
    put(packaged_gguf().read_bytes(), file)
    await llama.complete(asked())
    assert starts.count == 2
    assert llama.loaded != first
    await llama.close()


async def test_one_that_begins_asleep_has_its_files_checked_and_no_process_until_it_is_asked(
    starts: Starts, file: Path
) -> None:
    pool = MemoryPool(lambda: None)
    llama = engine(FakeEngine("awake"), file, pool=pool, begins_asleep=True)
    await llama.open()
    await llama.probe()
    assert (llama.is_asleep, starts.count, pool.has(llama._server)) == (True, 0, False)
    assert llama.loaded is not None
    await llama.complete(asked())
    assert (llama.is_asleep, starts.count, pool.has(llama._server)) == (False, 1, True)
    await llama.close()
    assert not pool.has(llama._server)
    broken = engine(FakeEngine(), file, begins_asleep=True)
    put(b"no model", file)
    with pytest.raises(FileInvalid):
        await broken.open()


async def test_only_one_that_never_sleeps_fails_for_want_of_memory_and_one_whose_start_fails_gives_its_part_back(
    starts: Starts, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = MemoryPool(lambda: 1_000_000)
    monkeypatch.setattr(memory_pool, "WAIT_SECONDS", 0.0)
    sleeper = engine(FakeEngine(), file, pool=pool, idle_seconds=300)
    await sleeper.open()
    with pytest.raises(ModelNotReady, match=r"it sleeps, and m\.gguf needs about \d+ MB, and 1 MB are left"):
        await sleeper.complete(asked())
    await sleeper.probe()
    knows = engine(FakeEngine(), file, pool=pool, idle_seconds=300, memory_mb=1000)
    await knows.open()
    assert (sleeper.is_asleep, knows.is_asleep) == (True, False)

    async def start(*_: object) -> ServerProcess:
        raise CannotLoad("no process in unit tests")

    monkeypatch.setattr(chat, "start_server", start)
    failing = engine(FakeEngine(), file, pool=pool, memory_mb=1000)
    with pytest.raises(CannotLoad):
        await failing.open()
    assert not pool.has(failing._server)
    for llama in (sleeper, knows):
        await llama.close()
