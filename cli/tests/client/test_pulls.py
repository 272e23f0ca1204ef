from __future__ import annotations

from typing import Any

import httpx2
import pytest
from cli.tests.server import Recorder, client_of, error

from groundwork.client.model_sources import SourceUnclear
from groundwork.client.pulls import Pulls, pull_from
from groundwork.errors import ApiError


def pull(status: str = "running", **more: Any) -> dict[str, Any]:
    return {"id": "pull_1", "model": "m", "status": status, "created_at": "2026-01-01T00:00:00Z", **more}


@pytest.mark.parametrize(
    ("place", "source", "kind"),
    [
        ("hf:org/m/a.gguf", {"huggingface": "org/m", "file": "a.gguf"}, "chat"),
        ("hf:org/m/q4/a.gguf@v1", {"huggingface": "org/m", "file": "q4/a.gguf", "revision": "v1"}, "chat"),
        ("hf:org/m@v1", {"huggingface": "org/m", "revision": "v1"}, "embedding"),
        ("ollama:qwen2.5:0.5b", {"ollama": "qwen2.5:0.5b"}, "chat"),
        ("ollama:hf.co/org/m:Q4", {"ollama": "hf.co/org/m:Q4"}, "chat"),
    ],
)
def test_a_place_is_read(place: str, source: dict[str, str], kind: str) -> None:
    asked = pull_from("m", place, dimensions=8 if kind == "embedding" else None)
    assert (asked.source, asked.kind) == (source, kind)


@pytest.mark.parametrize("place", ["org/m", "hf:m", "ollama:", "hf:org/m@", "https://huggingface.co/org/m"])
def test_a_place_that_is_none_says_how_one_looks(place: str) -> None:
    with pytest.raises(SourceUnclear, match="hf:org/name"):
        pull_from("m", place)


def test_it_is_waited_for_while_the_server_restarts() -> None:
    answers = [
        httpx2.Response(200, json=pull(bytes_done=1)),
        error(503, "away"),
        httpx2.Response(200, json=pull("ready")),
    ]
    server, seen = Recorder(httpx2.Response(202, json=pull("queued")), *answers), []
    pulls = Pulls(client_of(server)._connection, pause=lambda _: None)
    asked = pulls.create(pull_from("m", "hf:org/m/a.gguf"))
    assert pulls.wait(asked, lambda now: seen.append(now.status)).status == "ready"
    assert seen == ["queued", "running", "running"]
    assert server.body(0)["source"] == {"huggingface": "org/m", "file": "a.gguf"}


def test_one_that_is_gone_is_not_waited_for() -> None:
    pulls = Pulls(
        client_of(Recorder(httpx2.Response(202, json=pull()), error(404, "none")))._connection, lambda _: None
    )
    asked = pulls.create(pull_from("m", "ollama:m"))
    with pytest.raises(ApiError):
        pulls.wait(asked)
