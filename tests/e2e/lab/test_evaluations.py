"""Evaluations of the sample handbook in a running home: asked, measured, compared, gated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.home.stack import QUESTIONS, RunningHome

from contracts.retrieval.collections import Collection

COMMAND = Path(sys.executable).parent / "groundwork"
SECONDS = 300


def groundwork(home: RunningHome, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GROUNDWORK_HOME": str(home.home.root)}
    command = [str(COMMAND), "evaluation", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)


def test_answers_from_documents_are_measured_and_two_ways_to_search_compared(
    home: RunningHome, handbook: Collection
) -> None:
    lines = [json.loads(line) for line in QUESTIONS.read_text().splitlines()]
    chosen = [*[one for one in lines if one["answerable"]][:5], *[one for one in lines if not one["answerable"]][:2]]
    items = [
        {
            "id": one["id"],
            "question": one["question"],
            "answers": [one["answer"]] if one.get("answer") else [],
            "documents": [one["document"]] if one.get("document") else [],
            "answerable": one["answerable"],
            "labels": ["known" if one["answerable"] else "unknown"],
        }
        for one in chosen
    ]
    home.client.question_sets.save("few", items)
    model = f"rag:{handbook.name}"
    done = groundwork(home, "start", "few", model, "--wait", str(SECONDS))
    assert done.returncode == 0, done.stderr
    first = done.stdout.split()[0]
    found = home.client.evaluations.get(first)
    assert (found.status, found.done, found.failed) == ("completed", 7, 0)
    assert found.figures["answered"].mean >= 0.6
    assert found.figures["retrieval_recall_10"].questions == 5
    assert found.figures["retrieval_recall_10"].mean >= 0.6, "sets name documents as people do: by their files"
    assert found.figures["documents_cited"].mean >= 0.4
    assert set(found.by_label) == {"known", "unknown"}
    answers = {one.question_id: one for one in home.client.evaluations.answers(first)}
    assert set(answers) == {one["id"] for one in chosen}
    assert any(one.report.get("receipt") for one in answers.values())
    other = home.client.evaluations.start("few", model, groundwork={"mode": "sparse"})
    assert home.client.evaluations.wait(other.id, timeout=SECONDS).status == "completed"
    compared = groundwork(home, "compare", first, other.id, "--gate", "answered")
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert "no difference: " in compared.stdout
    home.client.evaluations.delete(other.id)
    home.client.question_sets.delete("few")
