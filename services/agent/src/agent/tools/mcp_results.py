"""What an MCP tool gave back, as text: its resources, and the resources that it only links to, are read."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

log = structlog.get_logger(__name__)
MOST_LINKS = 5
LARGEST_LINK = 1_000_000
"""Bytes that a linked resource may say it has."""
Read = Callable[[str], Awaitable[Any]]
"""Reads a resource of the server that linked it, by its URI."""


async def text_of(result: Any, read: Read, seconds: float) -> str:
    """The parts of a `CallToolResult`, one below the other; its structured content where it has no parts.

    The first `MOST_LINKS` links are read, for `seconds` together. What can't be read is named with its URI.
    """
    links = [part for part in result.content if part.type == "resource_link"]
    linked = dict(zip(map(id, links), await _read_all(links[:MOST_LINKS], read, seconds), strict=False))
    parts = [
        _link(part, linked.get(id(part))) if part.type == "resource_link" else _text(part) for part in result.content
    ]
    if not parts and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(parts)


async def _read_all(links: list[Any], read: Read, seconds: float) -> list[str | None]:
    async def one(link: Any) -> str | None:
        if (link.size or 0) > LARGEST_LINK:
            return None
        try:
            async with asyncio.timeout(seconds):
                found = await read(link.uri)
        except Exception as error:  # noqa: BLE001  # the tool has done its work: a link that can't be read is no failure
            log.info("linked MCP resource can't be read", uri=link.uri, error=repr(error)[:300])
            return None
        return "\n".join(map(_contents, found.contents))

    return list(await asyncio.gather(*map(one, links)))


def _link(part: Any, content: str | None) -> str:
    about = ": ".join(filter(None, [part.title or part.name, part.description]))
    head = f"{about} ({part.uri})"
    return f"[{head}, which was not read]" if content is None else f"{head}\n{content}"


def _text(part: Any) -> str:
    if part.type == "text":
        return str(part.text)
    if part.type == "resource":
        return f"{part.resource.uri}\n{_contents(part.resource)}"
    data = getattr(part, "data", "")
    return _unreadable(f"{part.type}, {getattr(part, 'mime_type', 'of no named type')}", data)


def _contents(resource: Any) -> str:
    text = getattr(resource, "text", None)
    if isinstance(text, str):
        return text
    try:
        decoded = b64decode(resource.blob).decode()
    except ValueError:
        decoded = "\0"
    named = f"{resource.uri}, {resource.mime_type or 'of no named type'}"
    return _unreadable(named, resource.blob) if "\0" in decoded else decoded


def _unreadable(named: str, base64: str) -> str:
    return f"[{named}, {len(base64) * 3 // 4:,} bytes, which can't be read as text]"
