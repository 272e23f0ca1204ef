"""The engine over a model folder that was converted a moment ago."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from services.inference.tests.catalog.ggufs import TOKENS, write_gguf

from contracts.models.chat import ChatRequest
from inference.catalog.gguf import convert_gguf
from inference.engines import torch_runtime
from inference.engines.transformers.chat import TransformersChat
from inference.errors import CannotLoad, ContextExceeded, ModelBusy, ModelNotReady
from inference.queueing.admission import Admission
from servicekit.core.errors import InvalidRequest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("model")
    convert_gguf(write_gguf(made / "m.gguf"), made)
    return made


@pytest.fixture(autouse=True)
def light(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a chat needs is imported, and warnings of what it imports are not ours."""
    monkeypatch.setattr(torch_runtime, "import_engines", lambda: torch)
    warnings.simplefilter("ignore")


def engine(folder: Path, context_length: int = 64, waiting: int = 1) -> TransformersChat:
    return TransformersChat(
        "tiny",
        lambda: folder,
        Admission("tiny", slots=1, waiting=waiting),
        context_length=context_length,
        usual_tokens=4,
        precision="float32",
        threads=1,
        fresh_seconds=60,
        stalled_seconds=60,
    )


@pytest.fixture
async def chat(folder: Path) -> AsyncIterator[TransformersChat]:
    opened = engine(folder)
    await opened.open()
    yield opened
    await opened.close()


def asked(content: str = "he", role: str = "user", **more: Any) -> ChatRequest:
    messages = [{"role": role, "content": content}]
    return ChatRequest.model_validate({"model": "m", "messages": messages, "temperature": 0, **more})


async def test_an_answer_is_the_same_whole_and_streamed_and_its_slot_is_free_again(chat: TransformersChat) -> None:
    whole = await chat.complete(asked(max_tokens=6))
    streamed = [piece async for piece in chat.stream(asked(max_tokens=6))]
    text = "".join(choice["delta"].get("content") or "" for piece in streamed for choice in piece.choices)
    assert whole.choices[0]["message"]["content"] == text
    assert whole.usage == streamed[-1].usage
    await chat.probe()
    assert await chat.complete(asked(max_tokens=1))


async def test_a_prompt_is_written_by_the_template_and_a_raw_one_by_nobody(chat: TransformersChat) -> None:
    templated = await chat.complete(asked("hehe", max_tokens=1))
    raw = await chat.complete(asked("hehe", max_tokens=1, raw_prompts=True))
    assert raw.usage is not None
    assert templated.usage is not None
    assert raw.usage["prompt_tokens"] == 2
    assert templated.usage["prompt_tokens"] > 10


@pytest.mark.parametrize(
    ("request_", "param", "says"),
    [
        (asked(logit_bias={str(len(TOKENS)): 1}), "logit_bias", f"tokens are 0 to {len(TOKENS) - 1}"),
        (asked(role="system"), "messages", "refuses these messages: no system"),
        (asked(colour="red"), "colour", "does not support"),
    ],
)
async def test_what_the_model_cannot_do_is_refused_and_holds_no_slot(
    chat: TransformersChat, request_: ChatRequest, param: str, says: str
) -> None:
    with pytest.raises(InvalidRequest, match=says) as refused:
        await chat.complete(request_)
    assert refused.value.param == param
    assert await chat.complete(asked(max_tokens=1))


async def test_a_prompt_that_leaves_no_room_is_refused(chat: TransformersChat) -> None:
    with pytest.raises(ContextExceeded, match="maximum context length is 64"):
        await chat.complete(asked("x" * 100))
    assert await chat.complete(asked(max_tokens=1))


async def test_a_caller_that_leaves_frees_the_slot_for_the_next(chat: TransformersChat) -> None:
    stream = chat.stream(asked(max_tokens=40))
    await anext(stream)
    await stream.aclose()
    assert (await chat.complete(asked(max_tokens=1))).usage


async def test_more_than_may_wait_are_told_to_come_back(folder: Path) -> None:
    chat = engine(folder, waiting=0)
    await chat.open()
    async with asyncio.timeout(60):
        while chat._admission.running:  # noqa: ASYNC110  # the slot of the first token, until its thread is back
            await asyncio.sleep(0)
    calls = [asyncio.create_task(chat.complete(asked(max_tokens=30))) for _ in range(3)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, ModelBusy) for result in results) == 2
    await chat.close()


async def test_a_model_is_refused_that_reads_less_than_is_declared_and_one_that_is_not_loaded(folder: Path) -> None:
    chat = engine(folder, context_length=65)
    with pytest.raises(CannotLoad, match="it reads 64, the models file says 65"):
        await chat.open()
    with pytest.raises(ModelNotReady, match="not loaded"):
        await chat.complete(asked())
    assert chat.tokenizer() == (folder / "tokenizer.json").read_bytes()
    await chat.close()
