"""What works on sweeps while the service runs."""

from __future__ import annotations

from lab.evaluations.authority import EvaluationGrants
from lab.evaluations.service import Evaluations
from lab.settings import LabSettings
from lab.sweeps.collections import GatewayCollections
from lab.sweeps.jobs import TrialJobs
from lab.sweeps.service import Sweeps
from servicekit.jobs.leased_job import JobStore
from servicekit.peers.client import Peer


def trial_parts(
    settings: LabSettings, store: JobStore, evaluations: Evaluations, gateway: Peer
) -> tuple[Sweeps, TrialJobs]:
    """What the API does with them, and what a worker does."""
    grants = EvaluationGrants(gateway, "sweeps")
    return Sweeps(store, GatewayCollections(gateway), grants, settings.sweeps_per_tenant), TrialJobs(evaluations)
