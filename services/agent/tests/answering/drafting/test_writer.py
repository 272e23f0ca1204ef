"""Whatever the sources hold and the model says: each citation is a marker at its place with exactly its span's quote,
and streamed or not the answer is the same."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, content_of

from agent.answering.drafting.writer import Writer
from agent.testing.scripted_answers import CAPABLE, PACKAGED, hit
from contracts.models.catalog import ModelInfo
from contracts.models.chat import ChatCompletion

SAID = [
    "Full-time employees get 27 days of paid leave per year.",
    "Full-time employees get 25 days of paid leave per year.",
    "Employees do not get 27 days of leave.",
    "Unused days can be carried over until 30 June.",
    "Ünused days 📅 carry over, *really*, `until` 30 June 2025!",
    "- an item of [3] things [1]",
    "Plan | Days\nFull-time | 27\nPart-time | 13",
    "See ![x](https://evil.example/p.png?q=1) or <b>https://evil.example/</b>.",
    "\n\n# Leave\n\n",
    "A [link](javascript:alert(1)) 【7】 [2, 3].",
    "NO ANSWER",
]
TEXT = st.lists(st.sampled_from(SAID) | st.text(max_size=30), min_size=1, max_size=6)
SOURCES = st.lists(st.tuples(TEXT, st.integers(0, 5_000)), min_size=1, max_size=3)


def test_a_section_s_heading_comes_with_its_first_words_and_not_without() -> None:
    sent: list[Any] = []
    writer = Writer(sent.append)
    writer.begin("One:")
    writer.write("First.")
    writer.begin("Nothing here:")
    assert writer.empty
    writer.begin("Two:")
    writer.write("Second.")
    assert not writer.empty
    writer.finish()
    said = "".join(piece.text for piece in sent)
    assert said == "One:\nFirst.\n\nTwo:\nSecond."
    assert writer.length == len(said)


@settings(max_examples=60, deadline=None)
@given(SOURCES, TEXT, st.sampled_from(["strict", "annotate", "off"]), st.sampled_from([PACKAGED, CAPABLE]))
def test_no_quote_differs_from_its_span_and_streams_say_the_same(
    sources: list[tuple[list[str], int]], says: list[str], grounding: str, info: ModelInfo
) -> None:
    texts = {f"d{at}": (" ".join(parts), start) for at, (parts, start) in enumerate(sources)}
    hits = [hit(text, name, start=start, rank=at) for at, (name, (text, start)) in enumerate(texts.items())]
    bench = Bench(hits=hits, says=" ".join(says), info=info)
    options = {"grounding": grounding, "include": ["sources"]}
    whole, chunks = asyncio.run(_both(bench, options))
    content, annotations = content_of(whole), whole.choices[0].message.annotations or []
    for one in annotations:
        text, start = texts[one.document_id]
        assert text[one.start - start : one.end - start] == one.quote != ""
        assert content[one.index :].startswith(one.marker)
    assert len(re.findall(r"\[\d+\]", content)) == len(annotations), "every marker is one of ours"
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == content
    assert [one for delta in deltas for one in delta.annotations or []] == annotations
    assert chunks[-2].groundwork == whole.groundwork


async def _both(bench: Bench, options: dict[str, Any]) -> tuple[ChatCompletion, list[Any]]:
    whole = await bench.ask(LEAVE_QUESTION, groundwork=options)
    return whole, await bench.stream(LEAVE_QUESTION, groundwork=options)
