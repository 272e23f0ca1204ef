from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest
from services.ingest.tests.conftest import Service
from sqlalchemy import select

from extraction.sandbox.extractor import MIN_SHARE
from ingest.settings import IngestSettings
from ingest.tables import ANSWERS, IDEMPOTENCY, WORKERS
from ingest.worker.bootstrap import _announcing, _from_thread, _parser, open_worker, worker_app
from servicekit.core.errors import NotReady
from servicekit.web.idempotency import LIFETIME, CallKey

MIB = 1024 * 1024


async def ready(settings: IngestSettings, service: Service) -> tuple[int, set[str]]:
    app = worker_app(settings, service.worker)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://worker.test") as client:
            answer = await client.get("/readyz")
            assert (await client.get("/metrics")).status_code == 200
            return answer.status_code, set(answer.json()["parts"])


async def test_a_worker_is_ready_by_its_stores_and_its_loop_and_serves_no_callers(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = IngestSettings(data_dir=tmp_path)
    status, parts = await ready(settings, service)
    assert status == 200
    assert {"database", "blobs", "loop"} <= parts

    async def stuck() -> None:
        raise NotReady("The worker last looked for jobs 99 s ago.")

    monkeypatch.setattr(type(service.worker.loop), "probe", lambda _: stuck())
    assert (await ready(settings, service))[0] == 503


async def test_a_worker_opens_though_no_other_service_is_there(tmp_path: Path) -> None:
    settings = IngestSettings(data_dir=tmp_path, retriever_url="http://away.test", worker_slots=3)
    async with open_worker(settings) as worker:
        assert worker.loop.slots == 3
        await worker.database.probe()
        assert await worker.queue.claim("worker") is None
    assert (tmp_path / "parsing").is_dir()


async def test_a_sign_of_life_tells_how_a_worker_reads_and_old_answers_go_with_it(service: Service) -> None:
    async def kept() -> int:
        async with service.database.read() as connection:
            return len((await connection.execute(select(IDEMPOTENCY))).all())

    async with service.database.write() as connection:
        await ANSWERS.begin(connection, CallKey("key-acme", "upload", "once"), "print", service.clock.now())
    chore = _announcing(service.worker.registry, "worker@host", 4, "parsers 7")
    await chore.act()
    assert await kept() == 1
    service.clock.advance(LIFETIME.total_seconds() + 1)
    await chore.act()
    assert await kept() == 0
    async with service.database.read() as connection:
        row = (await connection.execute(select(WORKERS))).mappings().one()
    assert (row["id"], row["reading"], row["seen_at"]) == ("worker@host", "parsers 7", service.clock.now())


def test_parsers_share_the_memory_and_each_can_begin(tmp_path: Path) -> None:
    shared = _parser(IngestSettings(data_dir=tmp_path, worker_slots=4, parse_total_bytes=4096 * MIB))
    many = _parser(IngestSettings(data_dir=tmp_path, worker_slots=64, parse_total_bytes=1536 * MIB))
    try:
        assert shared.share_bytes == 1024 * MIB
        assert many.share_bytes == MIN_SHARE > 1536 * MIB // 64
    finally:
        shared.close()
        many.close()


async def test_a_ring_that_comes_after_the_end_does_nothing(service: Service) -> None:
    ended = asyncio.new_event_loop()
    ended.close()
    _from_thread(ended, service.worker.loop)
    _from_thread(asyncio.get_running_loop(), service.worker.loop)
