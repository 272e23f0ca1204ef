from __future__ import annotations

from agent.settings import AgentSettings


def test_one_slot_is_for_everybody() -> None:
    assert [AgentSettings(run_slots=slots).tenant_slots for slots in (0, 1, 2, 16)] == [1, 1, 1, 12]
    assert AgentSettings(run_slots=16, run_slots_per_tenant=16).tenant_slots == 16
