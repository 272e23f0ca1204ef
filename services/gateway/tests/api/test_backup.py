from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
from services.gateway.tests.inner_services import Streamed
from services.gateway.tests.installation import Installation

from servicekit.backup.file import BackupFile, PartWriter
from servicekit.core.errors import NotReady


def _part(*services: str) -> Streamed:
    return Streamed(tuple(PartWriter(service).end() for service in services))


async def test_a_backup_is_one_whole_file_of_all_services_in_the_order_in_which_one_refers_to_another(
    admin: httpx2.AsyncClient, installation: Installation, tmp_path: Path
) -> None:
    installation.ingest.answers("/v1/backup", _part("ingest", "retriever"))
    installation.inference.answers("/v1/backup", _part("inference"))
    installation.agent.answers("/v1/backup", _part("agent"))
    installation.lab.answers("/v1/backup", _part("lab"))
    answer = await admin.get("/v1/backup")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-tar")
    file = tmp_path / "backup.tar"
    await asyncio.to_thread(file.write_bytes, answer.content)
    whole = await asyncio.to_thread(BackupFile(file).check)
    assert whole.services == ["ingest", "retriever", "inference", "agent", "lab", "gateway"]
    names = [
        name for name in ("ingest/", "inference/", "agent/", "lab/", "gateway/") if name.encode() in answer.content
    ]
    assert sorted(names, key=lambda name: answer.content.index(name.encode())) == [
        "ingest/",
        "inference/",
        "agent/",
        "lab/",
        "gateway/",
    ]
    entries = (await admin.get("/v1/audit", params={"subject": "installation"})).json()["data"]
    assert [entry["action"] for entry in entries] == ["backup.read"]


async def test_services_are_asked_by_the_gateway_itself_and_not_in_a_tenants_name(
    admin: httpx2.AsyncClient, installation: Installation
) -> None:
    installation.ingest.answers("/v1/backup", _part("ingest", "retriever"))
    installation.inference.answers("/v1/backup", _part("inference"))
    installation.agent.answers("/v1/backup", _part("agent"))
    installation.lab.answers("/v1/backup", _part("lab"))
    await admin.get("/v1/backup")
    for peer, audience in (
        (installation.ingest, "retriever"),
        (installation.inference, "inference"),
        (installation.agent, "agent"),
        (installation.lab, "lab"),
    ):
        claims = installation.verifier.verify(peer.asked[0].token, audience)  # type: ignore[arg-type]
        assert (claims.tenant, claims.scopes) == ("-", ("admin",))
    assert [
        peer.ended for peer in (installation.ingest, installation.inference, installation.agent, installation.lab)
    ] == [1] * 4


async def test_a_part_that_can_not_be_had_is_an_error_and_no_half_a_backup(
    admin: httpx2.AsyncClient, installation: Installation
) -> None:
    installation.ingest.answers("/v1/backup", _part("ingest", "retriever"))
    installation.inference.answers("/v1/backup", _part("inference"))
    installation.agent.answers("/v1/backup", NotReady("The agent service is away."))
    answer = await admin.get("/v1/backup")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
    assert installation.ingest.ended == 1, "what was opened is closed"
