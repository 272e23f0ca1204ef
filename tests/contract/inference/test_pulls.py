"""Models that an administrator has fetched from a hub on loopback, by the running service."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.inference.administered import Admin, administered
from tests.support.inference.hub import COMMIT, PIECE, FakeHub
from tests.support.inference.running import serving

from inference.catalog.hub import Hub
from inference.catalog.sources import HubSource
from inference.settings import InferenceSettings

GGUF = b"GGUF" + bytes(range(256)) * 16384
SHA = hashlib.sha256(GGUF).hexdigest()
FILES = {
    "m.gguf": GGUF,
    "config.json": b"{}",
    "model.safetensors": b"weights" * 9,
    "pytorch_model.bin": b"a program",
    "q4/m-00001-of-00002.gguf": GGUF[:90_000],
    "q4/m-00002-of-00002.gguf": GGUF[90_000:],
}
FILE: dict[str, Any] = {"model": "far", "source": {"huggingface": "org/tiny", "file": "m.gguf"}}


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    hub = FakeHub(FILES)
    async with serving(hub.app) as hub.url:
        yield hub
        hub.go.set()


@pytest.fixture
async def admin(tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Admin]:
    async with administered(tmp_path, hub.url, monkeypatch) as admin:
        yield admin


async def test_a_file_is_fetched_pinned_and_declared(admin: Admin, hub: FakeHub) -> None:
    job = await admin.pull(FILE)
    assert (job["object"], job["model"], job["bytes_total"]) == ("model.pull", "far", len(GGUF))
    done = await admin.ended(job)
    assert (done["status"], done["bytes_done"], done["error"]) == ("ready", len(GGUF), None)
    assert done["source"] == {"huggingface": "org/tiny", "revision": COMMIT, "file": "m.gguf", "sha256": SHA}
    assert hub.given == ["m.gguf"]
    assert (admin.folder / f"hub/models--org--tiny/snapshots/{COMMIT}/m.gguf").read_bytes() == GGUF
    _, model = await admin.call("GET", "far")
    assert (model["state"], model["added"]) == ("failed", True)  # it was found, and is no model
    assert "is not on this machine" not in model["reason"]
    assert (await admin.call("GET", "pull"))[1]["data"][0]["id"] == job["id"]


async def test_a_file_in_parts_comes_whole(admin: Admin, hub: FakeHub) -> None:
    body = {"model": "far", "source": FILE["source"] | {"file": "q4/m-00001-of-00002.gguf"}}
    assert (await admin.ended(await admin.pull(body)))["status"] == "ready"
    assert hub.given == ["q4/m-00001-of-00002.gguf", "q4/m-00002-of-00002.gguf"]


async def test_a_folder_comes_without_programs(admin: Admin, hub: FakeHub) -> None:
    sizes = {"max_input_tokens": 64, "dimensions": 8}
    done = await admin.ended(await admin.pull({"model": "far", "source": {"huggingface": "org/tiny"}, **sizes}))
    assert done["status"] == "ready"
    assert sorted(hub.given) == ["config.json", "model.safetensors"]
    assert (await admin.call("GET", "far"))[1]["kind"] == "embedding"


@pytest.mark.parametrize("knows_ranges", [True, False])
async def test_a_connection_that_breaks_off_is_gone_on_with(admin: Admin, hub: FakeHub, knows_ranges: bool) -> None:
    hub.breaks_after, hub.knows_ranges = 40 * PIECE, knows_ranges
    done = await admin.ended(await admin.pull(FILE))
    assert (done["status"], done["bytes_done"]) == ("ready", len(GGUF))
    starts = [start for _, start in hub.asked]
    assert len(starts) == 2
    assert (0 < starts[1] <= 40 * PIECE) == knows_ranges


async def test_a_pull_is_one_job_however_often_it_is_asked_for_and_can_be_cancelled(admin: Admin, hub: FakeHub) -> None:
    hub.holds_after = 2 * PIECE
    job = await admin.pull(FILE)
    await hub.held.wait()
    assert (await admin.pull(FILE))["id"] == job["id"]
    assert (await admin.refused(FILE | {"source": {"huggingface": "org/tiny"}}))[:2] == (409, "pull_running")
    waiting = await admin.pull(FILE | {"model": "next"})
    assert (await admin.call("DELETE", f"pull/{waiting['id']}"))[1]["status"] == "cancelled"
    await admin.until(job["id"], lambda found: found["status"] == "running")
    assert admin.halves()
    assert (await admin.call("DELETE", f"pull/{job['id']}"))[0] == 202
    assert (await admin.ended(job))["status"] == "cancelled"
    assert admin.halves() == []
    assert (await admin.call("GET", "far"))[0] == 404
    assert (await admin.call("DELETE", f"pull/{job['id']}"))[1]["error"]["code"] == "pull_finished"
    assert (await admin.call("GET", "pull/none"))[1]["error"]["code"] == "pull_not_found"


async def test_the_whole_parts_of_a_cancelled_pull_go_and_another_models_files_stay(admin: Admin, hub: FakeHub) -> None:
    assert (await admin.ended(await admin.pull(FILE)))["status"] == "ready"
    hub.holds_after = 2 * PIECE  # more than the first part has
    job = await admin.pull({"model": "parts", "source": FILE["source"] | {"file": "q4/m-00001-of-00002.gguf"}})
    await hub.held.wait()
    assert len(list(admin.folder.rglob("blobs/*"))) == 3
    await admin.call("DELETE", f"pull/{job['id']}")
    assert (await admin.ended(job))["status"] == "cancelled"
    assert [blob.name for blob in admin.folder.rglob("blobs/*")] == [SHA]


async def test_a_disk_that_fills_meanwhile_ends_it_and_gets_its_room_back(
    admin: Admin, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.pulls.jobs.WRITE_SECONDS", 0.0)
    hub.holds_after = 2 * PIECE
    job = await admin.pull(FILE)
    await hub.held.wait()
    monkeypatch.setattr("servicekit.core.disk.shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    hub.go.set()
    failed = await admin.ended(job)
    assert (failed["status"], failed["error"]["code"], failed["error"]["retryable"]) == ("failed", "disk_full", True)
    assert admin.halves() == []


async def test_bytes_with_another_digest_are_deleted(admin: Admin, hub: FakeHub) -> None:
    hub.lies = 1
    failed = await admin.ended(await admin.pull(FILE))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "model_file_changed")
    assert list((admin.folder / "hub").rglob("blobs/*")) == []
    assert (await admin.call("GET", "far"))[0] == 404


async def test_what_an_attempt_left_damaged_is_fetched_once_more(admin: Admin, hub: FakeHub) -> None:
    hub.lies, hub.breaks_after = 1, 40 * PIECE
    assert (await admin.ended(await admin.pull(FILE)))["status"] == "ready"
    assert [start > 0 for _, start in hub.asked] == [False, True, False]


@pytest.mark.parametrize(
    ("change", "status", "code", "says"),
    [
        ({"source": {"huggingface": "org/other", "file": "m.gguf"}}, 400, "source_not_found", "org/other"),
        ({"source": FILE["source"] | {"file": "none.gguf"}}, 400, "source_not_found", r"It has m\.gguf, q4"),
        ({"source": FILE["source"] | {"revision": "v9"}}, 400, "source_not_found", "this revision"),
        ({"source": FILE["source"] | {"sha256": "0" * 64}}, 409, "model_file_changed", SHA),
        ({"source": FILE["source"] | {"fil": 1}}, 422, "invalid_model", r"source\.fil"),
        ({"source": {"huggingface": "org/tiny"}}, 422, "invalid_model", "needs max_input_tokens and dimensions"),
        ({"source": {"ollama": "m", "base_url": "http://10.0.0.1:11434"}}, 400, "model_refused", "ADDED_HOSTS"),
        ({"model": "pull"}, 422, "invalid_model", "no model may be called pull"),
        ({"model": "talker"}, 409, "model_declared_in_file", "talker"),
        ({"model": "a/b"}, 422, "invalid_model", "name"),
        ({"context_length": 1}, 422, "invalid_model", "context_length"),
    ],
)
async def test_what_can_not_be_pulled_is_refused_before_a_byte_comes(
    admin: Admin, hub: FakeHub, change: dict[str, Any], status: int, code: str, says: str
) -> None:
    found_status, found_code, message = await admin.refused(FILE | change)
    assert (found_status, found_code) == (status, code), message
    assert re.search(says, message), message
    assert hub.asked == []
    assert (await admin.call("GET", "pull"))[1]["data"] == []


async def test_a_name_that_another_model_has_is_not_taken_from_it(admin: Admin, hub: FakeHub) -> None:
    declared = {"kind": "chat", "engine": "scripted", "context_length": 64}
    assert (await admin.call("PUT", "far", declared))[0] == 200
    assert (await admin.refused(FILE))[:2] == (409, "model_name_taken")
    assert hub.asked == []


async def test_an_embedding_models_name_is_refused_to_another_one_before_a_byte_comes(
    admin: Admin, hub: FakeHub
) -> None:
    sizes = {"kind": "embedding", "max_input_tokens": 64, "dimensions": 8}
    assert (await admin.call("PUT", "far", sizes | {"engine": "scripted"}))[1]["state"] == "ready"
    await admin.call("DELETE", "far")
    refused = await admin.refused({"model": "far", "source": {"huggingface": "org/tiny"}, **sizes})
    assert refused[:2] == (409, "embedding_model_fixed")
    assert hub.asked == []


async def test_one_more_than_may_be_added_is_refused_before_a_byte_comes(
    admin: Admin, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.declarations.repository.MOST", 0)
    assert (await admin.refused(FILE))[:2] == (409, "too_many_models")
    assert hub.asked == []


@pytest.mark.parametrize(
    ("settings", "status", "code"),
    [
        ({"pull_bytes": 0}, 403, "pulls_forbidden"),
        ({"pull_bytes": len(GGUF) - 1}, 413, "pull_too_large"),
        ({"disk_reserve_bytes": 2**60}, 503, "disk_full"),
    ],
)
async def test_more_than_may_be_or_has_room_is_refused(
    tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], status: int, code: str
) -> None:
    async with administered(tmp_path, hub.url, monkeypatch, **settings) as admin:
        assert (await admin.refused(FILE))[:2] == (status, code)
        assert hub.asked == []


@pytest.mark.parametrize(("said", "status", "code"), [(401, 400, "source_refused"), (503, 503, "hub_unreachable")])
async def test_a_hub_that_gives_nothing_is_said(admin: Admin, hub: FakeHub, said: int, status: int, code: str) -> None:
    hub.status = said
    assert (await admin.refused(FILE))[:2] == (status, code)


async def test_a_hub_that_goes_away_meanwhile_is_waited_for(admin: Admin, hub: FakeHub) -> None:
    hub.breaks_after, hub.status_after = 40 * PIECE, 503
    job = await admin.pull(FILE)
    await admin.until(job["id"], lambda found: found["waiting_on"] == "hub")
    assert admin.halves()
    hub.status = None
    assert (await admin.ended(job))["status"] == "ready"
    assert hub.asked[-1][1] > 0


async def test_it_is_served_again_once_its_files_are_back(admin: Admin, hub: FakeHub) -> None:
    done = await admin.ended(await admin.pull(FILE))
    for file in (admin.folder / "hub").rglob("*"):
        if file.is_file() or file.is_symlink():
            file.unlink()
    await admin.call("DELETE", "far")
    body = {"kind": "chat", "engine": "llamacpp", "context_length": 4096, "source": done["source"]}
    _, lost = await admin.call("PUT", "far", body)
    assert "groundwork model pull" in lost["reason"]
    assert (await admin.ended(await admin.pull(FILE)))["status"] == "ready"
    assert "is not on this machine" not in (await admin.call("GET", "far"))[1]["reason"]


@pytest.mark.parametrize("revision", [COMMIT, "main"])
async def test_lost_files_are_put_back_as_they_are_declared_though_main_has_moved(
    admin: Admin, hub: FakeHub, revision: str
) -> None:
    source = FILE["source"] | {"revision": revision}
    body = {"kind": "chat", "engine": "llamacpp", "context_length": 4096, "source": source}
    _, lost = await admin.call("PUT", "far", body)
    assert "groundwork model pull" in lost["reason"]
    hub.commit = "d" * 40
    done = await admin.ended(await admin.pull(FILE))
    assert (done["status"], done["source"]) == ("ready", source)
    assert "is not on this machine" not in (await admin.call("GET", "far"))[1]["reason"]


async def test_a_newer_commit_replaces_no_model_that_has_its_files(admin: Admin, hub: FakeHub) -> None:
    assert (await admin.ended(await admin.pull(FILE)))["status"] == "ready"
    hub.commit = "d" * 40
    status, code, message = await admin.refused(FILE)
    assert (status, code) == (409, "model_name_taken")
    assert "of another commit" in message
    assert (await admin.ended(await admin.pull(FILE | {"source": FILE["source"] | {"revision": COMMIT}})))[
        "status"
    ] == "ready"


async def test_a_branch_means_what_was_pulled_where_no_network_is(admin: Admin, hub: FakeHub) -> None:
    assert (await admin.ended(await admin.pull(FILE | {"model": "other"})))["status"] == "ready"
    found = await asyncio.to_thread(Hub(admin.folder / "hub").file, HubSource.model_validate(FILE["source"]))
    assert found.read_bytes() == GGUF
    hub.commit = "d" * 40
    parts = FILE["source"] | {"file": "q4/m-00001-of-00002.gguf"}
    assert (await admin.ended(await admin.pull({"model": "parts", "source": parts})))["status"] == "ready"
    assert (admin.folder / "hub/models--org--tiny/refs/main").read_text() == "d" * 40


async def test_another_tenants_key_and_a_plain_one_reach_nothing(admin: Admin) -> None:
    for method, path in (("POST", "pull"), ("GET", "pull"), ("GET", "pull/x"), ("DELETE", "pull/x")):
        url = f"{admin.service.url}/v1/models/{path}"
        async with admin.service.session.request(method, url, json=FILE, headers=admin.service.headers) as answer:
            assert answer.status == 403


def test_the_setting_allows_pulls_unless_it_is_zero() -> None:
    assert InferenceSettings().pull_bytes == 50_000_000_000
