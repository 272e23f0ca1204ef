from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.improvement.question_sets import QuestionRecord, Turn
from groundwork.errors import QuestionsInvalid
from groundwork.evaluation.questions import read_questions, set_questions

HANDBOOK = Path(__file__).resolve().parents[3] / "examples" / "handbook-questions.jsonl"


def written(folder: Path, *lines: str | dict[str, object]) -> Path:
    file = folder / "questions.jsonl"
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return file


def test_every_way_to_name_relevant_documents_is_read(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        {"query": "graded?", "relevant": {"a": 2, "b": 1, "c": 0}},
        {"id": "two", "question": "listed?", "relevant": ["a", "b"]},
        "",
        {"_id": 7, "question": "one?", "document": "a"},
        {"query": "none?", "document": None},
        {"query": "none, either?", "document": "a", "answerable": False},
    )
    read = {question.id: (question.text, dict(question.relevant)) for question in read_questions(file)}
    assert read == {
        "1": ("graded?", {"a": 2, "b": 1}),
        "two": ("listed?", {"a": 1, "b": 1}),
        "7": ("one?", {"a": 1}),
        "5": ("none?", {}),
        "6": ("none, either?", {}),
    }


def test_the_sample_questions_are_read() -> None:
    questions = read_questions(HANDBOOK)
    assert len(questions) == 40
    assert sum(bool(question.relevant) for question in questions) == 30


def test_a_folder_in_the_layout_of_beir_is_read(tmp_path: Path) -> None:
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "one?"}\n{"_id": "q2", "text": "unjudged?"}\n')
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td 1\t2\nq1\td2\t0\n")
    [question] = read_questions(tmp_path)
    assert (question.id, question.text, question.relevant) == ("q1", "one?", {"d 1": 2})


def test_grades_as_trec_writes_them_are_read(tmp_path: Path) -> None:
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "one?"}\n')
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("q1 0 d1 1\n")
    assert read_questions(tmp_path)[0].relevant == {"d1": 1}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{not json", "this is not JSON"),
        ('["a"]', "a line is an object"),
        ('{"relevant": ["a"]}', 'no "query"'),
        ('{"query": " ", "relevant": ["a"]}', 'no "query"'),
        ('{"query": "x"}', "names no relevant document"),
        ('{"query": "x", "relevant": ["a"], "document": "b"}', "give one of"),
        ('{"query": "x", "relevant": [7]}', "which is text, not 7"),
        ('{"query": "x", "relevant": {"a": "high"}}', "the grade of 'a' is a whole number"),
        ('{"query": "x", "relevant": {"a": true}}', "the grade of 'a' is a whole number"),
        ('{"id": ["x"], "query": "x", "relevant": "a"}', 'its "id"'),
        ('{"id": "first", "query": "x", "relevant": "a"}', "the id 'first' is that of questions.jsonl, line 1"),
        (json.dumps({"query": "x" * 40_000, "relevant": "a"}), "up to 32768"),
    ],
)
def test_a_line_that_makes_no_sense_is_named_with_its_number(tmp_path: Path, line: str, said: str) -> None:
    file = written(tmp_path, {"id": "first", "query": "fine?", "relevant": "a"}, "", line)
    with pytest.raises(QuestionsInvalid) as caught:
        read_questions(file)
    assert str(caught.value).startswith("questions.jsonl, line 3: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("qrels", "said"), [("h\nq1\td1\n", "line 1"), ("a\tb\tscore\nq1\td1\tvery\n", "'very' is not")]
)
def test_grades_that_make_no_sense_are_named(tmp_path: Path, qrels: str, said: str) -> None:
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "one?"}\n')
    (tmp_path / "qrels.tsv").write_text(qrels)
    with pytest.raises(QuestionsInvalid, match=said):
        read_questions(tmp_path)


def test_what_is_missing_or_empty_is_said(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "nowhere.jsonl", "can't be read"),
        (tmp_path, "There is no qrels.tsv"),
        (written(tmp_path), "There are no questions"),
    ):
        with pytest.raises(QuestionsInvalid, match=said):
            read_questions(path)
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(QuestionsInvalid, match="not UTF-8"):
        read_questions(tmp_path / "binary.jsonl")


def test_a_set_of_the_server_has_the_questions_of_a_file() -> None:
    records = [
        QuestionRecord(id="a", question="One?", documents={"leave.md": 2}),
        QuestionRecord(id="b", turns=[Turn(role="user", content="Two?"), Turn(role="user", content="Three?")]),
        QuestionRecord(id="c", question="Four?", documents={"near.md": 1}, answerable=False),
    ]
    read = set_questions("set:policies@2", records)
    assert [(one.id, one.text, dict(one.relevant)) for one in read] == [
        ("a", "One?", {"leave.md": 2}),
        ("b", "Three?", {}),
        ("c", "Four?", {}),
    ]
    assert read[0].place == "set:policies@2, question 1"
    with pytest.raises(QuestionsInvalid, match="no questions in set:policies@2"):
        set_questions("set:policies@2", [])
