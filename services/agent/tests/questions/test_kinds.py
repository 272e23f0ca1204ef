from __future__ import annotations

import json
from pathlib import Path

from agent.questions.kind import DocumentList, Overview, Parts
from agent.questions.kinds import MAX_CHARACTERS, read_kind

HANDBOOK = Path(__file__).resolve().parents[4] / "examples" / "handbook-questions.jsonl"


def test_every_question_of_the_handbook_is_an_ordinary_one() -> None:
    asked = [json.loads(line)["question"] for line in HANDBOOK.read_text().splitlines()]
    assert len(asked) == 40
    assert [question for question in asked if read_kind(question) is not None] == []


def test_a_part_that_points_back_has_the_subject_of_the_one_before() -> None:
    kind = read_kind("How much does a Causeway G1 Solar cost and how long is its warranty?")
    assert isinstance(kind, Parts)
    assert kind.asked[1] == "how long is its warranty (Causeway G1 Solar)?"
    assert kind.labels[1] == "How long is its warranty"


def test_a_topic_may_lean_on_the_question_before() -> None:
    kind = read_kind("Which documents mention it?", ["How much does a Causeway G1 Solar cost?"])
    assert kind == DocumentList("it (Causeway G1 Solar)", "en")


def test_a_text_of_somebody_is_no_request_of_ours() -> None:
    assert read_kind(f"Summarise the report {'x' * MAX_CHARACTERS}") is None


def test_a_follow_up_points_to_what_was_asked_before() -> None:
    assert read_kind("How does this work?") == Overview("help", "en")
    assert read_kind("How does this work?", ["Can I claim for travel?"]) is None
