"""Classification by a guard model: a chat model that is trained to answer `safe`, or `unsafe` and what is wrong.

That is the form of Llama Guard, whose chat template holds the policy: the text goes as a user's message, and nothing of
ours with it. So what a text says to the guard is a text that it judges.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from contracts.models.chat import ChatRequest
from inference.catalog.sources import GUARD_LABELS, SAFE, UNSAFE
from inference.engines.judge.reading import ASKS_AT_ONCE, AskedModel
from inference.engines.text_parts import text_parts
from inference.errors import UpstreamBroke
from inference.metrics import TRUNCATED
from inference.protocol.engines import ClassificationResult

ANSWER_TOKENS = 40
_CODE = re.compile(r"S\d{1,2}")


class ChatGuard(AskedModel):
    """A `ClassificationEngine`. A score is 1 or 0."""

    def labels(self) -> tuple[str, ...]:
        """`safe`, `unsafe` (whatever it is) and the hazards."""
        return GUARD_LABELS

    def embedding_model(self) -> str | None:
        """None."""
        return None

    async def classify(self, texts: Sequence[str]) -> ClassificationResult:
        """What it says of each text; raises `UpstreamBroke` for an answer of another form."""
        places = asyncio.Semaphore(ASKS_AT_ONCE["query"])  # of this call: one of many texts keeps no other waiting
        asks = [asyncio.create_task(self._asked(text[: self._most], places)) for text in texts]
        try:
            answered = await asyncio.gather(*asks)
        finally:
            for ask in asks:
                ask.cancel()
        truncated = sum(len(text) > self._most for text in texts)
        if truncated:
            TRUNCATED.labels(self._name).inc(truncated)
        read, written = (
            sum(_count(usage, f"{kind}_tokens") for _, usage in answered) for kind in ("prompt", "completion")
        )
        scores = np.array([row for row, _ in answered], dtype=np.float32)
        return ClassificationResult(GUARD_LABELS, scores, read, truncated, written)

    async def parts(self, text: str) -> list[str]:
        """By bytes, of which it reads four a token: where a character is a token, it has three or four."""

        async def fits(part: str) -> bool:
            return len(part.encode()) <= self._most

        return await text_parts(text, fits)

    async def _asked(self, text: str, places: asyncio.Semaphore) -> tuple[list[float], Any]:
        body = {"model": "guard", "messages": [{"role": "user", "content": text}]}
        options = {"max_tokens": ANSWER_TOKENS, "temperature": 0}
        async with places:
            answer = await self._ask(ChatRequest.model_validate({**body, **options}))
        try:
            said = str(answer["choices"][0]["message"]["content"]).split()
        except (KeyError, TypeError, IndexError):
            said = []
        if not said or said[0].casefold() not in (SAFE, UNSAFE):
            raise UpstreamBroke(self._name, "gave no verdict: neither `safe` nor `unsafe` begins its answer")
        found = {said[0].casefold(), *_CODE.findall(" ".join(said[1:]))}
        return [float(label in found) for label in GUARD_LABELS], answer.get("usage")


def _count(usage: Any, name: str) -> int:
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) else 0
