from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from libs.contracts.tests.refusals import refusal, refused_field
from pydantic import BaseModel

from contracts.access.keys import Budget, Key, KeyCreate, KeyCreated, KeyPatch, KeyRotate, TenantCreate, TenantPatch

KEY: dict[str, Any] = {"name": "a", "tenant": "t", "scopes": ["chat"]}
TWICE = [{"window": "day", "usd": 1}, {"window": "day", "usd": 2}]


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (KeyCreate, {**KEY, "name": "a\u0000b"}, "name"),
        (KeyCreate, {**KEY, "name": "a\ud800"}, "name"),
        (KeyCreate, {**KEY, "name": ""}, "name"),
        (KeyCreate, {**KEY, "tenant": "-"}, "tenant"),
        (KeyCreate, {**KEY, "scopes": []}, "scopes"),
        (KeyCreate, {**KEY, "scopes": ["root"]}, "scopes"),
        (KeyCreate, {**KEY, "models": ["\ud800"]}, "models"),
        (KeyCreate, {**KEY, "collections": ["A B"]}, "collections"),
        (KeyCreate, {**KEY, "limits": {"concurrency": 0}}, "limits"),
        (KeyCreate, {**KEY, "limits": {"requests": 5}}, "limits"),
        (KeyCreate, {**KEY, "secret": "chosen"}, "secret"),
        (KeyPatch, {"models": ["\ud800"]}, "models"),
        (KeyPatch, {"scopes": []}, "scopes"),
        (KeyPatch, {"tenant": "other"}, "tenant"),
        (KeyRotate, {"overlap_seconds": -1}, "overlap_seconds"),
        (KeyRotate, {"overlap_seconds": 30 * 86_400 + 1}, "overlap_seconds"),
        (Budget, {"window": "week", "usd": 1}, "window"),
        (Budget, {"window": "day", "usd": -1}, "usd"),
        (Budget, {"window": "day", "usd": "NaN"}, "usd"),
    ],
)
def test_a_wrong_field_is_refused_by_name(model: type[BaseModel], body: dict[str, Any], field: str) -> None:
    assert refused_field(model, body) == field


@pytest.mark.parametrize(
    ("model", "body"), [(KeyCreate, KEY), (KeyPatch, {}), (TenantCreate, {"name": "t"}), (TenantPatch, {})]
)
def test_a_window_has_one_budget(model: type[BaseModel], body: dict[str, Any]) -> None:
    field, why = refusal(model, {**body, "budgets": TWICE})
    assert (field, "at most one budget" in why) == ("budgets", True)
    model.model_validate({**body, "budgets": [TWICE[0], {"window": "month", "usd": "0"}]})


def test_a_budget_keeps_the_cents_that_were_written() -> None:
    assert Budget.model_validate({"window": "day", "usd": "0.10"}).usd == Decimal("0.10")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59Z", "9998-12-31T23:59:59-01:00"])
def test_an_expiry_that_can_not_be_kept_in_utc_is_refused_in_words(moment: str) -> None:
    field, why = refusal(KeyCreate, {**KEY, "expires_at": moment})
    assert (field, "leave it out for a key without an end" in why) == ("expires_at", True)


def test_an_expiry_has_an_offset_and_is_kept_in_utc() -> None:
    assert refused_field(KeyCreate, {**KEY, "expires_at": "2030-01-01T00:00:00"}) == "expires_at"
    until = KeyCreate.model_validate({**KEY, "expires_at": "2030-01-01T02:00:00+02:00"}).expires_at
    assert (until, until and until.utcoffset()) == (datetime(2030, 1, 1, tzinfo=UTC), timedelta(0))


def test_a_change_tells_what_is_lifted_from_what_was_left_out() -> None:
    change = KeyPatch.model_validate({"limits": {"concurrency": None}, "expires_at": None})
    assert change.model_dump(exclude_unset=True) == {"limits": {"concurrency": None}, "expires_at": None}
    assert KeyPatch.model_validate({}).model_dump(exclude_unset=True) == {}


def test_an_old_secret_is_good_for_a_day_unless_said_otherwise_and_may_end_at_once() -> None:
    assert KeyRotate.model_validate({}).overlap_seconds == 86_400
    assert KeyRotate.model_validate({"overlap_seconds": 0}).overlap_seconds == 0


def test_only_the_answer_to_its_making_holds_a_key_s_secret() -> None:
    made = {**KEY, "id": "key_1", "prefix": "gw-abc", "created_at": "2026-01-01T00:00:00Z", "secret": "gw-abcdef"}
    assert KeyCreated.model_validate(made).secret == "gw-abcdef"
    assert "gw-abcdef" not in Key.model_validate(made).model_dump_json()
