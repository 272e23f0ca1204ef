from __future__ import annotations

from services.agent.tests.answering.answers import kind_of
from services.agent.tests.conftest import Bench, content_of

from agent.testing.scripted_answers import CAPABLE, hit
from contracts.models.chat import AnswerReport, ChatCompletion
from servicekit.core.errors import UpstreamFailed

LEAVE = hit("Full-time employees get 27 days of paid leave per year.", "leave-policy")
SICK = hit("Salary is paid in case of illness for 52 weeks.", "sick-policy", rank=1)
HERON = hit("The Heron S2 is a soil probe that costs EUR 189.", "heron")
PLOVER = hit("The Plover WS3 is a weather station that costs EUR 640.", "plover", rank=1)
BOTH = "How many days of paid leave do employees get, and how long is salary paid in case of illness?"


def _sections(answer: ChatCompletion) -> list[str]:
    return content_of(answer).split("\n\n")


async def test_each_part_is_searched_apart_and_answered_under_its_own_words() -> None:
    bench = Bench(hits=(LEAVE, SICK))
    answer = await bench.ask(BOTH)
    first, second = _sections(answer)
    assert first.startswith("How many days of paid leave do employees get?\nFull-time employees get 27 days")
    assert second.startswith(
        "How long is salary paid in case of illness?\nSalary is paid in case of illness for 52 weeks."
    )
    assert [request.query for request in bench.search.requests] == [
        "How many days of paid leave do employees get?",
        "how long is salary paid in case of illness?",
    ]
    assert kind_of(answer) == "extractive"


async def test_the_citations_of_all_parts_stand_where_they_say() -> None:
    answer = await Bench(hits=(LEAVE, SICK)).ask(BOTH)
    cited = answer.choices[0].message.annotations or []
    assert {one.document_id for one in cited} == {"leave-policy", "sick-policy"}
    for one in cited:
        assert content_of(answer)[one.index :].startswith(one.marker)
        assert (LEAVE if one.document_id == "leave-policy" else SICK).text[one.start : one.end] == one.quote


async def test_a_part_without_an_answer_says_so() -> None:
    answer = await Bench(hits=(LEAVE,)).ask("How many days of paid leave do employees get and who painted Mona Lisa?")
    first, second = _sections(answer)
    assert "27 days" in first
    assert second == "Who painted Mona Lisa?\nThe documents do not hold an answer to this part."
    assert isinstance(answer.groundwork, AnswerReport)
    assert not answer.groundwork.abstained


async def test_where_no_part_has_an_answer_the_whole_question_is_asked() -> None:
    answer = await Bench(hits=(LEAVE,)).ask("How tall is the Eiffel Tower and who painted Mona Lisa?")
    assert kind_of(answer) == "abstained"
    assert content_of(answer) == "The documents in 'handbook' do not hold an answer to this question."


async def test_a_model_words_each_part() -> None:
    bench = Bench(hits=(LEAVE, SICK), says="Full-time employees get 27 days of paid leave per year.", info=CAPABLE)
    answer = await bench.ask(BOTH)
    assert len(bench.models.requests) == 2
    assert kind_of(answer) == "generated"
    assert bench.models.closed == 2


async def test_the_caller_s_tokens_are_for_all_parts() -> None:
    bench = Bench(hits=(LEAVE, SICK), says="Full-time employees get 27 days of paid leave per year.", info=CAPABLE)
    await bench.ask(BOTH, max_tokens=50)
    first, second = [request.max_tokens for request in bench.models.requests]
    assert first == 50
    assert second is not None
    assert 0 < second < 50


async def test_no_model_is_asked_for_a_part_that_no_token_is_left_for() -> None:
    bench = Bench(hits=(LEAVE, SICK), says="Full-time employees get 27 days of paid leave per year.", info=CAPABLE)
    answer = await bench.ask(BOTH, max_tokens=1)
    assert len(bench.models.requests) == 1
    assert "Salary is paid in case of illness for 52 weeks." in content_of(answer)


async def test_a_model_that_fails_is_asked_for_one_part_only() -> None:
    bench = Bench(hits=(LEAVE, SICK), info=CAPABLE)
    bench.models.failure = UpstreamFailed("The model is away.")
    answer = await bench.ask(BOTH)
    assert len(bench.models.requests) == 1
    assert len(_sections(answer)) == 2
    assert kind_of(answer) == "extractive"


async def test_a_comparison_shows_both_sides() -> None:
    answer = await Bench(hits=(HERON, PLOVER)).ask("Compare the Heron S2 with the Plover WS3")
    first, second = _sections(answer)
    assert first.startswith("The Heron S2:\nThe Heron S2 is a soil probe")
    assert second.startswith("The Plover WS3:\nThe Plover WS3 is a weather station")


async def test_a_side_that_no_document_names_has_no_answer() -> None:
    answer = await Bench(hits=(HERON, PLOVER)).ask("Compare the Heron S2 with the Kestrel A1")
    assert _sections(answer)[1] == "The Kestrel A1:\nThe documents do not hold an answer to this part."


async def test_a_passage_that_compares_by_itself_is_the_better_answer() -> None:
    both = hit("The Heron S2 is cheaper than the Plover WS3.", "comparison")
    answer = await Bench(hits=(both, HERON, PLOVER)).ask("What is the difference between Heron S2 and Plover WS3?")
    assert content_of(answer).startswith("The Heron S2 is cheaper than the Plover WS3. [1]")


async def test_a_streamed_answer_of_parts_begins_once() -> None:
    chunks = await Bench(hits=(LEAVE, SICK)).stream(BOTH)
    roles = [choice.delta.role for chunk in chunks for choice in chunk.choices if choice.delta.role]
    said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert roles == ["assistant"]
    assert said == content_of(await Bench(hits=(LEAVE, SICK)).ask(BOTH))
