from __future__ import annotations

import pytest
from services.gateway.tests.routing.routes import MODELS, key_of, route_of

from gateway.models.errors import ModelNotFound
from gateway.routing.plan import plan_for


def test_a_key_for_a_route_needs_no_right_to_the_models_behind_it() -> None:
    routes = {"smart": route_of(a=1)}
    assert plan_for("smart", MODELS, routes, key_of(models=("smart",))).first[0].id == "a"
    with pytest.raises(ModelNotFound):
        plan_for("smart", MODELS, routes, key_of(models=("a",)))
