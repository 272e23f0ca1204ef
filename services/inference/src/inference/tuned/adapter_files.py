"""What tuning jobs have learnt as files on this host, where engines read them: each replica fetches its own."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from inference.catalog.gguf_files import adapter_file
from inference.catalog.model_folders import check_digest
from inference.catalog.models_file import Model
from inference.catalog.sources import JobSource
from inference.engines.openai.adapter import Adapter
from inference.errors import CannotLoad, FileChanged
from inference.serving.served_model import Declaration
from inference.tuned.peft import delete_peft, write_peft
from servicekit.core.durable import to_disk
from servicekit.core.errors import ServiceError
from servicekit.core.identifiers import new_id

log = structlog.get_logger(__name__)
PAUSES = (1.0, 2.0, 4.0, 8.0, 0.0)
"""Seconds after each attempt."""
KEPT_SECONDS = 3600.0
"""How long a file stays that no model is declared with: another replica may share the folder, and know of one."""
LEARNT = re.compile(r"[0-9a-f]{64}\.gguf")
PART = re.compile(r"part_[0-9a-f]{24}")
Pieces = Callable[[str, str], AsyncIterator[bytes]]
"""The bytes of what a tenant's job has learnt."""


class AdapterFiles:
    """A folder of them, by their digests: those of the models that are declared, and of the last hour."""

    def __init__(
        self, folder: Path, pieces: Pieces, in_use: Callable[[], set[str]], served: Path | None = None
    ) -> None:
        """`in_use` gives the digests, in hexadecimal, of all that models are declared with; `served` is the folder that
        vLLM sees, too."""
        self._served = (served or folder.with_name("vllm-adapters")).absolute()
        self._folder = folder
        self._pieces = pieces
        self._in_use = in_use

    def fetching(self, model: Model, download: Callable[[], object] | None) -> Callable[[], Awaitable[object]] | None:
        """What has all files of a model here, and raises `CannotLoad`: `download`, which blocks, those of a hub. None
        where none have to come from anywhere."""
        sources = model.learnt
        if not sources and download is None:
            return None

        async def fetch() -> None:
            if download is not None:
                await asyncio.to_thread(download)
            for source in sources:
                await self._fetch(model.tenant or "", source)
            await asyncio.to_thread(self._prune)

        return fetch

    def closing(self, model: Model, close: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """`close`, and then without the adapters of a model that is declared no more."""

        async def closed() -> None:
            await close()
            for one in model.learnt:
                if one.sha256 not in self._in_use():
                    await asyncio.to_thread(self._delete, adapter_file(self._folder, one))

        return closed

    def on_vllm(self, declaration: Declaration) -> Adapter | None:
        """What a model on vLLM has learnt; None of one that has not."""
        model = declaration.model
        if model.vllm is None or model.vllm.adapter is None:
            return None
        source, folder = model.vllm.adapter, self.served(model.vllm.adapter)
        return Adapter(
            model.vllm.adapter_name or "",
            folder,
            write=lambda: write_peft(adapter_file(self._folder, source), folder),
            is_declared=lambda: source.sha256 in self._in_use(),
            is_proven=declaration.is_proven,
        )

    def served(self, source: JobSource) -> Path:
        """The folder of one where vLLM reads it."""
        return self._served / source.sha256

    async def _fetch(self, tenant: str, source: JobSource) -> None:
        """Raises `CannotLoad` with what to do."""
        file = adapter_file(self._folder, source)
        if await asyncio.to_thread(_is_whole, file, source.sha256):
            return
        for pause in PAUSES:
            try:
                await self._write(tenant, source, file)
                return
            except (SQLAlchemyError, ServiceError, OSError) as error:
                log.warning("an adapter can't be fetched yet", job=source.job, error=repr(error)[:200])
            await asyncio.sleep(pause)
        raise CannotLoad(
            f"what the tuning job {source.job} has learnt can't be read from the database; inference's log says why. "
            "Publish that job again"
        )

    async def _write(self, tenant: str, source: JobSource, file: Path) -> None:
        await asyncio.to_thread(lambda: self._folder.mkdir(parents=True, exist_ok=True))
        part = file.with_name(new_id("part"))
        seen = hashlib.sha256()
        try:
            with part.open("wb") as written:
                async for piece in self._pieces(tenant, source.job):
                    seen.update(piece)
                    await asyncio.to_thread(written.write, piece)
                await asyncio.to_thread(to_disk, written)
            if seen.hexdigest() != source.sha256:
                raise CannotLoad(f"what the tuning job {source.job} has learnt is gone. Publish that job again")
            await asyncio.to_thread(part.replace, file)
        finally:
            part.unlink(missing_ok=True)

    def _prune(self) -> None:
        """Where vLLM reads is a folder that others may use, too: nothing goes from it but parts, and what this host
        has a file of."""
        in_use, before = self._in_use(), time.time() - KEPT_SECONDS
        for file in self._folder.glob("*"):
            places = (file, self._served / file.stem)
            if LEARNT.fullmatch(file.name) and file.stem not in in_use and _are_old(before, places):
                self._delete(file)
        for part in (*self._folder.glob("part_*"), *self._served.glob("part_*")):
            if PART.fullmatch(part.name) and _are_old(before, (part,)):
                if part.is_dir():
                    shutil.rmtree(part, ignore_errors=True)
                else:
                    part.unlink(missing_ok=True)

    def _delete(self, file: Path) -> None:
        """The file last: while it is there, the folder beside it is known to be ours."""
        try:
            delete_peft(self._served / file.stem)
            file.unlink(missing_ok=True)
        except OSError as error:
            log.warning("an adapter can't be deleted yet", folder=str(self._served), error=repr(error)[:200])


def _are_old(before: float, places: Iterable[Path]) -> bool:
    """Whether all of them that are there were changed last before that time."""
    for place in places:
        with contextlib.suppress(FileNotFoundError):
            if place.stat().st_mtime >= before:
                return False
    return True


def _is_whole(file: Path, digest: str) -> bool:
    try:
        check_digest(file, digest)
    except (FileNotFoundError, FileChanged):
        return False
    return True
