from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from services.gateway.tests.auth.wanted import ADMIN, wanted

from contracts.access.keys import Budget, KeyPatch, Limits
from gateway.auth.errors import (
    ExpiryPassed,
    KeyIsRevoked,
    KeyNotFound,
)
from gateway.auth.key_repository import KeyRepository
from servicekit.core.clock import ManualClock


async def test_a_change_sets_what_was_sent_and_leaves_the_rest(keys: KeyRepository, clock: ManualClock) -> None:
    limits = Limits(requests_per_minute=5, tokens_per_minute=100)
    budget = Budget(window="day", usd=Decimal(1))
    created = await keys.create_key(wanted(limits=limits, models=["a"], budgets=[budget]), ADMIN)
    fewer = KeyPatch.model_validate({"limits": {"tokens_per_minute": None, "concurrency": 2}})
    await keys.update_key(created.id, fewer, ADMIN)
    changed = await keys.update_key(created.id, KeyPatch(models=None, name="new"), ADMIN)
    assert changed.limits == Limits(requests_per_minute=5, concurrency=2)
    assert (changed.models, changed.name, changed.scopes) == (None, "new", ["chat"])
    assert [budget.usd for budget in changed.budgets] == [Decimal(1)]
    changed = await keys.update_key(
        created.id, KeyPatch.model_validate({"limits": None, "budgets": None, "name": None}), ADMIN
    )
    assert (changed.limits, changed.budgets, changed.name) == (Limits(), [], "new")
    with pytest.raises(ExpiryPassed):
        await keys.update_key(created.id, KeyPatch(expires_at=clock.now()), ADMIN)
    await keys.revoke_key(created.id, ADMIN)
    with pytest.raises(KeyIsRevoked):
        await keys.update_key(created.id, KeyPatch(name="x"), ADMIN)
    with pytest.raises(KeyIsRevoked):
        await keys.rotate_key(created.id, timedelta(0), ADMIN)
    with pytest.raises(KeyNotFound):
        await keys.update_key("key_nope", KeyPatch(), ADMIN)
