"""What works on evaluations while the service runs."""

from __future__ import annotations

from contracts.access.records import RECORD_HEADER
from lab.evaluations.authority import EvaluationGrants
from lab.evaluations.jobs import EvaluationJobs
from lab.evaluations.judging.live import LiveJudge
from lab.evaluations.target import UNCACHED, GatewayTarget
from lab.settings import LabSettings
from servicekit.peers.client import Peer


def evaluation_jobs(settings: LabSettings, gateway: Peer) -> EvaluationJobs:
    """What a worker does with them."""
    target = GatewayTarget(gateway, settings.answer_seconds)
    return EvaluationJobs(target, EvaluationGrants(gateway), settings.evaluation_calls)


def live_judge(settings: LabSettings, gateway: Peer) -> LiveJudge:
    """Whose calls leave no records: they would be live answers to be judged, and so on."""
    target = GatewayTarget(gateway, settings.answer_seconds, {**UNCACHED, RECORD_HEADER: "no"})
    return LiveJudge(target, EvaluationGrants(gateway))
