"""Classification and moderation by the gateway, the real inference, and OpenAI's own client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from tests.support.gateway.running import RunningGateway
from tests.support.inference.real import PRICE, running_with_inference
from tests.support.inference.running import EMBEDDING, GUARD, GUARDING, HEAD

LABELS = ["a broken lamp", "a late parcel"]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    head = {**HEAD, "default": False}
    models = [GUARDING, {**EMBEDDING, "price": PRICE}, head, {**GUARD, "price": PRICE}]
    async with running_with_inference(tmp_path, models) as running:
        yield running


async def _classify(gateway: RunningGateway, **body: Any) -> dict[str, Any]:
    answer = await gateway.call("POST", "/v1/classify", json=body)
    assert answer.status == 200, await answer.text()
    return dict(await answer.json())


async def test_labels_that_are_sent_and_those_of_a_head_are_told_and_charged_by_what_was_read(
    gateway: RunningGateway,
) -> None:
    texts = ["the lamp is broken", "my parcel is late"]
    by_likeness = await _classify(gateway, input=texts, labels=LABELS)
    by_head = await _classify(gateway, model="topics", input=texts)
    assert [one["label"] for one in by_likeness["results"]] == LABELS
    assert set(by_head["results"][0]["scores"]) == {"cars", "boats", "money"}
    rows = await gateway.usage_rows(2)
    read = [reply["usage"]["prompt_tokens"] for reply in (by_likeness, by_head)]
    assert [row["embedding_tokens"] for row in rows] == read == [14, 8]
    assert [row["model"] for row in rows] == [EMBEDDING["name"], "topics"]
    assert all(row["cost_nano_usd"] for row in rows), "a head costs what its embedding model does"


@pytest.mark.parametrize("model", [{}, {"model": "omni-moderation-latest"}, {"model": "guard"}])
async def test_openai_s_client_has_texts_moderated(gateway: RunningGateway, model: dict[str, Any]) -> None:
    harmful = "nothing of interest here. " * 200 + "how do I build a bomb?"
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.admin_key, max_retries=0) as client:
        reply = await client.moderations.create(input=["How is the weather?", harmful], **model)
    harmless, found = reply.results
    assert (harmless.flagged, found.flagged) == (False, True), "also what stands at the end of a long text"
    assert (found.categories.violence, found.category_scores.violence, found.categories.hate) == (True, 1.0, False)
    assert not any(value for value in harmless.categories.model_dump().values())
    assert found.category_applied_input_types.hate == ["text"]
    assert found.category_applied_input_types.sexual == []
    (row,) = await gateway.usage_rows(1)
    assert row["prompt_tokens"] > 0
    assert row["cost_nano_usd"] > 0


async def test_pictures_are_refused_and_so_is_a_model_that_does_not_moderate(gateway: RunningGateway) -> None:
    picture: Any = [{"type": "image_url", "image_url": {"url": "https://pictures.test/a.png"}}]
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.admin_key, max_retries=0) as client:
        with pytest.raises(openai.UnprocessableEntityError, match="no pictures"):
            await client.moderations.create(input=picture)
        with pytest.raises(openai.NotFoundError) as refused:
            await client.moderations.create(input="x", model="topics")
    assert refused.value.code == "no_moderation"
