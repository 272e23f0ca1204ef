from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from groundwork.errors import GroundworkError
from groundwork.evaluation.benchmarks.tasks import read_tasks


def _file(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "tasks.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


@pytest.mark.parametrize(
    ("line", "gold"),
    [
        ({"query": "q", "choices": ["a", "b"], "gold": 1}, [1]),
        ({"query": "q", "choices": ["a", "b"], "gold": [0, 1]}, [0, 1]),
        ({"ctx": "q", "endings": ["a", "b"], "label": "1"}, [1]),
        ({"question": "q", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "2"}, [1]),
        ({"question": "q", "choices": ["x", "y", "z"], "answer": "C"}, [2]),
        ({"context": "q", "options": ["yes", "no"], "answer": "no"}, [1]),
        ({"question": "q", "choices": ["no", "yes"], "answer": True}, [1]),
    ],
)
def test_multiple_choice_is_read_by_the_names_that_data_sets_use(
    tmp_path: Path, line: dict[str, Any], gold: list[int]
) -> None:
    read = read_tasks(_file(tmp_path, line))
    assert read.is_choice
    assert list(read.tasks[0].gold) == gold
    assert read.tasks[0].context == "q"


def test_answers_in_words_are_read_with_what_ends_them(tmp_path: Path) -> None:
    lines = (
        {"question": "q", "answer": "27 days", "until": ["\n"], "max_gen_toks": 9},
        {"query": "r", "targets": ["s", "t"]},
    )
    read = read_tasks(_file(tmp_path, *lines))
    assert not read.is_choice
    assert [list(task.answers) for task in read.tasks] == [["27 days"], ["s", "t"]]
    assert (read.tasks[0].until, read.tasks[0].max_tokens, read.tasks[1].max_tokens) == (["\n"], 9, 256)
    assert len(read_tasks(_file(tmp_path, *lines), 1).tasks) == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"choices": ["a", "b"], "gold": 0}, "it has no context"),
        ({"query": "q", "choices": ["a"], "gold": 0}, "it has 1 choices; 2 to 64"),
        ({"query": "q", "choices": ["a", ""], "gold": 0}, "'choices' is a list of texts"),
        ({"query": "q", "choices": ["a", "b"], "gold": 2}, "names none of the choices: '2'"),
        ({"query": "q", "choices": ["a", "b"], "gold": -1}, "names none of the choices"),
        ({"query": "q", "choices": ["a", "b"], "gold": []}, "names no choice"),
        ({"query": "q", "choices": ["a", "b"]}, "names none of the choices: 'None'"),
        ({"query": "q"}, "'answers' is a list of texts"),
        ({"query": "q", "answers": "a", "until": [1]}, "'until' is up to 4 texts"),
        ({"query": "q", "answers": "a", "max_tokens": 0}, "'max_tokens' is a number from 1"),
        ({"query": "q", "answers": "a\ud800"}, "half a character"),
        ({"query": "q" * 200_001, "answers": "a"}, "longer than 200,000 characters"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, line: dict[str, Any], why: str) -> None:
    with pytest.raises(GroundworkError, match=r"tasks\.jsonl, line 2") as raised:
        read_tasks(_file(tmp_path, {"query": "q", "answers": "a"}, line))
    assert why in str(raised.value)


def test_a_file_has_one_kind_of_tasks_and_some(tmp_path: Path) -> None:
    with pytest.raises(GroundworkError, match="give each a file of its own"):
        read_tasks(_file(tmp_path, {"query": "q", "answers": "a"}, {"query": "q", "choices": ["a", "b"], "gold": 0}))
    with pytest.raises(GroundworkError, match="There are no tasks"):
        read_tasks(_file(tmp_path))
    with pytest.raises(GroundworkError, match="can't be read"):
        read_tasks(tmp_path / "gone.jsonl")
