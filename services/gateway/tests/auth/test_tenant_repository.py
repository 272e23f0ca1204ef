from __future__ import annotations

from decimal import Decimal

import pytest
from services.gateway.tests.auth.wanted import ADMIN, wanted

from contracts.access.keys import Budget, Limits, TenantCreate
from gateway.auth.errors import TenantDeleting, TenantExists
from gateway.auth.key_repository import KeyRepository
from gateway.auth.tenant_repository import TenantRepository


async def test_limits_and_budgets_of_key_and_tenant_reach_the_call(
    keys: KeyRepository, tenants: TenantRepository
) -> None:
    day = Budget(window="day", usd=Decimal("1.5"))
    await tenants.create_tenant(TenantCreate(name="acme", limits=Limits(concurrency=3), budgets=[day]), ADMIN)
    created = await keys.create_key(wanted(limits=Limits(tokens_per_minute=2), budgets=[day]), ADMIN)
    principal = await keys.get_by_id(created.id)
    assert (principal.limits.tokens_per_minute, principal.tenant_limits.concurrency) == (2, 3)
    assert principal.budgets == principal.tenant_budgets == (day,)


async def test_a_tenants_name_can_be_taken_once(tenants: TenantRepository) -> None:
    wanted = TenantCreate(name="acme", limits=Limits(requests_per_minute=3))
    assert (await tenants.create_tenant(wanted, ADMIN)).limits.requests_per_minute == 3
    with pytest.raises(TenantExists):
        await tenants.create_tenant(wanted, ADMIN)


async def test_the_name_of_a_tenant_that_is_being_deleted_is_free_only_afterwards(tenants: TenantRepository) -> None:
    await tenants.create_tenant(TenantCreate(name="leaving"), ADMIN)
    await tenants.begin_deletion("leaving", ADMIN)
    with pytest.raises(TenantDeleting):
        await tenants.create_tenant(TenantCreate(name="leaving"), ADMIN)
