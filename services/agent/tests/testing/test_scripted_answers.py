from __future__ import annotations

import numpy as np
import pytest

from agent.testing.scripted_answers import ScriptedModels, ScriptedSearch, bag_of_stems, echo, hit
from contracts.models.chat import ChatRequest
from contracts.retrieval.search import SearchRequest
from servicekit.core.errors import UpstreamFailed

ASK = ChatRequest.model_validate({"model": "scripted", "messages": [{"role": "user", "content": "Why?"}]})
SEARCH = SearchRequest(query="Why?", collections=["handbook"])


async def _said(models: ScriptedModels, most: int = 100) -> list[str]:
    """What is heard of an answer until it ends, fails or was listened to long enough."""
    heard: list[str] = []
    async with models.chat(ASK, "token") as chunks:
        try:
            async for chunk in chunks:
                heard += [choice.delta.content or "" for choice in chunk.choices]
                if len(heard) == most:
                    break
        except UpstreamFailed:
            heard.append("failed")
    return heard


def test_a_hit_s_span_fits_its_text_wherever_it_begins() -> None:
    found = hit("é😀", start=7, rank=1, page=3)
    assert (found.start, found.end, found.page, found.score) == (7, 9, 3, 0.5)


async def test_a_search_finds_the_same_each_time_and_notes_also_what_it_refuses() -> None:
    search = ScriptedSearch([hit("a")])
    assert (await search.search(SEARCH, "t")).hits == (await search.search(SEARCH, "t")).hits == [hit("a")]
    search.failure = UpstreamFailed("It broke.")
    for call in (search.search(SEARCH, "t"), search.probe()):
        with pytest.raises(UpstreamFailed):
            await call
    assert search.requests == [SEARCH] * 3


async def test_a_model_says_its_script_to_the_letter_and_then_what_it_used() -> None:
    models = ScriptedModels(echo("Yes,  it is."))
    assert "".join(await _said(models)) == "Yes,  it is."
    async with models.chat(ASK, "token") as chunks:
        last = [chunk async for chunk in chunks][-1]
    assert last.usage is not None
    assert (last.choices, last.usage.total_tokens) == ([], 24)
    assert (models.requests, models.closed) == ([ASK, ASK], 2)


async def test_a_model_breaks_off_after_as_many_pieces_as_it_was_told() -> None:
    failure = UpstreamFailed("It broke.")
    broken = ScriptedModels(echo("one two three"), failure=failure, fail_after=2)
    assert (await _said(broken), broken.closed) == (["one", " two", "failed"], 1)
    away = ScriptedModels(echo("one"), failure=failure)
    with pytest.raises(UpstreamFailed):
        await _said(away)
    assert (len(away.requests), away.closed) == (1, 0)


async def test_an_answer_without_an_end_can_be_left() -> None:
    models = ScriptedModels(echo("one two"), never_ends=True)
    assert (await _said(models, most=2), models.closed) == (["one", " two"], 1)


async def test_a_model_is_known_by_its_name_and_as_the_default() -> None:
    models = ScriptedModels()
    known = [await models.model(name, "token") for name in (None, "default", "scripted", "other")]
    assert known == [models.info] * 3 + [None]
    assert await ScriptedModels(info=None).model(None, "token") is None


def test_texts_are_alike_by_the_words_that_they_share() -> None:
    leave, days, prices = (bag_of_stems(text) for text in ("paid leave", "days of paid leave", "price list"))
    assert float(leave @ bag_of_stems("Paid LEAVE")) == pytest.approx(1.0)
    assert float(leave @ days) > float(leave @ prices)
    assert not np.isnan(bag_of_stems("")).any()
    assert not bag_of_stems("").any()
