from __future__ import annotations

from gateway.usage.records import GONE, UsageRecord, anonymous
from servicekit.core.clock import ManualClock
from servicekit.core.identifiers import new_id


def record(clock: ManualClock, number: int) -> UsageRecord:
    facts = {"id": f"u{number}", "parent_id": None, "request_id": "r", "key_id": "k", "tenant": "acme"}
    counts = {"prompt_tokens": 1, "completion_tokens": 1, "embedding_tokens": 0, "cost_nano_usd": 5}
    ended = {"status": 200, "error_type": None, "streamed": False, "started_at": clock.now(), "ms": 1}
    return UsageRecord(**facts, route="chat", model="rag:vault", **counts, **ended)  # type: ignore[arg-type]


def test_a_row_of_a_deleted_tenant_names_nobody_and_keeps_what_it_cost(clock: ManualClock) -> None:
    row = record(clock, 1).row()
    left = anonymous(row)
    assert {name for name in row if row[name] != left[name]} == {"tenant", "key_id", "request_id", "model"}
    assert left["model"] == f"rag:{GONE}"
    assert anonymous(row | {"model": "smollm2"})["model"] == "smollm2"
    assert anonymous(row | {"model": "words+acme.triage"})["model"] == f"words+{GONE}"
    assert anonymous(row | {"model": "words+other.acme"})["model"] == "words+other.acme"
    assert anonymous(row | {"model": None})["model"] is None
    call = new_id("call")
    assert anonymous(row | {"parent_id": call})["parent_id"] == call
    assert anonymous(row | {"parent_id": "acme-request"})["parent_id"] == GONE
