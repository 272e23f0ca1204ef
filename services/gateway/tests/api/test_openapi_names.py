from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from contracts.operations.table import OPERATIONS
from gateway.api.openapi_names import name_schemas
from gateway.bootstrap import create_app
from gateway.settings import GatewaySettings


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("keys")
    return create_app(GatewaySettings(delegation_public_key_file=folder / "d.pub")).openapi()


def test_a_schema_has_a_title_of_its_own_that_is_its_name(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {name: schema["title"] for name, schema in schemas.items()} == {name: name for name in schemas}
    assert [name for name in schemas if not re.fullmatch(r"[A-Z][A-Za-z0-9]*(_[A-Z][A-Za-z0-9]*_)?", name)] == []


def test_generators_see_no_two_schemas_as_one(document: dict[str, Any]) -> None:
    """They leave underscores out, and some the case."""
    seen = [name.replace("_", "").lower() for name in document["components"]["schemas"]]
    assert len(set(seen)) == len(seen)


def test_a_call_has_an_id_of_its_own_that_says_what_it_does(document: dict[str, Any]) -> None:
    ids = [call["operationId"] for calls in document["paths"].values() for call in calls.values()]
    assert len(set(ids)) == len(ids) == len(OPERATIONS)
    assert [name for name in ids if not re.fullmatch(r"[a-z]+(_[a-z0-9]+){0,4}", name)] == []
    assert {"create_document", "search_collection", "create_chat_completion", "rerank_v2"} <= set(ids)


def test_every_reference_leads_to_a_schema(document: dict[str, Any]) -> None:
    named = set(re.findall(r"'#/components/schemas/([^']+)'", str(document)))
    assert named <= set(document["components"]["schemas"])


def test_a_form_for_bodies_and_one_for_answers_are_two_schemas() -> None:
    reference = {"$ref": "#/components/schemas/Budget-Input"}
    schemas = {"Budget-Input": {"title": "Budget"}, "Budget-Output": {"title": "Budget"}, "Key": {"items": reference}}
    named = name_schemas({"components": {"schemas": schemas}})["components"]["schemas"]
    assert set(named) == {"BudgetInput", "Budget", "Key"}
    assert named["Key"]["items"]["$ref"].endswith("/BudgetInput")


def test_a_name_that_two_schemas_would_have_is_an_error() -> None:
    with pytest.raises(ValueError, match="Budget"):
        name_schemas({"components": {"schemas": {"Budget": {}, "Budget-Output": {}}}})
