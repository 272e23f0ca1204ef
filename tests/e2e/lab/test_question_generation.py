"""Questions made from the sample handbook in a running home: by rule and by the packaged model, reviewed and asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.home.stack import RunningHome

from contracts.retrieval.collections import Collection

COMMAND = Path(sys.executable).parent / "groundwork"
SECONDS = 900


def groundwork(home: RunningHome, *arguments: str) -> str:
    environment = {**os.environ, "GROUNDWORK_HOME": str(home.home.root)}
    command = [str(COMMAND), "questions", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_questions_of_the_handbook_are_made_reviewed_saved_and_answered(
    home: RunningHome, handbook: Collection
) -> None:
    options = ("--count", "16", "--near-misses", "1", "--seed", "3", "--split", "test", "--wait", str(SECONDS))
    told = groundwork(home, "generate", "made", handbook.name, *options)
    run = told.split()[0]
    found = home.client.question_generation.get("made", run)
    assert (found.status, found.kept, found.kept_near_misses) == ("completed", 16, 1)
    items = list(home.client.question_generation.items("made", run, state="proposed"))
    kept = [item for item in items if item.answerable]
    assert all(item.question and item.answers and item.span and item.why for item in kept)
    assert len({item.span.document_id for item in kept if item.span}) >= 4, "documents take turns"
    for item in kept[:3]:
        assert item.span is not None
        text = home.client.documents.text(handbook.name, item.span.document_id)
        said = " ".join(text[item.span.start : item.span.end].replace("**", "").split())
        assert said == item.span.text
    groundwork(home, "review", "made", run, "--reject", str(items[0].number), "--accept-all", "--save")
    saved = home.client.question_sets.get("made")
    assert (saved.questions, saved.unanswerable, saved.splits) == (16, 1, {"test": 16})
    evaluation = home.client.evaluations.start("made", f"rag:{handbook.name}", version=saved.version)
    ended = home.client.evaluations.wait(evaluation.id, timeout=SECONDS)
    assert (ended.status, ended.failed) == ("completed", 0)
    assert ended.figures["answered"].mean >= 0.8, "they were found again when they were made"
    home.client.evaluations.delete(evaluation.id)
    home.client.question_generation.delete("made", run)
    home.client.question_sets.delete("made")
