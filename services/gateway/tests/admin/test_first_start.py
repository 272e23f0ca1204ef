from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from contracts.access.delegation import Delegation
from gateway.admin.first_start import ensure_admin_key, ensure_key_pair
from gateway.auth.authentication import Authenticator
from gateway.auth.key_repository import KeyRepository
from gateway.auth.keys import ALL_SCOPES, new_secret
from gateway.auth.tenant_repository import TenantRepository
from servicekit.auth.delegation import DelegationSigner, DelegationVerifier
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_pair_is_made_once_and_the_private_half_is_private(tmp_path: Path) -> None:
    private_file, public_file = tmp_path / "a" / "d.key", tmp_path / "b" / "d.pub"
    first = ensure_key_pair(private_file, public_file)
    assert ensure_key_pair(private_file, public_file) == first == private_file.read_bytes()
    assert _mode(private_file) == 0o600
    assert _mode(public_file) == 0o644
    assert b"PRIVATE" not in public_file.read_bytes()
    assert [path.name for path in private_file.parent.iterdir()] == ["d.key"]


def test_a_public_file_that_does_not_match_is_replaced(tmp_path: Path) -> None:
    private_file, public_file = tmp_path / "d.key", tmp_path / "d.pub"
    private = ensure_key_pair(private_file, public_file)
    public_file.write_text("something else")
    ensure_key_pair(private_file, public_file)
    from datetime import timedelta

    claims = Delegation(audiences=("ingest",), tenant="t", key_id="k", request_id="r")
    token = DelegationSigner(private).sign(claims, timedelta(minutes=1))
    assert DelegationVerifier(public_file).verify(token, "ingest").tenant == "t"


async def test_the_admin_key_is_made_once_written_for_its_owner_and_never_logged(
    database: Database, tenants: TenantRepository, keys: KeyRepository, clock: ManualClock, tmp_path: Path
) -> None:
    file = tmp_path / "keys" / "admin.key"
    with capture_logs() as lines:
        for _ in range(3):
            await ensure_admin_key(database, tenants, clock, file, "default")
    secret = file.read_text()
    assert _mode(file) == 0o600
    assert secret not in str(lines)
    assert [str(file) in str(line) for line in lines] == [True]
    principal = await Authenticator(keys, clock, 0.9).identify(f"Bearer {secret}")
    assert principal.is_admin
    assert principal.scopes == set(ALL_SCOPES)
    assert principal.tenant == "default"


async def test_two_replicas_starting_at_once_make_one_admin_key(
    database: Database, tenants: TenantRepository, keys: KeyRepository, clock: ManualClock, tmp_path: Path
) -> None:
    file = tmp_path / "admin.key"
    await asyncio.gather(*(ensure_admin_key(database, tenants, clock, file, "default") for _ in range(4)))
    assert len((await keys.list_keys(10, None)).data) == 1
    assert (await Authenticator(keys, clock, 0.9).identify(f"Bearer {file.read_text()}")).is_admin


async def test_a_given_admin_key_is_taken_over_and_never_logged(
    database: Database, tenants: TenantRepository, keys: KeyRepository, clock: ManualClock, tmp_path: Path
) -> None:
    file, secret = tmp_path / "admin.key", new_secret()
    file.write_text(f"{secret}\n")
    with capture_logs() as lines:
        await ensure_admin_key(database, tenants, clock, file, "ops")
    assert secret not in str(lines)
    assert (await Authenticator(keys, clock, 0.9).identify(f"Bearer {secret}")).tenant == "ops"


async def test_a_weak_given_admin_key_is_not_taken(
    database: Database, tenants: TenantRepository, keys: KeyRepository, clock: ManualClock, tmp_path: Path
) -> None:
    file = tmp_path / "admin.key"
    file.write_text("changeme")
    await ensure_admin_key(database, tenants, clock, file, "ops")
    assert file.read_text() != "changeme"
    assert (await Authenticator(keys, clock, 0.9).identify(f"Bearer {file.read_text()}")).is_admin


def test_a_private_key_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="key"):
        DelegationSigner(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
