"""`/v1/judgements`: an answer that was given to somebody is judged. Only the gateway asks, for its monitors."""

from __future__ import annotations

from contracts.improvement.live_judges import Judgement, JudgementCreate
from lab.api.access import EvaluationWriter, Grant, LiveJudging
from lab.errors import GrantMissing
from servicekit.web.router import Router

router = Router(prefix="/v1/judgements", tags=["evaluations"])


@router.post("", response_model=Judgement)
async def create_judgement(
    body: JudgementCreate, _: EvaluationWriter, live: LiveJudging, grant: Grant = None
) -> Judgement:
    """The verdict, or why there is none."""
    if not grant:
        raise GrantMissing
    verdict = await live.judge(body, grant)
    return Judgement(right=verdict.right, reason=verdict.reason, error=verdict.error)
