"""What a run is called, the key that people ask with, and what an earlier run left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from groundwork.client import ApiError, Groundwork

NAME = "improve-example"
"""Of the question set, the route, and what the tuned models' names end with."""
BEFORE, AFTER = f"{NAME}-before", f"{NAME}-after"
"""Collections."""
SECONDS = 300.0
"""For what is cancelled to end."""


@contextmanager
def recorded(client: Groundwork) -> Iterator[Groundwork]:
    """A client with a key of its own, whose answers are kept on record with their words; revoked in the end."""
    tenant = client.me().tenant
    made = client.keys.create(NAME, tenant=tenant, scopes=("chat", "search", "feedback:write"), records="full")
    try:
        with client.with_key(made.secret) as people:
            yield people
    finally:
        client.keys.revoke(made.id)


def remove(client: Groundwork) -> None:
    """All that earlier runs made, also one that was stopped: a run begins with nothing."""
    for key in client.keys.list():
        if key.name == NAME and key.revoked_at is None:
            client.keys.revoke(key.id)
    _unless_missing(client.routes.delete, NAME)
    _unless_missing(client.question_sets.delete, NAME)  # with the runs that make questions for it
    for evaluation in list(client.evaluations.list(question_set=NAME)):
        if evaluation.finished_at is None:
            client.evaluations.cancel(evaluation.id)
            client.evaluations.wait(evaluation.id, timeout=SECONDS)
        client.evaluations.delete(evaluation.id)
    for collection in (AFTER, BEFORE):
        _unless_missing(client.collections.delete, collection)
        for said in list(client.feedback.list(collection=collection)):
            _unless_missing(client.feedback.delete, said.id)
    for job in list(client.tuning.list()):
        if (job.suffix or "").startswith(f"{NAME}-"):
            if job.finished_at is None:
                client.tuning.cancel(job.id)
                client.tuning.wait(job.id, timeout=SECONDS)
            client.tuning.delete(job.id)  # with the model that it published
    print("Nothing is left of earlier runs.", flush=True)


def _unless_missing(delete: Callable[[str], None], name: str) -> None:
    try:
        delete(name)
    except ApiError as error:
        if error.status != 404:
            raise
