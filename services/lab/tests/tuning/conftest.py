from __future__ import annotations

import pytest
from services.lab.tests.tuning.learning import Bench, CheckedMethod, ScriptedMethod

from lab.dependencies import Dependencies


@pytest.fixture
def bench(opened: Dependencies, method: ScriptedMethod) -> Bench:
    return Bench(opened, method)


@pytest.fixture
def checked(bench: Bench) -> CheckedMethod:
    """The bench's method, with a trainer that looks at what served models say."""
    method = CheckedMethod(began=bench.method.began)
    bench.method = bench.opened.tuning.methods["supervised"] = method  # type: ignore[index]
    return method
