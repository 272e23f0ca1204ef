from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from contracts.access.delegation import Delegation
from gateway.auth.grants import Grants
from gateway.auth.restore_epoch import begin_epoch
from servicekit.auth.delegation import DelegationSigner, DelegationVerifier, InvalidDelegation, generate_key_pair
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

LIFE = timedelta(days=7)
CLAIMS = Delegation(audiences=("grants",), tenant="acme", key_id="k1", request_id="r")


class Installer:
    """An installation that gives grants."""

    def __init__(self, clock: ManualClock) -> None:
        private, self.public_key = generate_key_pair()
        self._signer = DelegationSigner(private, clock)

    def grant(self, claims: Delegation = CLAIMS, lifetime: timedelta = LIFE) -> str:
        return self._signer.sign(claims, lifetime)

    def verifier(self, folder: Path, clock: ManualClock) -> DelegationVerifier:
        (folder / "d.pub").write_bytes(self.public_key)
        return DelegationVerifier(folder / "d.pub", clock)


@pytest.fixture
def grants(database: Database, clock: ManualClock) -> Grants:
    return Grants(database, clock, LIFE)


@pytest.fixture
def own(tmp_path: Path, clock: ManualClock) -> DelegationVerifier:
    return Installer(clock).verifier(tmp_path, clock)


async def _restored_from(former: Installer, database: Database, clock: ManualClock) -> None:
    async with database.write() as connection:
        await begin_epoch(connection, former.public_key.decode(), clock)


async def test_a_grant_is_good_if_this_installation_or_one_that_it_comes_from_gave_it(
    grants: Grants, database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    mine, former, before_that, foreign = (Installer(clock) for _ in range(4))
    own = mine.verifier(tmp_path, clock)
    for each in (before_that, former):
        await _restored_from(each, database, clock)
    for giver in (mine, former, before_that):
        assert (await grants.verify(giver.grant(), own)).key_id == "k1"
    with pytest.raises(InvalidDelegation, match="not valid"):
        await grants.verify(foreign.grant(), own)


async def test_a_former_installations_grants_end_when_the_last_that_it_can_have_given_does(
    grants: Grants, database: Database, clock: ManualClock, own: DelegationVerifier
) -> None:
    former = Installer(clock)
    await _restored_from(former, database, clock)
    long = former.grant(lifetime=10 * LIFE)
    clock.advance(LIFE.total_seconds() - 1)
    await grants.verify(long, own)
    clock.advance(1)
    with pytest.raises(InvalidDelegation):
        await grants.verify(long, own)


async def test_a_former_installations_grant_expires_like_any_and_its_tokens_are_none(
    grants: Grants, database: Database, clock: ManualClock, own: DelegationVerifier
) -> None:
    former = Installer(clock)
    await _restored_from(former, database, clock)
    short = former.grant(lifetime=timedelta(minutes=1))
    clock.advance(120)
    token = former.grant(CLAIMS.model_copy(update={"audiences": ("models",)}))
    for refused in (short, token, "", "a.b.c"):
        with pytest.raises(InvalidDelegation):
            await grants.verify(refused, own)


async def test_who_pays_is_read_from_an_expired_grant_too_but_from_nobody_elses(
    grants: Grants, database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    mine, former, foreign = (Installer(clock) for _ in range(3))
    own = mine.verifier(tmp_path, clock)
    await _restored_from(former, database, clock)
    given = [giver.grant() for giver in (mine, former)]
    stranger = foreign.grant()
    token = mine.grant(CLAIMS.model_copy(update={"audiences": ("models",)}))
    clock.advance(LIFE.total_seconds() * 3)
    for grant in given:
        with pytest.raises(InvalidDelegation):
            await grants.verify(grant, own)
        assert (await grants.verify(grant, own, also_expired=True)).key_id == "k1"
    for refused in (stranger, token, "", given[0][:-8] + "AAAAAAAA"):
        with pytest.raises(InvalidDelegation):
            await grants.verify(refused, own, also_expired=True)
