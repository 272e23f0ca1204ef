"""What is wrong with a call is said with its status, its code and what to do about it."""

from __future__ import annotations

import io
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from reportlab.pdfgen.canvas import Canvas
from tests.support.home.stack import RunningHome

from contracts.core.errors import ErrorBody, ErrorEnvelope
from groundwork.stack.supervision.processes import memory

COLLECTION = "bad-input"
DOCUMENTS = f"/v1/collections/{COLLECTION}/documents"
CHAT = "/v1/chat/completions"
PDF = "application/pdf"


@dataclass(frozen=True)
class Bad:
    """One bad call, and the answer that it deserves."""

    name: str
    method: str
    path: str
    status: int
    code: str
    says: str
    """A pattern of the message."""
    options: dict[str, Any] = field(default_factory=dict)


def upload(name: str, content: bytes, kind: str) -> dict[str, Any]:
    return {"files": {"file": (name, content, kind)}}


def question(model: str) -> dict[str, Any]:
    return {"json": {"model": model, "messages": [{"role": "user", "content": "Why?"}]}}


TABLE = (
    Bad("no key", "GET", "/v1/models", 401, "missing_key", r"key", {"headers": {"Authorization": ""}}),
    Bad(
        "wrong key", "GET", "/v1/models", 401, "unknown_key", r"key", {"headers": {"Authorization": "Bearer gw-wrong"}}
    ),
    Bad("unknown collection", "GET", "/v1/collections/nowhere", 404, "collection_not_found", r"nowhere"),
    Bad(
        "search of an unknown collection",
        "POST",
        "/v1/collections/nowhere/search",
        404,
        "collection_not_found",
        r"nowhere",
        {"json": {"query": "x"}},
    ),
    Bad(
        "question to an unknown collection",
        "POST",
        CHAT,
        404,
        "collection_not_found",
        r"nowhere",
        question("rag:nowhere"),
    ),
    Bad("unknown model", "POST", CHAT, 404, "model_not_found", r"no-such-model", question("no-such-model")),
    Bad("unknown document", "GET", f"{DOCUMENTS}/nothing", 404, "document_not_found", r"nothing"),
    Bad("unknown job", "GET", "/v1/jobs/nothing", 404, "job_not_found", r"job"),
    Bad("unknown path", "GET", "/v1/nothing", 404, "not_found", r"openapi"),
    Bad("empty file", "POST", DOCUMENTS, 400, "empty_file", r"empty", upload("empty.txt", b"", "text/plain")),
    Bad(
        "unsupported type",
        "POST",
        DOCUMENTS,
        415,
        r"unsupported.*",
        r"(?i)pdf",
        upload("a.png", b"\x89PNG\r\n\x1a\n" + bytes(64), "image/png"),
    ),
    Bad(
        "malformed JSON",
        "POST",
        f"/v1/collections/{COLLECTION}/search",
        422,
        "malformed_json",
        r"JSON",
        {"content": b'{"query": ', "headers": {"Content-Type": "application/json"}},
    ),
    Bad(
        "unknown field",
        "POST",
        f"/v1/collections/{COLLECTION}/search",
        422,
        "invalid_body",
        r"limmit",
        {"json": {"query": "x", "limmit": 3}},
    ),
    Bad(
        "unknown value",
        "POST",
        f"/v1/collections/{COLLECTION}/search",
        422,
        "invalid_body",
        r"mode",
        {"json": {"query": "x", "mode": "psychic"}},
    ),
    Bad("bad name", "POST", "/v1/collections", 422, "invalid_body", r"name", {"json": {"name": "No Spaces!"}}),
    Bad("name taken", "POST", "/v1/collections", 409, "collection_exists", COLLECTION, {"json": {"name": COLLECTION}}),
    Bad("no moderation", "POST", "/v1/moderations", 404, "no_moderation", r"moderates", {"json": {"input": "x"}}),
    Bad("no classifier", "POST", "/v1/classify", 404, "no_classifier", r"labels", {"json": {"input": "x"}}),
    Bad(
        "no reranker", "POST", "/v1/rerank", 404, "no_reranker", r"rerank", {"json": {"query": "x", "documents": ["y"]}}
    ),
)


@pytest.fixture(scope="module", autouse=True)
def collection(home: RunningHome) -> str:
    return home.client.collections.ensure(COLLECTION).name


def error_of(response: httpx2.Response) -> ErrorBody:
    return ErrorEnvelope.model_validate_json(response.content).error


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name.replace(" ", "-"))
def test_bad_input_is_answered_with_what_to_do(http: httpx2.Client, bad: Bad) -> None:
    response = http.request(bad.method, bad.path, **bad.options)
    error = error_of(response)
    assert response.status_code == bad.status, response.text
    assert re.fullmatch(bad.code, error.code), error
    assert re.search(bad.says, error.message), error
    assert error.request_id == response.headers["X-Request-Id"]


def test_an_oversize_upload_is_refused_by_its_declared_length_before_any_byte_of_it(home: RunningHome) -> None:
    head = (
        f"POST {DOCUMENTS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {home.admin_key}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {10**12}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", home.state.ports["gateway"]), timeout=60) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_an_oversize_upload_of_undeclared_length_is_refused_without_holding_it(
    home: RunningHome, http: httpx2.Client
) -> None:
    piece, limit, room = b"x" * 1_000_000, 104_857_600, 50_000_000

    def body() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.txt"\r\n\r\n'
        for _ in range(3 * limit // len(piece)):
            yield piece
        yield b"\r\n--b--\r\n"

    before = resident(home)
    with highest(lambda: resident(home)) as peak:
        response = http.post(DOCUMENTS, content=body(), headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert response.status_code == 413
    assert error_of(response).code == "too_large"
    assert all(peak[name] - before[name] < room for name in before)
    assert list(home.client.documents.list(COLLECTION, q="big.txt")) == []


@contextmanager
def highest(look: Callable[[], dict[str, int]]) -> Iterator[dict[str, int]]:
    """The highest of each figure while the block runs, filled in when it ends."""
    peak, over = look(), threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            for name, figure in look().items():
                peak[name] = max(peak[name], figure)

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield peak
        finally:
            over.set()
            watching.result()


def resident(home: RunningHome) -> dict[str, int]:
    """Bytes that the processes an upload passes through hold, kept bytes on disk not counted."""
    states = home.supervisor.processes()
    return {name: memory(states[name].pid).resident for name in ("gateway", "ingest")}


def test_a_broken_pdf_fails_its_own_job_with_a_code(home: RunningHome) -> None:
    broken = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\nxref\n0 0\ntrailer << /Root 1 0 R"
    accepted = home.client.documents.upload(COLLECTION, broken, filename="broken.pdf", media_type=PDF)
    assert accepted.job is not None
    states = list(home.client.jobs.events(accepted.job.id))
    assert states[-1].status == "failed"
    assert states[-1].error is not None
    assert states[-1].error.code == "malformed"
    assert home.client.documents.get(COLLECTION, accepted.document.id).status == "failed"


def test_a_pdf_without_any_text_is_failed_not_ready(home: RunningHome) -> None:
    canvas = Canvas(page := io.BytesIO())
    canvas.rect(100, 100, 200, 200)
    canvas.save()
    accepted = home.client.documents.upload(COLLECTION, page.getvalue(), filename="drawing.pdf", media_type=PDF)
    assert accepted.job is not None
    assert list(home.client.jobs.events(accepted.job.id))[-1].status == "failed"
    document = home.client.documents.get(COLLECTION, accepted.document.id)
    assert document.error is not None
    assert document.error.code == "no_text"
