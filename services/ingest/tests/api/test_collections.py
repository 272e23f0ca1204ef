from __future__ import annotations

from services.ingest.tests.api.client import DOCUMENTS, Api, error


def test_a_collection_is_changed_by_those_who_may(api: Api) -> None:
    here = "/v1/collections/handbook"
    assert api.call("PATCH", here, json={"rerank": True}).json()["rerank"] is True
    shown = api.call("PATCH", here, json={"description": "Rules"}).json()
    assert (shown["rerank"], shown["description"], shown["documents"]) == (True, "Rules", 0)
    assert api.call("GET", here).json() == shown
    for body in ({}, {"rerank": None}, {"rerank": True, "name": "other"}):
        assert api.call("PATCH", here, json=body).status_code == 422
    assert error(api.call("PATCH", "/v1/collections/nowhere", json={"rerank": True})) == (404, "collection_not_found")


def test_a_deleted_document_is_gone_and_so_is_a_deleted_collection(api: Api) -> None:
    api.text("one", document_id="a")
    api.text("two", document_id="b")
    api.work()
    assert api.call("GET", "/v1/collections/handbook").json()["documents"] == 2
    assert api.call("DELETE", f"{DOCUMENTS}/a").status_code == 204
    assert error(api.call("DELETE", f"{DOCUMENTS}/a")) == (404, "document_not_found")
    assert api.call("GET", "/v1/collections").json()["data"][0]["bytes"] == 3
    assert api.call("DELETE", "/v1/collections/handbook").status_code == 204
    assert error(api.call("DELETE", "/v1/collections/handbook")) == (404, "collection_not_found")
    assert error(api.call("GET", DOCUMENTS)) == (404, "collection_not_found")
