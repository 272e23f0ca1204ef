"""Improve in an hour, here in minutes: ask, rate, generate, evaluate, tune, publish, split, roll back.

Each step is one function below, over the public API alone. Figures are printed as they come out: a tuned model that is
not better is not published, and then another change that can be measured goes behind the split.

Usage: python -m examples.improve.loop [--remove]    (--remove takes away what earlier runs left)
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.improvement.evaluations import Evaluation
from contracts.improvement.tuning import FineTuningJob
from contracts.models.experiments import Experiment
from examples.connection import run
from examples.improve.feedback import rated_questions, reviewed
from examples.improve.leftovers import AFTER, BEFORE, NAME, recorded, remove
from examples.improve.people import ASKED, KEPT_ASIDE, questions, rate
from examples.improve.tables import comparison, experiment
from groundwork.client import Groundwork, GroundworkError
from groundwork.client.improvement.question_sets import read_question_file
from groundwork.client.transfers.bulk import ingest_files

SHEETS = Path(__file__).parent / "sheets"
SECONDS = 1800.0
"""Longest wait for one step."""
GENERATED = 20
MEASURES = ("retrieval_ndcg_10", "documents_cited", "answer_found", "answered")


@dataclass(frozen=True)
class Candidate:
    """What may become better: a model of the route, its settings, and its evaluation."""

    about: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)


def main(client: Groundwork) -> None:
    """The whole loop."""
    began = time.monotonic()
    remove(client)
    files = sorted(SHEETS.iterdir())
    with recorded(client) as people:
        step("1 Documents")
        ingest(client, BEFORE, files)
        step("2 Ask and rate")
        ids = ask_and_rate(people)
        step("3 Questions: from feedback, from documents, and kept aside")
        collect(client, ids)
        step("4 Evaluate what there is")
        before = evaluate(client, Candidate("before", f"rag:{BEFORE}"))
        step("5 Tune the embedding model")
        job = tune(client)
        step("6 Publish, evaluate, compare")
        candidate = publish(client, job, files)
        after = evaluate(client, candidate)
        comparison(client.evaluations.compare(after.id, before.id), MEASURES)
        step("7 Behind a split, half of the people each")
        split(client, candidate)
        answer_people(people)
        experiment(counted(client))
        step("8 Roll back, in one call")
        roll_back(client)
    print(f"\nDone in {(time.monotonic() - began) / 60:.1f} minutes.")


def step(title: str) -> None:
    """Say what comes."""
    print(f"\n{title}", flush=True)


def say(words: str) -> None:
    """One line about a step."""
    print(f"  {words}", flush=True)


def ingest(client: Groundwork, collection: str, files: list[Path], **settings: Any) -> None:
    """The documents in a collection of their own."""
    client.collections.create(collection, **settings)
    batch = ingest_files(client, collection, files, timeout=SECONDS)
    for state in batch.failed:
        raise GroundworkError(f"{state.file.name}: {state.failure}")
    say(f"{len(files)} documents in '{collection}' after {batch.seconds:.0f} s")


def ask_and_rate(people: Groundwork) -> set[str]:
    """Ask what people ask, and say what each answer was worth; the ids of the answers."""
    asked, ids, liked = questions(ASKED), set[str](), 0
    for number, one in enumerate(asked, start=1):
        answer = people.answer(f"rag:{BEFORE}", one.question or "")
        ids.add(answer.id or "")
        liked += rate(people, f"person-{number}", one, answer)
        if number % 20 == 0:
            say(f"{number} of {len(asked)} asked, {liked} thumbs up")
    return ids


def collect(client: Groundwork, ids: set[str]) -> None:
    """One question set: `train` to learn from, `test` to judge by."""
    rated = rated_questions(client, ids)
    client.question_sets.save(NAME, reviewed(rated, questions(ASKED)), skip_duplicates=True)
    unknown = sum(not one["documents"] for one in rated)
    say(f"{len(rated)} questions from feedback; for {unknown} of them somebody names the right document")
    started = client.question_generation.start(NAME, BEFORE, count=GENERATED, near_misses=0, split="train", accept=True)
    made = client.question_generation.wait(NAME, started.id, timeout=SECONDS)
    say(f"{made.kept} questions made from the documents ({made.status}), each found again by search and reader")
    saved = client.question_sets.save(NAME, read_question_file(KEPT_ASIDE), append=True, skip_duplicates=True)
    say(f"'{NAME}' version {saved.version}: " + ", ".join(f"{count} in {name}" for name, count in saved.splits.items()))


def evaluate(client: Groundwork, candidate: Candidate) -> Evaluation:
    """Ask all that was kept aside, as any client would."""
    started = client.evaluations.start(
        NAME, candidate.model, split="test", groundwork=candidate.settings, measures=MEASURES, name=candidate.about
    )
    ended = client.evaluations.wait(started.id, timeout=SECONDS)
    if ended.status != "completed":
        raise GroundworkError(f"The evaluation ended as {ended.status}: {ended.error and ended.error.message}")
    say(f"{candidate.about}: {ended.done} questions asked of {candidate.model}")
    return ended


def tune(client: Groundwork) -> FineTuningJob:
    """Have questions learn to be near to what answers them; the job publishes what passes its gates."""
    suffix = f"{NAME}-{int(time.time())}"  # a collection is bound to a model's name: each run has its own
    model = client.collections.get(BEFORE).embedding_model
    job = client.tuning.start(
        NAME, model, method="embedding", collection=BEFORE, suffix=suffix, seed=7, skip_leaks=True
    )
    ended = client.tuning.wait(job.id, timeout=SECONDS)
    if ended.error:
        raise GroundworkError(f"Tuning failed: {ended.error.message}")
    card = ended.groundwork.card
    say(f"learnt from {card.train if card else '?'} questions; held out: {ended.groundwork.words}")
    return ended


def publish(client: Groundwork, job: FineTuningJob, files: list[Path]) -> Candidate:
    """What goes behind the split: documents that the tuned model finds if the gates passed it, else another change."""
    if job.fine_tuned_model:
        say(f"the gates passed it: it is served as {job.fine_tuned_model}")
        ingest(client, AFTER, files, embedding_model=job.fine_tuned_model)
        return Candidate("tuned", f"rag:{AFTER}")
    refused = job.groundwork.not_published
    say(f"NOT published: {refused.message if refused else job.groundwork.words}")
    say("so the change that is tried instead is fewer passages for the reader")
    return Candidate("fewer passages", f"rag:{BEFORE}", {"top_k": 4})


def split(client: Groundwork, candidate: Candidate) -> None:
    """A name that callers use. Version 1 answers as before; version 2 gives half of the people the candidate."""
    before = {"model": f"rag:{BEFORE}", "name": "before"}
    tried = {
        "model": candidate.model,
        "name": "after",
        **({"groundwork": candidate.settings} if candidate.settings else {}),
    }
    client.routes.put(NAME, {"targets": [before]})
    route = client.routes.put(NAME, {"targets": [before, tried], "split_by": "user"})
    threading.Event().wait(2.0)  # a version is in effect on every replica within a second
    say(f"callers ask '{NAME}', version {route.version}: {candidate.about} for half of them")


def answer_people(people: Groundwork) -> None:
    """One question by each person, and what they say of the answer."""
    asked = questions(KEPT_ASIDE)
    for number, one in enumerate(asked, start=1):
        person = f"visitor-{number}"
        rate(people, person, one, people.answer(NAME, one.question or "", user=person))
        if number % 20 == 0:
            say(f"{number} of {len(asked)} people have asked")


def counted(client: Groundwork) -> Experiment:
    """The figures of the split once all calls are in them: usage is written a moment after its answer."""
    for _ in range(50):
        found = client.routes.experiment(NAME)
        if sum(one.calls for one in found.variants) >= len(questions(KEPT_ASIDE)):
            break
        threading.Event().wait(0.2)
    return found


def roll_back(client: Groundwork) -> None:
    """Version 1 of the route answers again; nobody has to ask otherwise."""
    route = client.routes.activate(NAME, 1)
    variants = ", ".join(target.variant for target in route.targets)
    say(f"'{NAME}' is version {route.version} again: {variants} answers everybody")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--remove"]):
        raise SystemExit(__doc__)
    run(remove if sys.argv[1:] else main)
