from __future__ import annotations

from services.ingest.tests.api.client import DOCUMENTS, Api, error


def test_a_key_reaches_only_its_collections(api: Api) -> None:
    job = api.text(document_id="a").json()["job"]
    limited = api.headers(collections=("other",))
    for method, path in [
        ("GET", DOCUMENTS),
        ("POST", DOCUMENTS),
        ("DELETE", f"{DOCUMENTS}/a"),
        ("GET", f"{DOCUMENTS}/a"),
    ]:
        assert error(api.call(method, path, headers=limited)) == (403, "collection_not_allowed")
    assert error(api.call("DELETE", "/v1/collections/handbook", headers=limited)) == (403, "collection_not_allowed")
    assert error(api.call("GET", f"/v1/jobs/{job['id']}", headers=limited)) == (404, "job_not_found")
    assert api.call("GET", "/v1/collections", headers=limited).json()["data"] == []


def test_only_tokens_for_ingest_get_in(api: Api) -> None:
    assert api.client.get("/v1/jobs").status_code == 401
    assert error(api.call("GET", "/v1/jobs", headers=api.headers(audience="retriever"))) == (401, "invalid_delegation")


def test_a_call_without_a_grant_is_not_accepted(api: Api) -> None:
    headers = {name: value for name, value in api.headers().items() if name == "Authorization"}
    response = api.client.post(DOCUMENTS, json={"text": "a"}, headers=headers)
    assert error(response) == (400, "grant_missing")
