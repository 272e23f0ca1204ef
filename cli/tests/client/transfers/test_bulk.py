from __future__ import annotations

import os
from pathlib import Path

import httpx2
import pytest
from cli.tests.documents_server import DocumentsServer
from cli.tests.server import client_of, document, error, job

from groundwork.client import Groundwork
from groundwork.client.transfers import bulk
from groundwork.client.transfers.bulk import MANY, ingest_files


def upload_server(**outcomes: str) -> tuple[Groundwork, list[str]]:
    """A server that accepts everything and lets each job end as told by file name."""
    names: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            name = next(name for name in outcomes if name.encode() in request.read())
            names.append(name)
            if outcomes[name] == "refused":
                return error(413, "too_large", "Too large.")
            if outcomes[name] == "unchanged":
                return httpx2.Response(200, json={"document": document("ready"), "job": None, "unchanged": True})
            return httpx2.Response(202, json={"document": document(), "job": {**job("queued", "queued"), "id": name}})
        name = request.url.path.rpartition("/")[2]
        reason = {"code": "malformed", "message": "It is broken."} if outcomes[name] == "failed" else None
        stage = "done" if outcomes[name] == "ready" else "parsing"
        return httpx2.Response(200, json={**job(outcomes[name], stage, error=reason), "id": name})

    return client_of(answer), names


def test_one_files_failure_harms_no_other(tmp_path: Path) -> None:
    outcomes = {"good": "ready", "same": "unchanged", "broken": "failed", "huge": "refused"}
    for name in outcomes:
        (tmp_path / f"{name}.md").write_text(name)
    client, sent = upload_server(**outcomes)
    with client:
        batch = ingest_files(client, "c", sorted(tmp_path.iterdir()), timeout=60)
    assert sorted(sent) == sorted(outcomes)
    assert {state.file.stem for state in batch.states if state.ready} == {"good", "same"}
    assert {state.file.stem: state.failure for state in batch.failed} == {
        "broken": "It is broken. [malformed]",
        "huge": "Too large.",
    }


def test_a_file_whose_name_is_no_text_fails_by_itself_and_is_not_waited_for(tmp_path: Path) -> None:
    server = DocumentsServer()
    bad, good = tmp_path / os.fsdecode(b"bad\xff.md"), tmp_path / "good.md"
    for file in (bad, good):
        file.write_text("A text.")
    with client_of(server) as client:
        batch = ingest_files(client, "c", [bad, good], timeout=60)
    assert [state.file for state in batch.states if state.ready] == [good]
    assert ["rename it" in (state.failure or "") for state in batch.failed] == [True]


def test_an_upload_that_breaks_is_raised_and_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_send", lambda *_: 1 / 0)
    (tmp_path / "a.md").write_text("A text.")
    with client_of(DocumentsServer()) as client, pytest.raises(ZeroDivisionError):
        ingest_files(client, "c", [tmp_path / "a.md"], timeout=60)


def test_many_files_that_are_there_already_are_not_sent_again(tmp_path: Path) -> None:
    server = DocumentsServer()
    for number in range(MANY):
        (tmp_path / f"{number:02}.md").write_text(f"Text {number}.")
    files = sorted(tmp_path.iterdir())
    with client_of(server) as client:
        ingest_files(client, "c", files, timeout=60)
        assert len(server.uploads) == MANY
        files[3].write_text("Another text.")
        batch = ingest_files(client, "c", files, timeout=60)
    assert server.uploads[MANY:] == ["03.md"]
    assert [state.unchanged for state in batch.states] == [number != 3 for number in range(MANY)]
    assert all(state.ready for state in batch.states)


def test_what_the_server_knows_to_be_unreadable_fails_with_its_reason_at_once(tmp_path: Path) -> None:
    server = DocumentsServer(outcome={"a.md": "failed"}, unreadable=True)
    (tmp_path / "a.md").write_text("A picture.")
    with client_of(server) as client:
        for unchanged in (False, True):
            batch = ingest_files(client, "c", [tmp_path / "a.md"], timeout=60)
            assert [state.unchanged for state in batch.states] == [unchanged]
            assert [state.failure for state in batch.failed] == ["There is no text. [no_text]"]
    assert len(server.jobs) == 1
