"""What works on runs that make questions while the service runs."""

from __future__ import annotations

from lab.evaluations.authority import EvaluationGrants
from lab.evaluations.documents import GatewayDocuments
from lab.evaluations.target import GatewayTarget
from lab.generation.jobs import GenerationJobs
from lab.generation.publication import Publication
from lab.generation.service import Generations
from lab.questions.service import QuestionSets
from lab.settings import LabSettings
from servicekit.jobs.leased_job import JobStore
from servicekit.peers.client import Peer


def generation_parts(
    settings: LabSettings, store: JobStore, sets: QuestionSets, gateway: Peer
) -> tuple[Generations, GenerationJobs]:
    """What the API does with them, and what a worker does."""
    grants = EvaluationGrants(gateway)
    documents = GatewayDocuments(gateway)
    publication = Publication(sets, documents)
    target = GatewayTarget(gateway, settings.answer_seconds)
    jobs = GenerationJobs(target, documents, grants, publication, settings.generation_calls)
    return Generations(store, publication, grants, settings.generations_per_tenant), jobs
