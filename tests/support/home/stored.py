"""A home of one version, filled and looked at by the public API alone, and kept as an archive for later versions.

`python -m tests.support.home.stored` stores one of the version that is installed (`make stored-home`).
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

FOLDER = Path(__file__).resolve().parents[2] / "e2e" / "operations" / "homes"
KEPT = "kept.json"
LEFT_OUT = ("logs", "run", "backups")
SECONDS = 300.0
BEGIN = "2026-01-01T00:00:00Z"
FERRY = "The ferry to Anholt leaves at {} from pier four. A bicycle costs nine euros. Dogs travel free of charge.\n\n"
LIGHT = "The lighthouse of Skagen is forty-six metres high. It was built in 1858 and burns an electric lamp today.\n"
PRICES = "berth,metres,euros a night\nA1,9,21\nA2,12,28\nB1,15,36\n"
QUESTIONS = ("When does the ferry to Anholt leave?", "How high is the lighthouse of Skagen?")
DOCUMENT = ("id", "title", "source", "media_type", "bytes", "sha256", "revision", "status", "chunks", "metadata")
USAGE = ("group", "requests", "prompt_tokens", "completion_tokens", "embedding_tokens", "cost_usd")
LIMITS = {"requests_per_minute": 90, "tokens_per_minute": 50_000, "concurrency": 3}
BUDGETS = [{"window": "month", "usd": 25}]


def fill(http: httpx2.Client) -> dict[str, Any]:
    """Put a little of everything that 0.1.0 had into a fresh home; `http` carries the admin key.

    What only the first answer says is in what is returned; `look` adds what any later call says, too.
    """
    _post(http, "/v1/collections", {"name": "harbour", "description": "Ferries, lights and berths"})
    _document(http, {"text": FERRY.format("half past nine"), "document_id": "ferry", "title": "Ferry"})
    _document(http, {"text": FERRY.format("ten o'clock"), "document_id": "ferry", "title": "Ferry"})
    _document(http, {"text": LIGHT, "document_id": "light", "title": "Lighthouse", "metadata": {"town": "Skagen"}})
    _document(http, {"text": "The kiosk is closed.", "document_id": "gone"})
    http.delete("/v1/collections/harbour/documents/gone").raise_for_status()
    sent = http.post("/v1/collections/harbour/documents", files={"file": ("berths.csv", PRICES.encode(), "text/csv")})
    _await_job(http, sent.raise_for_status().json()["job"]["id"])
    key = _post(http, "/v1/keys", {"name": "guest", "tenant": "guests", "scopes": ["search"], "limits": LIMITS})
    http.patch("/v1/tenants/guests", json={"budgets": BUDGETS}).raise_for_status()
    agent = {"name": "clerk", "model": "smollm2", "instructions": "Answer in one word.", "tools": []}
    _post(http, "/v1/agents", agent)
    thread = _post(http, "/v1/threads", {})["id"]
    run = _post(http, f"/v1/threads/{thread}/runs", {"agent": "clerk", "input": "Is ice cold?"})["id"]
    _await_run(http, thread, run)
    for question in QUESTIONS:
        message = {"role": "user", "content": question}
        _post(http, "/v1/chat/completions", {"model": "rag:harbour", "messages": [message]})
    embedding_model = http.get("/v1/collections/harbour").json()["embedding_model"]
    _post(http, "/v1/embeddings", {"model": embedding_model, "input": "ice"})
    kept = {"guest": key["secret"], "thread": thread, "run": run, "until": _books_closed(http)}
    return kept | {"seen": look(http, kept)}


def look(http: httpx2.Client, kept: dict[str, Any]) -> dict[str, Any]:
    """What callers see of what `fill` left, in words that no later version may change."""
    harbour = "/v1/collections/harbour"
    documents = {document["id"]: document for document in _get(http, f"{harbour}/documents")["data"]}
    thread = f"/v1/threads/{kept['thread']}"
    run = _get(http, f"{thread}/runs/{kept['run']}")
    usage = _get(http, f"/v1/usage?group_by=model&from={BEGIN}&to={kept['until']}")["data"]
    guest = {"Authorization": f"Bearer {kept['guest']}"}
    keys = [key for key in _get(http, "/v1/keys")["data"] if key["name"] == "guest"]
    tenant = _get(http, "/v1/tenants/guests")
    return {
        "collection": _some(_get(http, harbour), ("name", "description", "embedding_model", "documents", "chunks")),
        "documents": {name: _some(document, DOCUMENT) for name, document in sorted(documents.items())},
        "texts": {name: http.get(f"{harbour}/documents/{name}/text").text for name in sorted(documents)},
        "earlier text": http.get(f"{harbour}/documents/ferry/text?revision=1").text,
        "bytes": {name: http.get(f"{harbour}/documents/{name}/content").text for name in sorted(documents)},
        "chunks": {name: _chunks(http, f"{harbour}/documents/{name}/chunks") for name in sorted(documents)},
        "found": {question: _found(http, question) for question in QUESTIONS},
        "answered": {question: _answered(http, question) for question in QUESTIONS},
        "agent": _some(_get(http, "/v1/agents/clerk"), ("name", "model", "instructions", "tools")),
        "history": [_some(message, ("role", "content")) for message in _get(http, f"{thread}/history")["data"]],
        "run": _some(run, ("id", "status", "usage")),
        "usage": [_some(row, USAGE) for row in usage],
        "keys": [_some(key, ("id", "name", "tenant", "scopes", "limits")) for key in keys],
        "tenant": [_some(budget, ("window", "usd")) for budget in tenant["budgets"]],
        "a guest's limits": [
            http.get("/v1/collections", headers=guest).status_code,
            http.post("/v1/threads", json={}, headers=guest).status_code,
        ],
    }


def as_stored(seen: dict[str, Any]) -> dict[str, Any]:
    """As JSON gives it back."""
    said: dict[str, Any] = json.loads(json.dumps(seen))
    return said


def pack(home: Path, kept: dict[str, Any], file: Path) -> None:
    """A stopped home and what was seen in it, as an archive; without what a start makes anew."""
    (home / KEPT).write_text(json.dumps(kept, indent=1))
    with tarfile.open(file, "w:xz", preset=9) as archive:
        for entry in sorted(home.iterdir()):
            if entry.name not in LEFT_OUT and not entry.is_socket():
                archive.add(entry, entry.name)


def unpack(file: Path, home: Path) -> dict[str, Any]:
    """The home that an archive holds; returns what was seen in it."""
    home.mkdir(mode=0o700)
    with tarfile.open(file) as archive:
        archive.extractall(home, filter="tar")
    kept: dict[str, Any] = json.loads((home / KEPT).read_text())
    (home / KEPT).unlink()
    return kept


def _some(told: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: told.get(name) for name in names}


def _get(http: httpx2.Client, path: str) -> dict[str, Any]:
    told: dict[str, Any] = http.get(path).raise_for_status().json()
    return told


def _post(http: httpx2.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = http.post(path, json=body).raise_for_status().json()
    return told


def _document(http: httpx2.Client, body: dict[str, Any]) -> None:
    _await_job(http, _post(http, "/v1/collections/harbour/documents", body)["job"]["id"])


def _await_job(http: httpx2.Client, job: str) -> None:
    _await(http, f"/v1/jobs/{job}", "ready")


def _await_run(http: httpx2.Client, thread: str, run: str) -> None:
    _await(http, f"/v1/threads/{thread}/runs/{run}", "completed", "limit_reached")


def _await(http: httpx2.Client, path: str, *ends: str) -> None:
    deadline, pause = time.monotonic() + SECONDS, threading.Event()
    while (status := _get(http, path)["status"]) not in ends:
        if time.monotonic() > deadline or status in ("failed", "cancelled"):
            raise AssertionError(f"{path}: {status}")
        pause.wait(0.2)


def _books_closed(http: httpx2.Client) -> str:
    """A time by which the usage of all that was done is written: rows are written behind calls, in groups."""
    until = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    pause, quiet, last = threading.Event(), 0, None
    while quiet < 6:
        pause.wait(0.5)
        now = _get(http, f"/v1/usage?group_by=model&from={BEGIN}&to={until}")["data"]
        quiet, last = (quiet + 1 if now == last else 0), now
    return until


def _chunks(http: httpx2.Client, path: str) -> list[Any]:
    return [_some(chunk, ("text", "start", "end")) for chunk in _get(http, path)["data"]]


def _found(http: httpx2.Client, question: str) -> list[Any]:
    hits = _post(http, "/v1/collections/harbour/search", {"query": question, "limit": 1, "mode": "hybrid"})["hits"]
    return [_some(hit, ("document_id", "revision", "text", "start", "end")) for hit in hits]


def _answered(http: httpx2.Client, question: str) -> list[Any]:
    message = {"role": "user", "content": question}
    answer = _post(http, "/v1/chat/completions", {"model": "rag:harbour", "messages": [message]})
    annotations = answer["choices"][0]["message"]["annotations"]
    return sorted({annotation["document_id"] for annotation in annotations if "document_id" in annotation})


def main() -> int:
    """Fill and store a home of the version that is installed."""
    from tests.support.home.stack import running_home

    from servicekit.core.version import package_version

    version = package_version("servicekit")
    folder = Path(tempfile.mkdtemp(prefix="stored-home-"))
    try:
        with running_home(folder / "home") as home:
            headers = {"Authorization": f"Bearer {home.admin_key}"}
            with httpx2.Client(base_url=home.base_url, headers=headers, timeout=SECONDS) as http:
                kept = fill(http)
        pack(folder / "home", kept, FOLDER / f"{version}.tar.xz")
    finally:
        shutil.rmtree(folder)
    sys.stdout.write(f"stored {FOLDER / version}.tar.xz; add it to {FOLDER / 'README.md'}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
