from __future__ import annotations

import json
from typing import Any

import pytest

from contracts.improvement.question_sets import MOST_PREFERENCES, QuestionFile
from lab.errors import QuestionFileBroken
from lab.questions.files import read_questions
from lab.questions.items import Item

ASKED = [{"role": "system", "content": "Short."}, {"role": "user", "content": "Who leads?"}]


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def openai(preferred: Any = "Ann", rejected: Any = "Bob", **more: Any) -> dict[str, Any]:
    """A line as OpenAI's preference method has it."""
    given = {"messages": ASKED, "parallel_tool_calls": True, **more}
    return {"input": given, "preferred_output": said(preferred), "non_preferred_output": said(rejected)}


def read(*rows: Any) -> list[Item]:
    text = "\n".join(json.dumps(row) for row in rows)
    return read_questions(QuestionFile(format="preference", name="pairs.jsonl", text=text))


def test_openai_s_lines_and_exported_ones_are_the_same_pairs() -> None:
    exported = {"prompt": ASKED, "chosen": said("Ann"), "rejected": said("Bob")}
    (one,), (other,) = read(openai()), read(exported)
    assert one.digest == other.digest
    assert one.content["turns"] == ASKED
    assert one.content["preferences"] == [{"preferred": "Ann", "rejected": "Bob"}]
    (plain,) = read({"prompt": "Who leads?", "chosen": "Ann", "rejected": "Bob", "split": "test"})
    assert (plain.content["turns"], plain.split) == (ASKED[1:], "test")


def test_all_pairs_of_a_conversation_are_one_question_s_each_once() -> None:
    other = {"prompt": "Who knows?", "chosen": "Eve", "rejected": "Bob"}
    found = read(openai(), other, openai("Eve"), openai())
    assert [len(one.content["preferences"]) for one in found] == [2, 1]
    assert found[0].place == "pairs.jsonl, line 1"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (openai("Ann", "Ann"), "both answers are the same"),
        (openai("Ann", ""), "'non_preferred_output' must be"),
        (openai(tools=[{"type": "function"}]), "calls of tools are not learnt"),
        ({"input": ASKED, "preferred_output": said("a"), "non_preferred_output": said("b")}, "preferred_output"),
        ({**openai(), "preferred_output": [*said("a"), *said("b")]}, "'preferred_output' must be one message"),
        ({**openai(), "non_preferred_output": [{"role": "user", "content": "b"}]}, "'non_preferred_output' must be"),
        ({"input": {"messages": ASKED}, "preferred_output": said("a")}, "a line is"),
        ({"prompt": ASKED, "completion": said("a"), "label": True}, "a line is"),
        ({"prompt": [], "chosen": "a", "rejected": "b"}, "a line is"),
        ({"prompt": said("Hello"), "chosen": "a", "rejected": "b"}, "the last of 'turns' must be the user's"),
        ({**openai(), "question": "Who?"}, "leave the other words out"),
        ({**openai(), "score": 3}, "no field 'score'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_line_that_is_no_pair_is_named_by_its_number(row: Any, why: str) -> None:
    with pytest.raises(QuestionFileBroken, match=r"pairs\.jsonl, line 2") as broken:
        read({"prompt": "Who knows?", "chosen": "Eve", "rejected": "Bob"}, row)
    assert why in broken.value.message


def test_a_conversation_has_so_many_pairs_at_most() -> None:
    assert len(read(*(openai(f"Ann {n}") for n in range(MOST_PREFERENCES)))) == 1
    with pytest.raises(QuestionFileBroken, match=f"line {MOST_PREFERENCES + 1}.*more than {MOST_PREFERENCES} pairs"):
        read(*(openai(f"Ann {n}") for n in range(MOST_PREFERENCES + 1)))
