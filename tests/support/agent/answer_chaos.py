"""Answers and runs of a real agent service in chaos: whole, cut, abstained, cached, refused, broken off.

What each told of its tokens and its cost must be what the ledger has, to the nano-dollar.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import aiohttp
from fastapi import FastAPI, Request
from sqlalchemy import select
from tests.support.agent.running import free_port
from tests.support.gateway.peers import collection_of
from tests.support.gateway.running import Servers
from tests.support.gateway.usage_chaos import Fleet, fleet
from tests.support.gateway.usage_upstream import UpstreamBook

from agent.bootstrap import create_app, open_dependencies
from agent.settings import AgentSettings
from agent.tables import RUNS
from agent.testing.scripted_answers import hit
from contracts.agents.runs import FINAL_RUN_STATUSES
from contracts.core.health import Health
from contracts.retrieval.search import SearchReply, SearchUsage
from servicekit.auth.delegation import Caller, DelegationVerifier, require
from servicekit.sql.database import Database, rows_of
from servicekit.web.error_handlers import install_error_handlers

LEAVE = "Full-time employees get 27 days of paid leave per year."
QUESTION = "How many days of paid leave do full-time employees get per year?"
NANO = Decimal("1e-9")
AGENTS: dict[str, dict[str, Any]] = {
    "calm": {"model": "paid"},
    "brief": {"model": "paid", "limits": {"seconds": 0.05}},
    "poor": {"model": "paid", "limits": {"cost_usd": "0.000001"}},
    "shaky": {"model": "sturdy"},
    "reader": {"model": "paid", "tools": ["search_documents"], "limits": {"tokens": 40}},
    "clumsy": {"model": "clumsy", "tools": ["calculator"], "limits": {"steps": 3}},
}
BRIEF = {
    "name": "groundwork-answer-small",
    "messages": [{"role": "system", "content": "Be brief."}],
    "label": "production",
}
"""With a prompt of the tenant's own the packaged model's drafts are asked for, and cut, with `strict`, too."""
DEADLINE_SECONDS = 120.0


def billing_retriever(public_key: Path, book: UpstreamBook) -> FastAPI:
    """Finds the one passage that there is, unless it is asked for nothing; embeds a token a word of the query."""
    app = FastAPI()
    app.state.verifier = DelegationVerifier(public_key)
    install_error_handlers(app)

    @app.get("/readyz")
    async def readyz() -> Health:
        return Health(status="ok", service="retriever", version="0")

    @app.get("/v1/collections")
    async def collections(caller: Annotated[Caller, require("retriever")]) -> Any:
        return {"data": [], "next_cursor": None}

    @app.get("/v1/collections/{name}")
    async def collection(name: str, caller: Annotated[Caller, require("retriever")]) -> Any:
        return {**collection_of(name).model_dump(mode="json"), "revision": 1}

    @app.post("/v1/search")
    async def search(request: Request, caller: Annotated[Caller, require("retriever")]) -> SearchReply:
        query = (await request.json())["query"]
        tokens = len(query.split())
        book.searched += tokens
        hits = [] if "nothing" in query else [hit(LEAVE, "leave-policy")]
        return SearchReply(
            hits=hits,
            usage=SearchUsage(embedding_tokens=tokens, embedding_model="mini"),
            collection_revision=1,
            collection_revisions={"handbook": 1},
        )

    return app


@asynccontextmanager
async def answering_fleet(folder: Path, valkey_url: str) -> AsyncIterator[tuple[Fleet, Database]]:
    """A fleet with a real agent service, and that service's database."""
    port = free_port()
    agent_url = f"http://127.0.0.1:{port}"
    async with fleet(folder, valkey_url, retriever=billing_retriever, agent_url=agent_url) as running:
        settings = AgentSettings(
            data_dir=folder / "agent",
            delegation_public_key_file=folder / "d.pub",
            retriever_url=running.replicas[0].settings.retriever_url,
            gateway_url=running.plane_url,
            redis_url=valkey_url,
            packaged_answer_tokens=24,
            answer_tokens=24,
            run_answer_tokens=24,
            run_poll_seconds=0.2,
        )
        async with open_dependencies(settings) as opened:
            servers = Servers()
            await servers.start(create_app(settings, opened), port)
            try:
                yield running, opened.agents.database
            finally:
                await servers.close()


@dataclass
class AnswerChaos:
    """What the clients were told, by the request id of their call."""

    seed: int
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)

    async def run(self, fleet: Fleet, keys: list[str], calls: int, clients: int) -> None:
        """Clients take turns until all calls are made; one in ten has the last key, whose budget is spent."""
        for name, wanted in AGENTS.items():
            await _made(fleet, keys[0], "agents", {"name": name, "instructions": "Talk.", **wanted})
        await _made(fleet, keys[0], "prompts", BRIEF)
        numbers = iter(range(calls))

        async def client() -> None:
            async with aiohttp.ClientSession() as session:
                for number in numbers:
                    dice = random.Random(self.seed * 7_000_003 + number)
                    secret = keys[-1] if dice.random() < 0.1 else keys[0]
                    url = fleet.urls[number % 2]
                    self.outcomes[await self._call(session, url, secret, f"answer-{number}", dice)] += 1

        await asyncio.gather(*(client() for _ in range(clients)))

    async def _call(
        self, session: aiohttp.ClientSession, url: str, secret: str, request_id: str, dice: random.Random
    ) -> str:
        headers = {"Authorization": f"Bearer {secret}", "X-Request-Id": request_id}
        body = _question(dice)
        patience = dice.uniform(0, 0.3) if dice.random() < 0.2 else DEADLINE_SECONDS
        try:
            async with (
                asyncio.timeout(patience),
                session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as answer,
            ):
                text = await answer.text()
        except TimeoutError:
            return "left"
        if answer.status >= 400 or "event: error" in text:
            return f"{answer.status} refused or failed"
        parts = [json.loads(line) for line in text.replace("data: ", "").splitlines() if line.startswith("{")]
        told: dict[str, Any] = {"cache": answer.headers.get("X-Groundwork-Cache")}
        for part in parts:
            told |= {name: part[name] for name in ("groundwork", "usage") if part.get(name)}
        self.told[request_id] = told
        return _kind(told)


def _kind(told: dict[str, Any]) -> str:
    report = told["groundwork"]
    if "run_id" in report:
        return f"run {report['status']} {report.get('limit') or ''}".strip()
    cut = any(attempt["outcome"] == "cut" for attempt in report["receipt"]["attempts"])
    return f"{report['answer_kind']} {'cut ' if cut else ''}{told['cache']}"


def _question(dice: random.Random) -> dict[str, Any]:
    stream = {"stream": True, "stream_options": {"include_usage": True}} if dice.random() < 0.5 else {}
    if dice.random() < 0.4:
        name = dice.choice(list(AGENTS))
        return {"model": f"agent:{name}", "messages": [{"role": "user", "content": "Say something."}], **stream}
    asked = "Is nothing known?" if dice.random() < 0.2 else QUESTION
    if dice.random() < 0.7:  # else answered from the cache, once it has been
        asked = f"{asked} ({dice.randint(0, 10**9)})"
    options = {
        "grounding": dice.choice(["strict", "annotate", "off"]),
        "model": dice.choice(["paid", "paid", "sturdy", "mute", "gratis"]),
        "include": ["receipt"],
    }
    return {"model": "rag:handbook", "messages": [{"role": "user", "content": asked}], "groundwork": options, **stream}


async def _made(fleet: Fleet, secret: str, what: str, body: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {secret}"}
    async with fleet.session.post(f"{fleet.urls[0]}/v1/{what}", json=body, headers=headers) as answer:
        assert answer.status in (200, 201), await answer.text()


async def answers_agree(fleet: Fleet, chaos: AnswerChaos, database: Database) -> int:
    """Every receipt, every usage and every run against the ledger; how many there were."""
    runs = await _ended(database)
    rows = await fleet.rows()
    outer = {row["request_id"]: row for row in rows if row["parent_id"] is None and row["request_id"] in chaos.told}
    for request_id, told in chaos.told.items():
        if "run_id" not in told["groundwork"]:
            inside = [row for row in rows if row["parent_id"] == outer[request_id]["id"]]
            _against_the_receipt(told, outer[request_id], inside)
    for run in runs:
        inside = [row for row in rows if row["parent_id"] == run["id"]]
        chats = [row for row in inside if row["route"] == "chat"]
        used = {name: run[name] for name in ("prompt_tokens", "completion_tokens", "cost_nano_usd", "model_calls")}
        assert used == {
            "prompt_tokens": sum(row["prompt_tokens"] for row in chats),
            "completion_tokens": sum(row["completion_tokens"] for row in chats),
            "cost_nano_usd": sum(row["cost_nano_usd"] for row in inside),
            "model_calls": len(chats),
        }, run
    by_id = {run["id"]: run for run in runs}
    for told in chaos.told.values():
        if (run_id := told["groundwork"].get("run_id")) and told.get("usage"):
            kinds = ("prompt_tokens", "completion_tokens")
            assert [told["usage"][kind] for kind in kinds] == [by_id[run_id][kind] for kind in kinds]
            assert Decimal(told["groundwork"]["usage"]["cost_usd"]) == by_id[run_id]["cost_nano_usd"] * NANO
    assert fleet.book.searched <= sum(row["embedding_tokens"] for row in rows if row["route"] == "search")
    assert not any(row["status"] == 499 for row in rows if row["parent_id"] is not None)
    return len(chaos.told) + len(runs)


def _against_the_receipt(told: dict[str, Any], outer: dict[str, Any], inside: list[dict[str, Any]]) -> None:
    receipt = told["groundwork"]["receipt"]
    chats = [row for row in inside if row["route"] == "chat"]
    sums = {kind: sum(row[f"{kind}_tokens"] for row in chats) for kind in ("prompt", "completion")}
    sums["embedding"] = sum(row["embedding_tokens"] for row in inside)
    assert {kind: receipt["tokens"][kind] for kind in sums} == sums, (receipt, inside)
    cost = outer["cost_nano_usd"] + sum(row["cost_nano_usd"] for row in inside)
    assert Decimal(receipt["cost_usd"]) == cost * NANO, (receipt, inside)
    tried = sorted((row["model"], row["error_type"] or "ok") for row in chats)
    told_of = [one for one in receipt["attempts"] if one["outcome"] != "circuit_open"]
    if chats:
        assert sorted((one["model"], one["outcome"]) for one in told_of) == tried, (receipt, chats)
    if told.get("usage") and outer["cache"] != "hit":
        usage = told["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (sums["prompt"], sums["completion"])


async def _ended(database: Database) -> list[dict[str, Any]]:
    """All runs, once each has ended."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            runs = [dict(row) for row in await database.read(rows_of(select(RUNS)))]
            if all(run["status"] in FINAL_RUN_STATUSES for run in runs):
                return runs
            await asyncio.sleep(0.05)
