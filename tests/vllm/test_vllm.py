"""The conformance suite on a real vLLM behind our `openai` engine, and what only a real one can show."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from tests.support.inference import chat_conformance
from tests.support.inference.chat_conformance import (
    COUNT,
    Capabilities,
    ChatConformance,
    Subject,
    reasons_of,
    refused,
    subject_of,
    text_of,
    usage_of,
)
from tests.support.inference.running import EMBEDDING, Inference, running_inference
from tests.vllm.conftest import CONTEXT, Vllm

from inference.engines.openai.backlog import waiting_in

pytestmark = pytest.mark.asyncio(loop_scope="session")
CAN = Capabilities(context_length=CONTEXT, strict=False, line=5)
PATIENCE_SECONDS = 300.0
"""Two cores that others use too answer slowly."""


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat_conformance, "PATIENCE_SECONDS", PATIENCE_SECONDS)
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def inference(vllm: Vllm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inference]:
    folder = tmp_path_factory.mktemp("inference")
    async with running_inference(folder, [vllm.declared, EMBEDDING], upstream_seconds=PATIENCE_SECONDS) as service:
        yield service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def subject(inference: Inference) -> AsyncIterator[Subject]:
    served = subject_of(f"{inference.url}/v1", inference.token, "smollm2-on-vllm", CAN)
    async with served.client:
        yield served


class TestVllm(ChatConformance):
    """Behind our `openai` engine. SmolLM2 can't call tools by itself: guided decoding has it do so."""

    async def test_several_choices_are_counted_together(self, subject: Subject) -> None:
        """As everywhere, but that vLLM refuses several choices of which each would be the same."""
        await refused(subject.ask(n=2), "n")
        whole = await subject.ask(n=3, max_tokens=4, temperature=1)
        assert [choice.index for choice in whole.choices] == [0, 1, 2]
        assert whole.usage.completion_tokens == 12
        chunks = await subject.chunks(n=2, max_tokens=4, temperature=1)
        assert text_of(chunks, 0)
        assert text_of(chunks, 1)
        assert reasons_of(chunks) == ["length", "length"]
        assert usage_of(chunks).completion_tokens == 8


async def vllm_metric(inference: Inference, vllm: Vllm, name: str) -> float:
    async with inference.session.get(f"{vllm.url}/metrics") as answer:
        found = re.findall(rf"^vllm:{name}{{[^}}]*}} ([0-9.e+]+)$", await answer.text(), re.MULTILINE)
    assert found, f"vLLM has no metric {name}"
    return sum(float(value) for value in found)


async def test_a_caller_that_leaves_stops_vllms_own_work(inference: Inference, vllm: Vllm, subject: Subject) -> None:
    stream = await subject.client.chat.completions.create(
        model=subject.model, messages=[{"role": "user", "content": COUNT}], max_tokens=900, stream=True
    )
    async for _ in stream:
        break
    assert await vllm_metric(inference, vllm, "num_requests_running") == 1
    await stream.close()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await vllm_metric(inference, vllm, "num_requests_running"):  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.1)
    assert await inference.metric("groundwork_inference_running") == 0


async def test_vllm_says_how_many_wait_inside_it(inference: Inference, vllm: Vllm) -> None:
    async with inference.session.get(f"{vllm.url}/metrics") as answer:
        assert waiting_in(await answer.text(), "smollm2") == 0


async def status_of(inference: Inference, body: dict[str, Any]) -> int | None:
    """The status of a call; None for one that waits, which is given up."""
    try:
        async with asyncio.timeout(3), inference.post("/v1/chat/completions", body) as answer:
            if answer.status == 429:
                assert (await answer.json())["error"]["code"] == "queue_full"
                assert int(answer.headers["Retry-After"]) >= 1
            return int(answer.status)
    except TimeoutError:
        return None


async def test_a_line_inside_vllm_that_is_full_refuses_more(vllm: Vllm, tmp_path: Any) -> None:
    declared = vllm.declared | {"queue": {"at_once": 64, "engine_waiting": 1}}
    async with running_inference(tmp_path, [declared, EMBEDDING], upstream_seconds=PATIENCE_SECONDS) as inference:
        body = {
            "model": declared["name"],
            "messages": [{"role": "user", "content": COUNT}],
            "max_tokens": 400,
            "stream": True,
        }
        calls = [
            asyncio.create_task(inference.post("/v1/chat/completions", body).__aenter__()) for _ in range(12)
        ]  # vLLM answers 4 at once
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (status := await status_of(inference, body)) != 429:  # vLLM's line is another's
                assert status in (None, 200)
        for call in calls:
            call.cancel()
        for call in await asyncio.gather(*calls, return_exceptions=True):
            if not isinstance(call, BaseException):
                call.close()
