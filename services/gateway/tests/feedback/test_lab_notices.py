from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2
import pytest
import structlog
from services.gateway.tests.feedback.test_deletion import COLLECTION
from services.gateway.tests.inner_services import Streamed
from services.gateway.tests.installation import Installation
from sqlalchemy import select

from contracts.core.errors import ErrorBody
from gateway.feedback import lab_notices as module
from gateway.feedback.deletion import delete_tenant
from gateway.feedback.lab_notices import KEPT_FOR, LabNotices
from gateway.storage.tables import lab_notices
from servicekit.core.clock import ManualClock
from servicekit.core.errors import PeerError, ServiceError
from servicekit.peers.client import PeerTimeout

DONE = Streamed((), status=204)
PATH = "/v1/documents/deleted"
REFUSED = PeerError(422, ErrorBody(type="invalid_request", code="invalid_body", message="No such field."))
FAULT = PeerError(500, ErrorBody(type="internal", code="internal", message="A fault."))


async def _waiting(installation: Installation) -> list[tuple[str, str, str]]:
    query = select(lab_notices).order_by(lab_notices.c.deleted_at)
    async with installation.deps.database.read() as connection:
        rows = (await connection.execute(query)).mappings().all()
    return [(row["tenant"], row["collection"], row["document_id"]) for row in rows]


def _restarted(installation: Installation) -> LabNotices:
    """Of the next process: it has nothing but the database."""
    deps = installation.deps
    return LabNotices(deps.database, installation.lab, deps.issuer, deps.clock)


async def _delete(public: httpx2.AsyncClient, installation: Installation, secret: str, path: str) -> int:
    collection = path.split("/")[3]
    installation.retriever.answers(f"/v1/collections/{collection}", COLLECTION | {"name": collection})
    installation.ingest.answers(path, DONE)
    return (await public.delete(path, headers={"Authorization": f"Bearer {secret}"})).status_code


def _told(installation: Installation) -> list[dict[str, Any]]:
    return [asked.json for asked in installation.lab.asked_for(PATH)]


async def test_a_lab_that_was_away_learns_what_was_deleted_once_it_is_back_also_from_the_next_process(
    public: httpx2.AsyncClient, installation: Installation, clock: ManualClock
) -> None:
    secret, deleted_at = await installation.secret(), clock.now()
    for path in ("/v1/collections/hb/documents/leave.md", "/v1/collections/papers"):
        assert await _delete(public, installation, secret, path) == 204, "a lab that is away keeps nothing"
        clock.advance(1)
    notices = _restarted(installation)
    assert not await notices.send_waiting()
    assert await _waiting(installation) == [("acme", "hb", "leave.md"), ("acme", "papers", "")]
    clock.advance(3600)
    installation.lab.answers(PATH, DONE)
    before = len(installation.lab.asked)
    assert await notices.send_waiting()
    one, all_of_it = installation.lab.asked[before:]
    assert one.json == {
        "collection": "hb",
        "document_id": "leave.md",
        "deleted_at": deleted_at.isoformat().replace("+00:00", "Z"),
    }
    assert (all_of_it.json["collection"], all_of_it.json["document_id"]) == ("papers", None)
    claims = installation.verifier.verify(one.token, "lab")
    assert (claims.tenant, claims.scopes, claims.audiences) == ("acme", ("documents",), ("lab",))
    assert await _waiting(installation) == []
    assert await notices.send_waiting()
    assert len(installation.lab.asked) == before + 2, "each once"


async def test_a_lab_that_is_there_learns_at_once(public: httpx2.AsyncClient, installation: Installation) -> None:
    installation.lab.answers(PATH, DONE)
    path = "/v1/collections/hb/documents/leave.md"
    assert await _delete(public, installation, await installation.secret(), path) == 204
    assert [body["document_id"] for body in _told(installation)] == ["leave.md"]
    assert await _waiting(installation) == []


async def test_a_document_that_is_deleted_again_is_one_notice_of_the_last_time(
    installation: Installation, clock: ManualClock
) -> None:
    notices = installation.deps.lab_notices
    for _ in range(2):
        await notices.send("acme", "hb", "leave.md")
        clock.advance(60)
    assert await _waiting(installation) == [("acme", "hb", "leave.md")]
    installation.lab.answers(PATH, DONE)
    await notices.send_waiting()
    assert _told(installation)[-1]["deleted_at"] > _told(installation)[0]["deleted_at"]


async def test_one_that_is_refused_keeps_no_other_and_none_is_kept_for_ever(
    installation: Installation, clock: ManualClock
) -> None:
    notices = installation.deps.lab_notices
    for document in ("first", "second"):
        await notices.send("acme", "hb", document)
        clock.advance(1)
    installation.lab.answers(PATH, REFUSED, DONE)
    assert await notices.send_waiting()
    assert await _waiting(installation) == [("acme", "hb", "first")]
    clock.advance(KEPT_FOR / timedelta(seconds=1))
    installation.lab.answers(PATH, REFUSED)
    await notices.send_waiting()
    assert await _waiting(installation) == []


async def test_with_a_tenant_go_its_notices(installation: Installation) -> None:
    for tenant in ("acme", "stays"):
        await installation.deps.lab_notices.send(tenant, "hb", "leave.md")
    async with installation.deps.database.write() as connection:
        await delete_tenant(connection, "acme")
    assert await _waiting(installation) == [("stays", "hb", "leave.md")]


async def test_more_than_are_sent_at_once_are_sent_in_turn(
    installation: Installation, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        await installation.deps.lab_notices.send("acme", "hb", f"d{number}")
        clock.advance(1)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    installation.lab.answers(PATH, DONE)
    before = len(installation.lab.asked)
    assert await installation.deps.lab_notices.send_waiting()
    assert await _waiting(installation) == []
    sent = [asked.json["document_id"] for asked in installation.lab.asked[before:]]
    assert sent == ["d0", "d1", "d2", "d3", "d4"], "without a pause, the oldest first, each once"


@pytest.mark.parametrize("failure", [PeerTimeout("lab"), FAULT], ids=["timeout", "fault"])
async def test_one_that_the_lab_is_too_slow_for_keeps_no_other(
    installation: Installation, clock: ManualClock, failure: ServiceError
) -> None:
    for document in ("slow", "second", "third"):
        await installation.deps.lab_notices.send("acme", "hb", document)
        clock.advance(1)
    installation.lab.answers(PATH, failure, DONE)
    assert await installation.deps.lab_notices.send_waiting()
    assert await _waiting(installation) == [("acme", "hb", "slow")]


async def test_a_pass_ends_after_a_few_failures_in_a_row_and_the_next_begins_with_others(
    installation: Installation, clock: ManualClock
) -> None:
    for number in range(5):
        await installation.deps.lab_notices.send("acme", "hb", f"d{number}")
        clock.advance(1)
    before = len(installation.lab.asked)
    installation.lab.answers(PATH, PeerTimeout("lab"))
    assert not await installation.deps.lab_notices.send_waiting()
    assert not await installation.deps.lab_notices.send_waiting()
    asked = [asked.json["document_id"] for asked in installation.lab.asked[before:]]
    assert asked == ["d0", "d1", "d2", "d3", "d4", "d0"]


async def test_refused_ones_that_fill_a_batch_keep_no_other_and_are_not_asked_without_end(
    installation: Installation, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices = installation.deps.lab_notices
    for document in ("r1", "r2", "good"):
        await notices.send("acme", "hb", document)
        clock.advance(1)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    installation.lab.answers(PATH, REFUSED, REFUSED, DONE, REFUSED)
    assert not await notices.send_waiting()
    assert await notices.send_waiting()
    assert await _waiting(installation) == [("acme", "hb", "r1"), ("acme", "hb", "r2")]


async def test_what_is_given_up_is_in_the_log(installation: Installation, clock: ManualClock) -> None:
    await installation.deps.lab_notices.send("acme", "hb", "never")
    clock.advance(KEPT_FOR / timedelta(seconds=1) + 1)
    with structlog.testing.capture_logs() as logs:
        assert await installation.deps.lab_notices.send_waiting()
    assert [(one["log_level"], one["notices"]) for one in logs] == [("error", 1)]


async def test_refused_ones_are_tried_more_and_more_rarely_and_a_lab_that_takes_them_late_gets_all(
    installation: Installation, clock: ManualClock
) -> None:
    notices, days = installation.deps.lab_notices, 10
    for number in range(3):
        await notices.send("acme", "hb", f"d{number}")
    installation.lab.answers(PATH, REFUSED)
    asked = []
    for _ in range(days * 24):
        before = len(installation.lab.asked)
        await notices.send_waiting()
        asked.append(len(installation.lab.asked) - before)
        clock.advance(3600)
    assert 30 < sum(asked) < 3 * 20, "each some twenty times in ten days of passes"
    assert sum(asked[-24:]) == 0
    await notices.send("acme", "hb", "new")
    installation.lab.answers(PATH, DONE)
    await notices.send_waiting()
    assert ("acme", "hb", "new") not in await _waiting(installation), "the old ones keep it from nothing"
    clock.advance(days * 86_400)
    await notices.send_waiting()
    assert await _waiting(installation) == []
