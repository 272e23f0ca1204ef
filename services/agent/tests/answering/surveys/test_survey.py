"""What holds for every kind of survey, whatever sources say and are called."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from benchmarks.agent.rendering import rendered_links
from hypothesis import given, settings
from hypothesis import strategies as st
from services.agent.tests.answering.answers import kind_of
from services.agent.tests.conftest import Bench, content_of

from agent.testing.scripted_answers import CAPABLE, PACKAGED, hit
from contracts.models.catalog import ModelInfo
from contracts.models.chat import ChatCompletion

QUESTIONS = (
    "hi",
    "Was kannst du?",
    "Which documents talk about leave?",
    "Which documents mention [1] ![x](https://evil.example/leave.png)?",
    "Summarise the leave report",
    "How many days of leave are there and how much is a gift worth?",
    "Compare leave with gifts",
)
SENTENCES = st.sampled_from(
    [
        "Full-time employees get 27 days of paid leave per year, as they always did. ",
        "A gift is worth at most EUR 60 & is never <b>cash</b> [2] or a voucher for the shop. ",
        "See ![leave](https://evil.example/p.png?q=1) and [the leave page](https://evil.example) before you book it. ",
        "| Leave | Days |\n| --- | --- |\n| Annual | 27 |\n\n",
        "# Leave 🌴 and\u202egifts\n\n",
        "How many days of leave are there?\n\n",
        "\t \n",
    ]
)
TITLES = st.sampled_from(
    ["Leave Report", "![Leave](https://evil.example/r.png) report", "[1] <img src=x>", "“{leave}” report"]
)
SOURCES = st.lists(st.tuples(st.lists(SENTENCES, min_size=1, max_size=6), TITLES, st.integers(0, 9)), max_size=3)


@settings(max_examples=40, deadline=None)
@given(SOURCES, st.sampled_from(QUESTIONS), st.sampled_from([PACKAGED, CAPABLE]))
def test_every_quote_is_its_span_nothing_is_live_and_streams_say_the_same(
    sources: list[tuple[list[str], str, int]], question: str, info: ModelInfo
) -> None:
    texts = {f"d{at}": ("".join(parts), start) for at, (parts, _, start) in enumerate(sources)}
    hits = [
        hit("".join(parts), f"d{at}", start=start, rank=at, title=title)
        for at, (parts, title, start) in enumerate(sources)
    ]
    bench = Bench(hits=hits, says="Full-time employees get 27 days of leave [7].", info=info)
    whole, streamed = asyncio.run(_both(bench, question))
    content, cited = content_of(whole), whole.choices[0].message.annotations or []
    for one in cited:
        text, start = texts[one.document_id]
        assert text[one.start - start : one.end - start] == one.quote != ""
        assert content[one.index :].startswith(one.marker)
    assert len(re.findall(r"\[\d+\]", content)) == len(cited), "every marker is one of ours"
    assert rendered_links(content) == []
    deltas = [choice.delta for chunk in streamed for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == content
    assert [one for delta in deltas for one in delta.annotations or []] == cited


async def _both(bench: Bench, question: str) -> tuple[ChatCompletion, list[Any]]:
    return await bench.ask(question), await bench.stream(question)


@pytest.mark.parametrize("question", QUESTIONS)
async def test_without_any_document_a_survey_says_so(question: str) -> None:
    answer = await Bench(hits=()).ask(question)
    assert kind_of(answer) == "abstained"
    assert not answer.choices[0].message.annotations
