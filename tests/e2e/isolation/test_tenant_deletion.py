"""A tenant that is deleted leaves nothing behind: every store is searched for all that named it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
import redis
from tests.e2e.operations.test_home import SCRIPTED
from tests.support.home.stack import RunningHome, running_home, usage_at_rest

from gateway.admin.tenant_deletion import digest
from groundwork.client import Groundwork
from groundwork.errors import ApiError

TENANT, COLLECTION, AGENT, DOCUMENT = "quetzalcorp", "wombatvault", "quokkabot", "numbat-report"
TEXTS = ("The xylophonic zebra sleeps under the bandicoot bridge.", "The wallaroo password is marzipan cathedral.")
WORDS = ("xylophonic", "bandicoot", "wallaroo", "marzipan", "platypusquestion", "echidnagoal")
SETTINGS = {
    **SCRIPTED,
    "INGEST_TENANT_DELETION_SECONDS": "2",
    "INGEST_LEASE_SECONDS": "10",
    "GATEWAY_CACHE_SECONDS": "600",
}
SECONDS = 300.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHome]:
    """A home of its own, since all that is in it is searched."""
    with running_home(tmp_path_factory.mktemp("tenants") / "home", SETTINGS) as running:
        yield running


def live(home: RunningHome, tenant: str) -> tuple[list[str], str]:
    """A tenant that has used everything there is; all that names it or is known by it alone, and its key."""
    limits = {"requests_per_minute": 1000, "tokens_per_minute": 1_000_000}
    headers = {"Authorization": f"Bearer {home.admin_key}"}
    budgets = [{"window": "day", "usd": "5"}]
    scopes = ["chat", "documents", "search", "agents", "agents:write", "evaluations:write"]
    wanted = {"name": f"{tenant}-key", "tenant": tenant, "scopes": scopes}
    with httpx2.Client(base_url=home.base_url, headers=headers) as admin:
        made = admin.post("/v1/keys", json={**wanted, "limits": limits, "budgets": budgets}).json()
        admin.patch(f"/v1/tenants/{tenant}", json={"limits": limits, "budgets": budgets})
    own = {"Authorization": f"Bearer {made['secret']}", "X-Request-Id": f"{tenant}-request"}
    names = [made["id"], f"{tenant}-request", f"{tenant}-idempotency"]
    http = httpx2.Client(base_url=home.base_url, headers=own, timeout=60)
    with Groundwork(home.base_url, made["secret"]) as client, http:
        client.collections.ensure(COLLECTION)
        for text in TEXTS:
            job = client.documents.add_text(COLLECTION, text, document_id=DOCUMENT, title=f"{tenant} title").job
            assert job is not None
            client.jobs.wait(job.id)
            names.append(job.id)
        path = f"/v1/collections/{COLLECTION}/documents"
        body = {"text": f"{TEXTS[0]} Again.", "document_id": "second-numbat"}
        again = http.post(path, json=body, headers={"Idempotency-Key": f"{tenant}-idempotency"}).json()
        client.jobs.wait(again["job"]["id"])
        client.documents.delete(COLLECTION, "second-numbat")
        client.search(COLLECTION, "platypusquestion")
        chat = {"model": f"rag:{COLLECTION}", "messages": [{"role": "user", "content": "marzipan platypusquestion?"}]}
        assert http.post("/v1/chat/completions", json=chat, timeout=60).status_code == 200
        plain = {"messages": [{"role": "user", "content": "echidnagoal"}], "max_tokens": 5, "model": "default"}
        assert http.post("/v1/chat/completions", json=plain, timeout=60).status_code == 200
        client.agents.save(AGENT, {"instructions": "Remember the echidnagoal."})
        prompt = {"name": AGENT, "messages": [{"role": "system", "content": "Greet the echidnagoal."}], "label": "own"}
        assert http.post("/v1/prompts", json=prompt).status_code == 201
        client.question_sets.save(AGENT, [{"question": "platypusquestion?", "answers": [TEXTS[0]]}])
        names.append(client.question_generation.start(AGENT, COLLECTION, count=1).id)
        thread = client.threads.create({"about": "wallaroo"})
        run = client.runs.start(thread.id, AGENT, "What is the wallaroo password?")
        for _ in client.runs.events(thread.id, run.id, timeout=SECONDS):
            pass  # to the end
        names += [thread.id, run.id]
    return names, made["secret"]


def found(home: RunningHome, needles: list[str]) -> dict[str, set[str]]:
    """Where each of these is: in the bytes of a file, in a row of a table, in a key or a value of Redis."""
    places: dict[str, set[str]] = {needle: set() for needle in needles}

    def look(where: str, text: str) -> None:
        for needle in needles:
            if needle in text:
                places[needle].add(where)

    data = home.home.root / "data"
    for file in data.rglob("*"):
        look(f"name of {file.relative_to(data)}", str(file.relative_to(data)))
        if file.is_file():
            look(str(file.relative_to(data)), file.read_bytes().decode("latin-1"))
    for database in data.glob("*/*.sqlite"):
        _look_into_tables(database, look)
    url = f"redis://:{home.home.secret('redis.password')}@127.0.0.1:{home.state.ports['valkey']}/0"
    with redis.Redis.from_url(url, decode_responses=True) as client:
        for key in client.scan_iter(count=1000):
            look("redis", f"{key} {_value(client, str(key))}")
    return {needle: where for needle, where in places.items() if where}


def _look_into_tables(database: Path, look: Any) -> None:
    connection = sqlite3.connect(database)
    try:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # its own names
                look(f"{database.stem}.{table}", str(row))
    finally:
        connection.close()


def _value(client: Any, key: str) -> Any:
    read = {
        "string": client.get,
        "hash": client.hgetall,
        "set": client.smembers,
        "list": lambda name: client.lrange(name, 0, -1),
        "zset": lambda name: client.zrange(name, 0, -1),
    }
    kind = client.type(key)
    return read[kind](key) if kind in read else ""


def _hits(client: Groundwork) -> list[tuple[Any, ...]]:
    """What a search finds; scores to three places, since the engine was started anew meanwhile."""
    hits = client.search(COLLECTION, "wallaroo password").hits
    return [(hit.document_id, hit.revision, hit.chunk_id, hit.text, round(hit.score, 3)) for hit in hits]


def test_a_deleted_tenant_leaves_nothing_behind_though_workers_are_killed_meanwhile(home: RunningHome) -> None:
    names, secret = live(home, TENANT)
    _, other = live(home, "neighbour")
    needles = [TENANT, *names]
    there = found(home, needles)
    assert set(there) == set(needles), "the search finds what is there"
    assert "redis" in there[TENANT]
    with Groundwork(home.base_url, other) as neighbour:
        hits = _hits(neighbour)
    assert hits
    before = usage_at_rest(home)
    headers = {"Authorization": f"Bearer {home.admin_key}"}
    with httpx2.Client(base_url=home.base_url, headers=headers, timeout=60) as admin:
        accepted = admin.delete(f"/v1/tenants/{TENANT}")
        assert accepted.status_code == 202, accepted.text
        with Groundwork(home.base_url, secret) as gone, pytest.raises(ApiError) as refused:
            gone.collections.get(COLLECTION)
        assert refused.value.code == "key_revoked"
        assert admin.post("/v1/keys", json={"name": "x", "tenant": TENANT, "scopes": ["chat"]}).status_code == 409
        for program in ("worker", "retriever", "worker"):
            psutil.Process(home.supervisor.processes()[program].pid).kill()
            _until_back(home, program)
        again = admin.delete(f"/v1/tenants/{TENANT}")
        assert again.json()["job"]["id"] == accepted.json()["job"]["id"]
        job = home.client.jobs.wait(accepted.json()["job"]["id"], timeout=SECONDS)
        assert (job.status, job.kind) == ("ready", "tenant_deletion")
        assert admin.get(f"/v1/tenants/{TENANT}").status_code == 404
        assert found(home, needles) == {}
        acts = admin.get("/v1/audit", params={"subject": digest(TENANT)}).json()["data"]
        assert [act["action"] for act in acts] == ["tenant.deleted"]
        assert admin.delete(f"/v1/tenants/{TENANT}").status_code == 404
    assert usage_at_rest(home) == before, "what it cost stays in the sums"
    with Groundwork(home.base_url, other) as neighbour:
        assert _hits(neighbour) == hits, "nobody else lost anything"


def test_its_words_are_gone_when_the_last_who_has_them_is_and_the_name_is_free_again(home: RunningHome) -> None:
    """Both tenants had the same documents, so that a word is found as long as one of them is there."""
    assert set(found(home, list(WORDS))) >= {"wallaroo", "marzipan", "echidnagoal"}
    job = home.client.tenants.delete("neighbour")
    home.client.jobs.wait(job.id, timeout=SECONDS)
    assert found(home, [*WORDS, "neighbour", COLLECTION, AGENT, DOCUMENT]) == {}
    names, _ = live(home, TENANT)
    assert set(found(home, names[:1])) == set(names[:1])


def test_a_tenant_can_not_be_deleted_by_its_own_key_nor_by_one_without_admin(home: RunningHome) -> None:
    made = home.client.keys.create("plain", tenant="third", scopes=("chat",))
    tried = ((home.admin_key, "default", 409), (made.secret, "third", 403), (home.admin_key, "nobody", 404))
    for key, name, status in tried:
        with httpx2.Client(base_url=home.base_url, headers={"Authorization": f"Bearer {key}"}) as http:
            assert http.delete(f"/v1/tenants/{name}").status_code == status


def _until_back(home: RunningHome, program: str) -> None:
    pause = threading.Event()
    for _ in range(int(SECONDS * 10)):
        try:
            with httpx2.Client(base_url=home.inner_url(program), timeout=60) as http:
                if http.get("/healthz").status_code == 200:
                    return
        except httpx2.HTTPError:
            pause.wait(0.1)
    raise AssertionError(f"{program} did not come back")
