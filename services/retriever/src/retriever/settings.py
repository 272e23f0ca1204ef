"""The retriever's settings, read once at start from `RETRIEVER_*`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from servicekit.core.settings import ServiceSettings, SqlSettings


class RetrieverSettings(ServiceSettings, SqlSettings):
    """How the retriever runs."""

    model_config = SettingsConfigDict(env_prefix="RETRIEVER_", extra="ignore", use_attribute_docstrings=True)

    port: int = 8102
    """Port to listen on."""
    data_dir: Path = Path(".groundwork/data/retriever")
    """Folder for the SQLite catalog and the embedded vector store; one process owns it."""
    inference_url: str = "http://127.0.0.1:8103"
    """Where inference answers; it embeds queries."""
    gateway_url: str = "http://127.0.0.1:8090"
    """Where the gateway's model plane answers; it has chunks embedded, and charges them."""
    qdrant_url: str = ""
    """A Qdrant server or cluster. Empty means the embedded engine (Qdrant Edge) in the data folder."""
    qdrant_api_key: SecretStr | None = None
    """API key of the Qdrant server."""
    qdrant_seconds: Annotated[float, Field(gt=0)] = 10.0
    """How long one call of the Qdrant server may take."""
    qdrant_shards: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Into how many parts the server cuts each collection; without it, as the server is configured."""
    qdrant_replicas: Annotated[int, Field(ge=1, le=32)] | None = None
    """How many copies of each part the cluster keeps; without it, as the server is configured."""
    qdrant_write_consistency: Annotated[int, Field(ge=1, le=32)] | None = None
    """How many copies must have a write before it is acknowledged; without it, as the server is configured."""
    qdrant_read_consistency: Literal["majority", "quorum", "all"] | None = None
    """How many copies a read asks; without it, one. A search sees every acknowledged write if more than half of the
    copies have it by then and a `majority` is asked."""
    open_shards: Annotated[int, Field(ge=1, le=4096)] = 128
    """How many collections the embedded engine keeps open; the least recently used one is closed for the next."""
    store_threads: Annotated[int, Field(ge=1, le=64)] = 4
    """Threads that search the embedded engine; two more write."""
    index_points: Annotated[int, Field(ge=0)] = 20_000
    """From how many points on the embedded engine gets an index over a collection's dense vectors, built by a child
    process while it serves, and again for so many new ones or a quarter more; 0 means never. Below, a search compares
    every point, which is exact."""
    index_build_seconds: Annotated[float, Field(gt=0)] = 3600.0
    """How long one build may take."""
    index_build_mib: Annotated[int, Field(ge=256)] = 4096
    """How much memory the child that builds may allocate."""
    embedding_batch: Annotated[int, Field(ge=1, le=64)] = 64
    """Chunks in one call of inference while indexing."""
    embedding_concurrency: Annotated[int, Field(ge=1, le=8)] = 2
    """Calls of inference that one batch of chunks may have under way at once."""
    bulk_embedding_seconds: Annotated[float, Field(gt=0)] = 120.0
    """How long inference may take over one call while indexing."""
    query_embedding_seconds: Annotated[float, Field(gt=0)] = 10.0
    """How long inference may take over a query; after that a hybrid search answers from words alone."""
    rerank_milliseconds: Annotated[int, Field(ge=1, le=60_000)] = 300
    """How long rerank may take in a search; after that hits keep the order that they were found in."""
    rerank_candidates: Annotated[int, Field(ge=1, le=200)] = 30
    """How many of the best hits are reranked."""
    rerank_weight: Annotated[float, Field(ge=0, le=1)] = 0.3
    """The rerank model's say in the order, against the score that a hit was found with; 1 is the model alone. 0.3 is
    cautious; a strong cross-encoder deserves more, which `groundwork eval --rerank` tells."""
