from __future__ import annotations

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
from inference.catalog.llama_options import GenerationDefaults
from inference.engines.llamacpp import chat
from inference.engines.llamacpp.chat import LlamaChat
from inference.engines.llamacpp.heartbeat import Heartbeat
from inference.engines.llamacpp.process import ServerOptions, ServerProcess
from inference.engines.llamacpp.request import LlamaModel
from inference.errors import CannotLoad, FileInvalid, ModelNotReady, ModelTooLarge
from inference.protocol.engines import ChatEngine, Piece

TOKEN = {"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": [{"token": "a", "logprob": -0.1}]}


async def no_calls(path: str, body: object) -> None:
    """A server that has nothing beside OpenAI's calls."""


async def answered() -> None:
    """By a process that does not hang."""


def engine(upstream: ChatEngine, *files: Path, memory_mb: int | None = None) -> LlamaChat:
    adapters = tuple((file, 1.0) for file in files[1:])
    return LlamaChat(
        "m",
        upstream,
        locate=lambda: GgufFiles(files[0], adapters=adapters),
        moved=lambda address: None,
        key="key",
        model=LlamaModel(100, GenerationDefaults()),
        options=ServerOptions(100, 1, 1, None),
        memory_mb=memory_mb,
        ask=no_calls,
        heartbeat=Heartbeat(answered, 60),
    )


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
