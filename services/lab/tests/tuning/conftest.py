from __future__ import annotations

import pytest
from services.lab.tests.tuning.learning import Bench, ScriptedMethod

from lab.dependencies import Dependencies


@pytest.fixture
def bench(opened: Dependencies, method: ScriptedMethod) -> Bench:
    return Bench(opened, method)
