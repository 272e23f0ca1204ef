from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from services.inference.tests.api.calls import ask, error_of, events

ADDED = {
    "kind": "chat",
    "engine": "scripted",
    "context_length": 64,
    "source": {"rules": [{"when": "France", "reply": "Lyon is a city."}]},
}


def put(app: Any, name: str, body: dict[str, Any]) -> Any:
    return app.client.put(f"/v1/models/{name}", json=body, headers=app.installation())


def remove(app: Any, name: str) -> Any:
    return app.client.delete(f"/v1/models/{name}", headers=app.installation())


def answer(app: Any, model: str) -> str:
    said = app.post("/v1/chat/completions", ask() | {"model": model})
    assert said.status_code == 200, said.text
    content: str = said.json()["choices"][0]["message"]["content"]
    return content


def default_of(app: Any, kind: str) -> list[str]:
    listed = app.get("/v1/models").json()["data"]
    return [model["id"] for model in listed if model["kind"] == kind and model["default"]]


def until(condition: Any) -> None:
    pause, deadline = threading.Event(), time.monotonic() + 60
    while time.monotonic() < deadline:
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not come")


def test_a_model_is_added_replaced_and_removed_while_it_runs(running: Any) -> None:
    added = put(running, "second", ADDED)
    assert added.status_code == 200
    assert (added.json()["state"], added.json()["added"], added.json()["default"]) == ("ready", True, False)
    assert answer(running, "second") == "Lyon is a city."
    other = ADDED | {"source": {"rules": [{"when": "France", "reply": "Nice is another."}]}}
    assert put(running, "second", other).status_code == 200
    until(lambda: answer(running, "second") == "Nice is another.")
    assert remove(running, "second").status_code == 204
    assert running.post("/v1/chat/completions", ask() | {"model": "second"}).status_code == 404
    assert running.get("/v1/models/second").status_code == 404
    assert remove(running, "second").status_code == 404
    assert "second" not in running.client.get("/metrics").text.partition("inference_ready{")[2][:200]


def test_it_is_there_again_after_a_restart(start: Any, declared: Any) -> None:
    models = list(declared.values())
    first = start(*models)
    assert put(first, "second", ADDED | {"default": True}).status_code == 200
    again = start(*models)
    again.until_ready()
    until(lambda: again.get("/v1/models/second").json()["state"] == "ready")
    assert default_of(again, "chat") == ["second"]
    assert answer(again, "default") == "Lyon is a city."


def test_another_replica_follows_without_a_restart(start: Any, declared: Any) -> None:
    one, other = (start(*declared.values(), follow_seconds=0.05) for _ in range(2))
    one.until_ready()
    other.until_ready()
    assert put(one, "second", ADDED).status_code == 200
    until(lambda: other.get("/v1/models/second").status_code == 200)
    until(lambda: other.get("/v1/models/second").json()["state"] == "ready")
    assert answer(other, "second") == "Lyon is a city."
    assert remove(other, "second").status_code == 204
    until(lambda: one.get("/v1/models/second").status_code == 404)


def test_what_the_models_file_declares_is_not_changed_by_a_call(running: Any) -> None:
    for refused in (put(running, "talker", ADDED), remove(running, "talker")):
        assert (refused.status_code, error_of(refused)["code"]) == (409, "model_declared_in_file")
    assert answer(running, "talker") == "Paris is the capital."


def test_the_models_file_wins_over_a_model_of_its_name_that_was_added(start: Any, declared: Any) -> None:
    assert put(start(*declared.values()), "second", ADDED).status_code == 200
    of_the_file = declared["chat"] | {"name": "second", "default": False}
    again = start(*declared.values(), of_the_file)
    again.until_ready()
    until(lambda: again.get("/v1/models/second").json()["state"] == "ready")
    assert answer(again, "second") == "Paris is the capital."
    assert not again.get("/v1/models/second").json()["added"]


def test_the_default_is_the_files_until_one_is_chosen_and_again_when_that_is_removed(running: Any) -> None:
    put(running, "second", ADDED)
    assert default_of(running, "chat") == ["talker"]
    chosen = running.client.put("/v1/models/second/default", headers=running.installation())
    assert chosen.json()["default"]
    assert default_of(running, "chat") == ["second"]
    assert default_of(running, "embedding") == ["words"]
    running.client.put("/v1/models/talker/default", headers=running.installation())
    assert default_of(running, "chat") == ["talker"]
    put(running, "second", ADDED | {"default": True})
    assert default_of(running, "chat") == ["second"]
    put(running, "second", ADDED)
    assert default_of(running, "chat") == ["second"], "left out, it stays as it is"
    put(running, "second", ADDED | {"default": False})
    assert default_of(running, "chat") == ["talker"]
    put(running, "second", ADDED | {"default": True})
    remove(running, "second")
    assert default_of(running, "chat") == ["talker"]
    unknown = running.client.put("/v1/models/nobody/default", headers=running.installation())
    assert (unknown.status_code, error_of(unknown)["code"]) == (404, "model_not_found")


def test_a_model_that_can_not_be_loaded_says_why_and_keeps_nothing_else_from_serving(
    running: Any, tmp_path: Any
) -> None:
    (tmp_path / "m.gguf").write_bytes(b"no model at all")
    bad = {"kind": "chat", "engine": "llamacpp", "context_length": 64, "source": {"path": str(tmp_path / "m.gguf")}}
    put_ = put(running, "bad", bad | {"default": True})
    assert put_.status_code == 200
    assert put_.json()["state"] == "failed"
    assert "m.gguf is no GGUF file" in put_.json()["reason"]
    shown = running.get("/v1/models/bad").json()
    assert "m.gguf is no GGUF file" in shown["reason"]
    ready = running.client.get("/readyz")
    assert ready.status_code == 200
    assert "no GGUF file" in ready.json()["parts"]["model:bad"]["detail"]
    refused = running.post("/v1/chat/completions", ask(model="bad"))
    assert (refused.status_code, error_of(refused)["code"]) == (503, "model_file_invalid")
    assert default_of(running, "chat") == ["talker"], "one that can't be loaded is not made the default"
    assert answer(running, "default") == "Paris is the capital."
    chosen = running.client.put("/v1/models/bad/default", headers=running.installation())
    assert (chosen.status_code, error_of(chosen)["code"]) == (409, "model_not_usable")


def test_a_stream_under_way_ends_on_the_model_that_was_removed(start: Any, declared: Any) -> None:
    app = start(*declared.values())
    app.until_ready()
    long = {"rules": [{"when": "France", "reply": "one two three four five six"}], "pace_seconds": 0.05}
    put(app, "slow", ADDED | {"source": long})
    said: list[str] = []
    began = threading.Event()

    def read() -> None:
        body = ask(stream=True) | {"model": "slow"}
        with app.client.stream("POST", "/v1/chat/completions", json=body, headers=app.headers()) as stream:
            for text in stream.iter_text():
                said.append(text)
                began.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert began.wait(60)
    assert remove(app, "slow").status_code == 204
    assert app.post("/v1/chat/completions", ask() | {"model": "slow"}).status_code == 404
    reader.join(60)
    assert events("".join(said))[-1] == "[DONE]"


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("second", {"kind": "chat"}, 422, "invalid_body"),
        ("second", ADDED | {"name": "third"}, 422, "invalid_model"),
        ("second", ADDED | {"colour": "red"}, 422, "invalid_model"),
        ("second", ADDED | {"engine": "nothing"}, 422, "invalid_model"),
        ("default", ADDED, 422, "invalid_model"),
        ("second", ADDED | {"source": {"rules": [{"when": "x" * 70_000, "reply": "y"}]}}, 422, "invalid_model"),
        (
            "second",
            ADDED | {"engine": "openai", "source": {"base_url": "http://127.0.0.1:22/v1", "upstream_model": "m"}},
            400,
            "model_refused",
        ),
        (
            "second",
            ADDED
            | {
                "engine": "openai",
                "source": {
                    "base_url": "http://127.0.0.1:8000/v1",
                    "upstream_model": "m",
                    "api_key_env": "VLLM_API_KEY",
                },
            },
            400,
            "api_key_not_set",
        ),
    ],
)
def test_what_can_not_be_added_is_refused_and_nothing_is_kept(
    running: Any, monkeypatch: pytest.MonkeyPatch, name: str, body: dict[str, Any], status: int, code: str
) -> None:
    monkeypatch.delenv("VLLM_API_KEY", raising=False)
    refused = put(running, name, body)
    assert (refused.status_code, error_of(refused)["code"]) == (status, code)
    assert running.get("/v1/models/second").status_code == 404


def test_an_embedding_model_does_not_become_another_one(running: Any) -> None:
    words = {"kind": "embedding", "engine": "scripted", "max_input_tokens": 16, "dimensions": 32}
    assert put(running, "more", words).status_code == 200
    assert put(running, "more", words | {"price": {"prompt_usd_per_million": 1}}).status_code == 200
    refused = put(running, "more", words | {"dimensions": 16})
    assert (refused.status_code, error_of(refused)["code"]) == (409, "embedding_model_fixed")
    assert remove(running, "more").status_code == 204
    refused = put(running, "more", words | {"dimensions": 16})
    assert (refused.status_code, error_of(refused)["code"]) == (409, "embedding_model_fixed")
    assert "name of its own and reindex" in error_of(refused)["message"]
    assert put(running, "more", words).status_code == 200


def test_the_name_of_an_embedding_model_stays_its_own_also_after_a_restart(start: Any, declared: Any) -> None:
    words = {"kind": "embedding", "engine": "scripted", "max_input_tokens": 16, "dimensions": 32}
    first = start(*declared.values())
    assert put(first, "more", words).status_code == 200
    assert remove(first, "more").status_code == 204
    refused = put(start(*declared.values()), "more", words | {"max_input_tokens": 32})
    assert (refused.status_code, error_of(refused)["code"]) == (409, "embedding_model_fixed")


def test_the_name_of_a_file_s_embedding_model_stays_its_own_when_the_file_names_it_no_more(
    start: Any, declared: Any
) -> None:
    first = start(*declared.values(), follow_seconds=0.05)
    first.until_ready()
    assert first.post("/v1/embeddings", {"input": "x"}).status_code == 200
    assert put(first, "any", ADDED).status_code == 200
    others = start(declared["chat"], declared["embedding"] | {"name": "others"})
    other = {name: declared["embedding"][name] for name in ("kind", "engine", "max_input_tokens")} | {"dimensions": 8}
    refused = put(others, declared["embedding"]["name"], other)
    assert (refused.status_code, error_of(refused)["code"]) == (409, "embedding_model_fixed")


def test_an_embedding_model_that_never_gave_a_vector_can_be_corrected(running: Any) -> None:
    path = {"kind": "embedding", "engine": "sentence-transformers", "max_input_tokens": 16, "dimensions": 32}
    allowed = path | {"source": {"package": "no_such_package"}}
    assert put(running, "more", allowed).json()["state"] == "failed"
    words = {"kind": "embedding", "engine": "scripted", "max_input_tokens": 16, "dimensions": 16}
    assert put(running, "more", words).status_code == 200


def test_only_the_installation_adds_models(running: Any) -> None:
    for refused in (
        running.client.put("/v1/models/second", json=ADDED, headers=running.headers()),
        running.client.delete("/v1/models/second", headers=running.headers()),
        running.client.put("/v1/models/talker/default", headers=running.headers()),
    ):
        assert refused.status_code == 403


def test_each_answer_names_the_model_that_gave_it_and_a_replaced_one_is_another(running: Any) -> None:
    assert put(running, "second", ADDED).status_code == 200

    def said(path: str, body: dict[str, Any]) -> tuple[str | None, str | None]:
        answered = running.post(path, body)
        assert answered.status_code == 200, answered.text
        name = answered.headers["X-Groundwork-Model"]
        shown = running.get(f"/v1/models/{name}").json()["fingerprint"]
        return answered.headers.get("X-Groundwork-Model-Fingerprint"), shown

    chat = ask() | {"model": "second"}
    for path, body in (
        ("/v1/chat/completions", chat),
        ("/v1/chat/completions", chat | {"stream": True}),
        ("/v1/embeddings", {"input": "x"}),
        ("/v1/rerank", {"query": "x", "documents": ["x"]}),
    ):
        until(lambda path=path, body=body: said(path, body)[0])
        answered, shown = said(path, body)
        assert answered == shown
    first, _ = said("/v1/chat/completions", chat)
    assert put(running, "second", ADDED | {"price": {"prompt_usd_per_million": 1}}).json()["fingerprint"] == first
    assert put(running, "second", ADDED | {"context_length": 128}).status_code == 200
    until(lambda: said("/v1/chat/completions", chat)[0] not in (None, first))
    assert put(running, "second", ADDED).status_code == 200
    until(lambda: said("/v1/chat/completions", chat)[0] == first)
