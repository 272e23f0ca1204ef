from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from contracts.access.delegation import Delegation
from servicekit.auth.delegation import DelegationSigner, DelegationVerifier, InvalidDelegation, generate_key_pair
from servicekit.core.clock import ManualClock
from servicekit.core.errors import NotReady

GRANT = Delegation(
    audiences=("ingest", "retriever"),
    tenant="acme",
    key_id="key_1",
    scopes=("documents",),
    collections=("handbook",),
    request_id="req_1",
)
MINUTE = timedelta(minutes=1)


def test_a_token_carries_its_claims_to_each_of_its_audiences(
    signer: DelegationSigner, key_file: Path, clock: ManualClock
) -> None:
    verifier = DelegationVerifier(key_file, clock)
    token = signer.sign(GRANT, MINUTE)
    assert verifier.verify(token, "ingest") == GRANT
    assert verifier.verify(token, "retriever") == GRANT


def test_a_token_for_another_service_is_refused(signer: DelegationSigner, key_file: Path, clock: ManualClock) -> None:
    with pytest.raises(InvalidDelegation, match="another service"):
        DelegationVerifier(key_file, clock).verify(signer.sign(GRANT, MINUTE), "inference")


def test_an_expired_token_is_refused(signer: DelegationSigner, key_file: Path, clock: ManualClock) -> None:
    token = signer.sign(GRANT, MINUTE)
    clock.advance(63)
    with pytest.raises(InvalidDelegation, match="expired"):
        DelegationVerifier(key_file, clock).verify(token, "ingest")


def test_a_token_signed_by_someone_else_is_refused(
    signer: DelegationSigner, key_file: Path, clock: ManualClock
) -> None:
    stranger = DelegationSigner(generate_key_pair()[0], clock)
    with pytest.raises(InvalidDelegation, match="not valid"):
        DelegationVerifier(key_file, clock).verify(stranger.sign(GRANT, MINUTE), "ingest")


def test_unsigned_and_symmetric_tokens_are_refused(
    signer: DelegationSigner, key_file: Path, clock: ManualClock
) -> None:
    claims = {"aud": ["ingest"], "iss": "groundwork-gateway", "exp": clock.now() + MINUTE, "tenant": "acme"}
    verifier = DelegationVerifier(key_file, clock)
    for token in (jwt.encode(claims, None, algorithm="none"), jwt.encode(claims, "k" * 32, algorithm="HS256"), "x.y"):
        with pytest.raises(InvalidDelegation):
            verifier.verify(token, "ingest")


def test_without_a_public_key_the_service_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(NotReady):
        DelegationVerifier(tmp_path / "absent.pub").verify("x.y.z", "ingest")


def test_a_rotated_public_key_is_noticed(signer: DelegationSigner, key_file: Path, clock: ManualClock) -> None:
    verifier = DelegationVerifier(key_file, clock)
    old = signer.sign(GRANT, MINUTE)
    verifier.verify(old, "ingest")
    private, public = generate_key_pair()
    key_file.write_bytes(public)
    stat = key_file.stat()
    os.utime(key_file, (stat.st_atime, stat.st_mtime + 5))
    assert verifier.verify(DelegationSigner(private, clock).sign(GRANT, MINUTE), "ingest") == GRANT
    with pytest.raises(InvalidDelegation):
        verifier.verify(old, "ingest")
