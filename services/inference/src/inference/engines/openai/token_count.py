"""Tokens of a call whose server does not say how many there were, counted by the model's declared tokenizer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from contracts.models.chat import ChatRequest

TOKENS_A_MESSAGE = 4
"""What a chat template adds to each message: its role and the marks around it. ChatML has 4."""
ANSWER_MARK = 3
"""What it adds before the answer."""


class TokenCount:
    """Counts by a `tokenizer.json`. The prompt's template is not known here, so the sum is marked `estimated`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._tokenizer: Tokenizer | None = None

    async def usage(self, request: ChatRequest, answer: Sequence[str]) -> dict[str, Any]:
        """OpenAI's `usage` of a call with this answer; reads and counts off the event loop."""
        return await asyncio.to_thread(self._usage, request, "".join(answer))

    def _usage(self, request: ChatRequest, answer: str) -> dict[str, Any]:
        if self._tokenizer is None:
            self._tokenizer = Tokenizer.from_file(str(self._file))
        messages = [message.plain_text() for message in request.messages]
        tools = str((request.model_extra or {}).get("tools") or "")
        prompt = sum(self._count(text) + TOKENS_A_MESSAGE for text in messages) + self._count(tools) + ANSWER_MARK
        completion = self._count(answer)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "estimated": True,
        }

    def _count(self, text: str) -> int:
        assert self._tokenizer is not None
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids) if text else 0


def text_in(part: object) -> list[str]:
    """What a model wrote in a message or delta: text, reasoning, the arguments of tool calls."""
    if not isinstance(part, dict):
        return []
    written = [part.get(name) for name in ("content", "reasoning_content", "reasoning", "refusal")]
    for call in part.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            written += [function.get("name"), function.get("arguments")]
    return [text for text in written if isinstance(text, str) and text]
