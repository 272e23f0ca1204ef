"""The weights of a model, for who tunes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from inference.catalog.gguf_files import gguf_file
from inference.catalog.hub import Hub
from inference.catalog.identity import Digests
from inference.catalog.models_file import Model
from inference.errors import CannotLoad, ModelNotReady
from inference.protocol.engines import Engine
from inference.serving.served_model import ServedModel
from inference.tuned.errors import NotTunable

WAIT_SECONDS = 60.0
"""How long a call waits for a file that is being downloaded, which goes on without it: half of what the lab does."""
RETRY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Weights:
    """One file."""

    path: Path
    digest: str
    """`sha256:…`."""


async def weights_of(served: ServedModel[Engine]) -> Weights:
    """What a model is served from, or of one on vLLM the file that is declared for it; raises `ModelNotReady`, or
    `NotTunable` for any but one GGUF file."""
    if served.learnt_on is not None:
        return await _declared(served, served.learnt_on)
    if served.model.kind != "chat" or served.model.engine != "llamacpp":
        raise NotTunable(served.name)
    served.ready()
    path = served.weights
    if path is not None and served.version.digest is None:
        await served.identify()
    digest = served.version.digest
    if path is None or digest is None:
        raise NotTunable(served.name)
    return Weights(path, digest)


async def _declared(served: ServedModel[Engine], find: Callable[[], Awaitable[tuple[Path, str]]]) -> Weights:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            path, digest = await find()
    except TimeoutError:
        raise ModelNotReady(served.name, "the file that it is tuned on is being downloaded", RETRY_SECONDS) from None
    except CannotLoad as error:
        raise ModelNotReady(served.name, f"the file that it is tuned on can't be had: {error}") from None
    return Weights(path, f"sha256:{digest}")


def declared_weights(model: Model, hub: Hub, digests: Digests) -> Callable[[], Awaitable[tuple[Path, str]]] | None:
    """What finds the file that tuning jobs learn on, of a model on vLLM that names one, once for all who ask meanwhile;
    it raises `CannotLoad`."""
    if model.vllm is None or model.vllm.lora is None:
        return None
    source = model.vllm.lora.weights

    finding: asyncio.Task[tuple[Path, str]] | None = None

    def find() -> tuple[Path, str]:
        file = gguf_file(source, hub)
        return file, source.sha256 or digests.of(file)

    async def found() -> tuple[Path, str]:
        nonlocal finding
        if finding is None or finding.done():
            finding = asyncio.create_task(asyncio.to_thread(find))
            finding.add_done_callback(lambda done: done.cancelled() or done.exception())  # all may have given up
        return await asyncio.shield(finding)

    return found
