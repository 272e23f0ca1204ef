"""What the vectors of an embedding model's name are of: remembered also when the model is removed.

Collections are bound to the name. Another model of that name would mix its vectors with theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import structlog

from inference.catalog.identity import Identity
from inference.catalog.models_file import Model
from inference.catalog.sources import LoraSource, PackageSource, PathSource, ProjectionSource, UpstreamSource
from inference.declarations.entry import read_entry
from inference.declarations.repository import DeclarationRepository, Vectors
from inference.errors import CannotLoad, DeclarationInvalid, EmbeddingModelFixed
from inference.protocol.engines import Engine
from inference.serving.served_model import ServedModel

log = structlog.get_logger(__name__)
BESIDE = frozenset(
    ("default", "packaged", "price", "limits", "queue", "probe_seconds", "load", "languages", "unrelated_cosine")
)
"""What of an embedding model may change: its vectors stay the same."""
OF_A_SERVER = frozenset(("tokenizer", "vllm"))
"""And of one that a server computes."""
OF_ANY_RELEASE = ("dimensions", "max_input_tokens", "prefixes")
"""What vectors depend on beside the files."""
DIGEST_SECONDS = 20.0
"""How long a caller waits for the digest of a folder; one of files that take longer is known by its place."""
ADDRESS = frozenset(
    ("base_url", "api_key_env", "stream_usage", "max_tokens_as", "encoding_format", "ready_path", "metrics_url")
)
"""Where a server is, and how it is spoken to."""


class NamesOfVectors:
    """Remembers the embedding models that have answered, and holds later declarations of their names to them."""

    def __init__(self, repository: DeclarationRepository, identify: Callable[[Model], Identity]) -> None:
        """`identify` tells which files a model is of, and blocks."""
        self._repository = repository
        self._identify = identify
        self._noted: dict[str, Vectors] = {}

    async def remember(self, models: Sequence[ServedModel[Engine]]) -> None:
        """Note those that have given vectors: nothing is known of one that never did, so that it can be corrected."""
        for served in models:
            if served.model.kind != "embedding" or not served.has_answered:
                continue
            left_out, digest = {"name", "default", "price", "limits"}, served.identity.digest
            if isinstance(served.model.source, ProjectionSource | LoraSource):
                left_out.add("source")  # a hundred kilobytes, which the digest stands for
                digest = digest or await asyncio.to_thread(self._digest, served.model)  # removed as it came
            entry = served.model.model_dump(mode="json", exclude_unset=True, exclude=left_out)
            vectors = Vectors(entry, digest)
            if self._noted.get(served.name) != vectors:
                await self._repository.remember(served.name, vectors)
                self._noted[served.name] = vectors

    async def held_to(self, model: Model) -> Callable[[Vectors | None], None]:
        """What raises `EmbeddingModelFixed` where a model's name has given vectors of another one."""
        digest: str | None = None
        if model.kind == "embedding" and await self._repository.vectors(model.name) is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DIGEST_SECONDS):
                    digest = await asyncio.to_thread(self._digest, model)

        def check(before: Vectors | None) -> None:
            if model.kind == "embedding" and before is not None and not _are_alike(before, model, digest):
                raise EmbeddingModelFixed(model.name)

        return check

    def _digest(self, model: Model) -> str | None:
        if not isinstance(model.source, PathSource | PackageSource | ProjectionSource | LoraSource):
            return None  # of a server or a hub, which nobody should wait for
        try:
            return self._identify(model).digest
        except (CannotLoad, OSError) as error:
            log.info("the files of a declared model can't be told yet", model=model.name, why=repr(error)[:200])
            return None


def _are_alike(before: Vectors, model: Model, digest: str | None) -> bool:
    """Whether a model gives the vectors that its name gave before."""
    try:
        old = read_entry(model.name, before.declaration)
    except DeclarationInvalid:  # of a release that knew other models: the same files give the same vectors still
        wanted = model.model_dump(mode="json", exclude_unset=True, include=set(OF_ANY_RELEASE))
        known = {key: before.declaration[key] for key in OF_ANY_RELEASE if key in before.declaration}
        return digest is not None and before.digest == digest and known == wanted
    if _form(old) != _form(model):
        return False
    if before.digest is not None and digest is not None:
        return before.digest == digest
    return _source(old) == _source(model)


def _form(model: Model) -> dict[str, object]:
    beside = BESIDE | OF_A_SERVER if model.is_remote else BESIDE
    return model.model_dump(exclude={"source", *beside})


def _source(model: Model) -> dict[str, object]:
    return model.source.model_dump(exclude=set(ADDRESS) if isinstance(model.source, UpstreamSource) else None)
