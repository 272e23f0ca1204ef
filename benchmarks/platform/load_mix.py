"""The calls of `bench-load` and `bench-soak`: what a team does with Groundwork, in the shares of `MIX`.

Arrivals are open: calls come by chance at a given rate, whether or not those before them are done, as people do. So a
service that is too slow shows in waiting calls and not in callers who ask less.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.home import ROOT

MIX = {"search": 0.60, "ask": 0.25, "ingest": 0.10, "agent": 0.05}
HANDBOOK = ROOT / "examples" / "handbook"
QUESTIONS = ROOT / "examples" / "handbook-questions.jsonl"
COLLECTION, GROWING = "handbook", "notes"
NOTES = 40
"""Documents that ingest replaces in turn, so that a long run grows no index."""
ANSWER_SECONDS = 120.0
READY_SECONDS = 300.0
_TEXT = "Note {number}, edition {edition}: the {noun} of team {number} is looked after on day {edition} of the month. "
_NOUNS = ("kettle", "printer", "fieldbook", "gateway", "garden", "archive")


@dataclass(frozen=True, slots=True)
class Done:
    """A call that ended: its kind, when it was due and how long it took (seconds), and what went wrong."""

    kind: str
    due: float
    seconds: float
    error: str = ""


@dataclass
class Callers:
    """Makes calls against one home on loopback."""

    base_url: str
    key: str
    session: aiohttp.ClientSession
    random: random.Random = field(default_factory=lambda: random.Random(1))
    done: list[Done] = field(default_factory=list)
    open: set[asyncio.Task[None]] = field(default_factory=set)
    documents: int = 0

    def __post_init__(self) -> None:
        if not self.base_url.startswith("http://127.0.0.1:"):
            raise ValueError("load is made on loopback only")
        lines = QUESTIONS.read_text().splitlines()
        self._files = sorted(HANDBOOK.iterdir())
        self._questions = [json.loads(line)["question"] for line in lines]

    async def prepare(self) -> None:
        """Documents to ask about, and an agent to ask."""
        for name in (COLLECTION, GROWING):
            await self._post("/v1/collections", {"name": name})
        agent = {"name": "reader", "model": "default", "instructions": "Answer in one short sentence.", "tools": []}
        await self._post("/v1/agents", {**agent, "limits": {"steps": 2, "tokens": 400}})
        jobs = [await self._upload(file) for file in self._files]
        jobs += [await self._note() for _ in range(NOTES)]
        await self.wait_for_jobs(jobs)

    async def wait_for_jobs(self, jobs: Iterable[str]) -> None:
        """Until all of them are ready; raises where one is not."""
        async with asyncio.timeout(READY_SECONDS):
            for job in jobs:
                while (found := await self._get(f"/v1/jobs/{job}"))["status"] in ("queued", "running"):  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
                if found["status"] not in ("ready", "cancelled"):  # a note that was replaced before it was read
                    raise RuntimeError(f"a document failed: {found['error']}")

    async def arrive(self, rate: float, seconds: float) -> None:
        """Calls of the mix at `rate` a second, begun for so many seconds; they may still be open afterwards."""
        loop = asyncio.get_running_loop()
        due, until = loop.time(), loop.time() + seconds
        while (due := due + self.random.expovariate(rate)) < until:
            await asyncio.sleep(max(0.0, due - loop.time()))
            kind = self.random.choices(list(MIX), list(MIX.values()))[0]
            task = loop.create_task(self._call(kind, due))
            self.open.add(task)
            task.add_done_callback(self.open.discard)
        await asyncio.sleep(max(0.0, until - loop.time()))

    async def settle(self, seconds: float) -> int:
        """Wait for open calls; how many are still open after so many seconds, and are ended."""
        if self.open:
            await asyncio.wait(self.open, timeout=seconds)
        left = list(self.open)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return len(left)

    async def _call(self, kind: str, due: float) -> None:
        error = ""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._make(kind)
        except (aiohttp.ClientError, OSError, TimeoutError, RuntimeError) as raised:
            error = str(raised)[:200] or type(raised).__name__
        self.done.append(Done(kind, due, asyncio.get_running_loop().time() - due, error))

    async def _make(self, kind: str) -> None:
        question = self.random.choice(self._questions)
        asked = [{"role": "user", "content": question}]
        if kind == "search":
            await self._post(f"/v1/collections/{COLLECTION}/search", {"query": question, "limit": 8})
        elif kind == "ask":
            await self._post("/v1/chat/completions", {"model": f"rag:{COLLECTION}", "messages": asked})
        elif kind == "agent":
            asked[0]["content"] = f"Say hello to visitor {time.monotonic_ns()}."
            await self._post("/v1/chat/completions", {"model": "agent:reader", "messages": asked, "max_tokens": 24})
        else:
            await self._note()

    async def _note(self) -> str:
        number, edition = self.documents % NOTES, self.documents // NOTES
        self.documents += 1
        text = _TEXT.format(number=number, edition=edition, noun=self.random.choice(_NOUNS)) * 8
        body = {"text": text, "document_id": f"note-{number}", "title": f"Note {number}"}
        accepted = await self._post(f"/v1/collections/{GROWING}/documents", body)
        return str(accepted["job"]["id"])

    async def _upload(self, file: Path) -> str:
        form = aiohttp.FormData()
        form.add_field("file", await asyncio.to_thread(file.read_bytes), filename=file.name)
        accepted = await self._send("POST", f"/v1/collections/{COLLECTION}/documents", data=form)
        return str(accepted["job"]["id"])

    async def _get(self, path: str) -> dict[str, Any]:
        return await self._send("GET", path)

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._send("POST", path, json=body)

    async def _send(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}"}
        async with self.session.request(method, self.base_url + path, headers=headers, **options) as answer:
            body: dict[str, Any] = await answer.json()
            if answer.status >= 400:
                raise RuntimeError(f"{answer.status} {body.get('error', {}).get('code')}")
            return body
