from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from services.ingest.tests.conftest import Service

from contracts.core.errors import ErrorBody
from contracts.retrieval.chunks import ChunkEmbeddings
from contracts.retrieval.collections import IndexState
from ingest.errors import DocumentChanging, DocumentNotFound
from ingest.export import exporter
from servicekit.core.errors import PeerError

WHOLE = {"document.json", "original", "parts/0000.text", "parts/0000.json", "embeddings"}


async def exported(service: Service, document_id: str = "a") -> zipfile.ZipFile:
    given = (service.database, service.blobs, service.index, "token", "acme", "handbook", document_id)
    with await exporter.export_document(*given) as file:
        return zipfile.ZipFile(io.BytesIO(file.read()))


def manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(archive.read("document.json"))
    return told


def once(service: Service, call: str, patch: pytest.MonkeyPatch, first: Callable[[], Awaitable[None]]) -> None:
    """Let something happen when a call of the index is made the first time."""
    original, calls = getattr(service.index, call), 0

    async def patched(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            await first()
        return await original(*given)

    patch.setattr(service.index, call, patched)


@pytest.fixture
async def ready(service: Service) -> Service:
    """A handbook with one document."""
    await service.upload("The first words.", document_id="a")
    await service.work_all()
    return service


async def test_an_archive_has_the_bytes_the_text_how_it_is_cut_and_an_embedding_a_line(ready: Service) -> None:
    archive = await exported(ready)
    assert set(archive.namelist()) == WHOLE
    assert archive.read("original") == archive.read("parts/0000.text") == b"The first words."
    assert archive.read("embeddings").decode().splitlines() == ["encoded 'The first words.'"]
    told = manifest(archive)
    assert (told["id"], told["revision"], told["embedding_model"], len(told["parts"])) == ("a", 1, "default", 1)


async def test_a_document_that_is_not_ready_is_backed_up_by_its_bytes_alone(service: Service) -> None:
    await service.upload("Waits.", document_id="a")
    archive = await exported(service)
    assert set(archive.namelist()) == {"document.json", "original"}
    assert manifest(archive)["embedding_model"] is None


async def test_what_is_active_is_backed_up_while_a_newer_revision_waits(ready: Service) -> None:
    await ready.upload("Newer words.", document_id="a")
    archive = await exported(ready)
    assert (manifest(archive)["revision"], archive.read("original")) == (1, b"The first words.")


async def test_a_document_that_is_replaced_while_it_is_read_is_read_again(
    ready: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def replaced() -> None:
        await ready.upload("Newer words.", document_id="a")
        await ready.work_all()

    once(ready, "get_embeddings", monkeypatch, replaced)
    archive = await exported(ready)
    assert manifest(archive)["revision"] == 2
    assert archive.read("original") == archive.read("parts/0000.text") == b"Newer words."


async def test_bytes_that_went_while_they_were_to_be_read_are_looked_for_again_and_not_for_ever(
    ready: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = dict(ready.blobs._blobs)

    async def gone() -> None:
        ready.blobs._blobs.clear()

    once(ready, "get_embeddings", monkeypatch, gone)
    with pytest.raises(DocumentChanging) as changing:
        await exported(ready)
    assert changing.value.headers()["Retry-After"]
    ready.blobs._blobs.update(kept)
    assert set((await exported(ready)).namelist()) == WHOLE


async def test_a_collection_that_is_cut_anew_meanwhile_is_read_again(
    ready: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def recut() -> None:
        now = ready.index.kept["handbook"]
        ready.index.kept["handbook"] = now.model_copy(update={"index": IndexState(generation=2, layout=2)})

    once(ready, "get_embeddings", monkeypatch, recut)
    archive = await exported(ready)
    assert set(archive.namelist()) == {"document.json", "original"}, "its parts are not cut as the index has them"


async def test_without_embeddings_a_document_is_backed_up_to_be_embedded_anew(
    ready: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(*_: Any) -> ChunkEmbeddings:
        return ChunkEmbeddings(revision=1, first=0, embeddings=[])

    monkeypatch.setattr(ready.index, "get_embeddings", none)
    assert set((await exported(ready)).namelist()) == WHOLE - {"embeddings"}


async def test_other_refusals_of_the_index_are_told_and_a_missing_document_is_missing(
    ready: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DocumentNotFound):
        await exported(ready, "none")

    async def refuse(*_: Any) -> None:
        raise PeerError(403, ErrorBody(type="permission", code="collection_not_allowed", message="No."))

    monkeypatch.setattr(ready.index, "get_embeddings", refuse)
    with pytest.raises(PeerError) as refused:
        await exported(ready)
    assert refused.value.code == "collection_not_allowed"
