"""What jobs used for which nobody waits: embeddings of documents, charged when they are made."""

from __future__ import annotations

import hashlib

from contracts.delegation import UsageReport
from gateway.dependencies import Dependencies
from gateway.keys import Principal
from gateway.pricing import cost_nano_usd


async def bill_report(deps: Dependencies, principal: Principal, request_id: str, report: UsageReport) -> None:
    """A usage row, and its cost in the budgets; tokens a minute are a matter of calls, not of documents."""
    models = await deps.catalogue.known()
    async with deps.meter.call(principal, "documents", request_id, parent_id=request_id) as call:
        call.id = f"job_{hashlib.sha256(report.id.encode()).hexdigest()[:40]}"
        call.model = call.embedding_model = report.model
        call.tokens.embedding = report.embedding_tokens
        call.cost = cost_nano_usd(models.price(report.model), report.embedding_tokens)
        await call.commit()
    if call.cost:
        deps.admission.charge(principal, call.id, call.cost, deps.clock.now())
