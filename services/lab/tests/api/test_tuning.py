from __future__ import annotations

from services.lab.tests.api.client import Api, error

ITEMS = [{"question": f"What is number {n} called?", "answers": [f"Name {n}"]} for n in range(20)]
PATH = "/v1/fine_tuning/jobs"


async def _saved(api: Api) -> None:
    assert (await api.call("POST", "/v1/question-sets", {"name": "support", "items": ITEMS})).status_code == 201


async def test_a_job_is_started_only_with_a_grant_and_for_a_model_that_the_key_may_use(api: Api) -> None:
    await _saved(api)
    body = {"model": "smollm2", "training_file": "set:support"}
    assert error(await api.call("POST", PATH, body)) == (400, "grant_missing")
    assert error(await api.call("POST", PATH, body, models=("other",))) == (403, "model_not_allowed")
    assert error(await api.call("POST", PATH, body, scopes=("evaluations:read",))) == (403, "missing_scope")


async def test_what_openai_s_clients_may_not_say_is_refused_with_its_name(api: Api) -> None:
    await _saved(api)
    for more in (
        {"training_file": "file-abc"},
        {"suffix": "Not Good"},
        {"integrations": [{"type": "wandb"}]},
        {"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 0}}}},
        {"seed": -1},
    ):
        body = {"model": "smollm2", "training_file": "set:support", **more}
        status, code = error(await api.call("POST", PATH, body))
        assert (status, code) == (422, "invalid_body"), more


async def test_what_is_not_there_is_not_found(api: Api) -> None:
    for method, path in (
        ("GET", "/ftjob_1"),
        ("GET", "/ftjob_1/events"),
        ("GET", "/ftjob_1/checkpoints"),
        ("GET", "/ftjob_1/artifact"),
        ("POST", "/ftjob_1/cancel"),
        ("POST", "/ftjob_1/publish"),
        ("DELETE", "/ftjob_1"),
    ):
        assert error(await api.call(method, PATH + path)) == (404, "fine_tuning_job_not_found")
    assert (await api.call("GET", PATH)).json() == {"object": "list", "data": [], "has_more": False}


async def test_a_job_whose_answer_was_lost_is_started_once_and_goes_with_its_tenant(api: Api) -> None:
    await _saved(api)
    body = {"model": "smollm2", "training_file": "set:support"}
    answers = [await api.call("POST", PATH, body, grant="grant", key="lost") for _ in range(4)]  # two may be live
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert [one["id"] for one in (await api.call("GET", PATH)).json()["data"]] == [answers[0].json()["id"]]
    other = await api.call("POST", PATH, {**body, "seed": 3}, grant="grant", key="lost")
    assert error(other) == (409, "idempotency_mismatch")
    strangers = await api.call("POST", PATH, body, grant="grant", key="lost", key_id="key_2")
    assert strangers.json()["id"] != answers[0].json()["id"]
    await api.call("POST", "/v1/tenants/acme/purge", {"key_ids": ["key_1", "key_2"]}, scopes=("admin",))
    await _saved(api)
    again = await api.call("POST", PATH, body, grant="grant", key="lost")
    assert again.json()["id"] not in {answers[0].json()["id"], strangers.json()["id"]}


async def test_a_call_that_was_refused_may_be_made_again_with_its_key(api: Api) -> None:
    body = {"model": "smollm2", "training_file": "set:support"}
    refused = await api.call("POST", PATH, body, grant="grant", key="once")
    assert error(refused) == (404, "question_set_not_found")
    await _saved(api)
    assert (await api.call("POST", PATH, body, grant="grant", key="once")).status_code == 200
