"""Weights from an inference of this test's own."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.models.tuning import DIGEST_HEADER, MODEL_HEADER
from lab.tuning.bases import MOST_KEPT, Bases
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
        assert (method, path) == ("GET", "/v1/models/default/weights")
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


@pytest.mark.parametrize("digest", [f"sha256:{'0' * 64}", "../../etc/passwd", "sha256:short"])
async def test_weights_that_are_not_what_they_are_said_to_be_are_not_kept(tmp_path: Path, digest: str) -> None:
    inference = Inference()
    inference.digest = digest
    with pytest.raises(PeerMalformed):
        await Bases(inference, tmp_path / "bases").get("default", token)  # type: ignore[arg-type]
    assert not files(tmp_path)


async def test_so_many_are_kept(tmp_path: Path) -> None:
    inference = Inference()
    for number in range(MOST_KEPT + 2):
        inference.content = b"GGUF" + bytes([number])
        last = await Bases(inference, tmp_path).get("default", token)  # type: ignore[arg-type]
    kept = files(tmp_path)
    assert len(kept) == MOST_KEPT
    assert last.weights in kept
