"""Models that tuning jobs publish: declared from the model that they began as and what was learnt, for one tenant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from contracts.models.catalog import ModelDeclaration, ModelInfo
from contracts.models.tuning import TunedFrom, TunedModel, tuned_name
from inference.catalog.models_file import Model
from inference.declarations.adapters import AdapterRepository
from inference.declarations.entry import read_entry
from inference.declarations.repository import Publisher
from inference.declarations.service import DeclaredModels
from inference.errors import DeclarationInvalid
from inference.protocol.engines import Engine
from inference.serving.models import ServedModels
from inference.serving.served_model import ServedModel
from inference.tuned.errors import ParentReplaced
from inference.tuned.weights import weights_of

IDLE_SECONDS = 300
"""Each is a process of its own while somebody asks it: it sleeps where the model it began as says nothing else."""
UNUSABLE = frozenset(("failed", "not_answering"))
"""States in which a new version does not take an older one's place."""
LEARNT = {"head", "projection", "lora", "correction", "corrects"}
"""What stands in a declaration itself, or says what becomes of it."""
OF_THE_PARENT = {"name", "default", "tenant", "tuned", "load", "languages", "vllm", "moderation"}
"""What is not taken over from it."""


class PublishedModels:
    """Those of all tenants."""

    def __init__(self, declared: DeclaredModels, served: ServedModels, adapters: AdapterRepository, most: int) -> None:
        """`most`: of one tenant."""
        self._declared = declared
        self._served = served
        self.adapters = adapters
        self._most = most

    async def put(self, tenant: str, suffix: str, wanted: TunedModel) -> ModelInfo:
        """Declare one, in place of what this tenant's name meant before; how it does after the first seconds. One that
        can't be used then is withdrawn, and what it replaced is served again, unless it was served before.

        Raises `ModelNotFound`, `NotTunable`, `ModelNotReady`, `ParentReplaced`, `AdapterIncomplete`,
        `DeclarationInvalid`, `TunedNameTaken` or `TooManyTunedModels`.
        """
        parent = self._served.visible_to(tenant).any(wanted.parent)
        name = tuned_name(parent.name, tenant, suffix)
        entry = await self._entry(tenant, parent, wanted)
        tuned = TunedFrom.model_validate({**wanted.model_dump(exclude=LEARNT), "parent": parent.name})
        entry |= {"tenant": tenant, "tuned": tuned.model_dump(mode="json")}
        declaration = ModelDeclaration.model_validate(entry)
        model = read_entry(name, entry)
        most = self._most if wanted.stage == "published" else None
        was = await self._declared.version(name)
        put = await self._declared.declare(model, declaration, publisher=Publisher(tenant, most))
        if put.state in UNUSABLE:
            if was != (wanted.job, wanted.digest):
                await self._declared.delete_tuned(tenant, wanted.job)
                await self.adapters.delete_unused(tenant, wanted.job)
        elif wanted.stage == "published":
            await self._declared.delete_candidates(tenant, wanted.job)
        await self.adapters.prune()
        return put

    async def delete(self, tenant: str, name: str) -> None:
        """Remove one, with what it has learnt; raises `ModelNotFound`."""
        tuned = self._served.visible_to(tenant).any(name).model.tuned
        await self._declared.delete(name, tenant)
        if tuned is not None and tuned.stage == "published":  # a candidate's is about to be published
            await self.adapters.delete_unused(tenant, tuned.job)
        await self.adapters.prune()

    async def delete_job(self, tenant: str, job: str) -> None:
        """Remove what one of the tenant's jobs has published, and what it learnt."""
        await self._declared.delete_tuned(tenant, job)
        await self.adapters.delete(tenant, job)

    async def delete_tenant(self, tenant: str) -> None:
        """Remove all that is a tenant's own."""
        await self._declared.delete_tuned(tenant)
        await self.adapters.delete(tenant)

    async def _entry(self, tenant: str, parent: ServedModel[Engine], wanted: TunedModel) -> dict[str, Any]:
        if wanted.head is not None:
            return self._head(parent, wanted)
        if wanted.projection is not None:
            return self._over("projection", wanted.projection, parent, wanted)
        if wanted.lora is not None:
            return self._over("lora", wanted.lora, parent, wanted)
        if wanted.correction is not None:
            return self._correction(parent, wanted)
        return await self._chat(tenant, parent, wanted)

    async def _chat(self, tenant: str, parent: ServedModel[Engine], wanted: TunedModel) -> dict[str, Any]:
        weights = await weights_of(parent)
        if wanted.parent_digest != weights.digest:
            raise ParentReplaced(parent.name)
        await self.adapters.check(tenant, wanted.job, wanted.digest)
        entry = _entry_of(parent.model)
        learnt = {"job": wanted.job, "sha256": wanted.digest.removeprefix("sha256:")}
        if parent.model.is_remote:
            return entry | {"vllm": {"adapter": learnt}}
        entry["source"] |= {"sha256": weights.digest.removeprefix("sha256:")}
        options = {"idle_seconds": IDLE_SECONDS, **entry.get("llamacpp", {})}
        return entry | {"llamacpp": options | {"adapters": [{"source": learnt}]}}

    def _head(self, parent: ServedModel[Engine], wanted: TunedModel) -> dict[str, Any]:
        head = wanted.head or {}
        _check_parent("head", head, parent, wanted)
        return {"kind": "classification", "engine": "head", "source": {"head": head}}

    def _over(
        self, form: str, learnt: Mapping[str, Any], parent: ServedModel[Engine], wanted: TunedModel
    ) -> dict[str, Any]:
        """As the embedding model is, but without languages: no collection takes it by itself."""
        _check_parent(form, learnt, parent, wanted)
        entry = _entry_of(parent.model)
        about = {
            "kind": "embedding",
            "engine": form,
            "source": {form: learnt},
            "max_input_tokens": parent.readable,
        }
        return about | {name: entry[name] for name in ("dimensions", "unrelated_cosine") if name in entry}

    def _correction(self, parent: ServedModel[Engine], wanted: TunedModel) -> dict[str, Any]:
        """As the reading model is, of which one that reads has the languages, and counts as that one does."""
        correction = wanted.correction or {}
        _check_parent("correction", correction, parent, wanted, "reading")
        entry = _entry_of(parent.model)
        about = {"kind": wanted.corrects, "engine": "correction", "source": {"correction": correction}}
        if parent.model.languages is not None and wanted.corrects == "reading":
            about["languages"] = parent.model.model_dump(mode="json")["languages"]
        names = ("max_input_tokens", "alone") if wanted.corrects == "reading" else ("max_input_tokens",)
        return about | {name: entry[name] for name in names if name in entry}


def _check_parent(
    what: str,
    learnt: Mapping[str, Any],
    parent: ServedModel[Engine],
    wanted: TunedModel,
    kind: Literal["embedding", "reading"] = "embedding",
) -> None:
    """Raise `DeclarationInvalid` or `ParentReplaced` unless this was learnt on that model."""
    if learnt.get(f"{kind}_model") != parent.name or parent.model.kind != kind:
        raise DeclarationInvalid(what, f"it is no {what} over what {parent.name} makes of texts")
    if wanted.parent_digest is not None and parent.version.digest not in (None, wanted.parent_digest):
        raise ParentReplaced(parent.name)


def _entry_of(parent: Model) -> dict[str, Any]:
    """What a model was declared as, for another one beside it."""
    entry: Mapping[str, Any] = parent.model_dump(mode="json", exclude_unset=True, exclude=OF_THE_PARENT)
    return dict(entry)
