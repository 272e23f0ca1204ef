"""Pulls as administrators ask for them, follow them and end them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, ValidationError
from sqlalchemy import Connection, RowMapping, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from contracts.core.validation import what_is_wrong
from contracts.models.catalog import ModelDeclaration
from contracts.models.pulls import ModelPull, Pull
from inference.catalog.sources import BRANCH, Declared, HubSource
from inference.declarations.service import DeclaredModels
from inference.errors import DeclarationInvalid
from inference.pulls import ollama
from inference.pulls.errors import PullFinished, PullNotFound, PullRunning, PullsForbidden, TooManyPulls
from inference.pulls.hub_files import HubPlan
from inference.pulls.jobs import DECLARED, Fetching
from inference.pulls.tables import PULL_JOBS, PULLS
from servicekit.core.identifiers import new_id
from servicekit.jobs.cancellation import request_cancel, revoke
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.tables import JobOwner, is_live
from servicekit.sql.database import rows_of

MOST_LIVE = 20
MOST_KEPT = 200
"""Pulls that are over and remembered."""
CONTEXT = 4096
"""Tokens of a chat model where nobody says how many."""


def _without_path(base_url: str) -> str:
    """Of Ollama itself, where what OpenAI's clients are given was written."""
    return base_url.rstrip("/").removesuffix("/v1").rstrip("/")


class OllamaSource(Declared):
    """A model that an Ollama server is to have."""

    ollama: Annotated[str, StringConstraints(pattern=r"^[\w][\w./:-]{0,199}$")]
    base_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+"), AfterValidator(_without_path)] = Field(
        "http://127.0.0.1:11434"
    )


class Pulls:
    """The jobs, over their table."""

    def __init__(self, store: JobStore, fetching: Fetching, declared: DeclaredModels) -> None:
        self._store = store
        self._fetching = fetching
        self._declared = declared

    async def create(self, asked: ModelPull, owner: JobOwner) -> Pull:
        """Queue a pull, or give the one that is under way for just the same.

        Raises the errors of a declaration, of `HubFiles.plan` and `ollama.look`, and `PullsForbidden`, `PullRunning`,
        `ModelNameTaken`, `EmbeddingModelFixed`, `TooManyModels`, `PullTooLarge`, `NoRoom` or `TooManyPulls`: nothing
        is fetched before all that is known.
        """
        if not self._fetching.most_bytes:
            raise PullsForbidden
        request = asked.model_dump(mode="json", exclude_unset=True)
        if (live := await self._live(asked.model, request)) is not None:
            return live
        source = _source(asked.source)
        declaration = _declaration(asked, source)
        model = await self._declared.check(asked.model, ModelDeclaration.model_validate(declaration))
        plan: dict[str, Any] = source.model_dump()
        size = None
        if isinstance(source, HubSource):
            files, declaration["source"] = await self._plan(asked.model, source)
            plan, size = files.model_dump(), files.size
            self._fetching.check_size(size)
            await asyncio.to_thread(self._fetching.check_room, files)
            model = await self._declared.check(asked.model, ModelDeclaration.model_validate(declaration))
        else:
            await ollama.look(self._fetching.connect(source.base_url), source.base_url)
        self._declared.check_free(asked.model, model)
        await self._declared.check_addable(model)
        now = self._store.clock.now()
        row = {"id": new_id("pull"), **owner.queued(now), "created_at": now, "model": asked.model, "request": request}
        row |= {"declaration": declaration, "plan": plan, "bytes_total": size}
        return await self._insert(row, request)

    async def list_pulls(self) -> list[Pull]:
        """The newest first."""
        statement = select(PULLS).order_by(PULLS.c.id.desc()).limit(MOST_KEPT)
        return [_pull(row) for row in await self._store.database.read(rows_of(statement, {}))]

    async def get(self, pull_id: str) -> Pull:
        """One; raises `PullNotFound`."""
        rows = await self._store.database.read(rows_of(select(PULLS).where(PULLS.c.id == pull_id), {}))
        if not rows:
            raise PullNotFound(pull_id)
        return _pull(rows[0])

    async def cancel(self, pull_id: str) -> Pull:
        """End one, at once or as soon as its worker hears of it; raises `PullNotFound` or `PullFinished`."""
        ended = {"status": "cancelled", "finished_at": self._store.clock.now()}
        async with self._store.database.write() as connection:
            row = await request_cancel(connection, PULL_JOBS, pull_id)
            if row is None:
                revoked = await revoke(connection, PULL_JOBS, PULLS.c.id == pull_id, ended, ("queued",))
                row = revoked[0] if revoked else None
            if row is not None and row["plan"].get(DECLARED):
                raise PullFinished(pull_id, "declaring its model")
        if row is None:
            raise PullFinished(pull_id, (await self.get(pull_id)).status)
        self._store.notifier.notify(pull_id)
        if row["status"] == "cancelled":
            await asyncio.to_thread(self._fetching.cleanup, row)
        return _pull(row)

    async def _plan(self, name: str, source: HubSource) -> tuple[HubPlan, dict[str, Any]]:
        """What is fetched, and the source that is declared: pinned to its commit, or as it is of a model that is there
        and lacks its files, which no newer ones take the place of."""
        hub, known = self._fetching.hub, self._declared.source_of(name)
        if isinstance(known, HubSource) and _is_meant(known, source):
            plan = await hub.plan(known)
            if await asyncio.to_thread(hub.lacks, plan):
                return plan, known.model_dump(exclude_none=True)
        plan = await hub.plan(source)
        pinned = source.model_dump(exclude_none=True) | {"revision": plan.revision}
        if source.file is not None and len(plan.files[0].digest) == 64:
            pinned["sha256"] = plan.files[0].digest
        return plan, pinned

    async def _live(self, model: str, request: Mapping[str, Any]) -> Pull | None:
        statement = select(PULLS).where(PULLS.c.model == model, is_live(PULLS.c))
        rows = await self._store.database.read(rows_of(statement, {}))
        if rows and rows[0]["request"] != request:
            raise PullRunning(model, rows[0]["id"])
        return _pull(rows[0]) if rows else None

    async def _insert(self, row: Mapping[str, Any], request: Mapping[str, Any], attempts: int = 3) -> Pull:
        try:
            await self._store.database.write(lambda connection: _insert(connection, row))
        except IntegrityError:  # another call was first; its job may be over meanwhile
            live = await self._live(row["model"], request)
            if live is None and attempts == 1:
                raise
            return live or await self._insert(row, request, attempts - 1)
        self._store.notifier.notify(row["id"], due=True)
        return await self.get(row["id"])


def _insert(connection: Connection, row: Mapping[str, Any]) -> None:
    live = select(func.count()).select_from(PULLS).where(is_live(PULLS.c))
    if connection.execute(live).scalar_one() >= MOST_LIVE:
        raise TooManyPulls(MOST_LIVE)
    kept = select(PULLS.c.id).order_by(PULLS.c.id.desc()).limit(MOST_KEPT)
    connection.execute(delete(PULLS).where(~is_live(PULLS.c), PULLS.c.id.not_in(kept)))
    connection.execute(insert(PULLS).values(**row))


def _source(given: Mapping[str, Any]) -> HubSource | OllamaSource:
    form = OllamaSource if "ollama" in given else HubSource
    try:
        return form.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        param = ".".join(("source", *map(str, first["loc"])))
        raise DeclarationInvalid(param, what_is_wrong(first)) from None


def _is_meant(known: HubSource, asked: HubSource) -> bool:
    """Whether a source is the one that is asked for, maybe of an earlier commit."""
    return (
        (asked.huggingface, asked.file) == (known.huggingface, known.file)
        and asked.revision in (BRANCH, known.revision)
        and asked.sha256 in (None, known.sha256)
    )


def _declaration(asked: ModelPull, source: HubSource | OllamaSource) -> dict[str, Any]:
    """What is declared once it is there: an entry of the models file, and whether it is the default."""
    is_file = isinstance(source, HubSource) and source.file is not None
    if isinstance(source, OllamaSource):
        kind, engine = asked.kind or "chat", "openai"
        place: dict[str, Any] = {"base_url": f"{source.base_url}/v1", "upstream_model": source.ollama}
        if kind in ("chat", "embedding"):
            place |= {"max_tokens_as": "max_tokens"} if kind == "chat" else {"encoding_format": "float"}
    else:
        kind = asked.kind or ("chat" if is_file else "embedding")
        engine = "llamacpp" if is_file else "sentence-transformers"
        place = source.model_dump(exclude_none=True)
    entry = {"kind": kind, "engine": asked.engine or engine, "source": place, **(asked.model_extra or {})}
    if kind == "chat":
        entry.setdefault("context_length", CONTEXT)
    return entry if asked.default is None else {**entry, "default": asked.default}


def _pull(row: RowMapping | Mapping[str, Any]) -> Pull:
    return Pull.model_validate({**row, "source": row["declaration"]["source"]})
