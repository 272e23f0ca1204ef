"""The dependencies, as routes receive them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from contracts.access.delegation import Scope
from inference.dependencies import Dependencies
from inference.serving.lookup import ModelLookup
from servicekit.auth.delegation import Caller, require


async def _dependencies(request: Request) -> Dependencies:
    dependencies: Dependencies = request.app.state.dependencies
    return dependencies


Deps = Annotated[Dependencies, Depends(_dependencies)]


def models_for(*scopes: Scope) -> Any:
    """The models that the caller's tenant may see, for a token of inference with one of the scopes: the one place where
    a call finds a model. Use it as `Annotated[ModelLookup, models_for("chat")]`."""
    caller_of = require("inference", *scopes)

    async def lookup(request: Request, caller: Caller = caller_of) -> ModelLookup:
        dependencies: Dependencies = request.app.state.dependencies
        return dependencies.models.visible_to(caller.tenant)

    return Depends(lookup)
