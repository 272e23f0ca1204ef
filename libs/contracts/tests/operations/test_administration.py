from __future__ import annotations

from contracts.operations import administration
from contracts.operations.administration import CREATE_KEY, LIST_USAGE, READINESS, ROTATE_KEY
from contracts.operations.operation import Operation

ALL = [value for value in vars(administration).values() if isinstance(value, Operation)]


def test_only_an_administrator_may_do_more_than_look_at_its_usage_and_the_health() -> None:
    others = {operation.id for operation in ALL if operation.scopes != ("admin",)}
    assert others == {"GET /v1/usage", "GET /healthz", "GET /readyz"}
    assert not LIST_USAGE.is_open, "each key sees what it used itself"


def test_no_word_of_an_administrator_reaches_a_model_or_another_service() -> None:
    for operation in ALL:
        assert not operation.reach.reaches_a_model, operation.id
        assert (operation.owner, operation.audiences) == ("gateway", ()), operation.id


def test_a_secret_is_never_kept_to_be_given_twice() -> None:
    assert (CREATE_KEY.idempotent, ROTATE_KEY.idempotent) == (False, False)
    assert [operation.id for operation in ALL if operation.reply.__name__ == "KeyCreated"] == [
        "POST /v1/keys",
        "POST /v1/keys/{key_id}/rotate",
    ]


def test_a_service_that_is_not_ready_answers_in_the_same_form() -> None:
    assert (READINESS.status, READINESS.other_statuses, READINESS.gives) == (200, (503,), "json")
