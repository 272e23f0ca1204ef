"""Generation by a model of a few thousand random weights: what is promised of any."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY
from services.inference.tests.engines.transformers.requests import (
    YES_OR_NO,
    byte_tokenizer,
    generation_request,
    schema_of,
)
from structlog.testing import capture_logs

from inference.engines.logits_processors import LogitsProcessors
from inference.engines.transformers.generation import Generation, GenerationFailed, Loaded
from inference.engines.transformers.prompt import ChatPrompt
from inference.errors import ModelNotReady
from inference.protocol.engines import Piece
from servicekit.core.errors import ServiceError

PROCESSORS = LogitsProcessors.for_bytes()
VOCABULARY = 262
PROMPT = list(b"The word and")
LETTERS: dict[str, Any] = {"logit_bias": {str(letter): 100 for letter in range(97, 123)}}
"""Of all bytes only these are written, so that each token is seen."""


@pytest.fixture(scope="module")
def loaded(torch: Any) -> Loaded:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=128,
        )
        model = LlamaForCausalLM(config).eval()
    prompt: ChatPrompt = None  # type: ignore[assignment]  # a prompt is given as tokens
    return Loaded(torch, model, byte_tokenizer(), prompt, frozenset((PROCESSORS.end,)), PROCESSORS, 128)


Generate = Callable[..., Any]


async def generated(
    loaded: Loaded,
    *,
    prompt: list[int] = PROMPT,
    room: int = 8,
    progressed: Callable[[Generation], None] | None = None,
    **asked: Any,
) -> list[Piece | ServiceError]:
    """All that goes out."""
    request = generation_request(**asked)
    processor = loaded.processors.create(request)
    made: list[Generation] = []
    generation = Generation(
        "tiny", loaded, request, prompt, room, processor, lambda: progressed(made[0]) if progressed else None
    )
    made.append(generation)
    await asyncio.to_thread(generation.run)
    pieces = []
    while not generation.pieces.empty():
        pieces.append(generation.pieces.get_nowait())
    return pieces


def choices(pieces: list[Piece | ServiceError]) -> list[dict[str, Any]]:
    return [choice for piece in pieces if isinstance(piece, Piece) for choice in piece.choices]


def text(pieces: list[Piece | ServiceError], index: int = 0) -> str:
    return "".join(c["delta"].get("content") or "" for c in choices(pieces) if c["index"] == index)


def figure(kind: str) -> float:
    return REGISTRY.get_sample_value("groundwork_inference_tokens_total", {"model": "tiny", "kind": kind}) or 0.0


async def test_an_answer_has_its_room_and_then_all_is_counted(loaded: Loaded) -> None:
    pieces = await generated(loaded, room=5)
    last = pieces[-1]
    assert isinstance(last, Piece)
    assert last.usage == {"prompt_tokens": len(PROMPT), "completion_tokens": 5, "total_tokens": len(PROMPT) + 5}
    assert [choice["finish_reason"] for choice in choices(pieces) if choice["finish_reason"]] == ["length"]


@pytest.mark.parametrize("length", [1, 31, 32, 33])
async def test_a_prompt_that_is_filled_up_is_answered_as_it_would_be_without(loaded: Loaded, length: int) -> None:
    prompt = (PROMPT * 3)[:length]
    bare = replace(loaded, fillable=0)
    asked: dict[str, Any] = {"prompt": prompt, "room": 12, **LETTERS}
    filled = text(await generated(loaded, **asked))
    assert len(filled) == 12
    assert filled == text(await generated(bare, **asked))


async def test_choices_begin_at_the_prompt_and_none_knows_of_another(loaded: Loaded) -> None:
    one = text(await generated(loaded, **LETTERS))
    three = await generated(loaded, n=3, **LETTERS)
    assert len(one) == 8
    assert [text(three, index) for index in range(3)] == [one] * 3
    last = three[-1]
    assert isinstance(last, Piece)
    assert last.usage is not None
    assert (last.usage["prompt_tokens"], last.usage["completion_tokens"]) == (len(PROMPT), 3 * 8)


async def test_the_token_that_ends_an_answer_is_not_part_of_it(loaded: Loaded) -> None:
    ended = await generated(replace(loaded, ends=frozenset(range(VOCABULARY))))
    assert [choice["finish_reason"] for choice in choices(ended)] == ["stop"]
    assert isinstance(ended[-1], Piece)
    assert (ended[-1].usage or {})["completion_tokens"] == 0


async def test_an_answer_of_a_form_has_it_whatever_the_model_would_say(loaded: Loaded) -> None:
    pieces = await generated(loaded, room=40, **schema_of(YES_OR_NO))
    assert json.loads(text(pieces))["yes"] in (True, False)
    assert [choice["finish_reason"] for choice in choices(pieces) if choice["finish_reason"]] == ["stop"]


async def test_a_generation_that_nobody_waits_for_does_nothing(loaded: Loaded) -> None:
    before = figure("prompt"), figure("completion")
    generation = Generation("tiny", loaded, generation_request(), PROMPT, 8, None, lambda: None)
    generation.abandon()
    await asyncio.to_thread(generation.run)
    assert generation.pieces.empty()
    assert (figure("prompt"), figure("completion")) == before


async def test_one_that_is_left_stops_at_once_and_what_it_computed_is_counted(loaded: Loaded) -> None:
    before, seen = (figure("prompt"), figure("completion")), 0

    def leave(generation: Generation) -> None:
        nonlocal seen
        seen += 1
        if seen == 3:
            generation.abandon()

    pieces = await generated(loaded, room=100, progressed=leave)
    assert all(isinstance(piece, Piece) and piece.usage is None for piece in pieces)
    assert (figure("prompt") - before[0], figure("completion") - before[1]) == (len(PROMPT), 3)


async def test_a_model_that_fails_is_told_without_its_words(loaded: Loaded) -> None:
    with capture_logs() as logs:
        (failure,) = await generated(loaded, prompt=[10**9])
    assert isinstance(failure, GenerationFailed)
    assert failure.message == "The model 'tiny' failed on this conversation. Give your operator the request id."
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["generation failed"]


async def test_a_failure_that_has_its_own_words_keeps_them(loaded: Loaded) -> None:
    def refuse(_: Generation) -> None:
        raise ModelNotReady("tiny", "it is going")

    *_, failure = await generated(loaded, progressed=refuse)
    assert isinstance(failure, ModelNotReady)
