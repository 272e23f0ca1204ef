"""Weights from an inference of this test's own."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.models.tuning import DIGEST_HEADER, MODEL_HEADER
from lab.tuning.bases import IN_USE_SECONDS, MOST_KEPT, ORPHANED_SECONDS, Bases
from servicekit.peers.client import PeerAnswer, PeerMalformed


class Inference:
    """What a `Peer` for it does."""

    name = "inference"

    def __init__(self) -> None:
        self.content = b"GGUF weights"
        self.digest: str | None = None
        self.tokens: list[str | None] = []
        self.read = 0

    async def send(self, method: str, path: str, *, token: str | None = None) -> PeerAnswer:
        assert (method, path) == ("GET", "/v1/models/a%2Fb/tokenizer")
        return PeerAnswer(200, {}, b"{}")

    @asynccontextmanager
    async def stream(self, method: str, path: str, *, token: str | None, timeout_seconds: float) -> AsyncIterator[Any]:
        assert (method, path) == ("GET", "/v1/models/default/weights?kind=chat")
        self.tokens.append(token)
        digest = self.digest or f"sha256:{hashlib.sha256(self.content).hexdigest()}"
        headers: Mapping[str, str] = {DIGEST_HEADER: digest, MODEL_HEADER: "a/b"}

        async def pieces() -> AsyncIterator[bytes]:
            self.read += 1
            yield self.content[:4]
            yield self.content[4:]

        yield SimpleNamespace(headers=headers, pieces=pieces)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def token() -> str:
    return "right"


async def test_weights_are_fetched_once_and_known_by_their_digest(tmp_path: Path) -> None:
    inference = Inference()
    bases = Bases(inference, tmp_path / "bases")  # type: ignore[arg-type]
    first, again = await bases.get("default", token), await bases.get("default", token)
    assert first == again
    assert (first.weights.read_bytes(), first.tokenizer, inference.read) == (b"GGUF weights", b"{}", 1)
    assert inference.tokens == ["right", "right"]
    assert first.model == "a/b", "not the name that stands for it"


@pytest.mark.parametrize("digest", [f"sha256:{'0' * 64}", "../../etc/passwd", "sha256:short"])
async def test_weights_that_are_not_what_they_are_said_to_be_are_not_kept(tmp_path: Path, digest: str) -> None:
    inference = Inference()
    inference.digest = digest
    with pytest.raises(PeerMalformed):
        await Bases(inference, tmp_path / "bases").get("default", token)  # type: ignore[arg-type]
    assert not files(tmp_path)


def age(file: Path, seconds: float) -> None:
    when = time.time() - seconds
    os.utime(file, (when, when))


async def _fetch(folder: Path, count: int) -> list[Path]:
    """So many files of weights, each of which was asked for an hour and more before the next."""
    inference, fetched = Inference(), []
    for number in range(count):
        inference.content = b"GGUF" + bytes([number])
        fetched.append((await Bases(inference, folder).get("default", token)).weights)  # type: ignore[arg-type]
        for file in files(folder):
            age(file, time.time() - file.stat().st_mtime + IN_USE_SECONDS + 1)
    return fetched


async def test_so_many_are_kept(tmp_path: Path) -> None:
    fetched = await _fetch(tmp_path, MOST_KEPT + 2)
    assert sorted(files(tmp_path)) == sorted(fetched[-MOST_KEPT:])


async def test_weights_that_a_job_may_not_have_opened_yet_are_kept_however_many_there_are(tmp_path: Path) -> None:
    inference = Inference()
    for number in range(MOST_KEPT + 2):
        inference.content = b"GGUF" + bytes([number])
        await Bases(inference, tmp_path).get("default", token)  # type: ignore[arg-type]
    assert len(files(tmp_path)) == MOST_KEPT + 2


async def test_what_a_killed_download_left_is_removed_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    bases = Bases(Inference(), tmp_path)  # type: ignore[arg-type]
    kept = (await bases.get("default", token)).weights
    left, written = tmp_path / "part_left", tmp_path / "part_written"
    for part in (left, written):
        part.write_bytes(b"GG")
    age(left, ORPHANED_SECONDS + 1)
    age(kept, ORPHANED_SECONDS + 1)
    await bases.remove_orphans()
    assert sorted(files(tmp_path)) == sorted([kept, written])


@pytest.mark.parametrize("spoilt", [b"", b"GGUF weightX"])
async def test_a_kept_file_that_is_not_what_its_name_says_is_fetched_again(tmp_path: Path, spoilt: bytes) -> None:
    inference = Inference()
    bases = Bases(inference, tmp_path)  # type: ignore[arg-type]
    (await bases.get("default", token)).weights.write_bytes(spoilt)
    assert (await bases.get("default", token)).weights.read_bytes() == b"GGUF weights"
    assert inference.read == 2


async def test_weights_are_on_the_disk_before_they_have_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        done.append("fsync")
        sync(descriptor)

    def replaced(part: Path, file: Path) -> Path:
        done.append("replace")
        return replace(part, file)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    await Bases(Inference(), tmp_path).get("default", token)  # type: ignore[arg-type]
    assert done == ["fsync", "replace", "fsync"]
