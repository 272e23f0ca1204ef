from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cli.tests.server import Recorder, Serve, page
from cli.tests.terminal import output

SAID: dict[str, Any] = {
    "id": "fb_1", "answer_id": "chatcmpl_1", "part": {"citation": 2}, "user": "jane", "rating": "down",
    "labels": ["wrong_source"], "comment": "[red]No[/red].", "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}  # fmt: skip
LINE = b'{"prompt": [], "completion": [], "label": true}\n'


def test_feedback_is_listed_as_people_said_it(serve: Serve) -> None:
    server = Recorder(page(SAID, {**SAID, "answer_id": "chatcmpl_2", "part": None}))
    serve(server)
    listed = output("feedback", "list", "--rating", "down", "--limit", "1")
    assert "chatcmpl_1" in listed
    assert "citation 2" in listed
    assert "[red]No[/red]." in listed
    assert "chatcmpl_2" not in listed
    assert server.asked[0].url.params["rating"] == "down"


@pytest.mark.parametrize("to_file", [True, False])
def test_an_export_is_what_the_server_sends(serve: Serve, tmp_path: Path, to_file: bool) -> None:
    server = Recorder(httpx2.Response(200, content=LINE * 3))
    serve(server)
    file = tmp_path / "kto.jsonl"
    printed = output("feedback", "export", "kto", "--split", "train", *(("-o", str(file)) if to_file else ()))
    text = file.read_text() if to_file else printed
    assert [json.loads(line)["label"] for line in text.strip().splitlines()] == [True] * 3
    assert dict(server.asked[0].url.params) == {"format": "kto", "test_percent": "10", "split": "train"}


def test_blind_comparisons_are_counted_by_pair_of_targets(serve: Serve) -> None:
    counts = {"questions": 9, "wins": 6, "losses": 1, "ties": 2, "both_bad": 1}
    told = {**counts, "model": "rag:hb", "other": "[b]plain[/b]", "share": 0.857, "low": 0.4, "high": 0.99, "p": 0.4375}
    untold = {"model": "x", "other": "y", **dict.fromkeys(counts, 0), **dict.fromkeys(("share", "low", "high", "p"))}
    server = Recorder(page(told, untold))
    serve(server)
    lines = output("feedback", "comparisons", "rag:hb").splitlines()
    assert lines[1].split() == ["rag:hb", "[b]plain[/b]", "9", "6", "1", "2", "1", "0.86", "[0.40,", "0.99]", "0.44"]
    assert lines[2].split() == ["x", "y", *"00000"]
    assert dict(server.asked[0].url.params) == {"model": "rag:hb", "by": "target"}


def test_the_versions_that_were_compared_in_a_time_are_told_apart(serve: Serve) -> None:
    counts = {"questions": 1, "wins": 1, "losses": 0, "ties": 0, "both_bad": 0}
    none = dict.fromkeys(("share", "low", "high", "p"))
    server = Recorder(page({**counts, **none, "model": "prompt:a", "version": "a@2", "other": "m"}))
    serve(server)
    lines = output("feedback", "comparisons", "--versions", "--from", "2026-01-31", "--to", "2026-02-01").splitlines()
    assert lines[1].split() == ["prompt:a", "(a@2)", "m", *"11000"]
    wanted = {"by": "version", "from": "2026-01-31T00:00:00+00:00", "to": "2026-02-01T00:00:00+00:00"}
    assert dict(server.asked[0].url.params) == wanted
