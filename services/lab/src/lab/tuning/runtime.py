"""What works on tuning jobs while the service runs: the methods that there are, and the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.evaluations.documents import Documents, GatewayDocuments
from lab.settings import LabSettings
from lab.tuning.bases import Bases
from lab.tuning.charges import Charges
from lab.tuning.folders import JobFolders
from lab.tuning.jobs import TuningJobs
from lab.tuning.method import Method
from lab.tuning.methods.classification import Classification
from lab.tuning.methods.dpo import Dpo
from lab.tuning.methods.embedding import Embedding
from lab.tuning.methods.process import Limits
from lab.tuning.methods.reading import Reading
from lab.tuning.methods.rerank import Rerank
from lab.tuning.methods.supervised import Supervised
from lab.tuning.publication import InferencePublisher
from lab.tuning.repository import Room
from lab.tuning.service import Tuning
from servicekit.auth.grants import GrantExchange
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.worker import Chore
from servicekit.peers.client import Peer

PRUNE_SECONDS, CHARGE_SECONDS = 60.0, 10.0


def methods_of(settings: LabSettings, inference: Peer, bases: Bases, documents: Documents) -> Mapping[str, Method]:
    """By the name that callers write."""
    limits = Limits(
        settings.tuning_threads,
        settings.tuning_tokens,
        settings.tuning_silent_seconds,
        settings.tuning_processes,
        settings.tuning_device,
    )
    known: tuple[Method, ...] = (
        Supervised(bases, limits),
        Dpo(bases, limits),
        Classification(inference),
        Embedding(inference, documents, limits, bases),
        Reading(inference, documents, limits, bases),
        Rerank(inference, documents, limits, bases),
    )
    return {method.name: method for method in known}


def room_of(settings: LabSettings) -> Room:
    """What one tenant may have."""
    return Room(settings.tuning_jobs_per_tenant, settings.tuning_jobs_kept, settings.tuning_bytes_kept)


def tuning_parts(
    settings: LabSettings, store: JobStore, gateway: Peer, inference: Peer
) -> tuple[Tuning, TuningJobs, Sequence[Chore]]:
    """What the API does with jobs, what a worker does, and what it cleans up beside."""
    folders = JobFolders(settings.data_dir / "tuning")
    bases = Bases(inference, folders.bases)
    methods = methods_of(settings, inference, bases, GatewayDocuments(gateway))

    async def prune() -> None:
        await bases.remove_orphans()
        await folders.prune(store.database)

    works_here = settings.tuning_slots > 0
    publisher = InferencePublisher(inference)
    grants = GrantExchange(gateway, "tuning")
    charges = Charges(store.database, grants, store.clock)
    tuning = Tuning(store, methods, folders, room_of(settings), publisher, charges, works_here)
    jobs = TuningJobs(methods, grants, folders, publisher, charges)
    return tuning, jobs, (Chore(PRUNE_SECONDS, prune), Chore(CHARGE_SECONDS, charges.send_due))
