from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from services.inference.tests.heads import encoded
from services.inference.tests.projections import projection

from inference.bootstrap import MIGRATIONS
from inference.catalog.identity import Identity
from inference.catalog.models_file import Model
from inference.declarations import vectors
from inference.declarations.entry import read_entry
from inference.declarations.repository import DeclarationRepository, Vectors
from inference.declarations.vectors import NamesOfVectors
from inference.errors import CannotLoad, EmbeddingModelFixed
from inference.serving.served_model import Declaration, ServedModel
from servicekit.core.clock import SystemClock
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

SERVER = {"base_url": "http://127.0.0.1:8000/v1", "upstream_model": "m"}
REMOTE = {"kind": "embedding", "engine": "openai", "max_input_tokens": 16, "dimensions": 4, "source": SERVER}
FOLDER = REMOTE | {"engine": "sentence-transformers", "source": {"path": "/models/m"}}


async def _refused(
    tmp_path: Path, before: Vectors, entry: dict[str, Any], digest: str | None = None, *, found: bool = True
) -> bool:
    def identify(model: Model) -> Identity:
        if not found:
            raise CannotLoad("it is not there")
        return Identity(digest)

    database = Database.open(None, tmp_path, "inference")
    await migrate(database, MIGRATIONS)
    try:
        repository = DeclarationRepository(database, SystemClock())
        await repository.remember("more", before)
        remembered = NamesOfVectors(repository, identify)
        check = await remembered.held_to(read_entry("more", entry))
    finally:
        await database.close()
    try:
        check(before)
    except EmbeddingModelFixed:
        return True
    return False


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ({"base_url": "https://elsewhere.example/v1"}, False),
        ({"api_key_env": "VLLM_API_KEY"}, False),
        ({"metrics_url": "http://127.0.0.1:8000/metrics", "stream_usage": False, "ready_path": None}, False),
        ({"upstream_model": "other"}, True),
        ({"send_dimensions": True}, True),
        ({"input_types": {"query": "q", "passage": "p"}}, True),
    ],
    ids=["moved", "key", "metrics", "model", "dimensions", "types"],
)
async def test_a_server_may_move_but_not_give_other_vectors(
    tmp_path: Path, source: dict[str, Any], refused: bool
) -> None:
    assert await _refused(tmp_path, Vectors(REMOTE), REMOTE | {"source": SERVER | source}) is refused


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"dimensions": 8}, True),
        ({"max_input_tokens": 32}, True),
        ({"prefixes": {"query": "query: ", "passage": "passage: "}}, True),
        ({"languages": ["en"], "unrelated_cosine": 0.5, "probe_seconds": 9}, False),
        ({"price": {"prompt_usd_per_million": 1}, "queue": {"waiting_tokens": 9}}, False),
    ],
    ids=["dimensions", "limit", "prefixes", "search", "price"],
)
async def test_what_vectors_depend_on_is_fixed(tmp_path: Path, change: dict[str, Any], refused: bool) -> None:
    assert await _refused(tmp_path, Vectors(REMOTE), REMOTE | change) is refused


async def test_a_folder_is_known_by_its_files_and_not_by_its_place(tmp_path: Path) -> None:
    before = Vectors(FOLDER, "sha256:a")
    moved = FOLDER | {"source": {"path": "/models/elsewhere"}}
    assert not await _refused(tmp_path, before, moved, "sha256:a")
    assert await _refused(tmp_path, before, FOLDER, "sha256:b")
    assert await _refused(tmp_path, before, moved, found=False)
    assert not await _refused(tmp_path, before, FOLDER, found=False)


async def test_what_this_release_can_not_read_is_another_model(tmp_path: Path) -> None:
    assert await _refused(tmp_path, Vectors(REMOTE | {"engine": "gone"}), REMOTE)


@pytest.mark.parametrize(
    ("digest", "change", "refused"),
    [("sha256:a", {}, False), ("sha256:b", {}, True), (None, {}, True), ("sha256:a", {"dimensions": 8}, True)],
)
async def test_the_same_files_are_the_same_model_though_its_entry_can_not_be_read(
    tmp_path: Path, digest: str | None, change: dict[str, Any], refused: bool
) -> None:
    before = Vectors(FOLDER | {"engine": "gone"}, "sha256:a")
    assert await _refused(tmp_path, before, FOLDER | change, digest) is refused


async def test_another_kind_of_model_may_have_the_name_meanwhile(tmp_path: Path) -> None:
    chat = {"kind": "chat", "engine": "scripted", "context_length": 64}
    assert not await _refused(tmp_path, Vectors(REMOTE), chat)


async def test_the_files_of_a_new_name_are_not_read_for_it(tmp_path: Path) -> None:
    def identify(_: Model) -> Identity:
        raise AssertionError("it may be terabytes")

    database = Database.open(None, tmp_path, "inference")
    await migrate(database, MIGRATIONS)
    remembered = NamesOfVectors(DeclarationRepository(database, SystemClock()), identify)
    (await remembered.held_to(read_entry("more", FOLDER)))(None)
    await database.close()


async def test_a_digest_that_takes_too_long_leaves_the_place_to_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "DIGEST_SECONDS", 0.0)
    moved = FOLDER | {"source": {"path": "/models/elsewhere"}}
    assert await _refused(tmp_path, Vectors(FOLDER, "sha256:a"), moved, "sha256:a")
    assert not await _refused(tmp_path, Vectors(FOLDER, "sha256:a"), FOLDER, "sha256:a")


async def test_a_projection_that_is_removed_as_it_came_is_remembered_by_its_digest(tmp_path: Path) -> None:
    def identify(model: Model) -> Identity:
        return Identity(f"sha256:{hash(model.model_dump_json())}")

    def moved(by: float) -> Model:
        learnt = projection(up=encoded([0.0, by]))
        entry = {"kind": "embedding", "engine": "projection", "max_input_tokens": 16, "dimensions": 2}
        return read_entry("more", entry | {"source": {"projection": learnt}})

    database = Database.open(None, tmp_path, "inference")
    await migrate(database, MIGRATIONS)
    repository = DeclarationRepository(database, SystemClock())
    served: ServedModel[Any] = ServedModel(Declaration(moved(1.0)), object())
    served.has_answered = True
    remembered = NamesOfVectors(repository, identify)
    await remembered.remember([served])
    noted = await repository.vectors("more")
    await database.close()
    assert noted is not None
    assert noted.digest == identify(moved(1.0)).digest != identify(moved(2.0)).digest
