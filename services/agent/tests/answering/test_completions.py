from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.answering.answers import RIGHT
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, content_of

from agent.testing.scripted_answers import CAPABLE, PACKAGED


@pytest.mark.parametrize("info", [PACKAGED, CAPABLE])
@pytest.mark.parametrize(
    "says", [RIGHT, f"{RIGHT} And a pony.", "NO ANSWER", "Line one gives 27 days of paid leave.\n- And a list\n- of 3"]
)
@pytest.mark.parametrize("grounding", ["strict", "annotate", "off"])
async def test_streaming_and_not_streaming_give_the_same_answer(info: Any, says: str, grounding: str) -> None:
    bench = Bench(says=says, info=info)
    options = {"grounding": grounding, "include": ["sources"]}
    whole = await bench.ask(LEAVE_QUESTION, groundwork=options)
    chunks = await bench.stream(LEAVE_QUESTION, groundwork=options)
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == content_of(whole)
    assert [one for delta in deltas for one in delta.annotations or []] == whole.choices[0].message.annotations
    assert chunks[-2].groundwork == whole.groundwork
    assert chunks[-1].usage == whole.usage


async def test_citations_come_in_the_last_content_bearing_chunk_and_the_report_in_the_final_one() -> None:
    chunks = await Bench(says=f"{RIGHT} Unused days can be carried over until 30 June.").stream(LEAVE_QUESTION)
    with_content = [chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert [bool(chunk.choices[0].delta.annotations) for chunk in with_content] == [False] * (len(with_content) - 1) + [
        True
    ]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-2].groundwork is not None
    assert chunks[-1].choices == []
