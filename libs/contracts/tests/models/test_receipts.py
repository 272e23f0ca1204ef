from __future__ import annotations

from decimal import Decimal

import pytest
from libs.contracts.tests.refusals import refused_field

from contracts.models.receipts import Receipt


def test_a_cost_that_nobody_knows_is_null_and_never_zero() -> None:
    assert '"cost_usd":null' in Receipt(request_id="r").model_dump_json()
    assert '"cost_usd":"0"' in Receipt(request_id="r", cost_usd=Decimal(0)).model_dump_json()


@pytest.mark.parametrize("cost", ["0.000000001", "12.50", "1234567.000000001"])
def test_a_cost_is_written_as_a_decimal_and_read_back_to_the_last_digit(cost: str) -> None:
    written = Receipt(request_id="r", cost_usd=Decimal(cost)).model_dump_json()
    assert '"cost_usd":"' in written, "a text: a number would lose digits"
    assert Receipt.model_validate_json(written).cost_usd == Decimal(cost)


def test_a_call_that_did_nothing_has_a_receipt_that_says_so() -> None:
    receipt = Receipt(request_id="r")
    assert (receipt.cache, receipt.attempts, receipt.degraded, receipt.guardrails) == ("bypass", [], [], [])
    assert receipt.tokens.model_dump() == {"prompt": 0, "completion": 0, "embedding": 0, "rerank": 0, "reading": 0}


def test_a_receipt_tells_no_cache_and_no_count_that_there_is_not() -> None:
    assert refused_field(Receipt, {"request_id": "r", "cache": "stale"}) == "cache"
    assert refused_field(Receipt, {"request_id": "r", "tokens": {"prompt": -1}}) == "tokens"
    assert refused_field(Receipt, {"request_id": "r", "collection_revisions": {"a": -1}}) == "collection_revisions"
