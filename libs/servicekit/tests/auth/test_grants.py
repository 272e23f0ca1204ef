"""Tokens for grants: kept until shortly before they expire, each for its own grant and call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from contracts.access.delegation import FreshToken, Spent, SpentQuestion, TokenExchange
from contracts.core.errors import ErrorBody
from servicekit.auth import grants
from servicekit.auth.grants import GrantExchange
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer


class Plane:
    """A model plane that numbers its tokens."""

    def __init__(self, expires_in: float = 600.0) -> None:
        self.expires_in = expires_in
        self.asked: list[Any] = []
        self.refusal: PeerError | None = None

    async def call(self, method: str, path: str, answer: type[Any], *, body: Any, **_: Any) -> Any:
        self.asked.append(body)
        if self.refusal is not None:
            raise self.refusal
        if answer is Spent:
            return Spent(prompt_tokens=7, completion_tokens=1, embedding_tokens=0, model_calls=2, cost_nano_usd=None)
        return FreshToken(token=f"token-{len(self.asked)}", expires_in=self.expires_in, scopes=("chat",))


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moment, to be moved."""
    moment = [0.0]
    monkeypatch.setattr(grants, "time", SimpleNamespace(monotonic=lambda: moment[0]))
    return moment


def _exchange(plane: Plane) -> GrantExchange:
    return GrantExchange(cast("Peer", plane), "runs")


@pytest.mark.parametrize(("expires_in", "kept"), [(600.0, 570.0), (60.0, 30.0), (20.0, 10.0)])
async def test_a_token_is_kept_until_it_could_expire_on_its_way(
    now: list[float], expires_in: float, kept: float
) -> None:
    exchange = _exchange(Plane(expires_in))
    assert await exchange.token("grant") == "token-1"
    now[0] = kept - 1
    assert await exchange.token("grant") == "token-1"
    assert await exchange.scopes("grant") == ("chat",), "known with the token"
    now[0] = kept
    assert await exchange.token("grant") == "token-2"


async def test_a_token_is_for_one_grant_and_one_call(now: list[float]) -> None:
    plane = Plane()
    exchange = _exchange(plane)
    calls = [("a", None), ("b", None), ("a", "run_1"), ("a", "run_2")]
    tokens = [await exchange.token(grant, call_id=call_id) for grant, call_id in calls]
    assert tokens == [await exchange.token(grant, call_id=call_id) for grant, call_id in calls]
    assert len(set(tokens)) == 4
    assert plane.asked[2] == TokenExchange(grant="a", purpose="runs", call_id="run_1")


async def test_who_wants_a_fresh_token_gets_one_and_so_does_everybody_after(now: list[float]) -> None:
    exchange = _exchange(Plane())
    asked = [await exchange.token("grant", fresh=fresh) for fresh in (False, True, False)]
    assert asked == ["token-1", "token-2", "token-2"]


async def test_a_revoked_key_is_refused_and_the_refusal_is_not_kept(now: list[float]) -> None:
    plane = Plane()
    exchange = _exchange(plane)
    plane.refusal = PeerError(403, ErrorBody(type="permission", code="key_revoked", message="Revoked."))
    with pytest.raises(PeerError):
        await exchange.token("grant")
    plane.refusal = None
    assert await exchange.token("grant") == "token-2"


async def test_so_many_tokens_are_kept_and_the_oldest_goes_first(
    now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grants, "CAPACITY", 2)
    exchange = _exchange(Plane())
    for grant in ("a", "b"):
        await exchange.token(grant)
    await exchange.token("a", fresh=True)
    await exchange.token("c")
    assert await exchange.token("a") == "token-3", "it was renewed after the other"
    assert await exchange.token("b") == "token-5"


async def test_a_budget_is_asked_for_each_time_and_makes_no_token(now: list[float]) -> None:
    plane = Plane()
    exchange = _exchange(plane)
    for _ in range(2):
        await exchange.ask_budget("grant")
    assert [body.spends for body in plane.asked] == [True, True]
    assert await exchange.token("grant") == "token-3"


async def test_what_calls_have_spent_is_asked_with_the_grant_itself(now: list[float]) -> None:
    plane = Plane()
    spent = await _exchange(plane).spent("grant", "run_1")
    assert (spent.model_calls, plane.asked) == (2, [SpentQuestion(grant="grant", call_id="run_1")])
