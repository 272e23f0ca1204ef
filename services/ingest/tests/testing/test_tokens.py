from __future__ import annotations

import pytest

from ingest.jobs.outcomes import BudgetSpent, calling
from ingest.testing.tokens import FixedTokens
from servicekit.core.errors import PeerError


async def test_a_token_is_there_for_every_key_but_a_revoked_one() -> None:
    tokens = FixedTokens("t")
    assert {await tokens.token("grant"), await tokens.token("grant", fresh=True)} == {"t"}
    tokens.revoked.add("grant")
    with pytest.raises(PeerError) as revoked:
        await tokens.token("grant")
    assert (revoked.value.http_status, revoked.value.code) == (403, "key_revoked")
    assert await tokens.token("another") == "t"


async def test_a_spent_budget_is_told_as_the_gateway_tells_it() -> None:
    tokens = FixedTokens()
    await tokens.ask_budget("grant")
    tokens.spent = True
    with pytest.raises(BudgetSpent), calling("gateway"):
        await tokens.ask_budget("grant")
