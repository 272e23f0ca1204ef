from __future__ import annotations

import asyncio
from typing import Any

from mcp.types import AudioContent, CallToolResult, ReadResourceResult, ResourceLink, TextContent, TextResourceContents

from agent.tools.mcp_results import MOST_LINKS, text_of


async def _unread(uri: str) -> Any:
    raise AssertionError(uri)


async def test_structured_content_counts_where_there_is_no_other() -> None:
    given = {"total": 3, "currency": "€"}
    assert (
        await text_of(CallToolResult(content=[], structured_content=given), _unread, 1)
        == '{"total": 3, "currency": "€"}'
    )
    both = CallToolResult(content=[TextContent(text="three")], structured_content=given)
    assert await text_of(both, _unread, 1) == "three"


async def test_sound_is_named_with_its_size() -> None:
    sound = CallToolResult(content=[AudioContent(data="AAAA", mime_type="audio/wav")])
    assert await text_of(sound, _unread, 1) == "[audio, audio/wav, 3 bytes, which can't be read as text]"


async def test_a_bounded_number_of_links_is_read_for_a_bounded_time() -> None:
    asked: list[str] = []

    async def read(uri: str) -> ReadResourceResult:
        asked.append(uri)
        if uri == "x://1":
            await asyncio.sleep(60)
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, text=f"text of {uri}")])

    links = [ResourceLink(uri=f"x://{n}", name=f"n{n}") for n in range(MOST_LINKS + 2)]
    lines = (await text_of(CallToolResult(content=list(links)), read, 0.05)).split("\n")
    assert asked == [f"x://{n}" for n in range(MOST_LINKS)]
    assert lines[:3] == ["n0 (x://0)", "text of x://0", "[n1 (x://1), which was not read]"]
    assert lines[-1] == f"[n{MOST_LINKS + 1} (x://{MOST_LINKS + 1}), which was not read]"
