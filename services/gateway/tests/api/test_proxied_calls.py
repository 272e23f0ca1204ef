from __future__ import annotations

import httpx2
from fastapi.routing import APIRoute
from services.gateway.tests.installation import Installation

from contracts.operations.table import OPERATIONS
from gateway.api.proxied_calls import router

PASSED_ON = [operation for operation in OPERATIONS if operation.owner != "gateway"]


def test_every_operation_of_another_service_has_its_one_route() -> None:
    routes = [route for route in router().routes if isinstance(route, APIRoute)]
    made = [(method, route.path, route.status_code) for route in routes for method in route.methods or ()]
    assert sorted(made) == sorted((one.method, one.path, one.status) for one in PASSED_ON)


async def test_a_key_needs_one_of_an_operations_scopes(public: httpx2.AsyncClient, installation: Installation) -> None:
    headers = {"Authorization": f"Bearer {await installation.secret(scopes=['admin'])}"}
    for operation in PASSED_ON:
        path = operation.path_of(*("a" for _ in operation.parameters))
        answer = await public.request(operation.method, path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "missing_scope"), operation.id
    assert installation.ingest.asked == installation.agent.asked == []


async def test_what_the_service_answers_is_the_answer(public: httpx2.AsyncClient, installation: Installation) -> None:
    installation.ingest.answers("/v1/collections", {"data": [{"later": "kept"}]})
    headers = {"Authorization": f"Bearer {await installation.secret()}"}
    answer = await public.get("/v1/collections", headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"data": [{"later": "kept"}]})
