from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refused_field
from pydantic import TypeAdapter, ValidationError

from contracts.access.delegation import INSTALLATION_TENANT, Delegation, FreshToken, SpentQuestion, TokenExchange
from contracts.core.base import Name

RIGHTS: dict[str, Any] = {"audiences": ["ingest"], "tenant": "t", "key_id": "k", "request_id": "r"}


def test_no_list_means_all_and_an_empty_list_means_none() -> None:
    everything = Delegation(audiences=("ingest",), tenant="t", key_id="k", request_id="r")
    nothing = everything.model_copy(update={"collections": (), "models": ()})
    assert everything.allows_collection("a")
    assert everything.allows_model("m")
    assert not nothing.allows_collection("a")
    assert not nothing.allows_model("m")


def test_a_list_allows_what_is_in_it_to_the_letter() -> None:
    some = Delegation.model_validate({**RIGHTS, "collections": ["handbook"], "models": ["big"]})
    assert (some.allows_collection("handbook"), some.allows_model("big")) == (True, True)
    assert not any(map(some.allows_collection, ("hand", "Handbook", "", "big")))
    assert not any(map(some.allows_model, ("bi", "BIG", "", "handbook")))


def test_rights_can_not_be_widened_once_they_were_read() -> None:
    some = Delegation.model_validate({**RIGHTS, "collections": ["handbook"]})
    with pytest.raises(ValidationError, match="frozen"):
        some.collections = None  # type: ignore[misc]


def test_a_claim_of_a_later_gateway_is_passed_over_but_an_unknown_scope_or_audience_is_no_right() -> None:
    assert Delegation.model_validate({**RIGHTS, "plan": "gold", "iat": 1}) == Delegation.model_validate(RIGHTS)
    assert refused_field(Delegation, {**RIGHTS, "scopes": ["root"]}) == "scopes"
    assert refused_field(Delegation, {**RIGHTS, "audiences": ["everyone"]}) == "audiences"


def test_the_installation_s_own_tenant_is_no_name_that_a_tenant_can_have() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(INSTALLATION_TENANT)


@pytest.mark.parametrize("call_id", ["", "a/b", "a b", "é", "a\n", "x" * 65])
def test_calls_are_charged_under_a_plain_word_or_under_nothing(call_id: str) -> None:
    assert TokenExchange(grant="g").call_id is None
    assert TokenExchange(grant="g", call_id="run_-9" + "x" * 58).purpose == "documents"
    assert refused_field(TokenExchange, {"grant": "g", "call_id": call_id}) == "call_id"


def test_what_was_spent_is_asked_for_one_call_with_its_grant() -> None:
    assert refused_field(SpentQuestion, {"call_id": "run_1"}) == "grant"
    assert refused_field(SpentQuestion, {"grant": "g", "call_id": ""}) == "call_id"
    assert refused_field(SpentQuestion, {"grant": "g", "call_id": "a", "tenant": "other"}) == "tenant"


def test_a_gateway_that_says_no_scopes_is_told_from_one_that_gives_none() -> None:
    assert FreshToken.model_validate({"token": "t", "expires_in": 60}).scopes is None
    assert FreshToken.model_validate({"token": "t", "expires_in": 60, "scopes": []}).scopes == ()
