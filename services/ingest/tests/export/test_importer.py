from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from typing import IO, Any

import pytest
from services.ingest.tests.conftest import Service

from contracts.retrieval.collections import Chunking, CollectionCreate
from contracts.retrieval.reindex import ReindexRequest
from extraction.model.failures import ParseFailed
from ingest.documents.collections import add_collection
from ingest.documents.uploads import Accepted
from ingest.errors import DocumentDiffers, DocumentNotFound
from ingest.export import exporter, importer
from ingest.export.archive import Archive
from ingest.export.errors import ArchiveDamaged
from ingest.jobs import reindexes
from ingest.jobs import service as jobs
from ingest.jobs.cleanup import has_chunks_in_index

TEXT = "# Prices\n\nThe price and the days.\n\n# Returns\n\nReturn within the days. " + "The word and the price. " * 30
MOST = 10_000_000


async def _backup(service: Service, document_id: str = "d", collection: str = "handbook") -> IO[bytes]:
    given = (service.database, service.blobs, service.index, "token", "acme", collection, document_id)
    with await exporter.export_document(*given) as file:
        return io.BytesIO(file.read())


async def _restore(service: Service, file: IO[bytes], collection: str = "copy", model: str = "default") -> Accepted:
    layout = (await service.index.get_collection("token", collection)).index.layout
    given = (service.database, service.blobs, service.clock, service.job_owner(), collection, layout)
    with tempfile.TemporaryFile() as sent:
        file.seek(0)
        sent.write(file.read())
        sent.flush()
        async with service.api.archives.archive("acme", sent, model) as archive:
            return await importer.restore_document(*given, archive)


@pytest.fixture
async def kept(service: Service) -> Service:
    """A handbook with one document in its second revision, and an empty copy."""
    await service.collection()
    await service.index.create_collection("token", CollectionCreate(name="copy"))
    await add_collection(service.database, "acme", "copy")
    await service.upload("Another.", document_id="d", media_type="text/markdown")
    await service.work_all()
    await service.upload(TEXT, document_id="d", media_type="text/markdown", title="Rules", metadata={"team": "hr"})
    await service.work_all()
    return service


async def test_a_restored_document_is_the_same_and_nothing_is_read_or_embedded_again(kept: Service) -> None:
    original = kept.index.found("handbook", "d")
    assert len(original) > 2
    accepted = await _restore(kept, await _backup(kept))
    assert (accepted.unchanged, accepted.document["revision"]) == (False, 2)
    await kept.work_all()
    copied = kept.index.found("copy", "d")
    assert [(each.text, each.start, each.header) for each in copied] == [
        (each.text, each.start, each.header) for each in original
    ]
    assert all(each.embedding == f"encoded {each.text!r}" for each in copied)
    assert accepted.job is not None
    job = await kept.job(accepted.job["id"])
    assert job.status == "ready"
    assert "parsing" not in job.timings


async def test_the_rows_of_a_restored_document_are_as_before(kept: Service) -> None:
    await _restore(kept, await _backup(kept))
    await kept.work_all()
    before, after = await _row(kept, "handbook"), await _row(kept, "copy")
    same = ("id", "title", "source", "media_type", "bytes", "sha256", "revision", "status", "chunks", "metadata")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert after["title"] == "Rules"


async def test_restoring_twice_changes_nothing_the_second_time(kept: Service) -> None:
    archive = (await _backup(kept)).read()
    await _restore(kept, io.BytesIO(archive))
    await kept.work_all()
    again = await _restore(kept, io.BytesIO(archive))
    assert (again.unchanged, again.job) == (True, None)


async def test_nothing_is_found_of_a_restored_document_whose_job_is_cancelled(
    kept: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = await _restore(kept, await _backup(kept))
    assert accepted.job is not None
    await kept.work_until_killed(lambda batch: batch.chunks[0].ordinal == 2, monkeypatch)
    assert kept.index.found("copy", "d") != []
    async with kept.database.read() as connection:
        row = await jobs.get_job(connection, "acme", accepted.job["id"])
        assert await has_chunks_in_index(connection, row["document_key"], row["revision"])


async def test_restoring_never_overwrites(kept: Service) -> None:
    archive = (await _backup(kept)).read()
    await kept.upload("Other words.", document_id="d", collection="copy")
    await kept.work_all()
    with pytest.raises(DocumentDiffers, match="Delete it first"):
        await _restore(kept, io.BytesIO(archive))
    assert [each.text for each in kept.index.found("copy", "d")] == ["Other words."]


async def test_a_deleted_document_comes_back_as_its_next_revision(kept: Service) -> None:
    archive = (await _backup(kept)).read()
    await kept.api.deletions.delete_document(kept.job_owner(), "token", "handbook", "d")
    with pytest.raises(DocumentNotFound):
        await _backup(kept)
    accepted = await _restore(kept, io.BytesIO(archive), "handbook")
    assert accepted.document["revision"] == 3
    await kept.work_all()
    assert (await kept.document("d"))["status"] == "ready"
    assert len(await kept.text("d")) > 500


async def test_a_document_that_is_not_ready_is_backed_up_by_its_bytes(kept: Service) -> None:
    await kept.upload("The price.", document_id="new")
    archive = await _backup(kept, "new")
    with zipfile.ZipFile(archive) as members:
        assert members.namelist() == ["document.json", "original"]
    await _restore(kept, archive)
    await kept.work_all()
    assert [each.text for each in kept.index.found("copy", "new")] == ["The price."]


async def test_what_was_cut_for_another_model_is_cut_anew(kept: Service) -> None:
    accepted = await _restore(kept, await _backup(kept), model="another")
    await kept.work_all()
    assert accepted.job is not None
    assert "parsing" in (await kept.job(accepted.job["id"])).timings
    assert all(each.embedding is None for each in kept.index.found("copy", "d"))


async def test_blobs_of_a_restored_document_outlive_the_first_one(kept: Service) -> None:
    await _restore(kept, await _backup(kept))
    await kept.work_all()
    await kept.api.deletions.delete_document(kept.job_owner(), "token", "handbook", "d")
    again = await _backup(kept, collection="copy")
    with zipfile.ZipFile(again) as members:
        assert members.read("original").decode() == TEXT


def _edited(**changes: Callable[[bytes], bytes | None]) -> Callable[[bytes], bytes]:
    """An archive with some members changed, or left out where the change gives null."""

    def edit(archive: bytes) -> bytes:
        into = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(into, "w") as new:
            for name in old.namelist():
                change = changes.get(name.replace("/", "_").replace(".", "_"), lambda content: content)
                content = change(old.read(name))
                if content is not None:
                    new.writestr(name, content)
        return into.getvalue()

    return edit


def _json(**values: Any) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps(json.loads(content) | values).encode()


def _part(**values: Any) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        manifest = json.loads(content)
        manifest["parts"][0] |= values
        return json.dumps(manifest).encode()

    return edit


def _plan(place: str, *values: Any) -> Callable[[bytes], bytes]:
    """The first values of a list of the plan, or of its first chunk."""

    def edit(content: bytes) -> bytes:
        plan = (saved := json.loads(content))["plan"]
        into = plan["chunks"][0] if place == "chunk" else plan[place]
        into[: len(values)] = values
        return json.dumps(saved).encode()

    return edit


def _locked(archive: bytes) -> bytes:
    """All members said to have a password."""
    for mark, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = -1
        while (at := archive.find(mark, at + 1)) >= 0:
            archive = archive[: at + flags] + b"\x01" + archive[at + flags + 1 :]
    return archive


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "no ZIP": lambda _: b"%PDF-1.7",
    "empty": lambda _: b"",
    "cut short": lambda archive: archive[:-40],
    "a flipped bit": lambda archive: archive[:400] + bytes([archive[400] ^ 1]) + archive[401:],
    "no manifest": _edited(document_json=lambda _: None),
    "no original": _edited(original=lambda _: None),
    "another original": _edited(original=lambda content: content + b"."),
    "a text that is not there": _edited(parts_0000_text=lambda _: None),
    "a text that is not UTF-8": _edited(parts_0000_text=lambda _: b"\xff"),
    "a shorter text": _edited(parts_0000_text=lambda content: content[:50]),
    "a plan that is no JSON": _edited(parts_0000_json=lambda _: b"{"),
    "a plan of another shape": _edited(parts_0000_json=lambda _: b"[]"),
    "a chunk beyond the text": _edited(parts_0000_json=_plan("chunk", 0, 10**6)),
    "a page that is no number": _edited(parts_0000_json=_plan("chunk", 0, 5, "x")),
    "a heading that is no text": _edited(parts_0000_json=_plan("paths", [1])),
    "half a character": _edited(parts_0000_json=_plan("headers", "\ud800")),
    "a plan nested without end": _edited(parts_0000_json=lambda _: b"[" * 100_000),
    "a password": _locked,
    "more pages than a column holds": _edited(document_json=_json(pages=2**70)),
    "a media type of two lines": _edited(document_json=_json(media_type="text/plain\r\nX: y")),
    "a last page beyond all": _edited(document_json=_part(last_page=2**70)),
    "a format to come": _edited(document_json=_json(format="groundwork-document/2")),
    "an id that leads elsewhere": _edited(document_json=_json(id="../etc")),
    "revision 0": _edited(document_json=_json(revision=0)),
    "a part that begins later": _edited(document_json=_part(start=7)),
    "a part that is not all": _edited(document_json=_part(done=0.5)),
    "more chunks than there are": _edited(document_json=_part(chunks=10_000)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
async def test_a_damaged_archive_is_refused_and_leaves_nothing(kept: Service, damage: Callable[[bytes], bytes]) -> None:
    archive = damage((await _backup(kept)).read())
    await kept.api.deletions.delete_document(kept.job_owner(), "token", "handbook", "d")
    with pytest.raises(ArchiveDamaged, match=r"can't be restored: .+ Send one that"):
        await _restore(kept, io.BytesIO(archive))
    assert [keys async for keys in kept.blobs.old_keys(0)] == [[]]
    with pytest.raises(DocumentNotFound):
        await _row(kept, "copy")


async def test_a_document_that_a_reindex_cut_otherwise_is_backed_up_by_its_bytes(kept: Service) -> None:
    await kept.index.create_collection("token", CollectionCreate(name="third"))
    await add_collection(kept.database, "acme", "third")
    await _restore(kept, await _backup(kept))
    await kept.work_all()
    for collection in ("handbook", "copy"):
        wanted = ReindexRequest(chunking=Chunking(strategy="fixed", max_tokens=32))
        async with kept.database.write() as connection:
            await reindexes.create_reindex(connection, kept.job_owner(), collection, wanted, kept.clock.now())
        await kept.work_all()
        with zipfile.ZipFile(await _backup(kept, collection=collection)) as members:
            assert members.namelist() == ["document.json", "original"]
    await _restore(kept, await _backup(kept), "third")
    await kept.work_all()
    assert all(each.embedding is None for each in kept.index.found("third", "d"))


async def test_embeddings_that_do_not_fit_are_made_anew(kept: Service) -> None:
    archive = _edited(embeddings=lambda content: content.split(b"\n")[0])((await _backup(kept)).read())
    await _restore(kept, io.BytesIO(archive))
    await kept.work_all()
    assert all(each.embedding is None for each in kept.index.found("copy", "d"))


async def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(kept: Service) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("document.json", b" " * (MOST + 1))
    with pytest.raises(ParseFailed, match="unpacks to more than"):
        Archive(bomb, MOST, MOST)


async def _row(service: Service, collection: str) -> Any:
    from ingest.documents import repository as documents

    async with service.database.read() as connection:
        return await documents.get_document(connection, "acme", collection, "d")
