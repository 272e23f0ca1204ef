from __future__ import annotations

import base64
import hashlib
from typing import Any

import numpy as np
import pytest
from services.inference.tests.api.calls import error_of
from services.inference.tests.conftest import CHAT, EMBEDDING, StartApp
from services.inference.tests.corrections import correction
from services.inference.tests.declarations.test_service import ADDED, put, remove, until
from services.inference.tests.heads import encoded, head
from services.inference.tests.projections import projection

from contracts.models.catalog import ModelInfo
from inference.protocol.engines import Engine
from inference.serving.served_model import Declaration, ServedModel

READING = {"name": "reader", "kind": "reading", "engine": "scripted", "default": True}
HEAD = head(weights=encoded([2.0, *[0.0] * 31], [0.0, 2.0, *[0.0] * 30]))
DIGEST = f"sha256:{hashlib.sha256(b'head').hexdigest()}"
OTHER = "sha256:" + "0" * 64
NAME = "words+acme.triage"


def tuner(app: Any, tenant: str = "acme", **more: Any) -> dict[str, str]:
    headers: dict[str, str] = app.headers(tenant=tenant, scopes=("chat", "evaluations:write"), **more)
    return headers


def publish(app: Any, suffix: str = "triage", tenant: str = "acme", **more: Any) -> Any:
    body = {
        "parent": "words",
        "job": "ftjob_1",
        "digest": DIGEST,
        "head": HEAD,
        "method": "classification",
        "training_set": "set:tickets@1",
        "verdict": "better: +0.4",
        "figures": {"accuracy": 0.9},
        **more,
    }
    return app.client.put(f"/v1/tuned-models/{suffix}", json=body, headers=tuner(app, tenant))


def names(app: Any, tenant: str = "acme") -> list[str]:
    listed = app.client.get("/v1/models", headers=app.headers(tenant=tenant)).json()["data"]
    return [one["id"] for one in listed if one["tenant"]]


def classify(app: Any, tenant: str, name: str = NAME) -> Any:
    body = {"model": name, "input": "where is it"}
    return app.client.post("/v1/classify", json=body, headers=app.headers(tenant=tenant))


def test_a_published_model_is_told_with_where_it_comes_from(running: Any) -> None:
    told = publish(running)
    assert told.status_code == 200, told.text
    model = running.get(f"/v1/models/{NAME}").json()
    assert (model["kind"], model["state"], model["tenant"], model["parent"]) == (
        "classification",
        "ready",
        "acme",
        "words",
    )
    tuned = model["tuned"]
    assert (tuned["job"], tuned["digest"], tuned["training_set"], tuned["stage"]) == (
        "ftjob_1",
        DIGEST,
        "set:tickets@1",
        "published",
    )
    assert (tuned["verdict"], tuned["figures"]) == ("better: +0.4", {"accuracy": 0.9})
    assert classify(running, "acme").status_code == 200


def test_another_tenant_neither_sees_nor_asks_nor_removes_it_nor_learns_that_it_is_there(running: Any) -> None:
    publish(running)
    assert (names(running), names(running, "other")) == ([NAME], [])
    gone = {
        "show": running.client.get(f"/v1/models/{NAME}", headers=running.headers(tenant="other")),
        "ask": classify(running, "other"),
        "count": running.client.post(
            "/v1/tokenize", json={"model": NAME, "prompt": "x"}, headers=running.headers(tenant="other")
        ),
        "tokenizer": running.client.get(f"/v1/models/{NAME}/tokenizer", headers=running.headers(tenant="other")),
        "remove": running.client.delete(f"/v1/tuned-models/{NAME}", headers=tuner(running, "other")),
    }
    none = classify(running, "other", "words+acme.nothing")
    assert {what: (answer.status_code, error_of(answer)["code"]) for what, answer in gone.items()} == dict.fromkeys(
        gone, (404, "model_not_found")
    )
    assert error_of(gone["ask"])["message"].replace("triage", "nothing") == error_of(none)["message"]
    assert names(running) == [NAME]


def test_what_an_embedding_model_learnt_is_one_of_the_tenant_s_with_what_the_other_is_like(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING | {"unrelated_cosine": 0.5, "languages": ["en"]})
    running.until_ready()
    about = {"method": "embedding", "head": None, "projection": projection(32)}
    told = publish(running, **about)
    assert told.status_code == 200, told.text
    model = told.json()
    assert (model["id"], model["kind"], model["state"], model["tenant"]) == (NAME, "embedding", "ready", "acme")
    assert (model["embedding_model"], model["dimensions"], model["context_length"]) == ("words", 32, 16)
    assert (model["unrelated_cosine"], model["languages"]) == (0.5, None), "no collection takes it by itself"
    asked = {"model": NAME, "input": "a red car", "input_type": "passage"}
    own = running.client.post("/v1/embeddings", json=asked, headers=running.headers(tenant="acme"))
    assert own.status_code == 200, own.text
    other = running.client.post("/v1/embeddings", json=asked, headers=running.headers(tenant="other"))
    assert other.status_code == 404
    strange = publish(running, suffix="strange", **about | {"projection": projection(32, embedding_model="others")})
    assert (strange.status_code, strange.json()["error"]["param"]) == (422, "projection")


def test_what_a_reading_model_learnt_reads_beside_it_for_its_tenant(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING, READING | {"languages": ["en"], "alone": True})
    running.until_ready()
    learnt = correction(4.0, -4.0, reading_model="reader", offset=-3.0)
    about = {"parent": "reader", "method": "reading", "head": None, "correction": learnt}
    told = publish(running, **about)
    assert told.status_code == 200, told.text
    model = told.json()
    assert (model["id"], model["kind"], model["state"]) == ("reader+acme.triage", "reading", "ready")
    assert (model["languages"], model["parent"]) == (["en"], "reader")
    asked = {"question": "red car", "passages": ["A red car.", "A red house. A car."], "features": True}
    headers = running.headers(tenant="acme", scopes=("search",))
    own = running.client.post("/v1/reading", json={**asked, "model": "reader"}, headers=headers).json()
    rows = [np.frombuffer(base64.b64decode(one), "<f4").tolist() for one in own["features"]]
    assert rows == [[1.0, 1.0], [0.5, 1.0]]
    del asked["features"]
    tuned = running.client.post("/v1/reading", json={**asked, "model": model["id"]}, headers=headers).json()
    assert tuned["alone"] is True
    odds = [np.log(1e6) - 3.0, 4 * 0.5 - 4 - 3.0]
    chances = [one["answers"] for one in tuned["passages"]]
    assert chances == pytest.approx([1 / (1 + np.exp(-one)) for one in odds], rel=1e-3)
    assert [one["span"] for one in tuned["passages"]] == [one["span"] for one in own["passages"]]
    foreign = running.headers(tenant="other", scopes=("search",))
    other = running.client.post("/v1/reading", json={**asked, "model": model["id"]}, headers=foreign)
    assert other.status_code == 404
    again = running.client.post("/v1/reading", json={**asked, "model": model["id"], "features": True}, headers=headers)
    assert (again.status_code, error_of(again)["param"]) == (400, "features")
    strange = publish(running, suffix="strange", **about | {"parent": "words"})
    assert (strange.status_code, strange.json()["error"]["param"]) == (422, "correction")


def test_what_was_learnt_over_a_reading_model_ranks_for_its_tenant(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING, READING | {"languages": ["en"], "alone": True})
    running.until_ready()
    learnt = correction(4.0, -4.0, reading_model="reader", offset=-3.0)
    about = {"parent": "reader", "method": "rerank", "head": None, "correction": learnt, "corrects": "rerank"}
    told = publish(running, **about)
    assert told.status_code == 200, told.text
    model = told.json()
    assert (model["id"], model["kind"], model["state"]) == ("reader+acme.triage", "rerank", "ready")
    assert (model["parent"], model.get("languages")) == ("reader", None)
    asked = {"query": "red car", "documents": ["A red house. A car.", "A red car."]}
    headers = running.headers(tenant="acme", scopes=("search",))
    ranked = running.client.post("/v1/rerank", json={**asked, "model": model["id"]}, headers=headers).json()
    assert [one["index"] for one in ranked["results"]] == [1, 0]
    none = running.client.post("/v1/rerank", json={**asked, "model": "default"}, headers=headers)
    assert (none.status_code, error_of(none)["code"]) == (404, "no_reranker")
    foreign = running.headers(tenant="other", scopes=("search",))
    other = running.client.post("/v1/rerank", json={**asked, "model": model["id"]}, headers=foreign)
    assert other.status_code == 404


def test_two_tenants_may_use_one_suffix_and_the_default_tenant_s_names_are_short(running: Any) -> None:
    ids = [publish(running, tenant=tenant).json()["id"] for tenant in ("acme", "other", "default")]
    assert ids == [NAME, "words+other.triage", "words+triage"]
    assert names(running, "other") == ["words+other.triage"]


def test_publishing_a_suffix_again_replaces_the_version_and_the_old_one_comes_back_in_one_call(running: Any) -> None:
    publish(running)
    other = HEAD | {"bias": [9.0, 0.0]}
    publish(running, job="ftjob_2", head=other)
    until(lambda: running.get(f"/v1/models/{NAME}").json()["tuned"]["job"] == "ftjob_2")
    publish(running)
    until(lambda: running.get(f"/v1/models/{NAME}").json()["tuned"]["job"] == "ftjob_1")
    assert names(running) == [NAME]


def test_a_tuned_model_costs_what_the_one_it_began_as_costs_now(start: StartApp) -> None:
    running = start(CHAT)
    words = {key: value for key, value in EMBEDDING.items() if key not in ("name", "default")}
    put(running, "words", words | {"price": {"prompt_usd_per_million": 3}})
    publish(running)
    assert running.get(f"/v1/models/{NAME}").json()["price"]["prompt_usd_per_million"] == "3"
    put(running, "words", words | {"price": {"prompt_usd_per_million": 5}})
    assert running.get(f"/v1/models/{NAME}").json()["price"]["prompt_usd_per_million"] == "5"


def test_what_a_job_published_goes_with_the_job_and_all_of_a_tenant_with_the_tenant(running: Any) -> None:
    publish(running)
    publish(running, "second", job="ftjob_2")
    publish(running, tenant="other")
    deleted = running.client.delete("/v1/tuning-jobs/ftjob_1", headers=tuner(running))
    assert deleted.status_code == 204
    assert (names(running), names(running, "other")) == (["words+acme.second"], ["words+other.triage"])
    admin = running.headers(tenant="acme", scopes=("admin",))
    refused = running.client.post("/v1/tenants/other/purge", json={"key_ids": []}, headers=admin)
    assert refused.status_code == 403
    assert running.client.post("/v1/tenants/acme/purge", json={"key_ids": []}, headers=admin).status_code == 204
    assert (names(running), names(running, "other")) == ([], ["words+other.triage"])


def test_an_administrator_s_call_neither_replaces_nor_removes_a_tenant_s_tuned_model(running: Any) -> None:
    publish(running)
    assert (put(running, NAME, ADDED).status_code, remove(running, NAME).status_code) == (409, 404)
    chosen = running.client.put(f"/v1/models/{NAME}/default", headers=running.installation())
    assert chosen.status_code == 409
    put(running, "words+acme.mine", ADDED)
    taken = publish(running, "mine")
    assert (taken.status_code, error_of(taken)["code"]) == (409, "model_name_taken")
    assert running.client.delete(f"/v1/tuned-models/{NAME}", headers=tuner(running)).status_code == 204
    assert names(running) == []


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"parent": "nobody"}, 404, "model_not_found"),
        ({"head": HEAD | {"embedding_model": "another"}}, 422, "invalid_model"),
        ({"head": None}, 400, "model_not_tunable"),
        ({"job": "../up"}, 422, "invalid_body"),
        ({"digest": "md5:1"}, 422, "invalid_body"),
    ],
)
def test_what_can_t_be_published_is_refused_with_the_reason(
    running: Any, more: dict[str, Any], status: int, code: str
) -> None:
    refused = publish(running, **more)
    assert (refused.status_code, error_of(refused)["code"]) == (status, code), refused.text
    assert names(running) == []


def test_a_tenant_has_so_many_and_may_still_replace_one(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING, tuned_models_per_tenant=1)
    running.until_ready()
    assert publish(running).status_code == 200
    refused = publish(running, "second")
    assert (refused.status_code, error_of(refused)["code"]) == (409, "too_many_tuned_models")
    assert publish(running).status_code == 200
    assert publish(running, tenant="other").status_code == 200


def test_no_declaration_by_hand_pretends_to_be_tuned_or_reads_what_a_job_learnt(running: Any) -> None:
    tuned = {"parent": "words", "job": "j", "digest": DIGEST, "method": "m", "training_set": "s"}
    refused = put(running, "fake", ADDED | {"tuned": tuned})
    assert (refused.status_code, error_of(refused)["param"]) == (422, "tuned")
    adapter = {"source": {"job": "ftjob_1", "sha256": "0" * 64}}
    llama = {"kind": "chat", "engine": "llamacpp", "context_length": 64, "source": {"path": "/m.gguf"}}
    refused = put(running, "fake", llama | {"llamacpp": {"adapters": [adapter]}})
    assert (refused.status_code, error_of(refused)["param"]) == (400, "llamacpp.adapters")


def test_a_model_that_is_declared_for_one_tenant_is_nobody_elses(running: Any) -> None:
    assert put(running, "theirs", ADDED | {"tenant": "acme"}).status_code == 200
    refused = put(running, "theirs", ADDED | {"tenant": "acme", "default": True})
    assert (refused.status_code, error_of(refused)["param"]) == (422, "default")
    assert (names(running), names(running, "other")) == (["theirs"], [])
    assert remove(running, "theirs").status_code == 204


def test_another_replica_follows_and_a_restart_keeps_it(start: StartApp) -> None:
    one, other = (start(CHAT, EMBEDDING, follow_seconds=0.05) for _ in range(2))
    one.until_ready()
    other.until_ready()
    publish(one)
    until(lambda: names(other) == [NAME])
    until(lambda: classify(other, "acme").status_code == 200)
    again = start(CHAT, EMBEDDING)
    until(lambda: classify(again, "acme").status_code == 200)
    one.client.delete("/v1/tuning-jobs/ftjob_1", headers=tuner(one))
    until(lambda: names(other) == [])


def test_only_a_key_that_may_tune_publishes_and_only_from_a_model_that_it_may_use(running: Any) -> None:
    body = {"parent": "words", "job": "j", "digest": DIGEST, "head": HEAD, "method": "m", "training_set": "s"}
    for headers, status in ((running.headers(), 403), (tuner(running, models=("talker",)), 404)):
        assert running.client.put("/v1/tuned-models/x", json=body, headers=headers).status_code == status


def test_a_candidate_is_no_published_model_and_goes_when_its_job_publishes(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING, tuned_models_per_tenant=1)
    running.until_ready()
    for suffix in ("try1-ftjob_1", "try2-ftjob_1"):
        assert publish(running, suffix, stage="candidate").json()["tuned"]["stage"] == "candidate"
    publish(running, "try1-ftjob_2", job="ftjob_2", stage="candidate")
    assert publish(running).status_code == 200
    assert sorted(names(running)) == [NAME, "words+acme.try1-ftjob_2"]


BROKEN = HEAD | {"weights": encoded([2.0], [0.0])}
"""A head over other vectors than the model's."""


def version(app: Any) -> str:
    job: str = app.get(f"/v1/models/{NAME}").json()["tuned"]["job"]
    return job


def test_a_version_that_can_t_be_used_leaves_the_one_before_served(running: Any) -> None:
    publish(running)
    refused = publish(running, job="ftjob_2", head=BROKEN)
    assert refused.json()["state"] in ("failed", "not_answering"), refused.text
    until(lambda: classify(running, "acme").status_code == 200)
    assert (names(running), version(running)) == ([NAME], "ftjob_1")
    assert publish(running, "new", job="ftjob_3", head=BROKEN).json()["state"] in ("failed", "not_answering")
    assert names(running) == [NAME]


def test_what_a_job_replaced_comes_back_when_the_job_takes_its_own_away_again(running: Any) -> None:
    publish(running)
    publish(running, job="ftjob_2", head=HEAD | {"bias": [9.0, 0.0]})
    publish(running, job="ftjob_2", head=HEAD | {"bias": [9.0, 0.0]})
    assert running.client.delete("/v1/tuning-jobs/ftjob_2", headers=tuner(running)).status_code == 204
    until(lambda: version(running) == "ftjob_1" and classify(running, "acme").status_code == 200)
    assert running.client.delete("/v1/tuning-jobs/ftjob_1", headers=tuner(running)).status_code == 204
    assert names(running) == []


def test_a_job_that_is_gone_does_not_come_back_as_the_version_before(running: Any) -> None:
    publish(running)
    publish(running, job="ftjob_2", head=HEAD | {"bias": [9.0, 0.0]})
    for job, left in (("ftjob_1", [NAME]), ("ftjob_2", [])):
        running.client.delete(f"/v1/tuning-jobs/{job}", headers=tuner(running))
        assert names(running) == left


def test_a_served_version_that_is_published_again_in_a_bad_second_stays(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(running)

    def told(served: ServedModel[Engine]) -> ModelInfo:
        return info(served).model_copy(update={"state": "not_answering"})

    info = ServedModel.info
    with monkeypatch.context() as patch:
        patch.setattr(ServedModel, "info", told)
        assert publish(running).json()["state"] == "not_answering"
    assert (names(running), classify(running, "acme").status_code) == ([NAME], 200)


def test_a_name_of_the_models_file_is_no_tuned_model_s(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING, EMBEDDING | {"name": NAME, "default": False})
    running.until_ready()
    taken = publish(running)
    assert (taken.status_code, error_of(taken)["code"]) == (409, "model_name_taken")


def test_the_calls_of_a_published_head_count_for_the_model_that_it_began_as(start: StartApp) -> None:
    running = start(CHAT)
    words = {key: value for key, value in EMBEDDING.items() if key not in ("name", "default")}
    put(running, "words", words | {"limits": {"requests_per_minute": 3}})
    publish(running)
    assert running.get(f"/v1/models/{NAME}").json()["limits"] is None


def proven(app: Any) -> dict[str, bool]:
    """Of each tuned model, whether it was loaded before and need not be until somebody asks it."""
    models = app.client.app.state.dependencies.models
    return {name: models.declared(name).declaration.is_proven for name in names(app)}


def test_what_passed_its_gates_is_not_loaded_at_a_restart_and_what_is_being_published_is(start: StartApp) -> None:
    one, other = (start(CHAT, EMBEDDING, follow_seconds=0.05) for _ in range(2))
    one.until_ready()
    other.until_ready()
    models, made = one.client.app.state.dependencies.models, {}
    make = models._make

    def make_noted(declaration: Declaration) -> ServedModel[Engine]:
        made[declaration.model.name] = declaration.is_proven
        return make(declaration)

    models._make = make_noted
    publish(one)
    publish(one, "try1-ftjob_2", job="ftjob_2", stage="candidate")
    candidate = "words+acme.try1-ftjob_2"
    assert made == {NAME: False, candidate: False}, "they have to prove that they can be loaded"
    until(lambda: proven(other) == {NAME: True, candidate: False})
    again = start(CHAT, EMBEDDING)
    until(lambda: proven(again) == {NAME: True, candidate: False})
