from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from contracts.access.delegation import Audience
from gateway.admin.first_start import ensure_key_pair
from gateway.auth.keys import Principal
from gateway.auth.tokens import ANSWERS, CACHED_TOKENS, DOCUMENTS, MODELS, SEARCH, Audiences, TokenIssuer
from servicekit.auth.delegation import DelegationSigner, DelegationVerifier, InvalidDelegation, generate_key_pair
from servicekit.core.clock import ManualClock

KEY = Principal("key_1", "acme", frozenset({"chat", "search"}), models=("m",), collections=("a", "b"))
PLAIN = Principal("k1", "acme", frozenset({"chat"}))
ALL: tuple[Audience, ...] = ("agent", "ingest", "inference", "retriever", "lab", "models", "answers", "grants")


@pytest.fixture
def issuer(tmp_path: Path, clock: ManualClock) -> TokenIssuer:
    private = ensure_key_pair(tmp_path / "d.key", tmp_path / "d.pub")
    return TokenIssuer(DelegationSigner(private, clock), timedelta(minutes=5), timedelta(days=7))


@pytest.fixture
def verifier(issuer: TokenIssuer, tmp_path: Path, clock: ManualClock) -> DelegationVerifier:
    return DelegationVerifier(tmp_path / "d.pub", clock)


@pytest.mark.parametrize("audiences", [DOCUMENTS, SEARCH, ANSWERS, MODELS])
def test_a_token_is_good_for_its_audiences_and_no_other(
    issuer: TokenIssuer, verifier: DelegationVerifier, audiences: Audiences
) -> None:
    token = issuer.token(KEY, audiences, "req_1", "call_1")
    for audience in ALL:
        if audience in audiences:
            claims = verifier.verify(token, audience)
            assert (claims.tenant, claims.key_id, claims.call_id) == ("acme", "key_1", "call_1")
            assert (claims.models, claims.collections) == (("m",), ("a", "b"))
            assert set(claims.scopes) == {"chat", "search"}
        else:
            with pytest.raises(InvalidDelegation):
                verifier.verify(token, audience)


def test_a_token_says_who_decides_for_its_key_that_there_is_no_answer(
    issuer: TokenIssuer, verifier: DelegationVerifier
) -> None:
    claims = verifier.verify(issuer.token(replace(KEY, abstain="never"), ANSWERS, "req_1"), "agent")
    assert (claims.abstain, verifier.verify(issuer.token(KEY, ANSWERS, "req_1"), "agent").abstain) == ("never", None)


def test_a_token_says_whether_its_call_gives_way_and_is_not_shared_with_one_that_does_not(
    issuer: TokenIssuer, verifier: DelegationVerifier
) -> None:
    job = replace(PLAIN, bulk=True)
    tokens = [issuer.shared_token(principal, MODELS) for principal in (PLAIN, job, PLAIN, job)]
    assert [verifier.verify(token, "inference").bulk for token in tokens] == [False, True, False, True]
    assert tokens[:2] == tokens[2:], "each is kept"
    assert verifier.verify(issuer.grant(job, "req_1"), "grants").bulk, "of a run that an evaluation starts, too"


def test_a_grant_is_good_for_nothing_but_its_exchange(issuer: TokenIssuer, verifier: DelegationVerifier) -> None:
    grant = issuer.grant(KEY, "req_1")
    assert verifier.verify(grant, "grants").key_id == "key_1"
    for audience in ALL[:-1]:
        with pytest.raises(InvalidDelegation):
            verifier.verify(grant, audience)


def test_tokens_expire_in_minutes_and_grants_in_days(
    issuer: TokenIssuer, verifier: DelegationVerifier, clock: ManualClock
) -> None:
    token, grant = issuer.token(KEY, MODELS, "req_1"), issuer.grant(KEY, "req_1")
    clock.advance(5 * 60 + 3)
    with pytest.raises(InvalidDelegation, match="expired"):
        verifier.verify(token, "inference")
    verifier.verify(grant, "grants")
    clock.advance(7 * 86_400)
    with pytest.raises(InvalidDelegation, match="expired"):
        verifier.verify(grant, "grants")


def test_unsigned_and_foreign_tokens_are_refused(
    issuer: TokenIssuer, verifier: DelegationVerifier, clock: ManualClock
) -> None:
    claims = jwt.decode(issuer.token(KEY, MODELS, "req_1"), options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, algorithm="none")
    shared_secret = jwt.encode(claims, "x" * 32, algorithm="HS256")
    foreign = DelegationSigner(generate_key_pair()[0], clock)
    other = TokenIssuer(foreign, timedelta(minutes=5), timedelta(days=7)).token(KEY, MODELS, "req_1")
    for token in (unsigned, shared_secret, other, "", "a.b.c"):
        with pytest.raises(InvalidDelegation):
            verifier.verify(token, "inference")


def test_the_gateways_own_token_belongs_to_no_tenant(issuer: TokenIssuer, verifier: DelegationVerifier) -> None:
    assert verifier.verify(issuer.own_token(MODELS), "inference").tenant == "-"


def test_a_shared_token_is_signed_once_and_made_anew_before_it_expires_or_when_the_key_changed(tmp_path: Path) -> None:
    private, public = generate_key_pair()
    (tmp_path / "d.pub").write_bytes(public)
    clock = ManualClock()
    issuer = TokenIssuer(DelegationSigner(private, clock), timedelta(seconds=300), timedelta(days=1))
    verifier = DelegationVerifier(tmp_path / "d.pub", clock)
    first = issuer.shared_token(PLAIN, MODELS)
    clock.advance(149)
    assert issuer.shared_token(Principal("k1", "acme", frozenset({"chat"})), MODELS) == first
    assert issuer.shared_token(PLAIN, ANSWERS) != first
    narrowed = Principal("k1", "acme", frozenset({"chat"}), models=("m",))
    assert verifier.verify(issuer.shared_token(narrowed, MODELS), "inference").models == ("m",)
    clock.advance(1)
    renewed = issuer.shared_token(PLAIN, MODELS)
    clock.advance(149)
    assert verifier.verify(renewed, "inference").tenant == "acme"


def test_shared_tokens_take_bounded_memory() -> None:
    issuer = TokenIssuer(DelegationSigner(generate_key_pair()[0]), timedelta(seconds=300), timedelta(days=1))
    for number in range(CACHED_TOKENS + 50):
        issuer.shared_token(Principal(f"k{number}", "acme", frozenset({"chat"})), MODELS)
    assert len(issuer._shared) == CACHED_TOKENS
