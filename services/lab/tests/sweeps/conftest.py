from __future__ import annotations

import pytest
from services.lab.tests.sweeps.bench import TrialBench

from lab.dependencies import Dependencies


@pytest.fixture
def bench(opened: Dependencies) -> TrialBench:
    return TrialBench(opened)
