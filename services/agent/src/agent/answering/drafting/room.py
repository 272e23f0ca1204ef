"""How much of the sources a model is given: what its context holds, and what it reads in the time that callers wait."""

from __future__ import annotations

from agent.answering.drafting.prompt import CHARACTERS_A_TOKEN
from agent.settings import AgentSettings
from contracts.models.catalog import ModelInfo
from contracts.models.chat import ChatRequest

LEAST_TOKENS = 64
LEAST_OF_A_SLOW_MODEL = 256
"""Of sources, however slowly a model reads: an answer from less is hardly worth its wait."""
SHARE_OF_WAIT = 0.7
"""Of `AGENT_FIRST_TOKEN_SECONDS` that reading may take by the model's known speed, which is a guess."""
WAIT_FACTOR = 1.5
"""How many times as long as expected a slow model is waited for."""


def room_for_sources(model: ModelInfo, settings: AgentSettings, *, beside: int, around: int) -> int:
    """Tokens of sources for one call. `beside`: tokens that share the context with them, the answer's included;
    `around`: those of the prompt that are read with them."""
    room = settings.packaged_context_tokens if model.packaged else settings.context_tokens
    if model.context_length is not None:
        room = max(LEAST_TOKENS, min(room, model.context_length - beside))
    speed = None if model.packaged else model.input_tokens_per_second
    if speed is not None:
        in_time = int(speed * settings.first_token_seconds * SHARE_OF_WAIT) - around
        room = min(room, max(LEAST_OF_A_SLOW_MODEL, in_time))
    return room


def seconds_to_first_token(request: ChatRequest, model: ModelInfo, settings: AgentSettings) -> float:
    """How long the model is waited for: the setting, or longer where its speed tells that it needs longer."""
    if not model.input_tokens_per_second:
        return settings.first_token_seconds
    tokens = sum(len(message.plain_text()) for message in request.messages) / CHARACTERS_A_TOKEN
    return max(settings.first_token_seconds, WAIT_FACTOR * tokens / model.input_tokens_per_second)
