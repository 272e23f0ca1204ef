from __future__ import annotations

from typing import Any, cast

from agent.peers.retriever import RetrieverLibrary
from contracts.core.pages import Page
from contracts.retrieval.collections import Collection
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


class _Collections:
    """A peer that says which path was asked for."""

    async def call(self, method: str, path: str, reply: type[Any], *, token: str) -> Any:
        return (method, path, reply, token)


async def test_what_a_collection_holds_is_asked_by_its_name() -> None:
    library = RetrieverLibrary(cast("Peer", _Collections()))
    asked: Any = await library.collection("handbook", "token")
    assert asked == ("GET", "/v1/collections/handbook", Collection, "token")
