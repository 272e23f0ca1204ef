from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import INCLUDE, RIGHT
from services.agent.tests.conftest import LEAVE, LEAVE_QUESTION, Bench, content_of

from agent.answering.abstention import abstention
from agent.answering.drafting.prompt import ANSWER_PROMPT
from agent.testing.scripted_answers import CAPABLE, PACKAGED
from contracts.models.catalog import ModelInfo
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
    bench = Bench(hits=(LEAVE,), says="NO ANSWER", info=CAPABLE)
    answer = await bench.ask(LEAVE_QUESTION, groundwork={"grounding": "annotate"})
    assert (_report(answer).abstained, _report(answer).grounded) == (True, False)
    assert content_of(answer).startswith(abstention(("handbook",)))
    assert "27" not in content_of(answer)


@pytest.mark.parametrize(
    "groundwork", [{"style": "short"}, {"style": "detailed"}, {"style": "short", "grounding": "off"}]
)
@pytest.mark.parametrize(
    ("says", "info", "ignored"),
    [(RIGHT, CAPABLE, False), (RIGHT, PACKAGED, True), ("NO ANSWER", CAPABLE, False), ("", None, True)],
)
async def test_a_style_that_nobody_could_keep_to_is_noted(
    groundwork: dict[str, str], says: str, info: ModelInfo | None, ignored: bool
) -> None:
    answer = await Bench(hits=(LEAVE,), says=says, info=info).ask(LEAVE_QUESTION, groundwork=groundwork)
    assert ("style_ignored" in _report(answer).degraded) == ignored


async def test_the_receipt_names_the_prompt_of_the_model_that_was_asked() -> None:
    for info, prompt in ((CAPABLE, ANSWER_PROMPT), (PACKAGED, None), (None, None)):
        answer = await Bench(says=RIGHT, info=info).ask(LEAVE_QUESTION, groundwork=INCLUDE)
        receipt = _report(answer).receipt
        assert receipt is not None
        assert receipt.prompt == prompt


@pytest.mark.parametrize(
    ("beside", "degraded"),
    [
        ("Cite your sources. Be brief. Answer in English.", []),
        ("Reply in JSON.", ["format_ignored"]),
        ("Reply in German.", ["style_ignored"]),
        ("\n\nContext:\nThe museum opens in May.", ["context_ignored"]),
    ],
)
async def test_the_documents_own_words_say_what_of_the_message_they_do_not_keep_to(
    beside: str, degraded: list[str]
) -> None:
    answer = await Bench(hits=(LEAVE,), info=None).ask(f"{LEAVE_QUESTION} {beside}")
    assert _report(answer).answer_kind == "extractive"
    assert [one for one in _report(answer).degraded if one != "model_unavailable"] == degraded


async def test_an_abstention_is_in_the_language_that_is_asked_for() -> None:
    answer = await Bench(hits=(LEAVE,), says="NO ANSWER", info=CAPABLE).ask(f"{LEAVE_QUESTION} Antworte auf Deutsch.")
    assert content_of(answer).startswith(abstention(("handbook",), "de"))
