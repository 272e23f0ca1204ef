"""What works on sweeps while the service runs."""

from __future__ import annotations

from lab.evaluations.authority import EvaluationGrants
from lab.evaluations.service import Evaluations
from lab.settings import LabSettings
from lab.sweeps.collections import GatewayCollections
from lab.sweeps.indexes import Indexes
from lab.sweeps.jobs import TrialJobs
from lab.sweeps.service import Sweeps
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.worker import Chore
from servicekit.peers.client import Peer

RELEASE_SECONDS = 30.0


def trial_parts(
    settings: LabSettings, store: JobStore, evaluations: Evaluations, gateway: Peer
) -> tuple[Sweeps, TrialJobs, Chore]:
    """What the API does with them, what a worker does, and what it does now and then."""
    indexes = Indexes(GatewayCollections(gateway), EvaluationGrants(gateway, "sweeps"))
    sweeps = Sweeps(store, indexes, settings.sweeps_per_tenant, settings.sweeps_chunks)
    chore = Chore(RELEASE_SECONDS, lambda: indexes.release_ended(store))
    return sweeps, TrialJobs(evaluations, indexes), chore
