"""Two gateway replicas on one ledger and one Valkey, clients that misbehave at random, and whether all books agree.

Books: the fake upstream's own, the SQL ledger, `GET /v1/usage`, the Prometheus counters, and the counters in Valkey.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp
from tests.support.gateway import peers as gateway_peers
from tests.support.gateway.running import Servers, patience, settings_in
from tests.support.gateway.seen import Seen
from tests.support.gateway.usage_upstream import UpstreamBook, billing_inference

from gateway.bootstrap import create_app, create_model_plane, open_dependencies
from gateway.dependencies import Dependencies
from gateway.storage.tables import reservations, usage
from servicekit.redis.client import open_redis

SETTLED_SECONDS = 60.0
TOKENS = ("prompt", "completion", "embedding")


@dataclass
class Fleet:
    """Two replicas, the upstream's book, and the admin key."""

    urls: list[str]
    plane_url: str
    replicas: list[Dependencies]
    book: UpstreamBook
    admin_key: str
    redis: Redis
    session: aiohttp.ClientSession
    before: dict[str, float] = field(default_factory=dict)

    async def key(self, **wanted: Any) -> dict[str, Any]:
        """A key made through the API."""
        scopes = ["chat", "search", "agents", "agents:write", "prompts:release"]
        body = {"name": "k", "tenant": "acme", "scopes": scopes, **wanted}
        headers = {"Authorization": f"Bearer {self.admin_key}"}
        async with self.session.post(f"{self.urls[0]}/v1/keys", json=body, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            made: dict[str, Any] = await answer.json()
            return made

    async def reached(self, calls: int) -> None:
        """Return once the upstream has seen so many calls."""
        async with asyncio.timeout(SETTLED_SECONDS):
            while self.book.calls < calls:  # noqa: ASYNC110  # the book has no event for it
                await asyncio.sleep(0.005)

    async def settled(self) -> None:
        """Return once nothing runs and nothing is held, in any book; fails with what is left."""
        left: dict[str, Any] = {"not": "looked"}
        try:
            async with asyncio.timeout(SETTLED_SECONDS):
                while left:
                    left = await self._left()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"never settled: {left}") from None

    async def _left(self) -> dict[str, Any]:
        left: dict[str, Any] = {}
        if self.book.running:
            left["upstream answers"] = self.book.running
        async with self.replicas[0].database.read() as connection:
            count = (await connection.execute(select(func.count()).select_from(reservations))).scalar_one()
        if count:
            left["reservations"] = count
        for replica in self.replicas:
            if not replica.meter.is_idle:
                left["open calls"] = True
            await replica.admission.drain()
            await replica.meter.ledger.all_written()
        try:
            left |= await self._held_in_valkey()
        except RedisError as error:  # it was started again a moment ago
            left["valkey"] = repr(error)
        return left

    async def _held_in_valkey(self) -> dict[str, Any]:
        left: dict[str, Any] = {}
        async for name in self.redis.scan_iter("{groundwork-limits}:*", count=1000):
            if ":concurrency:" in name and (places := await self.redis.zcard(name)):
                left[name] = places
            if ":budget:" in name and (held := await self.redis.hget(name, "held")) != "0":
                left[name] = held
        return left

    async def rows(self) -> list[dict[str, Any]]:
        """The ledger."""
        async with self.replicas[0].database.read() as connection:
            return [dict(row) for row in (await connection.execute(select(usage))).mappings()]

    async def report(self, group_by: str) -> list[dict[str, Any]]:
        """`GET /v1/usage`."""
        url = f"{self.urls[1]}/v1/usage?group_by={group_by}&from=2000-01-01&to=2100-01-01"
        async with self.session.get(url, headers={"Authorization": f"Bearer {self.admin_key}"}) as answer:
            assert answer.status == 200
            data: list[dict[str, Any]] = (await answer.json())["data"]
            return data


@asynccontextmanager
async def fleet(
    folder: Path, valkey_url: str, retriever: Callable[[Path, UpstreamBook], ASGIApp] | None = None, **changes: Any
) -> AsyncIterator[Fleet]:
    """Both replicas and all behind them, until the block ends."""
    seen, plane_url, book = Seen(), [""], UpstreamBook()
    public_key = folder / "d.pub"
    inner = Starlette(
        routes=[
            Mount("/inference", billing_inference(public_key, book)),
            Mount(
                "/retriever",
                gateway_peers.retriever(public_key, seen) if retriever is None else retriever(public_key, book),
            ),
            Mount("/ingest", gateway_peers.ingest(public_key, seen)),
            Mount("/agent", gateway_peers.agent(public_key, seen, plane_url)),
        ]
    )
    async with AsyncExitStack() as stack:
        stack.enter_context(patience())
        servers = Servers()
        inner_url = await servers.start(inner)
        urls = {f"{name}_url": f"{inner_url}/{name}" for name in ("inference", "retriever", "ingest", "agent")}
        settings = settings_in(folder, **{"redis_url": valkey_url, "cache_seconds": 60, **urls, **changes})
        replicas = [await stack.enter_async_context(open_dependencies(settings)) for _ in range(2)]
        stack.push_async_callback(servers.close)
        plane_url[0] = await servers.start(create_model_plane(settings, replicas[0]))
        public = [await servers.start(create_app(settings, replica)) for replica in replicas]
        session = await stack.enter_async_context(aiohttp.ClientSession())
        redis = open_redis(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        await redis.flushall()
        running = Fleet(public, plane_url[0], replicas, book, settings.admin_key_file.read_text(), redis, session)
        for replica in replicas:
            for model in ("paid", "gratis", "mute", "flaky", "clumsy"):
                replica.counter.prepare(model)
            await replica.counter.ready()
        sturdy = {"targets": [{"model": "flaky"}, {"model": "paid", "weight": 0}]}
        headers = {"Authorization": f"Bearer {running.admin_key}"}
        async with session.put(f"{public[0]}/v1/routes/sturdy", json=sturdy, headers=headers) as answer:
            assert answer.status in (200, 201), await answer.text()
        running.before = counters()
        yield running


def counters() -> dict[str, float]:
    """The gateway's own counters, summed over models and routes."""
    sums: Counter[str] = Counter()
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name == "groundwork_gateway_calls_total":
                sums["calls"] += sample.value  # type: ignore[assignment]
            elif sample.name == "groundwork_gateway_tokens_total":
                sums[sample.labels["kind"]] += sample.value  # type: ignore[assignment]
            elif sample.name == "groundwork_gateway_cost_usd_total":
                sums["cost"] += sample.value  # type: ignore[assignment]
    return dict(sums)


@dataclass
class Chaos:
    """What the clients saw, by how a call ended: its status, with the code of an error; `error event`, or `left`."""

    seed: int
    outcomes: Counter[str] = field(default_factory=Counter)

    async def run(self, fleet: Fleet, secret: str, calls: int, clients: int, leaving: float) -> None:
        """Clients take turns until all calls are made; `leaving` is the share of calls whose client leaves."""
        numbers = iter(range(calls))

        async def client(name: int) -> None:
            connector = aiohttp.TCPConnector(force_close=False)
            async with aiohttp.ClientSession(connector=connector) as session:
                for number in numbers:
                    dice = random.Random(self.seed * 1_000_003 + number)
                    self.outcomes[await _call(session, fleet.urls[number % 2], secret, number, dice, leaving)] += 1

        await asyncio.gather(*(client(name) for name in range(clients)))


async def _call(
    session: aiohttp.ClientSession, url: str, secret: str, number: int, dice: random.Random, leaving: float
) -> str:
    headers = {"Authorization": f"Bearer {secret}", "X-Request-Id": f"chaos-{number}"}
    path, body = _request(dice)
    patience = dice.choice([0.0, dice.uniform(0, 0.01), dice.uniform(0, 0.08)]) if dice.random() < leaving else 60.0
    try:
        async with asyncio.timeout(patience), session.post(url + path, json=body, headers=headers) as answer:
            text = await answer.text()
            if answer.status >= 400:
                return f"{answer.status} {json.loads(text)['error']['code']}"
            return "error event" if "event: error" in text else str(answer.status)
    except TimeoutError:
        return "left"


def _request(dice: random.Random) -> tuple[str, dict[str, Any]]:
    kind = dice.random()
    prompt = {"user": str(dice.randint(1, 400))}
    if kind < 0.1:
        return "/v1/embeddings", {"model": "mini", "input": "x", **prompt}
    messages = [{"role": "user", "content": f"question {dice.randint(0, 10**9)}"}]
    chat: dict[str, Any] = {"messages": messages, "max_tokens": dice.randint(1, 20), **prompt}
    if kind < 0.15:
        return "/v1/chat/completions", {"messages": messages, "model": "nope"}
    if kind < 0.3:  # asked again and again: answered from the cache where there is one
        again = [{"role": "user", "content": f"question {dice.randint(0, 9)}"}]
        return "/v1/chat/completions", {"messages": again, "model": "paid", "max_tokens": 7, "user": "50"}
    if kind < 0.4:  # a call whose arguments are no JSON is handed on, and paid like any other answer
        chat |= {"model": "clumsy", "tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}]}
        return "/v1/chat/completions", {**chat, "stream": dice.random() < 0.6}
    return "/v1/chat/completions", {
        **chat,
        "model": dice.choice(["paid", "paid", "gratis", "mute", "flaky", "sturdy"]),
        "stream": dice.random() < 0.6,
    }


async def assert_books_agree(fleet: Fleet) -> None:
    """Every book, to the token and the nano-dollar; what was estimated is marked so and bounded."""
    await fleet.settled()
    rows = await fleet.rows()
    _against_the_upstream(fleet.book, rows)
    await _against_the_report(fleet, rows)
    after = counters()
    moved = {name: after.get(name, 0.0) - fleet.before.get(name, 0.0) for name in after}
    for kind in TOKENS:
        assert round(moved.get(kind, 0.0)) == sum(row[f"{kind}_tokens"] for row in rows), kind
    assert round(moved.get("cost", 0.0) * 1e9) == sum(row["cost_nano_usd"] or 0 for row in rows)
    await _against_the_budgets(fleet, rows)


async def budgets_agree(fleet: Fleet) -> None:
    """All books, once upkeep has had its passes."""
    until = asyncio.get_running_loop().time() + SETTLED_SECONDS
    while True:
        for replica in fleet.replicas:
            await replica.housekeeping.run_once()
        try:
            await assert_books_agree(fleet)
        except AssertionError:
            if asyncio.get_running_loop().time() > until:
                raise
            await asyncio.sleep(0.1)
        else:
            return


def _against_the_upstream(book: UpstreamBook, rows: list[dict[str, Any]]) -> None:
    by_request: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_request.setdefault(row["request_id"], []).append(row)
    assert len({row["id"] for row in rows}) == len(rows)
    for request_id, bills in book.bills.items():
        if request_id.startswith("answer-"):
            continue  # an answer asks more than once at a time: `answer_chaos` compares its sums
        attempts = [row for row in by_request[request_id] if row["cache"] != "hit"]
        attempts = sorted(attempts, key=lambda row: int(row["attempt"]))
        assert len(attempts) >= len(bills), request_id
        for bill, row in zip(bills, attempts, strict=False):
            _one_bill(bill, row)


def _one_bill(bill: Any, row: Mapping[str, Any]) -> None:
    told = not row["estimated"]
    if bill.failed and row["estimated"]:  # its client left before that was known
        assert (row["status"], row["completion_tokens"]) == (499, 0), row
    elif bill.failed:
        paid = (row["prompt_tokens"], row["completion_tokens"], row["cost_nano_usd"] > 0)
        assert paid == (bill.prompt if bill.whole else 0, 0, bill.whole), row
    elif told and row["status"] == 200:
        assert bill.whole, row
        read = row["prompt_tokens"] + row["embedding_tokens"]
        assert (read, row["completion_tokens"], row["cached_tokens"]) == (bill.prompt, bill.completion, bill.cached), (
            row
        )
    elif told:  # it left after all was said, or before anything was
        assert bill.whole or row["prompt_tokens"] == 0, row
    else:
        least = bill.completion if row["status"] == 200 else 0
        assert least <= row["completion_tokens"] <= bill.completion, row


async def _against_the_report(fleet: Fleet, rows: list[dict[str, Any]]) -> None:
    for group_by in ("key", "tenant", "model", "day"):
        report = await fleet.report(group_by)
        for kind in TOKENS:
            assert sum(row[f"{kind}_tokens"] for row in report) == sum(row[f"{kind}_tokens"] for row in rows)
        cost = sum((Decimal(row["cost_usd"] or 0) for row in report), Decimal(0))
        assert cost == Decimal(sum(row["cost_nano_usd"] or 0 for row in rows)).scaleb(-9)
        assert sum(row["estimated_requests"] for row in report) == sum(row["estimated"] for row in rows)
        if group_by != "model":
            assert sum(row["requests"] for row in report) == sum(row["parent_id"] is None for row in rows)
            errors = sum(row["parent_id"] is None and row["error_type"] not in (None, "cut") for row in rows)
            assert sum(row["cut_requests"] for row in report) == sum(row["error_type"] == "cut" for row in rows)
            assert sum(row["errors"] for row in report) == errors


async def _against_the_budgets(fleet: Fleet, rows: list[dict[str, Any]]) -> None:
    async for name in fleet.redis.scan_iter("{groundwork-limits}:budget:*", count=1000):
        _, _, whose, owner, *_ = name.split(":")
        field_name = "key_id" if whose == "key" else "tenant"
        expected = sum(row["cost_nano_usd"] or 0 for row in rows if row[field_name] == owner)
        assert (name, int(await fleet.redis.hget(name, "spent") or 0)) == (name, expected)
