from __future__ import annotations

import pytest
from services.gateway.tests.inner_services import InnerService, Streamed

from contracts.core.health import Health, PartState
from gateway.models.health import READ_SECONDS, UpstreamHealth
from servicekit.core.clock import ManualClock


@pytest.fixture
def inference() -> InnerService:
    return InnerService("inference")


@pytest.fixture
def health(inference: InnerService, clock: ManualClock) -> UpstreamHealth:
    return UpstreamHealth(inference, clock)


def _readiness(**models: str) -> Health:
    parts = {f"model:{name}": PartState(ok=True, detail=detail) for name, detail in models.items()}
    return Health(status="ok", service="inference", version="1", parts={**parts, "disk": PartState(ok=False)})


async def test_a_model_of_which_there_is_something_to_say_is_not_ready_and_other_parts_are_no_models(
    inference: InnerService, health: UpstreamHealth
) -> None:
    inference.answers("/readyz", _readiness(good="", away="connection refused"))
    assert await health.now() == {"good": True, "away": False}


async def test_an_inference_that_is_not_ready_itself_tells_of_its_models_all_the_same(
    inference: InnerService, health: UpstreamHealth
) -> None:
    inference.answers("/readyz", Streamed((_readiness(good="").model_dump_json().encode(),), status=503))
    assert await health.now() == {"good": True}


@pytest.mark.parametrize("answer", [None, b"", b"<html>", b'{"parts": []}'])
async def test_what_can_not_be_read_tells_of_no_model_and_fails_nobody(
    inference: InnerService, health: UpstreamHealth, answer: bytes | None
) -> None:
    if answer is not None:
        inference.answers("/readyz", answer)
    assert await health.now() == {}


async def test_who_needs_it_now_is_told_what_was_last_read_while_it_is_read_anew(
    inference: InnerService, health: UpstreamHealth, clock: ManualClock
) -> None:
    inference.answers("/readyz", _readiness(m=""), _readiness(m="loading"))
    assert health.known() == {}
    assert await health.now() == health.known() == {"m": True}
    clock.advance(READ_SECONDS)
    assert health.known() == {"m": True}
    assert await health.now() == health.known() == {"m": False}
    assert len(inference.asked) == 2
