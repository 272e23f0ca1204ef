"""What models there are: those of the models file, and those that were added; kept the same on every replica."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from contracts.models.catalog import ModelDeclaration, ModelInfo
from inference.catalog.models_file import RESERVED, Model
from inference.catalog.prices import with_list_price
from inference.catalog.sources import Declared as Source
from inference.catalog.sources import UpstreamSource
from inference.declarations.entry import MOST_BYTES, MOST_BYTES_OF_LEARNT, read_entry
from inference.declarations.matrices import require_whole
from inference.declarations.repository import (
    AddedModel,
    DeclarationRepository,
    Declared,
    Entry,
    Publisher,
    Vectors,
    Write,
)
from inference.declarations.restrictions import Restrictions
from inference.declarations.vectors import NamesOfVectors
from inference.errors import (
    ApiKeyUnset,
    DeclarationInvalid,
    DeclaredInFile,
    ModelNameTaken,
    ModelNotFound,
    ModelNotUsable,
)
from inference.protocol.engines import Engine
from inference.serving.models import ServedModels
from inference.serving.served_model import Declaration, ServedModel
from inference.settings import secret_named
from inference.tuned.errors import TunedNameTaken
from servicekit.core.errors import ServiceError
from servicekit.core.probes import Degraded, Probe

log = structlog.get_logger(__name__)
LOAD_SECONDS = 20.0
"""How long a call that declares a model waits to hear whether it can be loaded."""
ANSWER_SECONDS = 10.0
"""And whether it answers."""


class DeclaredModels:
    """The models file's declarations, which win, and those of the database; `served` follows both."""

    def __init__(
        self,
        file_models: Sequence[Declaration],
        repository: DeclarationRepository,
        restrictions: Restrictions,
        served: ServedModels,
        vectors: NamesOfVectors,
        follow_seconds: float,
    ) -> None:
        self._file = {declaration.model.name: declaration for declaration in file_models}
        self._repository = repository
        self._restrictions = restrictions
        self._served = served
        self._vectors = vectors
        self._follow_seconds = follow_seconds
        self._number = -1
        self._models: dict[str, tuple[Entry, Model]] = {}
        """What entries were read as."""
        self._unusable: dict[str, str] = {}
        """Why an entry of an earlier release can't be used."""
        self._declaring: Counter[str] = Counter()
        """Names that calls of this replica are declaring: what these mean is to be loaded before they answer."""
        self._turn = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to serve what is declared, and to follow changes that others make."""
        await self._refresh()
        self._following = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Follow no more."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    def get(self, name: str, tenant: str) -> ModelInfo:
        """One model as it was declared last, if the tenant's keys may see it; raises `ModelNotFound`."""
        self._served.visible_to(tenant).any(name)
        return self._served.declared(name).info()

    async def check(self, name: str, declaration: ModelDeclaration) -> Model:
        """The model that a declaration means, if it may be put.

        Raises `DeclarationInvalid`, `DeclarationRefused`, `ApiKeyUnset` or `DeclaredInFile`.
        """
        if name in self._file:
            raise DeclaredInFile(name)
        if "tuned" in (declaration.model_extra or {}):
            raise DeclarationInvalid("tuned", "tuning jobs alone say it: POST /v1/fine_tuning/jobs/{id}/publish")
        most = MOST_BYTES_OF_LEARNT.get(declaration.engine, MOST_BYTES)
        if len(declaration.model_dump_json()) > most:
            raise DeclarationInvalid("model", f"it is longer than {most} bytes")
        if declaration.name not in (None, name):
            raise DeclarationInvalid("name", f"it is '{declaration.name}' in the body and '{name}' in the path")
        model = read_entry(name, declaration.model_dump(exclude_unset=True, exclude={"name", "default"}))
        if model.tenant is not None and declaration.default:
            raise DeclarationInvalid("default", "a tenant's own model can't be everybody's default")
        await self._restrictions.check(model)
        if isinstance(model.source, UpstreamSource) and (key := model.source.api_key_env) and not secret_named(key):
            raise ApiKeyUnset(key)
        return model

    def source_of(self, name: str) -> Source | None:
        """Where the model of a name comes from, if there is one."""
        with contextlib.suppress(ModelNotFound):
            return self._served.declared(name).model.source
        return None

    def check_free(self, name: str, model: Model) -> None:
        """Raise `ModelNameTaken` where another model has the name."""
        with contextlib.suppress(ModelNotFound):
            if not self._served.declared(name).declaration.is_served_alike(Declaration(model)):
                raise ModelNameTaken(name)

    async def check_addable(self, model: Model) -> None:
        """Raise `EmbeddingModelFixed` or `TooManyModels` where a model could not be put now."""
        await self._repository.check(model.name, await self._held_to(model))

    async def put(self, name: str, declaration: ModelDeclaration, write: Write | None = None) -> ModelInfo:
        """Add a model or replace one that was added; how it does after the first seconds.

        `write` is what it is declared by, where more belongs to it. Raises what `check` does, `EmbeddingModelFixed` or
        `TooManyModels`.
        """
        return await self.declare(await self.check(name, declaration), declaration, write)

    async def declare(
        self,
        model: Model,
        declaration: ModelDeclaration,
        write: Write | None = None,
        publisher: Publisher | None = None,
    ) -> ModelInfo:
        """The same for one that was checked."""
        name = model.name
        if publisher is not None and name in self._file:
            raise TunedNameTaken(name)
        check = await self._held_to(model)
        is_chosen = declaration.default is True  # not before it is known whether it can be loaded
        as_yet = declaration.model_copy(update={"default": None} if is_chosen else {})
        self._declaring[name] += 1
        try:
            await self._repository.put(name, as_yet, check, write, publisher)
            await self._refresh()
        finally:
            self._declaring -= Counter((name,))
        served = self._served.declared(name)
        await _try_out(served)
        await self._vectors.remember([served])
        if is_chosen and served.state != "failed":
            await self._repository.set_default(model.kind, name)
            await self._refresh()
        return self._served.declared(name).info()

    async def _held_to(self, model: Model) -> Callable[[Vectors | None], None]:
        await self._vectors.remember(self._served.all)
        return await self._vectors.held_to(model)

    async def delete(self, name: str, tenant: str | None = None) -> None:
        """Remove a model that was added, a tuned one for its tenant alone; raises `DeclaredInFile` or
        `ModelNotFound`."""
        if name in self._file:
            raise DeclaredInFile(name)
        await self._vectors.remember(self._served.all)
        await self._repository.delete(name, tenant)
        await self._refresh()

    async def delete_candidates(self, tenant: str, job: str) -> None:
        """Remove those that a job looked at."""
        await self._repository.delete_candidates(tenant, job)
        await self._refresh()

    async def delete_tuned(self, tenant: str, job: str | None = None) -> None:
        """Remove what one of a tenant's jobs has published, or all that is a tenant's own; what the job's model had
        replaced is served again."""
        await self._vectors.remember(self._served.all)
        await self._repository.delete_tuned(tenant, job)
        await self._refresh()

    async def version(self, name: str) -> tuple[str, str] | None:
        """The job and the digest of the tuned model that has a name, on whichever replica it was declared."""
        return await self._repository.version(name)

    async def set_default(self, name: str) -> ModelInfo:
        """Make a model the default of its kind, on every replica; raises `ModelNotFound` or `ModelNotUsable`.

        For the one that the models file says, nothing is chosen any more: a later change of the file holds.
        """
        if name in RESERVED:
            raise ModelNotFound(name, "")
        served = self._served.declared(name)
        if served.model.tenant is not None:
            raise ModelNotUsable(name, "it is one tenant's own")
        if served.state == "failed":
            raise ModelNotUsable(name, served.info().reason or "")
        declared = self._file.get(name)
        chosen = None if declared is not None and declared.model.default else name
        await self._repository.set_default(served.model.kind, chosen)
        await self._refresh()
        return self._served.declared(name).info()

    def probes(self) -> Mapping[str, Probe]:
        """One for each entry that can't be read any more."""
        return {f"model:{name}": _unusable_probe(name, why) for name, why in self._unusable.items()}

    async def _follow(self) -> None:
        failing = False
        while True:
            await asyncio.sleep(self._follow_seconds)
            try:
                await self._vectors.remember(self._served.all)
                if await self._repository.number() != self._number:
                    await self._refresh()
                failing = False
            except (SQLAlchemyError, OSError, ServiceError) as error:
                if not failing:
                    log.warning("added models can't be read; those that are known are served", error=repr(error)[:300])
                failing = True

    async def _refresh(self) -> None:
        async with self._turn:
            declared = await self._repository.read()
            if declared.number != self._number:
                added = [found for row in declared.models if (found := await self._read(row)) is not None]
                self._served.apply(_priced(_with_defaults([*self._file.values(), *added], declared)))
                self._number = declared.number

    async def _read(self, row: AddedModel) -> Declaration | None:
        """What a row declares; None for one that the models file overrules or that can't be read any more."""
        self._unusable.pop(row.name, None)
        if row.name in self._file:
            log.warning("the models file declares a model that was added, and wins", model=row.name)
            return None
        known = self._models.get(row.name)
        if known is None or known[0] != row.entry:
            try:
                require_whole(row.entry)
                model = read_entry(row.name, row.entry)
            except DeclarationInvalid as error:
                log.error("an added model can't be used any more", model=row.name, why=error.message)
                self._unusable[row.name] = error.message
                return None
            known = self._models[row.name] = row.entry, await asyncio.to_thread(with_list_price, model)
        tuned = known[1].tuned
        is_proven = tuned is not None and tuned.stage == "published" and not self._declaring[row.name]
        return Declaration(known[1], int(row.created_at.timestamp()), is_added=True, is_proven=is_proven)


def _with_defaults(declarations: Sequence[Declaration], declared: Declared) -> list[Declaration]:
    """With the default that was chosen for a kind in place of the file's, where that model is still there."""
    models = [declaration.model for declaration in declarations]
    kinds = {model.name: model.kind for model in models if model.tenant is None}
    chosen = {kind: name for kind, name in declared.defaults.items() if kinds.get(name) == kind}

    def decided(declaration: Declaration) -> Declaration:
        model = declaration.model
        default = model.name == chosen[model.kind] if model.kind in chosen else model.default
        changed = model if default == model.default else model.model_copy(update={"default": default})
        return replace(declaration, model=changed)

    return [decided(declaration) for declaration in declarations]


def _priced(declarations: Sequence[Declaration]) -> list[Declaration]:
    """A tuned model costs, and is limited, as the one that it began as, for as long as that is there."""
    known = {declaration.model.name: declaration.model for declaration in declarations}

    def priced(declaration: Declaration) -> Declaration:
        model = declaration.model
        parent = known.get(model.tuned.parent) if model.tuned is not None else None
        if parent is None:
            return declaration
        limits = {} if model.engine == "head" else {"limits": parent.limits}  # a head's calls count as its parent's
        changed = model.model_copy(update={"price": parent.price, **limits})
        return replace(declaration, model=changed)

    return [priced(declaration) for declaration in declarations]


async def _try_out(served: ServedModel[Engine]) -> None:
    """Wait until it is loaded and has been asked once, or for as long as a caller should wait: its state then says how
    that went."""
    with contextlib.suppress(TimeoutError, ServiceError):
        async with asyncio.timeout(LOAD_SECONDS):
            await served.opened()
        async with asyncio.timeout(ANSWER_SECONDS):
            await served.probe()


def _unusable_probe(name: str, why: str) -> Callable[[], Awaitable[None]]:
    async def probe() -> None:
        raise Degraded(f"The model '{name}' was added by another release and can't be used: {why}")

    return probe
