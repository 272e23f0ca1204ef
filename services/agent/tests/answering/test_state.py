from __future__ import annotations

from services.agent.tests.answering.answers import RIGHT
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, chat_request, delegation

from agent.questions.conversation import read_conversation


async def test_a_passage_is_embedded_once_for_all_questions() -> None:
    bench = Bench(says=RIGHT)
    answering, embedded = bench.answering, bench.models.embedded
    for question in (LEAVE_QUESTION, "How much leave do part-time employees get?"):
        request = chat_request(question)
        events = answering.events(read_conversation(request, delegation()), request, "token", "req_1")
        async for _ in events:
            pass
    passages = [text for text in embedded if text.startswith("Leave Policy: ")]
    assert len(passages) == len(set(passages)) > 1
