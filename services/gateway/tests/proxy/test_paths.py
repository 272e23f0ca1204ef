from __future__ import annotations

import pytest

from contracts.operations.administration import PUT_ROUTE
from contracts.operations.documents import GET_COLLECTION, GET_DOCUMENT, GET_DOCUMENT_TEXT, GET_JOB, LIST_JOBS
from contracts.operations.models import GET_MODEL
from gateway.auth.errors import NotYours
from gateway.proxy.paths import inner_path, inner_query
from gateway.server.paths import NAMES_WITH_SLASHES


def test_paths_are_filled_in() -> None:
    assert inner_path(GET_DOCUMENT_TEXT, {"name": "hb", "id": "A.b-1"}) == "/v1/collections/hb/documents/A.b-1/text"
    assert inner_path(GET_JOB, {"id": "job_1"}) == "/v1/jobs/job_1"


@pytest.mark.parametrize("value", ["..", ".", "a/b", "a b", "%2e%2e", "a?b", "ä", "x" * 201, "a\n"])
def test_a_path_can_never_climb_out_of_its_place(value: str) -> None:
    for operation, params in ((GET_DOCUMENT, {"name": "hb", "id": value}), (GET_JOB, {"id": value})):
        with pytest.raises(NotYours) as refused:
            inner_path(operation, params)
        assert refused.value.http_status == 404
    with pytest.raises(NotYours):
        inner_path(GET_COLLECTION, {"name": value})


def test_only_known_query_parameters_pass() -> None:
    assert inner_query(LIST_JOBS, b"status=failed&tenant=other&limit=5&limit=7&cursor=a%2Bb") == {
        "status": "failed",
        "limit": "7",
        "cursor": "a+b",
    }


def test_only_names_of_models_and_routes_may_have_slashes() -> None:
    assert set(NAMES_WITH_SLASHES) == {b"/v1/models/", b"/v1/routes/", b"/v1/experiments/"}
    assert GET_MODEL.takes_slashes
    assert PUT_ROUTE.takes_slashes
    assert not GET_COLLECTION.takes_slashes
