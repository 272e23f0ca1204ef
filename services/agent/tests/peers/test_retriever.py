from __future__ import annotations

from typing import Any, cast

from agent.peers.retriever import RetrieverLibrary
from contracts.core.pages import Page
from servicekit.peers.client import Peer


class _Pages:
    """A peer whose lists have two pages."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def call(self, method: str, path: str, page: type[Page[Any]], *, token: str, params: dict[str, str]) -> Any:
        self.asked.append((path, dict(params)))
        first = "cursor" not in params
        return page.model_construct(data=[path, params.get("cursor")], next_cursor="next" if first else None)


async def test_a_document_is_read_page_by_page_to_its_end() -> None:
    peer = _Pages()
    found = await RetrieverLibrary(cast("Peer", peer)).chunks("handbook", "leave", "token")
    assert len(found) == 4
    assert peer.asked == [
        ("/v1/collections/handbook/documents/leave/chunks", {"limit": "200"}),
        ("/v1/collections/handbook/documents/leave/chunks", {"limit": "200", "cursor": "next"}),
    ]
