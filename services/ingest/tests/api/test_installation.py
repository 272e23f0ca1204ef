from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest
from services.ingest.tests.api.client import Api, error

from contracts.access.delegation import INSTALLATION_TENANT

BACKUP, DELETION = "/v1/backup", "/v1/tenants/acme/deletion"
KEYS = {"key_ids": ["k-acme"]}


def admin(api: Api, tenant: str = "operators") -> dict[str, str]:
    return api.headers(tenant, scopes=("admin",))


def test_a_backup_has_both_services_members_and_is_the_installation_s_alone(api: Api) -> None:
    api.text("The word.", document_id="a")
    answer = api.call("GET", BACKUP, headers=admin(api, INSTALLATION_TENANT))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-tar")
    with tarfile.open(fileobj=io.BytesIO(answer.content + bytes(1024))) as tar:
        names = tar.getnames()
    assert {"ingest/end.json", "retriever/end.json", "ingest/sql/schema.json"} <= set(names)
    assert any(name.startswith("ingest/blobs/acme/") for name in names)


@pytest.mark.parametrize("claims", [{"tenant": "acme", "scopes": ("admin",)}, {"tenant": INSTALLATION_TENANT}])
def test_nobody_else_gets_one(api: Api, claims: dict[str, Any]) -> None:
    assert api.call("GET", BACKUP, headers=api.headers(**claims)).status_code == 403


def test_a_tenant_s_deletion_is_a_job_of_whoever_asked_and_wakes_a_worker(api: Api) -> None:
    answer = api.call("POST", DELETION, json=KEYS, headers=admin(api))
    job = answer.json()["job"]
    assert (answer.status_code, job["kind"], job["status"]) == (202, "tenant_deletion", "queued")
    assert api.notifier.notified == [job["id"]]
    assert api.call("GET", f"/v1/jobs/{job['id']}", headers=api.headers("operators")).status_code == 200
    assert error(api.call("GET", f"/v1/jobs/{job['id']}")) == (404, "job_not_found")
    again = api.call("POST", DELETION, json=KEYS, headers=admin(api))
    assert again.json()["job"]["id"] == job["id"]
    assert error(api.text("Late words.")) == (409, "tenant_deleting")


def test_it_needs_an_administrator_and_a_right_that_lasts(api: Api) -> None:
    assert api.call("POST", DELETION, json=KEYS).status_code == 403
    assert error(api.call("POST", DELETION, json=KEYS, headers={**admin(api), "Groundwork-Grant": ""})) == (
        400,
        "grant_missing",
    )
    assert api.call("POST", "/v1/tenants/No%20Name/deletion", json=KEYS, headers=admin(api)).status_code == 422
    assert api.text("Still here.").status_code == 202
