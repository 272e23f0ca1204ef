"""Calls to an upstream wait in a bounded line, and whoever leaves it leaves nothing behind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.support.inference.fake_upstream import DONE, busy, chunk, is_probe
from tests.support.inference.running import EMBEDDING, Inference, running_inference, serving

DEADLINE_SECONDS = 60.0
RUNNING, WAITING = "groundwork_inference_running", "groundwork_inference_waiting"


class Counting:
    """A server that answers until it is told to end, and counts the calls that it is at."""

    def __init__(self) -> None:
        self.active = 0
        self.ending = asyncio.Event()
        self.flood = False
        self.waiting = 0.0
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/embeddings", self._embeddings, methods=["POST"]),
                Route("/metrics", self._metrics),
            ]
        )
        self.embedding = asyncio.Semaphore(0)
        """Lets one call for embeddings end."""
        self.embedded: list[str] = []

    async def _chat(self, request: Request) -> Response:
        if is_probe(await request.json()):
            return busy()
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _embeddings(self, request: Request) -> Response:
        body = await request.json()
        if is_probe(body):
            return busy()
        self.active += 1
        self.embedded += body["input"]
        await self.embedding.acquire()
        self.active -= 1
        return JSONResponse({"data": [{"index": 0, "embedding": [1.0, 0.0]}], "usage": {"total_tokens": 1}})

    async def _events(self) -> AsyncIterator[str]:
        self.active += 1
        try:
            yield chunk("one ")
            while self.flood:
                yield chunk("x" * 65536)
                await asyncio.sleep(0)  # its own caller's leaving must be noticed
            await self.ending.wait()
            yield chunk("two", "stop")
            yield DONE
        finally:
            self.active -= 1

    async def _metrics(self, request: Request) -> Response:
        return PlainTextResponse(f'vllm:num_requests_waiting{{engine="0",model_name="m"}} {self.waiting}\n')


def declared(url: str, **queue: int) -> list[dict[str, Any]]:
    source = {
        "base_url": f"{url}/v1",
        "upstream_model": "m",
        "ready_path": None,
        "metrics_url": f"{url}/metrics",
    }
    far = {"name": "far", "kind": "chat", "engine": "openai", "context_length": 9000, "default": True, "source": source}
    return [far | {"queue": queue}, EMBEDDING]


def asking(inference: Inference, stream: bool = True, text: str = "Hello", **more: Any) -> asyncio.Task[Any]:
    body = {"model": "far", "messages": [{"role": "user", "content": text}], "stream": stream, **more}
    return asyncio.create_task(inference.post("/v1/chat/completions", body).__aenter__())


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.02)


async def until_metric(inference: Inference, name: str, value: float) -> None:
    async def reached() -> bool:
        return await inference.metric(name) == value

    await until(reached)


async def test_calls_beyond_the_places_wait_and_beyond_the_line_are_429(tmp_path: Path) -> None:
    upstream = Counting()
    async with (
        serving(upstream.app) as url,
        running_inference(tmp_path, declared(url, at_once=2, waiting=1)) as inference,
    ):
        calls = [asking(inference) for _ in range(3)]
        await until_metric(inference, WAITING, 1)
        assert upstream.active == 2
        refused = await asking(inference)
        assert refused.status == 429
        assert int(refused.headers["Retry-After"]) >= 1
        assert (await refused.json())["error"]["code"] == "queue_full"
        upstream.ending.set()
        for call in calls:
            assert "[DONE]" in await (await call).text()
        await until_metric(inference, RUNNING, 0)


async def test_the_line_is_bounded_by_tokens(tmp_path: Path) -> None:
    upstream = Counting()
    async with serving(upstream.app) as url:
        models = declared(url, at_once=1, waiting=50, waiting_tokens=1000)
        async with running_inference(tmp_path, models) as inference:
            calls = [asking(inference)]
            await until_metric(inference, RUNNING, 1)
            calls.append(asking(inference, text="word " * 600))
            await until_metric(inference, WAITING, 1)
            refused = await asking(inference, text="word " * 600)
            assert refused.status == 429
            calls.append(asking(inference))
            await until_metric(inference, WAITING, 2)
            upstream.ending.set()
            for call in calls:
                assert (await call).status == 200
                await (await call).text()


async def test_no_length_that_is_asked_for_weighs_more_than_the_context(tmp_path: Path) -> None:
    upstream = Counting()
    async with serving(upstream.app) as url:
        models = declared(url, at_once=1, waiting=50, waiting_tokens=20_000)
        async with running_inference(tmp_path, models) as inference:
            calls = [asking(inference)]
            await until_metric(inference, RUNNING, 1)
            calls.append(asking(inference, max_tokens=10**18))
            await until_metric(inference, WAITING, 1)
            assert await inference.metric("groundwork_inference_waiting_tokens") < 10_000
            calls.append(asking(inference, max_tokens=10**18))
            await until_metric(inference, WAITING, 2)
            upstream.ending.set()
            for call in calls:
                assert (await call).status == 200
                await (await call).text()


async def test_a_query_is_sent_before_bulk_that_came_earlier(tmp_path: Path) -> None:
    upstream = Counting()
    async with serving(upstream.app) as url:
        source = {"base_url": f"{url}/v1", "upstream_model": "m", "ready_path": None}
        vectors = {"kind": "embedding", "engine": "openai", "max_input_tokens": 100, "dimensions": 2, "source": source}
        far = {"name": "far", "default": True, "queue": {"at_once": 2, "waiting": 2}, **vectors}
        async with running_inference(tmp_path, [far]) as inference:

            def embedding(priority: str) -> asyncio.Task[Any]:
                body = {"input": priority, "priority": priority}
                return asyncio.create_task(inference.post("/v1/embeddings", body).__aenter__())

            bulk = [embedding("bulk") for _ in range(3)]
            await until_metric(inference, WAITING, 2)
            assert upstream.active == 1  # one place is for queries
            assert (await embedding("bulk")).status == 429
            queries = [embedding("query") for _ in range(3)]
            await until_metric(inference, WAITING, 4)
            for _ in range(6):
                upstream.embedding.release()
            assert [(await call).status for call in [*queries, *bulk]] == [200] * 6
            assert upstream.embedded == ["bulk", "query", "query", "query", "bulk", "bulk"]
            await until_metric(inference, RUNNING, 0)


async def test_a_line_inside_the_server_that_is_full_refuses_more(tmp_path: Path) -> None:
    upstream = Counting()
    upstream.waiting = 5.0
    upstream.ending.set()
    async with (
        serving(upstream.app) as url,
        running_inference(tmp_path, declared(url, at_once=50, engine_waiting=4)) as inference,
    ):

        async def answered(status: int) -> bool:
            answer = await asking(inference)
            await answer.text()
            return bool(answer.status == status)

        await until(lambda: answered(429))
        assert await inference.metric("groundwork_inference_engine_waiting") == 5
        upstream.waiting = 0.0
        await until(lambda: answered(200))


@pytest.mark.parametrize("stream", [False, True])
async def test_the_server_sees_that_a_caller_left(tmp_path: Path, stream: bool) -> None:
    upstream = Counting()
    async with serving(upstream.app) as url, running_inference(tmp_path, declared(url)) as inference:
        call = asking(inference, stream)
        await until(lambda: upstream.active == 1)
        if stream:
            (await call).close()
        else:
            call.cancel()
        await until(lambda: upstream.active == 0)
        await until_metric(inference, RUNNING, 0)


async def test_a_caller_that_reads_nothing_loses_its_place(tmp_path: Path) -> None:
    upstream = Counting()
    upstream.flood = True
    async with (
        serving(upstream.app) as url,
        running_inference(tmp_path, declared(url), reader_seconds=0.3) as inference,
    ):
        answer = await asking(inference)
        assert answer.status == 200
        await until_metric(inference, RUNNING, 0)
        await until(lambda: upstream.active == 0)
        answer.close()


async def test_nothing_is_left_after_a_thousand_calls_that_leave_at_any_moment(tmp_path: Path) -> None:
    upstream, chance = Counting(), random.Random(5)
    async with (
        serving(upstream.app) as url,
        running_inference(tmp_path, declared(url, at_once=8, waiting=30)) as inference,
    ):
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def call(number: int) -> None:
                body = {"model": "far", "messages": [{"role": "user", "content": "Hi"}], "stream": number % 2 == 0}
                try:
                    async with (
                        asyncio.timeout(chance.random() * 0.15),
                        session.post(
                            f"{inference.url}/v1/chat/completions", json=body, headers=inference.headers
                        ) as answer,
                    ):
                        await answer.read()
                except TimeoutError:
                    pass

            for start in range(0, 1000, 50):
                await asyncio.gather(*(call(number) for number in range(start, start + 50)))
        await until_metric(inference, RUNNING, 0)
        await until_metric(inference, WAITING, 0)
        await until_metric(inference, "groundwork_inference_waiting_tokens", 0)
        await until(lambda: upstream.active == 0)
        upstream.ending.set()
        calls = [asking(inference) for _ in range(8)]
        assert [(await answer).status for answer in calls] == [200] * 8


async def test_running_answers_are_finished_when_the_service_is_told_to_stop(tmp_path: Path) -> None:
    upstream = Counting()
    async with serving(upstream.app) as url, aiohttp.ClientSession() as session:
        async with running_inference(tmp_path, declared(url)) as inference:
            body = {"model": "far", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
            answer = await session.post(f"{inference.url}/v1/chat/completions", json=body, headers=inference.headers)
            reading = asyncio.create_task(answer.text())
            await until(lambda: upstream.active == 1)
            asyncio.get_running_loop().call_later(0.3, upstream.ending.set)
        assert "[DONE]" in await reading
