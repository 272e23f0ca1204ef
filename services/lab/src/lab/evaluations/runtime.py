"""What works on evaluations while the service runs."""

from __future__ import annotations

from lab.evaluations.authority import EvaluationGrants
from lab.evaluations.jobs import EvaluationJobs
from lab.evaluations.target import GatewayTarget
from lab.settings import LabSettings
from servicekit.peers.client import Peer


def evaluation_jobs(settings: LabSettings, gateway: Peer) -> EvaluationJobs:
    """What a worker does with them."""
    target = GatewayTarget(gateway, settings.answer_seconds)
    return EvaluationJobs(target, EvaluationGrants(gateway), settings.evaluation_calls)
