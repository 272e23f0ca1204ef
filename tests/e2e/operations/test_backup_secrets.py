"""A backup has the grants of what is under way, and no other secret: every member of one is searched."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import httpx2
import pytest
from tests.e2e.operations.test_home import groundwork
from tests.support.agent.calling_model import calling_model
from tests.support.home.all_kinds import write_models
from tests.support.home.stack import RunningHome, running_home
from tests.support.ingest.peers import until

from contracts.access.keys import Budget
from contracts.agents.runs import Decision
from groundwork.client import Groundwork
from servicekit.backup.file import BackupFile

SECONDS = 300.0
MANY = 400
"""Questions for a model that takes two seconds for each: no evaluation of them ends before it is ended."""
TEXT = "The lighthouse at cape {} blinks every nine seconds, and its keeper goes up at six in the evening."
TOKEN = re.compile(rb"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{16,}")
UNDER_WAY = {"queued", "running", "waiting_approval"}
ENDED = {"ready", "completed", "succeeded", "failed", "cancelled"}
CLERK = {"model": "calls", "instructions": "Multiply.", "tools": ["calculator"]}
Place = tuple[str, str]
"""A table, as `service/table`, and the id of a row."""


@dataclass
class Made:
    """What was done in a home before it was backed up."""

    ended: dict[Place, str] = field(default_factory=dict)
    """What has ended, and how."""
    waiting: set[Place] = field(default_factory=set)
    """What goes on after a restore."""
    secrets: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, BackupFile]:
    """Jobs and runs that ended in every way, and some that can't go on, with the backup that was made then."""
    folder, made = tmp_path_factory.mktemp("secrets"), Made()
    with calling_model() as calling:
        settings = {"INFERENCE_MODELS_FILE": str(write_models(folder / "models.yaml", calling))}
        with running_home(folder / "home", settings) as home:
            _keys(home, made)
            _jobs(home, made)
            _runs(home, made)
            _improvement(home, made)
            done = groundwork(home.home, "backup", "--everything", str(folder / "everything.tar"))
            assert done.returncode == 0, done.stderr
    return made, BackupFile(folder / "everything.tar")


def _reached(get: Callable[[], Any], *statuses: str) -> str:
    """The status of what comes to one of these."""
    until(lambda: get().status in statuses, f"it is {' or '.join(statuses)}", SECONDS)
    status: str = get().status
    return status


def _keys(home: RunningHome, made: Made) -> None:
    """Keys that were made, rotated and revoked, a browser that is signed in, and what the home keeps for itself."""
    keys, secrets = home.client.keys, made.secrets
    first = keys.create("reader", tenant="acme", scopes=("search",))
    gone = keys.create("gone", tenant="acme", scopes=("search",))
    keys.revoke(gone.id)
    secrets |= {"key": first.secret, "rotated": keys.rotate(first.id).secret, "revoked": gone.secret}
    headers = {"Authorization": f"Bearer {home.admin_key}"}
    with httpx2.Client(base_url=home.base_url, headers=headers, timeout=60) as admin:
        spec = {"name": "again", "tenant": "acme", "scopes": ["chat"]}
        again = admin.post("/v1/keys", json=spec, headers={"Idempotency-Key": "made-once"})
        secrets |= {"made once": again.json()["secret"], "sign-in": admin.post("/v1/session/token").json()["token"]}
        session = admin.post("/v1/session")
        cookie = session.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
        secrets |= {"cookie": cookie, "form": session.json()["session"]["csrf_token"]}
    for file in (home.home.root / "keys").iterdir():
        if file.suffix != ".pub":
            secrets[file.name] = max(file.read_text().splitlines(), key=len)


def _jobs(home: RunningHome, made: Made) -> None:
    """Of documents: of a key that may spend less than a document costs they wait for ever."""
    table, client = "ingest/jobs", home.client
    client.collections.ensure("capes")
    ready = client.documents.add_text("capes", TEXT.format(1), document_id="one").job
    failed = client.documents.upload("capes", b"%PDF-1.7 and no more", filename="broken.pdf").job
    assert ready is not None
    assert failed is not None
    for job, what in ((ready, "ready"), (failed, "failed")):
        made.ended[table, job.id] = _reached(partial(client.jobs.get, job.id), what)
    poor = client.keys.create(
        "poor", tenant="default", scopes=("documents",), budgets=[Budget(window="month", usd=Decimal("0.000001"))]
    )
    with Groundwork(home.base_url, poor.secret) as caller:
        jobs: dict[str, str] = {}
        for what in ("waiting", "cancelled", "superseded", "deleted"):
            queued = caller.documents.add_text("capes", TEXT.format(what), document_id=what).job
            assert queued is not None
            jobs[what] = queued.id
        until(lambda: {caller.jobs.get(each).waiting_on for each in jobs.values()} == {"budget"}, "all wait", SECONDS)
        caller.jobs.cancel(jobs["cancelled"])
        caller.documents.delete("capes", "deleted")
        newer = caller.documents.add_text("capes", TEXT.format("newer"), document_id="superseded").job
        assert newer is not None
        for what in ("cancelled", "superseded", "deleted"):
            made.ended[table, jobs[what]] = _reached(partial(caller.jobs.get, jobs[what]), "cancelled")
    made.waiting |= {(table, jobs["waiting"]), (table, newer.id)}


def _runs(home: RunningHome, made: Made) -> None:
    """Of agents: one that waits for a person does so until somebody decides, or its key is revoked by then."""
    client, table = home.client, "agent/runs"
    client.agents.save("clerk", CLERK)
    client.agents.save("asking", {**CLERK, "approval": {"tools": ["calculator"]}})
    brief = client.keys.create("passing", tenant="default", scopes=("agents", "chat"))

    def start(caller: Groundwork, agent: str) -> tuple[str, str]:
        thread = caller.threads.create().id
        return thread, caller.runs.start(thread, agent, "What is 6 times 7?").id

    with Groundwork(home.base_url, brief.secret) as passing:
        runs = {
            "completed": start(client, "clerk"),
            "cancelled": start(client, "asking"),
            "waiting_approval": start(client, "asking"),
            "failed": start(passing, "asking"),
        }
    for what, run in runs.items():
        _reached(partial(client.runs.get, *run), "completed" if what == "completed" else "waiting_approval")
    client.runs.cancel(*runs["cancelled"])
    client.keys.revoke(brief.id)
    (call,) = client.runs.get(*runs["failed"]).pending_tool_calls
    client.runs.resume(*runs["failed"], [Decision(tool_call_id=call.id, action="approve")])
    made.waiting.add((table, runs.pop("waiting_approval")[1]))
    for what, run in runs.items():
        made.ended[table, run[1]] = _reached(partial(client.runs.get, *run), what)


def _improvement(home: RunningHome, made: Made) -> None:
    """Of the lab: one of each kind that comes to its end, one that is cancelled, one whose key is revoked meanwhile."""
    client = home.client
    questions = [{"question": f"What blinks, {n}?", "documents": ["one"], "labels": [f"l{n % 2}"]} for n in range(MANY)]
    client.question_sets.save("many", questions)
    client.question_sets.save("few", questions[:24])
    done = client.evaluations.start("few", "scripted-chat").id
    kinds = {
        "lab/evaluations": (client.evaluations.get, done),
        "lab/sweeps": (client.sweeps.get, client.sweeps.start("capes", "few", {"mode": ["hybrid", "sparse"]}).id),
        "lab/tuning_jobs": (
            client.tuning.get,
            client.tuning.start("few", "scripted-embedding", method="classification").id,
        ),
        "lab/question_generations": (
            lambda run: client.question_generation.get("few", run),
            client.question_generation.start("few", "capes", count=2).id,
        ),
    }
    for table, (get, job_id) in kinds.items():
        made.ended[table, job_id] = _reached(partial(get, job_id), *ENDED)
    again = client.keys.create("brief", tenant="default", scopes=("chat", "evaluations:write"))
    with Groundwork(home.base_url, again.secret) as brief:
        slow = {
            "cancelled": client.evaluations.start("many", "slow"),
            "failed": brief.evaluations.start("many", "slow"),
        }
    client.keys.revoke(again.id)
    client.evaluations.cancel(slow["cancelled"].id)
    for what, evaluation in slow.items():
        made.ended["lab/evaluations", evaluation.id] = _reached(partial(client.evaluations.get, evaluation.id), what)


def _texts(said: Any) -> Iterator[bytes]:
    """All texts in a row, also those of columns of bytes."""
    if isinstance(said, dict | list):
        for each in (*said, *said.values()) if isinstance(said, dict) else said:
            yield from _texts(each)
    elif isinstance(said, str):
        yield said.encode()
        with suppress(binascii.Error, ValueError):
            yield base64.b64decode(said, validate=True)


def _rows(backup: BackupFile) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row of a backup, with its table."""
    for name, content in backup.members(""):
        service, _, member = name.partition("/")
        if member.startswith("sql/") and member.endswith(".jsonl"):
            for line in content:
                yield f"{service}/{member.split('/')[1]}", json.loads(line)


def test_only_what_is_under_way_has_a_grant_in_a_backup(made: tuple[Made, BackupFile]) -> None:
    known, backup = made
    there: dict[Place, str] = {}
    with_tokens: dict[Place, str] = {}
    for table, row in _rows(backup):
        place = table, str(row.get("id") or row.get("job_id"))
        there[place] = row.get("status", "")
        grant = (row.pop("grant_token", None) or "").encode()
        assert not any(TOKEN.search(text) for text in _texts(row)), f"a token beside grants, in {place}"
        if grant:
            assert TOKEN.search(grant), "what is looked for is what grants look like"
            with_tokens[place] = there[place]
    assert known.ended.items() <= there.items(), "what has ended is in it, and how"
    assert {"ready", "completed", "failed", "cancelled"} <= set(known.ended.values())
    assert known.waiting <= set(with_tokens), "what waits goes on after a restore"
    owed = {place for place in with_tokens if place[0] == "lab/tuning_charges"}  # until the ledger has what a job cost
    ended = {place: status for place, status in with_tokens.items() if place not in owed and status not in UNDER_WAY}
    assert not ended


def test_no_member_of_a_backup_has_a_key_a_password_or_a_session(made: tuple[Made, BackupFile]) -> None:
    known, backup = made
    assert {"key", "cookie", "sign-in", "admin.key", "delegation.key", "redis.password"} <= set(known.secrets)
    assert all(len(secret) >= 20 for secret in known.secrets.values())
    assert any(b"secret_hash" in content.read() for _, content in backup.members("gateway/sql/keys/")), "digests are"
    for name, content in backup.members(""):
        read = content.read()
        lines = read.splitlines() if name.endswith(".jsonl") else []
        texts = b"\n".join([read, *(text for line in lines for text in _texts(json.loads(line)))])
        assert not [what for what, secret in known.secrets.items() if secret.encode() in texts], name
        assert lines or not TOKEN.search(texts), name
