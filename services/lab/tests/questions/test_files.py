from __future__ import annotations

import csv
import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.improvement.question_sets import MOST_QUESTIONS, QuestionFile
from lab.errors import QuestionFileBroken, QuestionsMissing, QuestionTooLarge, TooManyQuestions
from lab.questions.files import read_questions

ASKS, ANSWERS = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}


def _read(text: str, form: str = "jsonl", judgements: str | None = None) -> list[dict[str, Any]]:
    file = QuestionFile(format=form, name="q", text=text, judgements=judgements)
    return [dict(item.content) for item in read_questions(file)]


def test_json_lines_are_read_under_the_names_that_other_tools_use() -> None:
    lines = [
        {"id": 7, "query": "How many days?", "relevant": {"leave": 2}, "answer": "27 days"},
        {"_id": "b", "text": "Two?", "document": "leave", "label": "leave"},
        {"question": "Three?", "documents": [], "answerable": False, "answers": None},
        {"question": "Four\u2028five?", "answers": ["4", "four"], "metadata": {"collections": ["handbook"]}},
    ]
    read = _read("\ufeff" + "\r\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines))
    assert read[0] == {"id": "7", "question": "How many days?", "documents": {"leave": 2}, "answers": ["27 days"]}
    assert read[1] == {"id": "b", "question": "Two?", "documents": {"leave": 1}, "labels": ["leave"]}
    assert read[2] == {"id": read[2]["id"], "question": "Three?", "answerable": False}
    assert read[3]["question"] == "Four\u2028five?"
    assert read[3]["metadata"] == {"collections": ["handbook"]}


def test_csv_is_read_with_its_columns_and_any_separator() -> None:
    text = (
        "id;question;answer;answer_2;documents;answerable;labels;split;metadata.team\n"
        'a;"How many; days,\nin all?";27;27 days;leave=2|x;yes;leave;test;hr\n'
        ";Two?;;;;no;;;\n"
    )
    first, second = _read(text.replace("|x", " "), "csv")
    assert first == {
        "id": "a",
        "question": "How many; days,\nin all?",
        "answers": ["27", "27 days"],
        "documents": {"leave": 2},
        "answerable": True,
        "labels": ["leave"],
        "split": "test",
        "metadata": {"team": "hr"},
    }
    assert second == {"id": second["id"], "question": "Two?", "answerable": False}
    assert _read('question,documents\nOne?,"a; b=3"\n', "csv")[0]["documents"] == {"a": 1, "b": 3}
    assert _read("query\tanswer\nOne?\t1\n", "csv")[0]["answers"] == ["1"]


def test_a_document_of_csv_that_is_a_url_stays_whole() -> None:
    read = _read('question,documents\nOne?,"http://x/?a=12; y=z=2"\n', "csv")
    assert read[0]["documents"] == {"http://x/?a=12": 1, "y=z": 2}


def test_a_folder_of_beir_gives_the_queries_that_have_a_relevant_document() -> None:
    queries = '{"_id": "1", "text": "One?", "metadata": {"url": "x"}}\n{"_id": "2", "text": "Two?"}\n'
    for judgements in ("query-id\tcorpus-id\tscore\n1\ta\t2\n1\tb\t0\n2\ta\t0\n", "1 0 a 2\n1 0 b -1\n"):
        assert _read(queries, "beir", judgements) == [{"id": "1", "question": "One?", "documents": {"a": 2}}]


@pytest.mark.parametrize(
    ("text", "form", "line", "why"),
    [
        ('{"question": "One?"}\n\n{"question": ', "jsonl", 3, "not JSON"),
        ("[" * 100_000, "jsonl", 1, "nested too deeply"),
        ('{"question": "One?"}\n[1]', "jsonl", 2, "object"),
        ('{"question": "One?"}\n{"question": ""}', "jsonl", 2, "question"),
        ('{"question": "One?", "documents": {"a": "x"}}', "jsonl", 1, "documents.a"),
        ('{"question": "One?", "query": "Two?"}', "jsonl", 1, "'question' once"),
        ('{"question": "One?", "anser": "x"}', "jsonl", 1, "no field 'anser'; what is your own goes into 'metadata'"),
        ('{"question": "One?", "answerable": false, "answers": ["x"]}', "jsonl", 1, "not answerable"),
        ("question,answer\nOne?,1\nTwo?\n", "csv", 3, "1 columns"),
        ('question,answer\n"One\nline?",1\nTwo?,2,3\n', "csv", 4, "3 columns"),
        ('question\n"One?" x\n', "csv", 2, "not CSV"),
        ("question,answerable\nOne?,perhaps\n", "csv", 2, "not true or false"),
        ("question,documents\nOne?,a=high\n", "csv", 2, "'high' of 'a' is no whole number from 0 to 100"),
        pytest.param(f"question,documents\nOne?,a={'1' * 5000}\n", "csv", 2, "no whole number", id="digits"),
        ("question,documents\nOne?,a=101\n", "csv", 2, "documents.a"),
        ("question,colour\nOne?,red\n", "csv", 1, "colour"),
        ("answer\n27\n", "csv", 1, "no column of it is 'question'"),
        ("question,split,split\nOne?,a,b\n", "csv", 1, "'split' once"),
        ("question,documents,relevant\nOne?,a,b\n", "csv", 1, "'documents' once, not also as 'relevant'"),
        ('{"question": "One?", "split": "a", "split": "b"}', "jsonl", 1, "'split' is in an object twice"),
        ('{"question": "One?", "documents": {"a": 1, "a": 2}}', "jsonl", 1, "'a' is in an object twice"),
    ],
)
def test_a_broken_line_is_told_with_its_number(text: str, form: str, line: int, why: str) -> None:
    with pytest.raises(QuestionFileBroken) as broken:
        _read(text, form)
    assert f"q, line {line}: " in broken.value.message
    assert why in broken.value.message


@pytest.mark.parametrize(
    ("queries", "judgements", "says"),
    [
        ('{"_id": "1"}', "1\ta\t1", "q, line 1"),
        ('{"_id": "1", "text": "One?"}', "query-id corpus score\n1 a", "judgements, line 2"),
        ('{"_id": "1", "text": "One?"}', "query-id\tb\tc\n1\ta\thigh", "judgements, line 2"),
        ('{"_id": "1", "text": "One?"}', "1\ta\thigh\n1\ta\t1", "judgements, line 1"),
        ('{"_id": "1", "text": "One?"}', "1\ta\t1\n1\tb\t101", "judgements, line 2"),
    ],
)
def test_a_mistake_in_either_file_of_beir_is_told_with_its_line(queries: str, judgements: str, says: str) -> None:
    with pytest.raises(QuestionFileBroken, match=says):
        _read(queries, "beir", judgements)


@pytest.mark.parametrize(
    ("text", "form"), [("", "jsonl"), ("\n \n", "jsonl"), ("question,answer\n", "csv"), ("", "csv")]
)
def test_a_file_without_questions_is_refused(text: str, form: str) -> None:
    with pytest.raises(QuestionsMissing, match="no questions in q"):
        _read(text, form)


def test_a_question_of_too_many_bytes_is_refused_with_its_place() -> None:
    with pytest.raises(QuestionTooLarge, match="q, line 2 has 300,"):
        _read('{"question": "One?"}\n' + json.dumps({"question": "Two?", "metadata": {"a": "x" * 300_000}}))


def test_a_file_of_more_questions_than_a_version_may_have_is_refused() -> None:
    with pytest.raises(TooManyQuestions, match="10,001"):
        _read("\n".join(f'{{"question": "{n}?"}}' for n in range(MOST_QUESTIONS + 1)))


def test_only_beir_has_judgements_and_needs_them() -> None:
    with pytest.raises(ValidationError, match="judgements"):
        QuestionFile(format="beir", text="x")
    with pytest.raises(ValidationError, match="judgements"):
        QuestionFile(format="csv", text="x", judgements="x")


def test_a_long_cell_is_read_whatever_else_in_the_process_has_set_as_the_limit() -> None:
    note, before = "n" * 200_000, csv.field_size_limit(64)
    try:
        (item,) = _read(f"question,metadata.note\nOne?,{note}\n", "csv")
    finally:
        csv.field_size_limit(before)
    assert item["metadata"] == {"note": note}


def test_a_conversation_for_fine_tuning_is_a_question_with_its_answer() -> None:
    said = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Who?"}]
    line = json.dumps({"messages": [*said, {"role": "assistant", "content": "Me."}], "split": "train"})
    (item,) = read_questions(QuestionFile(format="messages", text=line))
    assert item.content["turns"] == said
    assert (item.content["answers"], item.split) == (["Me."], "train")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"prompt": "a"}, "a line is"),
        ({"messages": []}, "the last message must be"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, "the last message must be"),
        ({"messages": [ASKS]}, "the last message must be"),
        ({"messages": [ASKS, {"role": "assistant", "content": None}]}, "the last message must be"),
        ({"messages": [{"role": "tool", "content": "a"}, ANSWERS]}, "turns.0.role"),
        ({"messages": [{**ASKS, "weight": 0}, ANSWERS]}, "weight"),
    ],
)
def test_a_conversation_that_can_t_be_learnt_is_told_with_its_line(line: dict[str, Any], why: str) -> None:
    lines = [{"messages": [ASKS, ANSWERS]}, line]
    with pytest.raises(QuestionFileBroken, match=re.escape(why)) as broken:
        read_questions(QuestionFile(format="messages", name="f.jsonl", text="\n".join(map(json.dumps, lines))))
    assert "f.jsonl, line 2" in broken.value.message
