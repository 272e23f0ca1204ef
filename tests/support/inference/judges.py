"""A chat model that judges as it is asked to, by shared words: what a large one does in earnest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from contracts.models.chat import ChatRequest


class WordJudge:
    """Answers what `ChatJudge` asks; keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[ChatRequest] = []

    async def __call__(self, request: ChatRequest) -> Mapping[str, Any]:
        self.requests.append(request)
        asked = json.loads(str(request.messages[-1].content))
        judged = {number: _judged(asked.get("question"), item) for number, item in asked["items"].items()}
        tokens = len(str(request.messages[-1].content).split())
        return {
            "choices": [{"message": {"content": json.dumps(judged)}}],
            "usage": {"prompt_tokens": tokens, "completion_tokens": 3 * len(judged)},
        }


def _judged(question: str | None, item: Any) -> dict[str, Any]:
    if question is None:
        share = _percent(item["sentence"], item["premise"])
        return {"supported": share, "contradicted": (100 - share) // 2}
    share = _percent(question, item)
    quote = next((word for word in item.split() if _percent(word, question) == 100), "")
    return {"answers": share, "relevance": share, "quote": quote}


def _percent(wanted: str, given: str) -> int:
    words = set(re.findall(r"\w+", wanted.lower()))
    return 100 * len(words & set(re.findall(r"\w+", given.lower()))) // max(1, len(words))
