from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.answering.answers import RIGHT
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, chat_request, content_of, delegation

from agent.answering.completions import chunks
from agent.questions.conversation import read_conversation
from agent.testing.scripted_answers import CAPABLE, PACKAGED
from contracts.models.chat import AnswerReport


@pytest.mark.parametrize("info", [PACKAGED, CAPABLE])
@pytest.mark.parametrize(
    "says", [RIGHT, f"{RIGHT} And a pony.", "NO ANSWER", "Line one gives 27 days of paid leave.\n- And a list\n- of 3"]
)
@pytest.mark.parametrize("grounding", ["strict", "annotate", "off"])
async def test_streaming_and_not_streaming_give_the_same_answer(info: Any, says: str, grounding: str) -> None:
    bench = Bench(says=says, info=info)
    options = {"grounding": grounding, "include": ["sources"]}
    whole = await bench.ask(LEAVE_QUESTION, groundwork=options)
    sent = await bench.stream(LEAVE_QUESTION, groundwork=options)
    deltas = [choice.delta for chunk in sent for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == content_of(whole)
    assert [one for delta in deltas for one in delta.annotations or []] == whole.choices[0].message.annotations
    assert sent[-2].groundwork == whole.groundwork
    assert sent[-1].usage == whole.usage


async def test_citations_come_in_the_last_content_bearing_chunk_and_the_report_in_the_final_one() -> None:
    sent = await Bench(says=f"{RIGHT} Unused days can be carried over until 30 June.").stream(LEAVE_QUESTION)
    with_content = [chunk for chunk in sent if chunk.choices and chunk.choices[0].delta.content]
    assert [bool(chunk.choices[0].delta.annotations) for chunk in with_content] == [False] * (len(with_content) - 1) + [
        True
    ]
    assert sent[-2].choices[0].finish_reason == "stop"
    assert sent[-2].groundwork is not None
    assert sent[-1].choices == []


@pytest.mark.parametrize(
    "question",
    [
        LEAVE_QUESTION,
        "What does a llama weigh?",
        "Which documents are about leave?",
        "Summarise leave-policy",
        "What is this collection about?",
        "How many days of paid leave do employees get, and what does the Heron S2 cost?",
    ],
)
async def test_what_an_answer_is_made_from_is_told_before_the_answer_where_its_record_is_to_name_it(
    question: str,
) -> None:
    bench = Bench(says=RIGHT, info=CAPABLE)
    request = chat_request(question, groundwork={"include": ["sources"]})
    events = bench.answering.events(read_conversation(request, delegation()), request, "token", "req_1")
    found = [chunk async for chunk in chunks(events, request.model, reports=True)]
    said = [bool(chunk.choices and chunk.choices[0].delta.content) for chunk in found]
    early = [chunk for chunk in found[: said.index(True)] if chunk.groundwork is not None]
    (report,) = [chunk.groundwork for chunk in early]
    assert [chunk.choices for chunk in early] == [[]], "nothing but the report"
    last = found[-2].groundwork
    assert isinstance(report, AnswerReport)
    assert isinstance(last, AnswerReport)
    assert report.sources
    assert report.collections == ["handbook"]
    assert {one.chunk_id for one in report.sources} == {one.chunk_id for one in last.sources or []}
    told = [chunk for chunk in await bench.stream(question) if chunk.groundwork is not None]
    assert len(told) == 1, "not for others"
