from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest
from services.agent.tests.runs_bench import bench

from agent.runs.leased_run import LeasedRun
from agent.steps.state import RunContext
from agent.testing.fixed_tokens import FixedTokens, KeyRevoked
from contracts.access.delegation import Scope
from servicekit.sql.database import Database


@dataclass
class NotedTokens(FixedTokens):
    """Notes for which grant, and charged under what, tokens were asked for."""

    asked: list[tuple[str, str | None]] = field(default_factory=list)

    async def token(self, grant: str, *, fresh: bool = False, call_id: str | None = None) -> str:
        self.asked.append((grant, call_id))
        return await super().token(grant, fresh=fresh, call_id=call_id)

    async def scopes(self, grant: str, *, call_id: str | None = None) -> Collection[Scope] | None:
        self.asked.append((grant, call_id))
        return await super().scopes(grant, call_id=call_id)


async def _context(database: Database, tokens: FixedTokens) -> RunContext:
    one = bench(database, tokens=tokens)
    await one.define()
    await one.start()
    run = await one.queue.claim("worker")
    assert isinstance(run, LeasedRun)
    return RunContext(run, {}, one.model, tokens, database, one.settings, one.opened.answering)


async def test_what_a_run_does_is_done_with_its_own_grant_and_charged_under_it(database: Database) -> None:
    tokens = NotedTokens(granted=("agents", "search"))
    context = await _context(database, tokens)
    assert await context.token() == "token of grant"
    assert await context.scopes() == ("agents", "search")
    assert tokens.asked == [("grant", context.run.id)] * 2


async def test_a_key_that_was_revoked_has_no_token_and_scopes_that_nobody_says_are_none(database: Database) -> None:
    context = await _context(database, FixedTokens(KeyRevoked()))
    with pytest.raises(KeyRevoked):
        await context.token()
    assert await context.scopes() is None
