from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.api.client import Api, error

CALL = "/v1/collections/handbook/documents/leave-policy/summary"


async def test_a_document_is_summed_up_for_who_may_search(api: Api) -> None:
    answer = await api.call("POST", CALL, {"sentences": 1}, scopes=("search",))
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["annotations"]) == 1
    assert "27 days" in answer.json()["content"]


@pytest.mark.parametrize(
    ("path", "body", "claims", "refused"),
    [
        (CALL, {}, {"scopes": ("documents",)}, (403, "missing_scope")),
        (CALL, {}, {"collections": ("other",)}, (403, "collection_not_allowed")),
        (CALL.replace("leave-policy", "none"), {}, {}, (404, "document_not_found")),
        (CALL, {"sentences": 0}, {}, (422, "invalid_body")),
        (CALL, {"length": 3}, {}, (422, "invalid_body")),
    ],
)
async def test_what_is_wrong_with_a_call_is_told(
    api: Api, path: str, body: dict[str, Any], claims: dict[str, Any], refused: tuple[int, str]
) -> None:
    assert error(await api.call("POST", path, body, **claims)) == refused
