from __future__ import annotations

import pytest

from agent.errors import is_policy
from agent.testing.fixed_tokens import FixedTokens, KeyRevoked
from contracts.access.delegation import Spent

WHOLE = Spent(prompt_tokens=5, completion_tokens=2, embedding_tokens=0, model_calls=1, cost_nano_usd=None)


async def test_each_grant_has_its_own_token_however_it_is_asked_for() -> None:
    tokens = FixedTokens()
    assert await tokens.token("a") == await tokens.token("a", fresh=True, call_id="run_1") == "token of a"
    assert await tokens.token("b") != await tokens.token("a")


async def test_a_revoked_key_is_refused_as_the_gateway_does() -> None:
    with pytest.raises(KeyRevoked) as refused:
        await FixedTokens(KeyRevoked()).token("a")
    assert (refused.value.http_status, refused.value.code) == (403, "key_revoked")
    assert is_policy(refused.value)


async def test_only_what_the_ledger_has_was_spent() -> None:
    tokens = FixedTokens(ledger={"run_1": WHOLE})
    assert await tokens.spent("a", "run_1") == WHOLE
    nothing = await tokens.spent("a", "run_2")
    assert (nothing.model_calls, nothing.prompt_tokens, nothing.cost_nano_usd) == (0, 0, 0)
