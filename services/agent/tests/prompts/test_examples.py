from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.prompts.examples import NOT_COMPARED, choose_examples, with_examples
from agent.relevance.lexicon import Lexicon
from agent.testing.scripted_agents import ScriptedAgent, in_turn
from contracts.agents.prompts import PromptDefinition, PromptExample
from servicekit.core.errors import RateLimited, ServiceError, UpstreamFailed

TEXTS = ("how many days of leave", "bread and butter", "leave days")


class Broken(ScriptedAgent):
    """Embeds nothing."""

    error: ServiceError

    async def embed(self, texts: Any, token: str) -> Any:
        raise self.error


def _definition(nearest: int | None) -> PromptDefinition:
    examples = [{"input": text, "output": text} for text in TEXTS]
    return PromptDefinition.model_validate(
        {"messages": [{"role": "system", "content": "x"}], "examples": examples, "nearest": nearest}
    )


async def _chosen(nearest: int | None, models: ScriptedAgent) -> tuple[list[str], tuple[str, ...]]:
    examples, degraded = await choose_examples(_definition(nearest), "leave days", models, Lexicon(), "token")
    return [example.input for example in examples], degraded


async def test_all_examples_are_shown_in_their_order_or_the_likest_ones_the_likest_last() -> None:
    models = ScriptedAgent(in_turn("x"))
    assert await _chosen(None, models) == (list(TEXTS), ())
    assert await _chosen(2, models) == ([TEXTS[0], TEXTS[2]], ())


async def test_examples_are_compared_however_few_vectors_are_kept_and_of_whatever_model_those_are() -> None:
    kept = Lexicon(2)
    for _ in range(3):  # each time what was kept last is what was asked for first
        examples, _ = await choose_examples(_definition(2), "leave days", ScriptedAgent(in_turn("x")), kept, "token")
        assert [example.input for example in examples] == [TEXTS[0], TEXTS[2]]
    kept.learn([TEXTS[0]], [np.ones(3)])
    examples, _ = await choose_examples(_definition(2), "leave days", ScriptedAgent(in_turn("x")), kept, "token")
    assert [example.input for example in examples] == [TEXTS[0], TEXTS[2]]


async def test_the_first_examples_stand_in_while_embeddings_are_away_but_a_decision_about_the_caller_is_heard() -> None:
    models = Broken(in_turn("x"))
    models.error = UpstreamFailed("It is away.")
    assert await _chosen(2, models) == ([TEXTS[0], TEXTS[1]], (NOT_COMPARED,))
    models.error = RateLimited("Too many.")
    with pytest.raises(RateLimited):
        await _chosen(2, models)


def test_examples_come_after_the_first_system_messages() -> None:
    definition = PromptDefinition.model_validate(
        {"messages": [{"role": role, "content": role} for role in ("system", "developer", "user", "system")]}
    )
    shown = with_examples(definition.messages, [PromptExample(input="in", output="out")])
    assert [message.content for message in shown] == ["system", "developer", "in", "out", "user", "system"]
