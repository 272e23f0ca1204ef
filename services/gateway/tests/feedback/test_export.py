from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from services.gateway.tests.feedback.recorded import citation, recorded
from services.gateway.tests.installation import Installation

from contracts.improvement.feedback import ExportFormat, ExportSplit, FeedbackCreate
from contracts.improvement.question_sets import QuestionItem
from gateway.auth.keys import Principal
from gateway.feedback import export
from gateway.feedback.answers import RecordedAnswer
from gateway.feedback.deletion import delete_sources
from gateway.feedback.export import FORMATS, FeedbackExport, split_of
from gateway.feedback.repository import FeedbackFilter
from servicekit.core.clock import ManualClock


class Exporting:
    """Says things of answers, and exports them."""

    def __init__(self, installation: Installation, key: Principal) -> None:
        self.installation = installation
        self._key = key
        self._export = FeedbackExport(installation.deps.database, installation.deps.feedback)

    def record(self, *answers: RecordedAnswer) -> None:
        for answer in answers:
            self.installation.answers.put("acme", answer)

    async def say(self, answer_id: str, user: str = "ann", key: Principal | None = None, **said: Any) -> None:
        wanted = FeedbackCreate.model_validate({"answer_id": answer_id, "user": user, **said})
        await self.installation.deps.feedback.give(key or self._key, wanted)

    async def lines(
        self, kind: ExportFormat, split: ExportSplit | None = None, percent: int = 10, tenant: str = "acme"
    ) -> list[dict[str, Any]]:
        return [json.loads(line) async for line in self._export.lines(tenant, kind, split, percent)]


@pytest.fixture
async def exporting(installation: Installation) -> Exporting:
    return Exporting(installation, await installation.principal(tenant="acme", scopes=["feedback:review"]))


def _pair(line: Mapping[str, Any]) -> tuple[str, str]:
    ((chosen,), (rejected,)) = line["chosen"], line["rejected"]
    assert chosen["role"] == rejected["role"] == "assistant"
    return chosen["content"], rejected["content"]


async def test_pairs_come_from_corrections_choices_and_ratings_under_the_same_prompt(exporting: Exporting) -> None:
    exporting.record(*(recorded(name, "How many days?") for name in "abcd"), recorded("e", "how many  DAYS"))
    await exporting.say("a", rating="down", correction="Twenty-eight.")
    await exporting.say("b", preferred_over="c")
    await exporting.say("d", rating="up")
    await exporting.say("e", rating="up")  # another prompt, though the same question
    lines = await exporting.lines("preference")
    assert {_pair(line) for line in lines} == {
        ("Twenty-eight.", "Answer a."), ("Answer b.", "Answer c."), ("Answer d.", "Answer a."),
    }  # fmt: skip
    assert len(lines) == 3
    for line in lines:
        assert list(line) == ["prompt", "chosen", "rejected"]
        assert line["prompt"] == [{"role": "user", "content": "How many days?"}]


async def test_labels_are_the_majority_of_ratings_and_corrections_are_good(exporting: Exporting) -> None:
    exporting.record(*(recorded(name) for name in "abc"))
    for user, verdict in (("ann", 5), ("bob", 4), ("cem", "down")):
        await exporting.say("a", user, rating=verdict)
    await exporting.say("b", rating=1, correction="Twenty-eight.")
    await exporting.say("c", "ann", rating="up")
    await exporting.say("c", "bob", rating="down")
    lines = await exporting.lines("kto")
    assert [(line["completion"][0]["content"], line["label"]) for line in lines] == [
        ("Answer a.", True), ("Answer b.", False), ("Twenty-eight.", True),
    ]  # fmt: skip
    assert all(list(line) == ["prompt", "completion", "label"] for line in lines)


async def test_a_question_has_the_answers_people_gave_and_the_documents_that_belong_to_it(exporting: Exporting) -> None:
    exporting.record(
        recorded("a", "How many days?", "leave.md", "travel.md"),
        recorded("b", "How many days?", "sick.md"),
        recorded("n", "Who is the king?", abstained=True),
        recorded("x", "What else?", "other.md"),
        recorded("l", "How many days?", "leave.md"),
    )
    await exporting.say("a", rating="down", correction="28.")
    await exporting.say("l", rating="up")
    await exporting.say("a", part={"citation": 1}, labels=["wrong_source"])
    await exporting.say("b", rating="down")
    await exporting.say("n", rating="up")
    await exporting.say("x", rating="down")
    by_question = {line["question"]: line for line in await exporting.lines("questions")}
    assert set(by_question) == {"How many days?", "Who is the king?"}
    found = by_question["How many days?"]
    assert list(found) == ["question", "answers", "documents", "answerable", "metadata"]
    assert (found["answers"], found["documents"], found["answerable"]) == (["28.", "Answer l."], ["leave.md"], True)
    assert found["metadata"] == {"collections": ["hb"], "hard_negatives": ["travel.md"], "answer_ids": ["a", "b", "l"]}
    assert (by_question["Who is the king?"]["answers"], by_question["Who is the king?"]["answerable"]) == ([], False)


async def test_a_wrong_answers_citations_are_never_expected_documents_even_where_it_was_corrected(
    exporting: Exporting,
) -> None:
    exporting.record(recorded("a", "How many days?", "travel.md"), recorded("b", "How many days?", "leave.md"))
    await exporting.say("a", rating="down", correction="Twenty-eight.")
    assert [line["documents"] for line in await exporting.lines("questions")] == [[]]
    await exporting.say("b", rating="up")
    assert [line["documents"] for line in await exporting.lines("questions")] == [["leave.md"]]


async def test_marks_of_citations_are_in_no_export(exporting: Exporting) -> None:
    marked = citation("sick.md").model_copy(update={"marker": "[2]"})
    cited = {"citations": [citation("leave.md"), marked], "prompt": None}
    exporting.record(
        recorded("a", answer="Twenty-eight [1][2]. Ask Ann [7]. [2]", **cited),
        recorded("b", answer="Two [1].", **cited),
    )
    await exporting.say("a", rating="up", preferred_over="b")
    await exporting.say("b", rating="down", correction="28.")
    lines = {kind: json.dumps(await exporting.lines(kind)) for kind in FORMATS}  # type: ignore[arg-type]
    for kind, said in lines.items():
        assert "Twenty-eight. Ask Ann [7]." in said, kind
        assert all(mark not in said for mark in ("[1]", "[2]")), kind


@pytest.mark.parametrize("percent", [1, 10, 50])
async def test_no_question_is_in_two_splits_and_together_they_are_all(exporting: Exporting, percent: int) -> None:
    for number in range(120):
        exporting.record(recorded(f"a{number}", f"Question {number}?"), recorded(f"b{number}", f" question  {number}"))
        await exporting.say(f"a{number}", rating="up")
        await exporting.say(f"b{number}", rating="down")
    lines = {split: await exporting.lines("kto", split, percent) for split in ("train", "test")}

    def asked(split: str) -> set[str]:
        return {" ".join(line["prompt"][0]["content"].lower().rstrip("?").split()) for line in lines[split]}

    assert not asked("train") & asked("test")
    assert len(asked("train") | asked("test")) == 120
    assert len(lines["train"]) + len(lines["test"]) == 240
    assert await exporting.lines("kto", "test", percent) == lines["test"]


async def test_what_is_in_test_stays_there_when_its_share_grows() -> None:
    digests = [f"{number:064x}"[::-1] for number in range(5000)]
    few, more = ({one for one in digests if split_of(one, percent) == "test"} for percent in (5, 20))
    assert few < more


async def test_a_conversation_that_began_with_a_question_of_the_other_split_is_in_neither(exporting: Exporting) -> None:
    texts = [f"Question {number}?" for number in range(40)]
    digests = {text: split_of(export.question_digest(text), 50) for text in texts}
    train, test = (next(text for text in texts if digests[text] == split) for split in ("train", "test"))
    turns = [{"role": "user", "content": test}, {"role": "assistant", "content": "x"}]
    exporting.record(
        recorded("mixed", messages=[*turns, {"role": "user", "content": train}]),
        recorded("pure", messages=[{"role": "user", "content": train}]),
    )
    for name in ("mixed", "pure"):
        await exporting.say(name, rating="up")
    for split, count in (("train", 1), ("test", 0), (None, 2)):
        assert len(await exporting.lines("kto", split, 50)) == count, split


async def test_conversations_with_tools_are_left_out_and_parts_of_messages_are_text(exporting: Exporting) -> None:
    parts = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "Hi?"}]},
    ]
    exporting.record(recorded("p", messages=parts), recorded("t", messages=[*parts, {"role": "tool", "content": "42"}]))
    for name in ("p", "t"):
        await exporting.say(name, rating="up")
    (line,) = await exporting.lines("kto")
    assert line["prompt"] == [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi?"}]


async def test_only_what_is_on_record_and_quotes_no_deleted_document_is_exported_and_only_to_its_tenant(
    exporting: Exporting, installation: Installation
) -> None:
    exporting.record(recorded("a", "One?", "leave.md"), recorded("b", "Two?", "sick.md"), recorded("c", "Three?"))
    for name in ("a", "b", "c", "never"):
        await exporting.say(name, rating="up", correction="Better.")
    await delete_sources(installation.deps.database, "acme", "hb", "leave.md")
    installation.answers.delete("acme", "c")
    for kind, count in (("kto", 2), ("preference", 1), ("questions", 1)):
        lines = await exporting.lines(kind)  # type: ignore[arg-type]
        assert len(lines) == count, kind
        assert "Two?" in json.dumps(lines)
        assert await exporting.lines(kind, tenant="strangers") == []  # type: ignore[arg-type]


async def test_an_answer_that_was_rated_before_its_record_was_written_is_exported_too(
    exporting: Exporting, clock: ManualClock
) -> None:
    await exporting.say("late", rating="up")
    await exporting.say("never", rating="up")
    assert await exporting.lines("kto") == []
    exporting.record(recorded("late", "How many days?", "leave.md"))
    assert len(await exporting.lines("kto")) == 1
    clock.advance(timedelta(minutes=2).total_seconds())
    assert len(await exporting.lines("kto")) == 1
    exporting.record(recorded("never"))
    assert len(await exporting.lines("kto")) == 1, "what is not on record after a minute is not looked for for ever"


async def test_an_export_holds_a_page_of_rows_and_one_questions_answers_at_a_time(
    exporting: Exporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        exporting.record(recorded(f"a{number:02}", f"Question {number % 3}?"))
        await exporting.say(f"a{number:02}", rating="up")
    whole = await exporting.lines("kto")
    monkeypatch.setattr(export, "ROWS", 4)
    monkeypatch.setattr(export, "MOST_ANSWERS", 3)
    asked: list[Sequence[str]] = []
    get_answers = exporting.installation.answers.get_answers

    async def watched(tenant: str, answer_ids: Sequence[str]) -> Mapping[str, RecordedAnswer]:
        asked.append(answer_ids)
        return await get_answers(tenant, answer_ids)

    monkeypatch.setattr(exporting.installation.answers, "get_answers", watched)
    assert await exporting.lines("kto") == whole
    assert len(whole) == 30
    assert max(len(ids) for ids in asked) == 3


async def test_what_a_limited_key_says_of_anothers_answer_tunes_nothing_and_tells_it_nothing(
    exporting: Exporting, installation: Installation, clock: ManualClock
) -> None:
    limited = await installation.principal(tenant="acme", models=["public"])
    exporting.record(recorded("theirs"), recorded("own", key_id=limited.key_id))
    await exporting.say("theirs", "eve", limited, rating="up", correction="POISON")
    await exporting.say("own", "eve", limited, rating="up", preferred_over="theirs")
    await exporting.say("late", "eve", limited, rating="up")
    exporting.record(recorded("late", key_id=limited.key_id))
    for _ in range(2):
        assert [line["completion"][0]["content"] for line in await exporting.lines("kto")] == [
            "Answer late.", "Answer own.",
        ]  # fmt: skip
        assert await exporting.lines("preference") == []
        clock.advance(timedelta(minutes=2).total_seconds())
    page = await installation.deps.feedback.list_feedback(limited, FeedbackFilter(), 10, None, mine=False)
    shown = {one.answer_id: (one.recorded, one.model, one.prompt, one.collections) for one in page.data}
    assert shown["theirs"] == (False, None, None, [])
    assert shown["late"] == shown["own"] == (True, "rag:hb", "answer@3", ["hb"])


@pytest.mark.parametrize("kind", FORMATS)
async def test_what_was_asked_by_a_prompt_that_is_not_on_record_and_what_asked_nothing_is_in_no_export(
    exporting: Exporting, kind: ExportFormat
) -> None:
    for version in (1, 2):
        name = f"greet@{version}"
        exporting.record(recorded(f"p{version}", "", model=f"prompt:{name}", prompt=name, collections=()))
    exporting.record(recorded("q", model="prompt:ask", prompt="ask@1", collections=()), recorded("e", " ", prompt=None))
    await exporting.say("p1", rating="up", preferred_over="p2")
    await exporting.say("p2", rating="down")
    for name in ("q", "e"):
        await exporting.say(name, rating="down", correction="Better.")
    assert await exporting.lines(kind) == []


async def test_answers_by_two_versions_of_a_prompt_are_no_pair(exporting: Exporting) -> None:
    exporting.record(recorded("a", prompt="answer@1"), *(recorded(name, prompt="answer@2") for name in "bc"))
    await exporting.say("a", rating="up")
    await exporting.say("b", rating="down")
    await exporting.say("c", rating="up", preferred_over="a")
    assert [_pair(line) for line in await exporting.lines("preference")] == [("Answer c.", "Answer b.")]


def _by_prompt(
    answer_id: str, asked: str | None, *said: tuple[str, str], version: int = 1, **variables: object
) -> RecordedAnswer:
    """An answer by a prompt that said this before what the caller asked, if anything."""
    name = f"greet@{version}"
    before = [{"role": role, "content": text} for role, text in said]
    messages = [] if asked is None else [{"role": "user", "content": asked}]
    facts = {"model": f"prompt:{name}", "prompt": name, "collections": (), "variables": variables}
    return recorded(answer_id, messages=messages, prompt_messages=before, **facts)


EXAMPLE = (("user", "Hi"), ("assistant", "Ho"))


async def test_answers_by_a_prompt_are_exported_under_what_the_model_saw(exporting: Exporting) -> None:
    exporting.record(
        _by_prompt("a", "Now.", ("system", "Greet Ann."), *EXAMPLE, who="Ann"),
        _by_prompt("b", "Now.", ("system", "Greet Ann."), *EXAMPLE, version=2, who="Ann"),
        _by_prompt("c", "Now.", ("system", "Greet Bob."), *EXAMPLE, who="Bob"),
        recorded("d", "Now.", model="m", prompt=None, collections=()),
    )
    for name in "acd":
        await exporting.say(name, rating="up", preferred_over="b")
    await exporting.say("b", rating="down", correction="Hello Ann.")
    seen = [
        {"role": "system", "content": "Greet Ann."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Ho"},
        {"role": "user", "content": "Now."},
    ]
    pairs = await exporting.lines("preference")
    assert all(line["prompt"] == seen for line in pairs)
    assert {_pair(line) for line in pairs} == {("Answer a.", "Answer b."), ("Hello Ann.", "Answer b.")}
    labelled = {line["completion"][0]["content"]: line["prompt"] for line in await exporting.lines("kto")}
    assert labelled["Answer a."] == labelled["Hello Ann."] == seen
    assert labelled["Answer c."] == [{"role": "system", "content": "Greet Bob."}, *seen[1:]]
    assert labelled["Answer d."] == seen[-1:]


async def test_a_question_by_a_prompt_is_what_a_person_put_and_other_variables_ask_something_else(
    exporting: Exporting,
) -> None:
    exporting.record(
        _by_prompt("a", "Now.", ("system", "Greet Ann."), who="Ann"),
        _by_prompt("b", "Now.", ("system", "Greet Bob."), who="Bob"),
        _by_prompt("c", "now", ("system", "Do greet Bob."), version=2, who="Bob"),
        _by_prompt("d", None, ("system", "Be kind."), ("user", "Greet Cem."), who="Cem"),
        _by_prompt("e", " ", ("user", "Greet Dan.")),
        _by_prompt("f", None, ("system", "Greet Eve."), who="Eve"),
        _by_prompt("g", None, ("system", "Greet Flo."), *EXAMPLE, who="Flo"),
    )
    for name in "abcdefg":
        await exporting.say(name, rating="up")
    items = await exporting.lines("questions")
    found = {tuple(item["metadata"]["answer_ids"]): item for item in items}
    assert {ids: (item["question"], item["metadata"].get("variables")) for ids, item in found.items()} == {
        ("a",): ("Now.", '{"who": "Ann"}'),
        ("b", "c"): ("Now.", '{"who": "Bob"}'),
        ("d",): ("Greet Cem.", '{"who": "Cem"}'),
        ("e",): ("Greet Dan.", None),
    }
    assert found["b", "c"]["answers"] == ["Answer b.", "Answer c."]
    assert all(QuestionItem.model_validate(item) for item in items), "as question sets take it"
    assert len(await exporting.lines("kto")) == 5, "nobody asked what a system's message or an example ends"


async def test_a_question_by_a_prompt_is_in_one_split_whatever_its_template_shows(exporting: Exporting) -> None:
    texts = [f"Question {number}?" for number in range(40)]
    for number, text in enumerate(texts):
        shown = ("user", texts[number - 1]), ("assistant", "x")
        exporting.record(
            _by_prompt(f"a{number}", text, *shown), _by_prompt(f"b{number}", None, ("user", text), what=text)
        )
        for name in "ab":
            await exporting.say(f"{name}{number}", rating="up")
    lines = {split: await exporting.lines("kto", split, 50) for split in ("train", "test")}
    asked = {split: [line["prompt"][-1]["content"] for line in found] for split, found in lines.items()}
    assert not set(asked["train"]) & set(asked["test"])
    assert sorted([*asked["train"], *asked["test"]]) == sorted([*texts, *texts])


async def test_a_source_that_was_wrong_before_the_record_was_written_is_a_hard_negative(exporting: Exporting) -> None:
    await exporting.say("late", rating="up")
    for number in (1, 7):  # there is no eighth
        await exporting.say("late", part={"citation": number}, labels=["wrong_source"])
    exporting.record(recorded("late", "How many days?", "leave.md", "travel.md"))
    (line,) = await exporting.lines("questions")
    assert (line["documents"], line["metadata"]["hard_negatives"]) == (["leave.md"], ["travel.md"])


async def test_a_blind_choice_is_a_pair_and_a_tie_is_none(exporting: Exporting) -> None:
    for number, said in enumerate(("preferred_over", "tied_with")):
        one = recorded(f"one{number}", f"Question {number}?", model="rag:hb", prompt=None)
        two = recorded(f"two{number}", f"Question {number}?", model="plain", prompt=None, collections=())
        exporting.record(one, two)
        await exporting.say(two.id, blind=True, **{said: one.id})
    await exporting.say("one1", rating="down")
    assert [_pair(line) for line in await exporting.lines("preference")] == [("Answer two0.", "Answer one0.")]


async def test_a_choice_against_an_answer_whose_document_is_gone_before_its_record_was_written_is_in_no_export(
    exporting: Exporting,
) -> None:
    exporting.record(recorded("new", prompt=None))
    await exporting.say("new", preferred_over="late", blind=True)
    assert await exporting.lines("preference") == []
    exporting.record(recorded("late", "How many days?", "leave.md", prompt=None))
    assert [_pair(line) for line in await exporting.lines("preference")] == [("Answer new.", "Answer late.")]
    await delete_sources(exporting.installation.deps.database, "acme", "hb", "leave.md")
    assert await exporting.lines("preference") == []
