"""Backup, destroy, restore into new volumes by the commands of docs/operations.md. The last: the old stack ends."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.agent.cited import KNOWN, is_cited
from tests.support.deployment.compose import ROOT, ComposeStack

from groundwork.client import Groundwork
from groundwork.stack.backup import back_up

SECTION = "In containers the backup is the same command"
SINCE = datetime(2020, 1, 1, tzinfo=UTC)
STILL = 75
"""Seconds: longer than a call that an earlier test broke off is held open before it is settled."""


def _said(client: Groundwork, until: datetime) -> dict[str, Any]:
    """What must be the same afterwards: documents and their text, what a search finds, and the books."""
    documents = [document.model_dump() for document in client.documents.list("handbook")]
    return {
        "documents": documents,
        "texts": {each["id"]: client.documents.text("handbook", each["id"]) for each in documents},
        "found": [
            (hit.document_id, hit.start, hit.end, hit.text)
            for hit in client.search("handbook", KNOWN["question"], limit=5).hits
        ],
        "books": [row.model_dump() for row in client.usage(group_by="tenant", since=SINCE, until=until)],
    }


def _wait_for_books(client: Groundwork) -> None:
    """Usage is written behind the calls, in groups, and that of calls that were broken off a while later."""
    books = lambda: [row.model_dump() for row in client.usage(group_by="tenant")]  # noqa: E731
    before, still = books(), 0
    while still < STILL:
        threading.Event().wait(1.0)
        now = books()
        before, still = now, still + 1 if now == before else 0


def _told() -> list[list[str]]:
    """The words of each command that the page gives for a restore, loops written out."""
    page = (ROOT / "docs/operations.md").read_text()
    block = re.search(rf"{SECTION}.*?```sh\n(.*?)```", page, re.DOTALL)
    assert block is not None
    commands: list[list[str]] = []
    values = [""]
    for line in block[1].splitlines():
        if loop := re.match(r"for (\w+) in (.+); do", line):
            values = loop[2].split()
        elif line.strip().startswith("docker compose "):
            words = line.split()[2:]
            uses = "$service" in line
            commands += [[word.replace("$service", value) for word in words] for value in (values if uses else [""])]
    return commands


def test_a_destroyed_stack_comes_back_from_its_backup(stack: ComposeStack, client: Groundwork, tmp_path: Path) -> None:
    file = tmp_path / "2026-11-25.tar"
    restricted = client.keys.create("caller", tenant="default", scopes=("chat", "search", "documents"))
    until = datetime.now(UTC)
    _wait_for_books(client)
    said = _said(client, until)
    back_up(client, file)
    file.chmod(0o644)  # the containers' user has to read it
    stack.throw_away()
    for words in _told():
        stack.run(*(word.replace("/safe/2026-11-25.tar:", f"{file}:") for word in words if word != "qdrant"))
    stack.up()
    with stack.client() as admin, Groundwork(stack.base_url, restricted.secret) as caller:
        now = _said(admin, until)
        for what, before in said.items():
            assert now[what] == before, what
        assert is_cited(admin)
        assert is_cited(caller), "the keys of callers work on"
