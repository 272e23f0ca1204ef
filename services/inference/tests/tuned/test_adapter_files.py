from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inference.catalog.gguf_files import adapter_file, gguf_files
from inference.catalog.hub import Hub
from inference.catalog.models_file import Model
from inference.catalog.sources import JobSource
from inference.errors import CannotLoad, FileChanged
from inference.tuned import adapter_files
from inference.tuned.adapter_files import KEPT_SECONDS, AdapterFiles
from servicekit.core.errors import NotReady
from servicekit.core.identifiers import new_id

CONTENT = b"GGUF" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
SOURCE = JobSource(job="ftjob_1", sha256=DIGEST)


def names_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


def tuned(base: Path = Path("/m.gguf"), digest: str = DIGEST) -> Model:
    declared: dict[str, Any] = {
        "name": "small+acme.support",
        "kind": "chat",
        "engine": "llamacpp",
        "context_length": 512,
        "source": {"path": str(base)},
        "tenant": "acme",
        "llamacpp": {"adapters": [{"source": {"job": "ftjob_1", "sha256": digest}}]},
    }
    return Model.model_validate(declared)


class Store:
    """Pieces that are given, and how often; the first calls fail."""

    def __init__(self, *pieces: bytes, fails: int = 0) -> None:
        self.given, self.fails, self.asked = pieces, fails, list[tuple[str, str]]()

    async def pieces(self, tenant: str, job: str) -> AsyncIterator[bytes]:
        self.asked.append((tenant, job))
        for piece in self.given:
            if len(self.asked) <= self.fails:
                raise NotReady("The database is away.")
            yield piece


async def fetch(folder: Path, store: Store, model: Model, in_use: frozenset[str] = frozenset((DIGEST,))) -> None:
    fetching = AdapterFiles(folder, store.pieces, lambda: set(in_use)).fetching(model, None)
    assert fetching is not None
    await fetching()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter_files, "PAUSES", (0.0,) * 5)


async def test_an_adapter_is_fetched_once_for_its_tenant_and_checked(tmp_path: Path) -> None:
    store, folder, base = Store(CONTENT[:1500], CONTENT[1500:]), tmp_path / "adapters", tmp_path / "m.gguf"
    base.write_bytes(b"GGUF")
    model = tuned(base)
    with pytest.raises(CannotLoad, match="Publish that job again"):
        gguf_files(model, Hub(tmp_path), folder)
    for _ in range(2):
        await fetch(folder, store, model)
    assert store.asked == [("acme", "ftjob_1")]
    (found,) = gguf_files(model, Hub(tmp_path), folder).adapters
    assert (found[0].read_bytes(), found[0]) == (CONTENT, adapter_file(folder, SOURCE))
    found[0].write_bytes(b"spoilt")
    with pytest.raises(FileChanged):
        gguf_files(model, Hub(tmp_path), folder)
    await fetch(folder, store, model)
    assert found[0].read_bytes() == CONTENT


async def test_a_database_that_is_away_is_asked_again_and_the_state_says_so_in_the_end(tmp_path: Path) -> None:
    store = Store(CONTENT, fails=2)
    await fetch(tmp_path, store, tuned())
    assert len(store.asked) == 3
    gone = Store(CONTENT, fails=99)
    adapter_file(tmp_path, SOURCE).unlink()
    with pytest.raises(CannotLoad, match=r"ftjob_1 .* can't be read from the database"):
        await fetch(tmp_path, gone, tuned())
    assert len(gone.asked) == 5


async def test_what_is_gone_or_another_leaves_no_file(tmp_path: Path) -> None:
    for pieces in ((), (b"another",)):
        with pytest.raises(CannotLoad, match="is gone"):
            await fetch(tmp_path, Store(*pieces), tuned())
    assert names_in(tmp_path) == []


async def test_files_that_no_model_is_declared_with_go_after_an_hour(tmp_path: Path) -> None:
    old, fresh, used = (tmp_path / f"{letter * 64}.gguf" for letter in "abc")
    for file in (old, fresh, used):
        file.write_bytes(b"")
    for file in (old, used):
        os.utime(file, (time.time() - 2 * KEPT_SECONDS,) * 2)
    await fetch(tmp_path, Store(CONTENT), tuned(), frozenset((DIGEST, "c" * 64)))
    assert {name[0] for name in names_in(tmp_path)} == {"b", "c", DIGEST[0]}


async def test_nothing_goes_from_the_folder_that_vllm_sees_but_what_was_written_there(tmp_path: Path) -> None:
    folder, served = tmp_path / "adapters", tmp_path / "shared"
    ours, part = "a" * 64, new_id("part")
    for name in (ours, "b" * 64, "my-own-lora", "part_of_mine", part):
        (served / name).mkdir(parents=True)
        os.utime(served / name, (time.time() - 2 * KEPT_SECONDS,) * 2)
    folder.mkdir()
    (folder / f"{ours}.gguf").write_bytes(b"")
    os.utime(folder / f"{ours}.gguf", (time.time() - 2 * KEPT_SECONDS,) * 2)
    fetching = AdapterFiles(folder, Store(CONTENT).pieces, lambda: {DIGEST}, served).fetching(tuned(), None)
    assert fetching is not None
    await fetching()
    assert sorted(names_in(served)) == ["b" * 64, "my-own-lora", "part_of_mine"]
    assert names_in(folder) == [f"{DIGEST}.gguf"]


def test_a_model_without_files_from_elsewhere_fetches_none(tmp_path: Path) -> None:
    files = AdapterFiles(tmp_path, Store().pieces, set)
    plain = tuned().model_copy(update={"llamacpp": type(tuned().llamacpp)()})
    assert files.fetching(plain, None) is None
    assert files.fetching(plain, lambda: None) is not None


async def test_what_a_model_had_learnt_goes_from_the_disk_with_it_unless_another_one_has_it(tmp_path: Path) -> None:
    in_use = {DIGEST}
    files, closed = AdapterFiles(tmp_path, Store(CONTENT).pieces, lambda: in_use), list[str]()
    fetching = files.fetching(tuned(), None)
    assert fetching is not None
    await fetching()

    async def close() -> None:
        closed.append("engine")

    await files.closing(tuned(), close)()
    assert (closed, names_in(tmp_path)) == (["engine"], [f"{DIGEST}.gguf"])
    in_use.clear()
    await files.closing(tuned(), close)()
    assert names_in(tmp_path) == []
