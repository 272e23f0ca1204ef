"""Every public call, with another tenant's ids in every place: it finds nothing and says nothing.

The calls are read from the running gateway. A new one is tried by itself; what this file can't guess (the body of a
call, the values of a new parameter) it fails for, so that somebody adds an example below.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from tests.e2e.isolation.examples import (
    AGENT,
    ANSWER,
    CHAT,
    DOSSIER,
    IDEMPOTENCY_KEY,
    MAKES_QUESTIONS,
    METADATA,
    MONITOR,
    OPEN,
    PROMPT,
    QUESTIONS,
    RAW,
    SHARED,
    TEXT,
    TITLE,
    TUNED,
    VAULT,
    bodies,
    filters,
)
from tests.support.api.openapi_walk import Operation, operations
from tests.support.home.stack import RunningHome
from tests.support.ingest.peers import until

from contracts.access.keys import KeyPatch
from contracts.retrieval.search import Filter
from groundwork.client import Groundwork


@dataclass(frozen=True)
class Victim:
    """A tenant with something to lose, and all that names it."""

    client: Groundwork
    http: httpx2.Client
    key_id: str
    jobs: tuple[str, ...]
    thread: str
    run: str
    feedback: str
    record: str
    evaluation: str
    sweep: str
    generation: str
    tuning: str
    cursors: tuple[str, ...]
    secrets: tuple[str, ...]
    """What no answer to anybody else may hold."""


@dataclass(frozen=True)
class Attacker:
    """Somebody with a key, and what its key forbids it to learn."""

    name: str
    http: httpx2.Client
    secrets: tuple[str, ...]


def key(home: RunningHome, name: str, tenant: str, **options: Any) -> tuple[str, str]:
    scopes = (
        "chat", "documents", "search", "agents", "agents:write", "feedback:review", "records:read", "records:write",
        "evaluations:read", "evaluations:write",
    )  # fmt: skip
    made = home.client.keys.create(name, tenant=tenant, scopes=scopes, **options)
    home.client.keys.change(made.id, KeyPatch(records="full"))
    return made.id, made.secret


def put(client: Groundwork, collection: str, text: str, document_id: str, **options: Any) -> str:
    client.collections.ensure(collection)
    job = client.documents.add_text(collection, text, document_id=document_id, **options).job
    assert job is not None
    assert client.jobs.wait(job.id).status == "ready"
    return job.id


def start_run(http: httpx2.Client) -> tuple[str, str]:
    """A thread with a run of an agent that knows the secret, and another thread beside it; the ids of the first."""
    assert http.post("/v1/agents", json={"name": AGENT, "instructions": "Keep the xylophone."}).status_code == 201
    thread = http.post("/v1/threads", json={}).json()["id"]
    http.post("/v1/threads", json={})
    run = http.post(f"/v1/threads/{thread}/runs", json={"agent": AGENT, "input": TEXT})
    assert run.status_code == 202, run.text
    return thread, run.json()["id"]


def recorded(http: httpx2.Client) -> str:
    """Answers that were recorded, one by a prompt that keeps a secret, which is rated: the first one's id."""
    bodies = [{**CHAT, "model": f"rag:{VAULT}"}] * 2
    bodies.append({**CHAT, "model": f"prompt:{PROMPT}", "max_tokens": 40, "stop": [" "]})  # a word, but a whole answer
    asked = [http.post("/v1/chat/completions", json=body).json()["id"] for body in bodies]
    until(lambda: all(http.get(f"/v1/records/{one}").status_code == 200 for one in asked), "the records")
    rated = {"answer_id": asked[-1], "rating": "down", "correction": "It is not to be told."}
    assert http.post("/v1/feedback", json=rated).json()["recorded"]
    return str(asked[0])


def publish(http: httpx2.Client) -> None:
    """A model of the victim's own, learnt from its tickets."""
    words = (("late", "where my parcel is"), ("odd", "why my lamp hums"))
    items = [{"question": f"Say {about}, number {n}.", "labels": [label]} for n in range(12) for label, about in words]
    assert http.post("/v1/question-sets", json={"name": "tickets", "items": items}).status_code == 201
    body = {"model": "minilm", "training_file": "set:tickets", "suffix": "triage", "groundwork": {"leaks": "skip"}}
    started = http.post("/v1/fine_tuning/jobs", json={**body, "method": {"type": "classification"}})
    assert started.status_code == 200, started.text
    job = f"/v1/fine_tuning/jobs/{started.json()['id']}"
    until(lambda: http.get(job).json()["status"] in ("succeeded", "failed"), "a tuned model")
    published = http.post(f"{job}/publish")
    assert (published.status_code, published.json().get("fine_tuned_model")) == (200, TUNED), published.text
    until(lambda: http.get(f"/v1/models/{TUNED}").status_code == 200, "a published model")


@pytest.fixture(scope="module")
def victim(home: RunningHome) -> Iterator[Victim]:
    key_id, secret = key(home, "victim", "victim-tenant")
    headers = {"Authorization": f"Bearer {secret}"}
    with (
        Groundwork(home.base_url, secret) as client,
        httpx2.Client(base_url=home.base_url, headers=headers, timeout=60) as http,
    ):
        jobs = [
            put(client, VAULT, TEXT, DOSSIER, title=TITLE, metadata=METADATA),
            put(client, VAULT, f"{TEXT} Twice.", "second-dossier", title=TITLE, metadata=METADATA),
            put(client, SHARED, TEXT, DOSSIER, title=TITLE, metadata=METADATA),
        ]
        body = {"text": TEXT, "document_id": "third-dossier"}
        path = f"/v1/collections/{SHARED}/documents"
        kept = http.post(path, json=body, headers={"Idempotency-Key": IDEMPOTENCY_KEY}).json()
        client.jobs.wait(kept["job"]["id"])
        chunks = [chunk.chunk_id for name in (VAULT, SHARED) for chunk in client.documents.chunks(name, DOSSIER)]
        thread, run = start_run(http)
        secret = {"name": PROMPT, "messages": [{"role": "system", "content": "Keep the xylophone."}]}
        assert http.post("/v1/prompts", json=secret).status_code == 201
        for text in (TEXT, f"{TEXT} Twice."):
            asked = {"name": QUESTIONS, "items": [{"question": text, "answers": ["xylophone"]}]}
            assert http.post("/v1/question-sets", json=asked).status_code == 201
        target = {"question_set": QUESTIONS, "target": {"model": "no-such-wombat"}}
        evaluation = http.post("/v1/evaluations", json=target).json()["id"]
        found = [{"question": f"Where is wombat {n}?", "documents": [DOSSIER]} for n in range(40)]
        assert http.post("/v1/question-sets", json={"name": "places", "items": found}).status_code == 201
        tried = {"collection": VAULT, "question_set": "places", "settings": {"mode": ["sparse"]}}
        sweep = http.post("/v1/sweeps", json=tried).json()["id"]
        wanted = {"collection": VAULT, "count": 1}
        generation = http.post(f"/v1/question-sets/{QUESTIONS}/generate", json=wanted).json()["id"]
        teaches = [{"question": f"What did wombat {n} say?", "answers": ["xylophone"]} for n in range(17)]
        assert http.post("/v1/question-sets", json={"name": "lessons", "items": teaches}).status_code == 201
        tuning = http.post(
            "/v1/fine_tuning/jobs", json={"model": "no-such-wombat", "training_file": "set:lessons"}
        ).json()["id"]
        publish(http)
        watched = {"name": MONITOR, "metrics": {"support": None}}
        assert http.post("/v1/monitors", json=watched).status_code == 201
        said = {"answer_id": ANSWER, "rating": "down", "comment": TEXT, "user": "wombat-keeper"}
        feedback = http.post("/v1/feedback", json=said).json()["id"]
        record = recorded(http)
        pages = ("/v1/collections", f"/v1/collections/{VAULT}/documents", "/v1/jobs", "/v1/threads", "/v1/records")
        cursors = [http.get(page, params={"limit": 1}).json()["next_cursor"] for page in pages]
        assert all(cursors)
        jobs.append(kept["job"]["id"])
        shas = [client.documents.get(VAULT, "second-dossier").sha256]
        words = ("wombat", "xylophone", "quetzal", "Zanzibar", "second-dossier", "third-dossier")
        ids = (thread, run, feedback, record, evaluation, sweep, generation, tuning)
        secrets = (*words, DOSSIER, *chunks, *jobs, *shas, *ids)
        yield Victim(
            client,
            http,
            key_id,
            tuple(jobs),
            thread,
            run,
            feedback,
            record,
            evaluation,
            sweep,
            generation,
            tuning,
            tuple(cursors),
            secrets,
        )


@pytest.fixture(scope="module")
def attackers(home: RunningHome, victim: Victim) -> Iterator[list[Attacker]]:
    _, stranger = key(home, "stranger", "stranger-tenant")
    with Groundwork(home.base_url, stranger) as client:
        put(client, SHARED, "The door is blue.", "door", metadata={"codename": "sparrow", "year": 2001})
    victim.client.collections.ensure(OPEN)
    _, narrow = key(home, "narrow", "victim-tenant", collections=[OPEN])
    names = (VAULT, "victim-tenant", victim.key_id)
    clients = [
        httpx2.Client(base_url=home.base_url, headers={"Authorization": f"Bearer {secret}"}, timeout=60)
        for secret in (stranger, narrow)
    ]
    yield [
        Attacker("another tenant", clients[0], (*victim.secrets, *names)),
        Attacker("a key for another collection", clients[1], (*victim.secrets, VAULT)),
    ]
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def calls(http: httpx2.Client) -> list[Operation]:
    """All calls; those that make or remove something of the attacker's own last, so that it has nothing like the
    victim's while the others are tried.
    """
    last = [
        "POST /v1/collections/{name}/documents:batch",
        "POST /v1/collections/{name}/documents",
        "DELETE /v1/collections/{name}",
        "POST /v1/collections",
        "POST /v1/agents",
        "POST /v1/prompts",
        MAKES_QUESTIONS,
        "POST /v1/question-sets",
        "POST /v1/monitors",
        "POST /v1/evaluations",
        "POST /v1/sweeps",
        "POST /v1/fine_tuning/jobs",
    ]

    def turn(call: Operation) -> int:
        return last.index(call.name) if call.name in last else -2 if call.method == "GET" else -1

    return sorted(operations(http.get("/openapi.json").json()), key=turn)


def path_values(victim: Victim) -> dict[str, tuple[str, ...]]:
    """What stands behind a segment of a path."""
    return {
        "collections": (VAULT, SHARED),
        "documents": (DOSSIER,),
        "pages": ("1",),
        "jobs": (*victim.jobs, victim.tuning),
        "agents": (AGENT,),
        "prompts": (PROMPT,),
        "question-sets": (QUESTIONS,),
        "evaluations": (victim.evaluation,),
        "sweeps": (victim.sweep,),
        "monitors": (MONITOR,),
        "generations": (victim.generation,),
        "versions": ("1",),
        "labels": ("production", "candidate"),
        "threads": (victim.thread,),
        "runs": (victim.run,),
        "keys": (victim.key_id,),
        "records": (victim.record,),
        "tenants": ("victim-tenant",),
        "routes": ("default-chat",),
        "experiments": ("default-chat",),
        "pull": ("pull_0123456789ab",),
        "feedback": (victim.feedback,),
        "reviews": (victim.feedback.replace("fb_", "rev_"),),
        "models": (f"rag:{VAULT}", f"rag:{SHARED},{VAULT}", f"agent:{AGENT}", f"prompt:{PROMPT}", TUNED),
    }


def query_values(victim: Victim) -> dict[str, tuple[str, ...]]:
    return {
        "limit": ("1", "200"),
        "cursor": victim.cursors,
        "status": ("ready", "queued", "failed"),
        "q": ("dossier", "wombat", "%", "_"),
        "collection": (VAULT, SHARED),
        "agent": (AGENT,),
        "tenant": ("victim-tenant",),
        "group_by": ("key", "tenant", "model", "day", "collection"),
        "from": ("2000-01-01T00:00:00Z",),
        "to": ("2100-01-01T00:00:00Z",),
        "revision": ("1",),
        "run_id": (victim.run,),
        "version": ("1",),
        "spans": ("0-5",),
        "mine": ("true", "false"),
        "answer_id": (ANSWER,),
        "user": ("wombat-keeper", victim.key_id),
        "other": ("wombat-keeper",),
        "rating": ("up", "down", "1", "none"),
        "format": ("preference", "kto", "questions"),
        "split": ("train", "test"),
        "test_percent": ("50",),
        "label": ("incorrect", "%"),
        "model": (f"rag:{VAULT}",),
        "state": ("open", "leased", "done", "skipped"),
        "subject": (victim.key_id, "victim-tenant"),
        "abstained": ("true", "false"),
        "error": ("true", "false"),
        "question_set": (QUESTIONS,),
        "with": (victim.evaluation,),
        "measure": ("answer_found", "succeeded"),
        "by": ("target", "version"),
        "metric": ("support", "error_rate"),
        "after": (victim.tuning, f"{victim.tuning}.1"),
    }


def requests(operation: Operation, victim: Victim) -> Iterator[tuple[str, dict[str, str], dict[str, Any]]]:
    """The path, what its parameters are, and the rest of each request that tries a call."""
    values, queries, examples = path_values(victim), query_values(victim), bodies()
    if "generations" in operation.owners.values():
        queries["state"] = ("proposed", "stale")
    assert set(operation.owners.values()) <= set(values), f"{operation.name}: give values in path_values"
    assert set(operation.queries) <= set(queries), f"{operation.name}: give values in query_values"
    assert not operation.takes_json or operation.name in examples, f"{operation.name}: give bodies"
    assert set(operation.media) <= {*RAW, "application/json", "multipart/form-data"}, f"{operation.name}: give RAW"
    headers = {"Idempotency-Key": IDEMPOTENCY_KEY, "X-Request-Id": "mine"}
    for path, given in operation.paths(values):
        for query in operation.query_strings(queries):
            for media in operation.media or ("",):
                if media != "application/json" and (media in RAW or not operation.takes_json):
                    typed = {**headers, "Content-Type": media} if media else headers
                    yield path, given, {"params": query, "headers": typed, "content": RAW.get(media)}
        for body in examples[operation.name] if operation.takes_json else ():
            yield path, given, {"json": body, "headers": headers}
            if operation.name.startswith("POST /v1/collections") and not operation.path.endswith("/search"):
                yield path, given, {"json": body}


def is_foreign(given: dict[str, str], attacker: Attacker) -> bool:
    """Whether the path names something that is not the attacker's."""
    shared_alone = given == {"collections": SHARED} and attacker.name == "another tenant"
    shared = given.get("agents") == AGENT or given.get("prompts") == PROMPT
    shared = shared or given.get("models") in (f"agent:{AGENT}", f"prompt:{PROMPT}", TUNED)
    of_own_tenant = shared and attacker.name != "another tenant"  # agents, prompts and models are the tenant's
    return bool(given) and not shared_alone and not of_own_tenant


@pytest.mark.parametrize("number", [0, 1], ids=["another-tenant", "a-key-for-another-collection"])
def test_no_call_finds_or_tells_anything_of_another(
    calls: list[Operation], victim: Victim, attackers: list[Attacker], number: int
) -> None:
    attacker, told = attackers[number], []
    for operation in calls:
        for path, given, options in requests(operation, victim):
            response = attacker.http.request(operation.method, path, **options)
            assert response.status_code < 500 or response.status_code == 503, (path, options, response.text)
            of_a_new_set = operation.name == MAKES_QUESTIONS and attacker.name == "another tenant"
            if is_foreign(given, attacker) and not of_a_new_set:
                assert response.status_code in (403, 404), (operation.name, path, options, response.text)
            asked = f"{path} {json.dumps(options, default=str)}"
            answer = f"{response.text} {dict(response.headers)}"
            told += [(path, options, word) for word in attacker.secrets if word in answer and word not in asked]
    assert not told, [(path, word) for path, _, word in told]


def test_the_victim_itself_finds_everything_still(victim: Victim) -> None:
    """So that the silence above means something; and nothing was changed."""
    for one in filters():
        hits = victim.client.search(VAULT, "wombat password", filter=Filter.model_validate(one)).hits
        has_pages = "page" not in json.dumps(one)
        assert (DOSSIER in {hit.document_id for hit in hits}) == (("must_not" not in one) == has_pages), one
    assert {document.id for document in victim.client.documents.list(VAULT)} == {DOSSIER, "second-dossier"}
    assert victim.client.documents.text(SHARED, "third-dossier") == TEXT
    assert victim.client.documents.text(VAULT, DOSSIER) == TEXT
    (said,) = victim.http.get("/v1/feedback", params={"answer_id": ANSWER, "rating": "down"}).json()["data"]
    assert (said["id"], said["comment"]) == (victim.feedback, TEXT)
    assert all(victim.client.jobs.get(job).status == "ready" for job in victim.jobs)
    assert victim.client.search(SHARED, "wombat").hits[0].text == TEXT
    assert TEXT in victim.http.get(f"/v1/records/{victim.record}").text
    tuned_with = victim.http.get("/v1/feedback/export", params={"format": "kto"}).text
    assert "Keep the xylophone." in tuned_with, "what the prompt said is on record"
    assert victim.http.get(f"/v1/monitors/{MONITOR}").json()["metrics"] == {"support": None}
    (asked,) = victim.http.get(f"/v1/question-sets/{QUESTIONS}/versions/1/items").json()["data"]
    assert (asked["question"], asked["answers"]) == (TEXT, ["xylophone"])
    assert victim.http.get(f"/v1/threads/{victim.thread}/runs/{victim.run}").json()["input"] == TEXT
