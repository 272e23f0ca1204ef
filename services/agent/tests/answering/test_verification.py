from __future__ import annotations

from services.agent.tests.conftest import LEAVE, LEAVE_QUESTION, Bench, content_of

from agent.answering.verification import abstention
from agent.testing.scripted_answers import CAPABLE
from contracts.models.chat import AnswerReport, ChatCompletion


def _report(answer: ChatCompletion) -> AnswerReport:
    assert isinstance(answer.groundwork, AnswerReport)
    return answer.groundwork


async def test_a_draft_that_no_source_supports_gives_way_to_the_source_itself() -> None:
    answer = await Bench(hits=(LEAVE,), says="Everyone gets a pony named Bella.").ask(LEAVE_QUESTION)
    assert (_report(answer).answer_kind, _report(answer).grounded) == ("extractive", True)
    assert "27 days" in content_of(answer)
    assert "Bella" not in content_of(answer)


async def test_a_refusal_of_a_capable_model_is_reported_as_an_abstention() -> None:
    answer = await Bench(hits=(LEAVE,), says="NO ANSWER", info=CAPABLE).ask(LEAVE_QUESTION, grounding="annotate")
    assert (_report(answer).abstained, _report(answer).grounded) == (True, False)
    assert content_of(answer) == abstention(("handbook",))


def test_an_abstention_names_where_was_looked() -> None:
    assert abstention(("a",)).startswith("The documents in 'a' do")
    assert abstention(("a", "b", "c")).startswith("The documents in 'a', 'b' and 'c' do")
