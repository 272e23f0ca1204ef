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
        ("DELETE", "/ftjob_1"),
    ):
        assert error(await api.call(method, PATH + path)) == (404, "fine_tuning_job_not_found")
    assert (await api.call("GET", PATH)).json() == {"object": "list", "data": [], "has_more": False}
