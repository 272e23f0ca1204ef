"""Tells the gateway of ended runs, for their records. Nobody waits for it; a record may be lost, no run is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from agent.metrics import RUN_RECORDS
from agent.ports import TokenSource
from agent.runs import repository as runs
from agent.runs.sources import list_sources
from servicekit.core.errors import ServiceError
from servicekit.core.probes import Degraded
from servicekit.sql.database import Database

log = structlog.get_logger(__name__)
SEND_SECONDS = 5.0
PAUSES = (1.0, 4.0, 15.0)
"""Before each time that the gateway is told again."""
MOST_WAITING = 1000
"""Runs that the gateway is not told of yet; what is told of one is read only then."""
SHOWN_SECONDS = 60.0
"""How long a loss is shown."""
CLOSE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class RunEnd:
    """A run whose end is committed, and the grant that it had."""

    grant: str
    thread_id: str
    run_id: str


class RunRecorder:
    """One for the life of the service; `close` it when no run is worked on any more."""

    def __init__(self, database: Database, tokens: TokenSource, pauses: Sequence[float] = PAUSES) -> None:
        self._tokens = tokens
        self._database = database
        self._pauses = pauses
        self._sending: set[asyncio.Task[None]] = set()
        self._lost_until = 0.0

    def submit(self, run: RunEnd) -> None:
        """Tell of a run soon. The gateway knows by its grant whether it is recorded, and takes one twice as once."""
        if len(self._sending) >= MOST_WAITING:
            self._lose(run, "no_memory", "too many wait")
            return
        task = asyncio.create_task(self._send(run))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def all_sent(self) -> None:
        """Wait until the gateway was told of all that were submitted so far, or they are lost."""
        await asyncio.gather(*self._sending)

    async def close(self) -> None:
        """Tell of what waits, for at most `CLOSE_SECONDS`."""
        if not self._sending:
            return
        _, left = await asyncio.wait(self._sending, timeout=CLOSE_SECONDS)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        RUN_RECORDS.labels("closed").inc(len(left))

    async def probe(self) -> None:
        """Raise `Degraded` for a while after the gateway could not be told of a run."""
        if time.monotonic() < self._lost_until:
            raise Degraded("the gateway could not be told of ended runs; runs go on, and some leave no records")

    async def _send(self, run: RunEnd) -> None:
        for pause in (*self._pauses, None):
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._send_once(run)
            except (ServiceError, SQLAlchemyError, OSError, TimeoutError) as error:
                if isinstance(error, ServiceError) and error.http_status < 500 and error.http_status != 429:
                    log.info("run not recorded", run_id=run.run_id, error=error.code)
                    RUN_RECORDS.labels("refused").inc()
                    return
                if pause is None:
                    self._lose(run, "failed", repr(error)[:300])
                    return
                await asyncio.sleep(pause)
            else:
                RUN_RECORDS.labels("sent").inc()
                return

    async def _send_once(self, run: RunEnd) -> None:
        """Raises `RunNotFound` where its thread was deleted meanwhile: then there is nothing to keep."""
        async with self._database.read() as connection:
            row = dict(await runs.get_run(connection, run.thread_id, run.run_id))
            sources = await list_sources(connection, row)
        await self._tokens.record(run.grant, runs.to_run(row), sources)

    def _lose(self, run: RunEnd, outcome: str, why: str) -> None:
        log.error("run not recorded", run_id=run.run_id, error=why)
        self._lost_until = time.monotonic() + SHOWN_SECONDS
        RUN_RECORDS.labels(outcome).inc()
