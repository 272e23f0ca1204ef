from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from cli.tests.server import Recorder, client_of, page

from groundwork.client.improvement.question_sets import question_file, read_question_file
from groundwork.errors import QuestionsInvalid

AT = "2026-01-01T00:00:00Z"
SET: dict[str, Any] = {
    "name": "policies", "version": 2, "newest": 2, "questions": 1, "answerable": 1, "unanswerable": 0, "digest": "d",
    "key_id": "k", "created_at": AT, "updated_at": AT,
}  # fmt: skip


def test_a_set_is_saved_shown_and_deleted_by_its_name_or_a_version() -> None:
    answers = [httpx2.Response(201, json=SET), *[httpx2.Response(200, json=SET)] * 3, page({"id": "a"})]
    server = Recorder(*answers, httpx2.Response(204), httpx2.Response(204))
    with client_of(server) as client:
        sets = client.question_sets
        assert sets.save("policies", [{"question": "One?"}], append=True, description="").version == 2
        assert sets.get("policies").questions == 1
        sets.get("policies", 1)
        assert [one.id for one in sets.questions("policies", split="test")] == ["a"]
        sets.delete("policies", 1)
        sets.delete("policies")
    calls = [call.partition("?")[0] for call in server.calls]
    assert calls == [
        "POST /v1/question-sets",
        "GET /v1/question-sets/policies",
        "GET /v1/question-sets/policies/versions/1",
        "GET /v1/question-sets/policies",
        "GET /v1/question-sets/policies/versions/2/items",
        "DELETE /v1/question-sets/policies/versions/1",
        "DELETE /v1/question-sets/policies",
    ]
    assert dict(server.asked[4].url.params)["split"] == "test"


def test_a_file_is_told_by_its_ending_and_a_folder_is_that_of_beir(tmp_path: Path) -> None:
    (tmp_path / "q.CSV").write_text("question\nOne?\n")
    (tmp_path / "q.jsonl").write_text('{"question": "One?"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "1", "text": "One?"}\n')
    assert read_question_file(tmp_path / "q.CSV").format == "csv"
    assert (read_question_file(tmp_path / "q.jsonl").format, read_question_file(tmp_path / "q.jsonl").name) == (
        "jsonl",
        "q.jsonl",
    )
    (tmp_path / "tune.jsonl").write_text('{"messages": [{"role": "user", "content": "One?"}]}\n')
    assert read_question_file(tmp_path / "tune.jsonl").format == "messages"
    for first in ('{"input": {"messages": []}', '{"prompt": []'):
        (tmp_path / "pairs.jsonl").write_text(f'{first}, "chosen": []}}\n')
        assert read_question_file(tmp_path / "pairs.jsonl").format == "preference"
    with pytest.raises(QuestionsInvalid, match=r"no qrels\.tsv"):
        read_question_file(tmp_path)
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("1\ta\t1\n")
    folder = read_question_file(tmp_path)
    assert (folder.format, folder.judgements) == ("beir", "1\ta\t1\n")


def test_what_can_not_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(QuestionsInvalid, match="can't be read"):
        read_question_file(tmp_path / "gone.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(QuestionsInvalid, match="not UTF-8"):
        read_question_file(tmp_path / "latin.jsonl")
    with pytest.raises(QuestionsInvalid, match="16,000,001 characters"):
        question_file("jsonl", "large.jsonl", "x" * 16_000_001)
