from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest
from services.lab.tests.api.client import Api, error

from contracts.access.delegation import INSTALLATION_TENANT

SETS, PURGE = "/v1/question-sets", "/v1/tenants/acme/purge"
BODY = {"name": "policies", "items": [{"question": "How many days?"}]}
KEYS = {"key_ids": ["key_1"]}
INSTALLATION: dict[str, Any] = {"tenant": INSTALLATION_TENANT, "scopes": ("admin",)}


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({}, "missing_scope"),
        ({"scopes": ("admin",), "tenant": "other"}, "installation_only"),
        (INSTALLATION, "installation_only"),
    ],
)
async def test_a_tenant_s_sets_go_only_by_its_own_administrator_s_word(
    api: Api, claims: dict[str, Any], code: str
) -> None:
    await api.call("POST", SETS, BODY)
    assert error(await api.call("POST", PURGE, KEYS, **claims)) == (403, code)
    assert (await api.call("GET", f"{SETS}/policies")).status_code == 200


async def test_a_deleted_tenant_has_nothing_left_here_and_others_keep_theirs(api: Api) -> None:
    for tenant in ("acme", "other"):
        await api.call("POST", SETS, BODY, tenant=tenant)
    for _ in range(2):  # the job that asks for it may ask again
        assert (await api.call("POST", PURGE, KEYS, scopes=("admin",))).status_code == 204
    found = [(await api.call("GET", SETS, tenant=tenant)).json()["data"] for tenant in ("acme", "other")]
    assert [len(page) for page in found] == [0, 1]


async def test_only_the_installation_gets_a_backup_which_has_every_row(api: Api) -> None:
    await api.call("POST", SETS, BODY)
    assert error(await api.call("GET", "/v1/backup")) == (403, "installation_only")
    answer = await api.call("GET", "/v1/backup", **INSTALLATION)
    assert answer.status_code == 200
    with tarfile.open(fileobj=io.BytesIO(answer.content + bytes(1024))) as tar:
        names = tar.getnames()
    assert {name for name in names if name.endswith(".jsonl")} == {
        f"lab/sql/{table}/000000.jsonl" for table in ("question_sets", "question_set_versions", "questions")
    }


async def test_the_lab_is_ready_while_its_database_answers(api: Api) -> None:
    answer = await api.client.get("/readyz")
    assert (answer.status_code, set(answer.json()["parts"])) == (200, {"database", "evaluations", "tuning", "disk"})


async def test_who_deletes_documents_is_heeded_and_nobody_else(api: Api) -> None:
    body = {"collection": "handbook", "document_id": "leave"}
    for scopes in (("documents",), ("documents", "search")):
        assert (await api.call("POST", "/v1/documents/deleted", body, scopes=scopes)).status_code == 204
    assert error(await api.call("POST", "/v1/documents/deleted", body)) == (403, "missing_scope")
    assert error(await api.call("POST", "/v1/documents/deleted", {}, scopes=("documents",))) == (422, "invalid_body")
