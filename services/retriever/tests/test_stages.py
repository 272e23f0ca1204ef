from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Histogram

from retriever.stages import Stages


def test_a_stage_that_runs_twice_or_fails_is_added_up_and_counted() -> None:
    registry = CollectorRegistry()
    stages = Stages(Histogram("seconds", "Time.", ("stage",), registry=registry))
    with stages.timed("embed"):
        pass
    with pytest.raises(ValueError, match="broken"), stages.timed("embed"):
        raise ValueError("broken")
    timings = stages.finish()
    assert set(timings) == {"embed", "total"}
    assert timings["total"] >= timings["embed"] >= 0
    assert registry.get_sample_value("seconds_count", {"stage": "embed"}) == 2
