"""Collections: `client.collections`."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.core.abstention import Abstain, AbstainOrDefault
from contracts.documents.jobs import Job
from contracts.operations import documents as operations
from contracts.retrieval.collections import (
    AUTO_MODEL,
    Chunking,
    Collection,
    CollectionChange,
    CollectionCreate,
    VectorOptions,
)
from contracts.retrieval.reindex import ReindexRequest
from contracts.retrieval.search import SearchMode
from groundwork.client.connection import Connection
from groundwork.errors import ApiError, NoSuchName


class Collections:
    """Create, look at, change and delete collections."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        name: str,
        *,
        description: str = "",
        embedding_model: str = AUTO_MODEL,
        chunking: Chunking | None = None,
        language: str = "auto",
        vectors: VectorOptions | None = None,
        mode: SearchMode = "hybrid",
        rerank: bool = False,
        rerank_model: str | None = None,
        abstain: Abstain | None = None,
    ) -> Collection:
        """A new collection; raises `ApiError` 409 `collection_exists`."""
        return self.make(
            CollectionCreate.model_construct(
                name=name,
                description=description,
                embedding_model=embedding_model,
                chunking=chunking or Chunking(),
                language=language,
                vectors=vectors or VectorOptions(),
                mode=mode,
                rerank=rerank,
                rerank_model=rerank_model,
                abstain=abstain,
            )
        )

    def make(self, body: CollectionCreate) -> Collection:
        """The same from a whole description."""
        return self._connection.model(operations.CREATE_COLLECTION, json=body.model_dump(mode="json"))

    def ensure(self, name: str) -> Collection:
        """The collection of this name, made with the defaults if there is none yet."""
        try:
            return self.get(name)
        except NoSuchName:
            return self.create(name)  # the server says what names look like
        except ApiError as error:
            if error.status != 404:
                raise
        try:
            return self.create(name)
        except ApiError as error:
            if error.status != 409:
                raise
            return self.get(name)

    def get(self, name: str) -> Collection:
        """One collection with its counts; raises `ApiError` 404."""
        return self._connection.model(operations.GET_COLLECTION, name)

    def list(self) -> Iterator[Collection]:
        """All collections that the key may use."""
        return self._connection.pages(operations.LIST_COLLECTIONS)

    def change(
        self,
        name: str,
        *,
        description: str | None = None,
        mode: SearchMode | None = None,
        rerank: bool | None = None,
        rerank_model: str | None = None,
        abstain: AbstainOrDefault | None = None,
    ) -> Collection:
        """Change how a collection is described, searched and asked; raises `ApiError` 404."""
        body = CollectionChange.model_construct(
            description=description, mode=mode, rerank=rerank, rerank_model=rerank_model, abstain=abstain
        )
        return self._connection.model(
            operations.UPDATE_COLLECTION, name, json=body.model_dump(mode="json", exclude_none=True)
        )

    def reindex(
        self,
        name: str,
        *,
        embedding_model: str | None = None,
        chunking: Chunking | None = None,
        language: str | None = None,
        vectors: VectorOptions | None = None,
    ) -> Job:
        """Build the collection's index anew, as said, beside the one that serves; the job that does it.

        Raises `ApiError` 400 `embedding_model_unknown` or `nothing_to_change`, 409 `reindex_running`.
        """
        body = ReindexRequest.model_construct(
            embedding_model=embedding_model, chunking=chunking, language=language, vectors=vectors
        )
        given = body.model_dump(mode="json", exclude_none=True)
        return self._connection.model(operations.REINDEX_COLLECTION, name, json=given).job

    def delete(self, name: str) -> None:
        """Delete a collection with all of its documents."""
        self._connection.call(operations.DELETE_COLLECTION, name)
