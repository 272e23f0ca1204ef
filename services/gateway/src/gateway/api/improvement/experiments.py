"""`/v1/experiments`: what a route's variants have shown."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from contracts.models.experiments import Experiment
from contracts.models.routes import RouteName
from contracts.operations import administration as operations
from gateway.api.openapi_parts import ERRORS, serve
from gateway.dependencies import Admin, Deps
from servicekit.web.router import Router

router = Router(responses=ERRORS)
Version = Annotated[
    int | None,
    Query(ge=1, lt=10**9, description="Of the route; by default the one that answers, or the last split."),
]


@serve(router, operations.GET_EXPERIMENT)
async def get_experiment(route: RouteName, deps: Deps, _: Admin, version: Version = None) -> Experiment:
    """By variant calls, rating, support, abstention, errors, cost and latency, each with the interval and the p of its
    difference from the first target that hold at all looks at once."""
    return await deps.experiments.get_experiment(route, version)
