"""Models that an Ollama server fetches itself: it goes on where it was, and checks digests."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from inference.pulls.errors import OllamaAway, OllamaFailed, OllamaRefused, SourceNotFound

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=300)
"""It says nothing while it checks a digest."""
LOOKING = aiohttp.ClientTimeout(total=10)
SHOWN = 500
NO_SUCH_MODEL = "file does not exist"
"""What it says of a name that its registry does not know. All else that it says inside of an answer may pass."""


async def look(session: aiohttp.ClientSession, base_url: str) -> None:
    """Raise `OllamaAway` where nothing answers, `SourceNotFound` where something else than Ollama does: a mistaken
    address is told at once, not waited for."""
    try:
        async with session.get(f"{base_url}/api/version", timeout=LOOKING, allow_redirects=False) as answer:
            status = answer.status
    except (aiohttp.ClientError, TimeoutError):
        raise OllamaAway(base_url, "can't be reached") from None
    if status == 429 or status >= 500:
        raise OllamaAway(base_url, f"answered with {status}")
    if status != 200:
        raise SourceNotFound(
            "source.base_url",
            f"{base_url}/api/version answers with {status}: no Ollama server is there. Give its address alone, such as "
            "http://127.0.0.1:11434.",
        )


async def pull(
    session: aiohttp.ClientSession, base_url: str, name: str, report: Callable[[int, int], Awaitable[None]]
) -> None:
    """Have a server pull a model; `report` is told bytes done and known. Raises `OllamaAway`, `OllamaFailed` or
    `OllamaRefused`.

    Who leaves ends the server's work.
    """
    asked = {"model": name, "stream": True}
    url = f"{base_url}/api/pull"
    layers: dict[str, tuple[int, int]] = {}
    try:
        async with session.post(url, json=asked, timeout=TIMEOUT, allow_redirects=False) as answer:
            await _check(answer, base_url, name)
            async for line in answer.content:
                said = _read(line)
                if "error" in said:
                    why = str(said["error"])[:SHOWN]
                    raise (OllamaRefused if NO_SUCH_MODEL in why else OllamaFailed)(name, why)
                if said.get("status") == "success":
                    return
                if isinstance(total := said.get("total"), int):
                    done = said.get("completed")
                    layers[str(said.get("digest"))] = (done if isinstance(done, int) else 0, total)
                done, total = (sum(parts) for parts in zip(*layers.values(), strict=True)) if layers else (0, 0)
                await report(done, total)
    except TimeoutError:
        raise OllamaAway(base_url, "said nothing for too long") from None
    except (aiohttp.ClientError, ValueError) as error:
        away = isinstance(error, aiohttp.ClientConnectorError)
        raise OllamaAway(base_url, "can't be reached" if away else "broke off") from None
    raise OllamaAway(base_url, "broke off")


async def _check(answer: aiohttp.ClientResponse, base_url: str, name: str) -> None:
    """Raise unless it began."""
    status = answer.status
    if status == 200:
        return
    if status == 429 or status > 500:
        raise OllamaAway(base_url, f"answered with {status}")
    why = f"it answered with {status}: {(await answer.text())[:SHOWN]}"
    raise (OllamaFailed if status == 500 else OllamaRefused)(name, why)


def _read(line: bytes) -> dict[str, Any]:
    said = json.loads(line) if line.strip() else {}
    if not isinstance(said, dict):
        raise ValueError("no object")
    return said
