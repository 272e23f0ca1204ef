"""A model sums a document up: what the document does not support is left out, what is too long is taken in parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from services.agent.tests.answering.answers import degraded, kind_of
from services.agent.tests.answering.surveys.test_summary import REPORT
from services.agent.tests.conftest import Bench, chat_request, content_of, delegation

from agent.answering.completions import chunks, collect
from agent.answering.drafting.prompt import CHARACTERS_A_TOKEN
from agent.answering.surveys.worded_summary import PARTS
from agent.ports import Embedded
from agent.prompts.packaged import AsShipped, name_of, replaced
from agent.prompts.prompt import Prompt
from agent.questions.conversation import read_conversation
from agent.settings import AgentSettings
from agent.testing.scripted_answers import CAPABLE, ScriptedModels, echo, hit
from contracts.agents.prompts import PromptDefinition
from servicekit.core.errors import UpstreamFailed

ASKED = "Summarise the incident report in 2 sentences"
RIGHT = "The certificate of the broker had expired without anyone noticing."
INCLUDE = {"include": ["receipt"]}


async def test_a_connected_model_words_the_summary_and_only_what_is_supported_is_kept() -> None:
    bench = Bench(hits=REPORT, says=f"{RIGHT} Ponies were seen in the harbour of Porto.", info=CAPABLE)
    answer = await bench.ask(ASKED)
    assert kind_of(answer) == "generated"
    assert RIGHT in content_of(answer)
    assert "Ponies" not in content_of(answer)
    cited = answer.choices[0].message.annotations or []
    text = "".join(one.text for one in REPORT)
    assert [text[one.start : one.end] for one in cited] == [one.quote for one in cited]


async def test_where_the_document_supports_nothing_of_it_its_own_sentences_are_the_summary() -> None:
    bench = Bench(hits=REPORT, says="Ponies were seen in the harbour of Porto.", info=CAPABLE)
    answer = await bench.ask(ASKED, groundwork=INCLUDE)
    assert kind_of(answer) == "extractive"
    assert "Most gateways stored their readings" in content_of(answer)
    assert degraded(answer) == ["draft_unsupported"]


async def test_a_model_that_is_away_costs_nothing_but_its_words() -> None:
    bench = Bench(hits=REPORT, info=CAPABLE)
    bench.models.failure = UpstreamFailed("The model is away.")
    answer = await bench.ask(ASKED, groundwork=INCLUDE)
    assert kind_of(answer) == "extractive"
    assert degraded(answer) == ["model_unavailable"]


async def test_the_packaged_model_is_not_asked() -> None:
    bench = Bench(hits=REPORT, says=RIGHT)
    assert kind_of(await bench.ask(ASKED)) == "extractive"
    assert bench.models.requests == []


async def test_a_long_document_is_summed_up_in_parts_and_what_is_left_after_them_is_told() -> None:
    texts = [
        f"{REPORT[0].text}\n\nGateway {at} stored all of its readings during the outage of the broker."
        for at in range(20)
    ]
    long, start = [], 0
    for text in texts:
        long.append(hit(text, "report", start=start, title="Incident Report"))
        start += len(text)
    bench = Bench(hits=long, says=RIGHT, info=CAPABLE, settings=AgentSettings(context_tokens=64))
    answer = await bench.ask(ASKED, groundwork=INCLUDE)
    assert len(bench.models.requests) == PARTS + 1
    assert kind_of(answer) == "generated"
    assert degraded(answer) == ["document_cut"]


@pytest.mark.parametrize("calls", [0, 1])
async def test_without_embeddings_its_wording_decides_what_is_kept(calls: int) -> None:
    class _NotEmbedding(ScriptedModels):
        """Embeds so many times, then no more."""

        async def embed(self, texts: Sequence[str], *about: Any) -> Embedded:
            nonlocal calls
            calls -= 1
            if calls < 0:
                raise UpstreamFailed("The embeddings are away.")
            return await super().embed(texts, *about)

    bench = Bench(hits=REPORT)
    bench.models = _NotEmbedding(echo(RIGHT), CAPABLE)
    answer = await bench.ask(ASKED, groundwork=INCLUDE)
    assert kind_of(answer) == "generated"
    assert RIGHT in content_of(answer)
    assert degraded(answer) == ["embeddings_unavailable"]


async def test_the_summaries_of_many_parts_fit_the_model_together() -> None:
    wordy = " ".join(f"Gateway {at} stored all of its readings." for at in range(40))
    told = "stored all of its readings during the outage of the broker."
    texts = ["\n\n".join(f"Gateway {part * 40 + at} {told}" for at in range(40)) for part in range(20)]
    long, start = [], 0
    for text in texts:
        long.append(hit(text, "report", start=start, title="Incident Report"))
        start += len(text)
    bench = Bench(hits=long, says=f"{RIGHT} {wordy}", info=CAPABLE, settings=AgentSettings(context_tokens=600))
    answer = await bench.ask(ASKED)
    *parts, whole = (len(request.messages[1].plain_text()) for request in bench.models.requests)
    assert len(parts) == PARTS
    assert whole <= max(parts)
    assert bench.models.requests[-1].messages[1].plain_text().count(RIGHT) == PARTS, "each part has its share"
    assert kind_of(answer) == "generated"


async def test_what_a_tenant_s_prompt_is_longer_is_taken_from_the_room_of_the_document() -> None:
    class Own(AsShipped):
        async def in_use(self, tenant: str, file: str) -> Prompt:
            said = {"messages": [{"role": "system", "content": "Be kind. " * 1_600}]}
            return replaced(name_of(file), 2, PromptDefinition.model_validate(said))

    told = "stored all of its readings during the outage of the broker."
    long = [hit("\n\n".join(f"Gateway {at} {told}" for at in range(600)), "report", title="Incident Report")]
    bench = Bench(hits=long, says=RIGHT, info=CAPABLE.model_copy(update={"context_length": 6_000}))
    answering = dataclasses.replace(bench.answering, prompts=Own())
    request = chat_request(ASKED)
    events = answering.events(read_conversation(request, delegation()), request, "token", "req_1")
    await collect(chunks(events, request.model))
    assert len(bench.models.requests) > 1
    for asked in bench.models.requests:
        read = sum(len(message.plain_text()) for message in asked.messages) / CHARACTERS_A_TOKEN
        assert read + (asked.max_tokens or 0) <= 6_000
