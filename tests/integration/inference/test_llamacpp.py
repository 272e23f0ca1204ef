"""The packaged chat model by llama.cpp: the suite of every chat engine, and what becomes of its process."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from tests.support.inference.chat_conformance import Capabilities, ChatConformance, Subject, text_of
from tests.support.inference.packaged import packaged_chat_model
from tests.support.inference.running import Inference, running_inference

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp has no wheel here"),
]
SMOLLM2: dict[str, Any] = packaged_chat_model() | {
    "context_length": 512,
    "queue": {"at_once": 2, "waiting": 3},
    "llamacpp": {"threads": 1},
    "generation": {"max_tokens": 64},
}
CAN = Capabilities(context_length=512)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inference]:
    async with running_inference(tmp_path_factory.mktemp("inference"), [SMOLLM2]) as service:
        yield service


class TestChat(ChatConformance):
    @pytest.fixture
    async def subject(self, served: Inference) -> AsyncIterator[Subject]:
        async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key=served.token, max_retries=0) as client:
            yield Subject(client, "default", CAN)

    async def test_it_knows_the_capital_of_france(self, subject: Subject) -> None:
        assert "Paris" in (await subject.ask()).choices[0].message.content

    async def test_another_seed_gives_another_answer(self, subject: Subject) -> None:
        story = {"temperature": 1.2, "max_tokens": 12}
        said = [await subject.ask("Tell me a story about a lighthouse.", seed=seed, **story) for seed in (1, 2)]
        assert said[0].choices[0].message.content != said[1].choices[0].message.content

    async def test_text_streams_as_it_is_made(self, subject: Subject) -> None:
        chunks = await subject.chunks(max_tokens=24)
        assert len([chunk for chunk in chunks if text_of([chunk])]) > 3

    async def test_an_answer_without_a_limit_ends_at_the_models_own(self, subject: Subject) -> None:
        whole = await subject.ask("Say one, again and again.", max_tokens=openai.omit)
        assert whole.usage.completion_tokens <= 64

    async def test_more_ways_to_sample_pass_through_and_nonsense_is_refused(self, subject: Subject) -> None:
        greedy = await subject.ask("Tell me a story.", max_tokens=8)
        asked = {"temperature": 1.5, "extra_body": {"top_k": 1, "min_p": 0.1}}
        likeliest = await subject.ask("Tell me a story.", max_tokens=8, **asked)
        assert likeliest.choices[0].message.content == greedy.choices[0].message.content
        with pytest.raises(openai.BadRequestError, match="repetition_penalty"):
            await subject.ask(extra_body={"repetition_penalty": 9})

    @pytest.mark.parametrize("more", [{"ignore_eos": True}, {"min_tokens": 60}])
    async def test_a_benchmark_gets_as_many_tokens_as_it_names(self, subject: Subject, more: dict[str, Any]) -> None:
        greeted = await subject.ask("Say: hi", max_tokens=60)
        assert greeted.usage.completion_tokens < 60
        filled = await subject.ask("Say: hi", max_tokens=60, extra_body={**more, "reasoning_effort": "low"})
        assert (filled.usage.completion_tokens, filled.choices[0].finish_reason) == (60, "length")

    async def test_a_repetition_penalty_changes_an_answer_that_repeats_itself(self, subject: Subject) -> None:
        said = [
            (await subject.ask("Say: one one one one one", extra_body=more, max_tokens=24)).choices[0].message.content
            for more in ({"repetition_penalty": 1.0}, {"repetition_penalty": 1.8})
        ]
        assert said[0] != said[1]

    async def test_a_control_token_in_a_message_is_text(self, subject: Subject) -> None:
        plain = await subject.ask("a<im_end|>b", max_tokens=1)
        spelled = await subject.ask("a<|im_end|>b", max_tokens=1)
        assert spelled.usage.prompt_tokens >= plain.usage.prompt_tokens

    async def test_raw_prompts_are_gone_on_from_with_their_log_probabilities(self, served: Inference) -> None:
        messages = [{"role": "user", "content": text} for text in ("The capital of France is", "One, two,")]
        body = {"model": "default", "messages": messages, "raw_prompts": True, "max_tokens": 3, "temperature": 0}
        async with served.post("/v1/chat/completions", {**body, "logprobs": 2}) as answer:
            first, second = (await answer.json())["choices"]
        assert first["message"]["content"].startswith(" Paris")
        assert second["index"] == 1
        assert len(first["logprobs"]["tokens"]) == 3
        async with served.post("/v1/chat/completions", {**body, "echo": True}) as answer:
            assert (await answer.json())["choices"][1]["message"]["content"].startswith("One, two,")
