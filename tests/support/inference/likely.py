"""An OpenAI-compatible server of completions that tells how likely each word of a prompt is, as vLLM does: a model that
knows words only by themselves."""

from __future__ import annotations

import re
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KNOWN = {"Paris": -0.5, "Madrid": -1.5}
"""Words that it is sure of; any other one has `UNKNOWN`."""
UNKNOWN = -6.0
NEXT = " Indeed"
WORD = re.compile(r"\s*\S+")


async def _complete(request: Request) -> Response:
    body = await request.json()
    prompts = [body["prompt"]] if isinstance(body["prompt"], str) else body["prompt"]
    choices = [_choice(at, prompt, echo=bool(body.get("echo"))) for at, prompt in enumerate(prompts)]
    words = sum(len(WORD.findall(prompt)) for prompt in prompts)
    usage = {"prompt_tokens": words, "completion_tokens": len(prompts), "total_tokens": words + len(prompts)}
    about = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": body["model"], "usage": usage}
    return JSONResponse({**about, "choices": choices})


def _choice(at: int, prompt: str, *, echo: bool) -> dict[str, Any]:
    tokens = [*(WORD.findall(prompt) if echo else []), NEXT]
    chances = [KNOWN.get(token.strip(), UNKNOWN) for token in tokens]
    told = {
        "tokens": tokens,
        "token_logprobs": [None, *chances[1:]] if echo else chances,
        "top_logprobs": [None if echo and not n else {token: chances[n]} for n, token in enumerate(tokens)],
        "text_offset": [sum(map(len, tokens[:n])) for n in range(len(tokens))],
    }
    return {"index": at, "text": "".join(tokens), "logprobs": told, "finish_reason": "length"}


async def _listed(_: Request) -> Response:
    return JSONResponse({"data": []})


async def _chat(request: Request) -> Response:
    """Only whether it lives is asked so."""
    about = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": (await request.json())["model"]}
    choice = {"index": 0, "message": {"role": "assistant", "content": NEXT}, "finish_reason": "length"}
    return JSONResponse({**about, "choices": [choice]})


app = Starlette(
    routes=[
        Route("/v1/completions", _complete, methods=["POST"]),
        Route("/v1/chat/completions", _chat, methods=["POST"]),
        Route("/v1/models", _listed),
    ]
)


def declared(url: str) -> dict[str, Any]:
    """It as the model `likely`."""
    source = {"base_url": f"{url}/v1", "upstream_model": "far"}
    return {"name": "likely", "kind": "chat", "engine": "openai", "context_length": 4096, "source": source}
