"""Everything backed up while it works, destroyed, and restored into another home: the same answers, the same books."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.operations.test_home import COMMAND, SCRIPTED, groundwork
from tests.e2e.operations.test_running_home import eventually
from tests.support.home.stack import RunningHome, ingest_handbook, running_home, usage_at_rest

from groundwork.client import Groundwork
from groundwork.stack.home.folder import Home
from groundwork.stack.lifecycle import down

QUESTIONS = ("How many days can I work from home?", "Who is on call?", "How long is data kept?")
TEXT = "Note {0}: the lighthouse at cape {0} blinks every {0} seconds.\n\n" * 4
SECONDS = 300.0
OPTIONAL = {"timings", "usage"}


@dataclass(frozen=True)
class Known:
    """What the first home said, and the file that it was backed up to."""

    file: Path
    acme_key: str
    said: dict[str, Any]
    until: datetime
    thread: str
    told: list[dict[str, Any]]
    accepted: list[str]


def said_by(client: Groundwork, until: datetime) -> dict[str, Any]:
    """Searches, answers with their citations, and usage totals."""
    found = {q: rounded(client.search("handbook", q, limit=10).model_dump(exclude=OPTIONAL)) for q in QUESTIONS}
    books = {
        group: [
            row.model_dump()
            for row in client.usage(group_by=group, since=datetime(2020, 1, 1, tzinfo=UTC), until=until)
        ]
        for group in ("tenant", "key", "model", "day")
    }
    answers = {}
    for question in QUESTIONS:
        answer = client.ask("handbook", question)
        of_port = {"score": True, "url": True, "url_citation": {"url"}}
        cited = [citation.model_dump(exclude=of_port) for citation in answer.citations]
        answers[question] = (answer.text, cited)
    collection = client.collections.get("handbook").model_dump()
    documents = [document.model_dump() for document in client.documents.list("handbook")]
    return {"found": found, "answers": answers, "books": books, "collection": collection, "documents": documents}


def rounded(told: Any) -> Any:
    """Scores to three places: the engine adds in another order where points lie in another."""
    if isinstance(told, dict):
        return {name: rounded(value) for name, value in told.items()}
    if isinstance(told, list):
        return [rounded(value) for value in told]
    return round(told, 3) if isinstance(told, float) else told


class Uploads(threading.Thread):
    """Goes on uploading, replacing and deleting until told to stop."""

    def __init__(self, base_url: str, key: str) -> None:
        super().__init__()
        self.client = Groundwork(base_url, key)
        self.stopped = threading.Event()
        self.accepted: list[str] = []

    def run(self) -> None:
        for number in range(10_000):
            if self.stopped.is_set():
                break
            name = f"note-{number}"
            self.client.documents.add_text("acme-notes", TEXT.format(number), document_id=name)
            if number % 3 == 1:
                self.client.documents.add_text("acme-notes", TEXT.format(number + 7), document_id=f"note-{number - 1}")
            if number % 5 == 4:
                self.client.documents.delete("acme-notes", f"note-{number - 2}")
            self.accepted.append(name)
        self.client.close()


GREETING: dict[str, Any] = {"variables": {"who": {}}}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    """A home with two tenants, backed up under load, then destroyed."""
    folder = tmp_path_factory.mktemp("first")
    file = folder / "everything.tar"
    with running_home(folder / "home", SCRIPTED) as home:
        ingest_handbook(home.client, "handbook")
        made = home.client.keys.create(
            "acme", tenant="acme", scopes=("chat", "documents", "search", "agents", "agents:write")
        )
        with Groundwork(home.base_url, made.secret) as acme:
            acme.collections.ensure("acme-notes")
            thread = _thread(home)
        said_by(home.client, datetime.now(UTC))
        until = datetime.now(UTC)
        usage_at_rest(home)
        said = said_by(home.client, until)
        uploads = Uploads(home.base_url, made.secret)
        uploads.start()
        try:
            _wait(lambda: len(uploads.accepted) > 20)
            accepted = list(uploads.accepted)
            done = groundwork(home.home, "backup", "--everything", str(file))
        finally:
            uploads.stopped.set()
            uploads.join()
        assert done.returncode == 0, done.stderr
        again = groundwork(home.home, "backup", "--everything", str(file))
        assert again.returncode == 1
        assert "overwrites nothing" in " ".join(again.stderr.split())
        refused = groundwork(home.home, "restore", str(file))
        assert refused.returncode == 1
        assert "something runs in it" in " ".join(refused.stderr.split())
        told = [message.model_dump() for message in home.client.threads.history(thread)]
    shutil.rmtree(home.home.root)
    return Known(file, made.secret, said, until, thread, told, accepted)


@pytest.fixture(scope="module")
def second(known: Known, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHome]:
    """The home that the backup became."""
    home = Home.at(tmp_path_factory.mktemp("second") / "home")
    done = groundwork(home, "restore", str(known.file))
    assert done.returncode == 0, done.stderr
    try:
        with running_home(home.root, SCRIPTED) as running:
            yield running
    finally:
        down(home)


def _thread(home: RunningHome) -> str:
    home.client.agents.save("keeper", {"instructions": "Say what you know."})
    for text in ("Greet {{who}}.", "Greet {{who}} twice."):
        home.client.prompts.save("greeting", {**GREETING, "messages": [{"role": "system", "content": text}]})
    home.client.prompts.move("greeting", "candidate", 2)
    for question in ("What is a lighthouse?", "Who keeps it?"):
        home.client.question_sets.save("lights", [{"question": question}], append=True)
    thread = home.client.threads.create()
    _run(home.client, thread.id, "What is a lighthouse?")
    return thread.id


def _run(client: Groundwork, thread: str, text: str) -> None:
    run = client.runs.start(thread, "keeper", text)
    for _ in client.runs.events(thread, run.id, timeout=SECONDS):
        pass  # to the end
    assert client.runs.get(thread, run.id).status == "completed"


def _wait(condition: Any) -> None:
    assert eventually(condition, SECONDS)


def test_the_restored_home_gives_the_same_answers_citations_and_usage_totals(known: Known, second: RunningHome) -> None:
    now = said_by(second.client, known.until)
    for what, said in known.said.items():
        assert now[what] == said, what
    assert any(citations for _, citations in now["answers"].values())
    assert now["books"]["tenant"]


def test_prompts_have_their_versions_and_labels_again(second: RunningHome) -> None:
    prompt = second.client.prompts.get("greeting", version=2)
    assert prompt.messages[0].content == "Greet {{who}} twice."
    assert {label.label: label.version for label in prompt.labels} == {"production": 1, "candidate": 2}


def test_question_sets_have_their_versions_again(second: RunningHome) -> None:
    sets = second.client.question_sets
    asked = [[one.question for one in sets.questions("lights", version)] for version in (1, 2)]
    assert asked == [["What is a lighthouse?"], ["What is a lighthouse?", "Who keeps it?"]]


def test_keys_of_callers_work_on_and_the_admin_key_is_a_new_one(known: Known, second: RunningHome) -> None:
    with Groundwork(second.base_url, known.acme_key) as acme:
        assert acme.collections.get("acme-notes").name == "acme-notes"
    assert "made by a restore" in {key.name.partition(", ")[2] for key in second.client.keys.list()}


def test_what_was_on_its_way_arrives(known: Known, second: RunningHome) -> None:
    """Jobs that were queued or running at that moment go on, with the grants that the lost home gave them."""
    with Groundwork(second.base_url, known.acme_key) as acme:
        for job in acme.jobs.list():
            if job.status not in ("cancelled",):
                assert acme.jobs.wait(job.id, timeout=SECONDS).status == "ready"
        _wait(lambda: all(document.status != "deleting" for document in acme.documents.list("acme-notes")))
        documents = {document.id: document for document in acme.documents.list("acme-notes")}
        missing = [name for name in known.accepted if name not in documents and int(name.split("-")[1]) % 5 != 2]
        assert not missing, "what was acknowledged before the backup began is in it"
        for document in documents.values():
            assert document.status == "ready"
            chunks = list(acme.documents.chunks("acme-notes", document.id))
            text = acme.documents.text("acme-notes", document.id)
            assert len(chunks) == document.chunks > 0
            assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
        number = int(next(iter(documents)).split("-")[1])
        hits = acme.search("acme-notes", f"lighthouse at cape {number}", limit=50).hits
        assert {hit.document_id for hit in hits} <= set(documents), "nothing is found that is not there"


def test_threads_go_on(known: Known, second: RunningHome) -> None:
    told = [message.model_dump() for message in second.client.threads.history(known.thread)]
    assert told == known.told
    _run(second.client, known.thread, "And again?")


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "true"], check=False).returncode != 0,
    reason="no file system of its own can be made here; see cli/tests/stack/test_backup.py",
)
def test_a_full_disk_ends_a_backup_with_its_reason_and_without_a_file(second: RunningHome, tmp_path: Path) -> None:
    small = 'mount -t tmpfs -o size=64k small "$0" && { "$@"; code=$?; ls -A "$0"; exit $code; }'
    backup = [str(COMMAND), "--home", str(second.home.root), "backup", "--everything", str(tmp_path / "backup.tar")]
    done = subprocess.run(["unshare", "-rm", "sh", "-c", small, str(tmp_path), *backup], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_a_damaged_file_and_a_home_that_is_not_empty_are_refused(known: Known, tmp_path: Path) -> None:
    whole = known.file.read_bytes()
    for name, content in {
        "cut": whole[: len(whole) // 2 // 512 * 512],
        "bent": whole.replace(b"lighthouse", b"lightHouse", 1),
    }.items():
        damaged = tmp_path / f"{name}.tar"
        damaged.write_bytes(content)
        done = groundwork(Home.at(tmp_path / name), "restore", str(damaged))
        assert done.returncode == 1
        assert "is not a whole backup" in " ".join(done.stderr.split())
        assert not (tmp_path / name / "data").exists()
    used = Home.at(tmp_path / "used")
    used.create()
    used.data("ingest").mkdir(parents=True)
    (used.data("ingest") / "ingest.sqlite").write_bytes(b"precious")
    done = groundwork(used, "restore", str(known.file))
    assert done.returncode == 1
    assert "it holds data" in " ".join(done.stderr.split())
    assert (used.data("ingest") / "ingest.sqlite").read_bytes() == b"precious"


def test_a_restore_that_was_cut_off_can_not_be_started_and_begins_anew(known: Known, tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    home.create()
    home.settings_file.write_text("RETRIEVER_DATA_DIR=/proc/nowhere\n")
    done = groundwork(home, "restore", str(known.file))
    assert done.returncode == 1
    assert "part of retriever" in " ".join(done.stderr.split())
    done = groundwork(home, "up", "--port", "0")
    assert "did not finish" in " ".join(done.stderr.split())
    home.settings_file.write_text("")
    assert groundwork(home, "restore", str(known.file)).returncode == 0
