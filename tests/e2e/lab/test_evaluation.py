"""`groundwork eval` on the sample handbook, through a running home."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.support.home.stack import HANDBOOK, INGEST_SECONDS, QUESTIONS, RunningHome

from contracts.retrieval.collections import Collection
from groundwork.client.improvement.question_sets import read_question_file
from groundwork.client.transfers.bulk import ingest_files
from groundwork.client.transfers.files import find_files

COMMAND = Path(sys.executable).parent / "groundwork"


def evaluated(home: RunningHome, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GROUNDWORK_HOME": str(home.home.root)}
    command = [str(part) for part in (COMMAND, "eval", *arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)


def test_the_sample_questions_find_their_documents_in_every_mode(
    home: RunningHome, handbook: Collection, tmp_path: Path
) -> None:
    done = evaluated(home, handbook.name, QUESTIONS, "--json", tmp_path / "all.json", "--plot", tmp_path / "plot.svg")
    assert done.returncode == 0, done.stderr
    assert "30 questions with a relevant document (10 without one left out)" in done.stdout
    rows = dict(re.findall(r"^(hybrid|dense|sparse) +(\d\.\d{4})", done.stdout, flags=re.MULTILINE))
    assert set(rows) == {"hybrid", "dense", "sparse"}
    assert all(0.8 < float(ndcg) <= 1 for ndcg in rows.values())
    assert "hybrid minus dense" in done.stdout
    saved = json.loads((tmp_path / "all.json").read_text())
    assert len(saved["by_question"]) == 30
    assert saved["ways"]["hybrid"]["means"]["recall@20"]["value"] >= 0.95
    assert f"{saved['ways']['hybrid']['means']['nDCG@10']['value']:.4f}" == rows["hybrid"]
    ElementTree.parse(tmp_path / "plot.svg")


def test_depths_and_modes_can_be_chosen(home: RunningHome, handbook: Collection) -> None:
    done = evaluated(home, handbook.name, QUESTIONS, "--modes", "sparse", "-k", 1, "-k", 30)
    assert done.returncode == 0, done.stderr
    assert re.search(r"recall@1 +recall@30 +MRR", done.stdout)
    assert "hybrid" not in done.stdout


def test_what_the_collection_lacks_is_an_error_that_says_what_to_do(
    home: RunningHome, handbook: Collection, tmp_path: Path
) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"query": "How high is the tide?", "relevant": {"tides.md": 1}}\n')
    done = evaluated(home, handbook.name, file)
    assert done.returncode == 1
    assert "'tides.md' (questions.jsonl, line 1)" in " ".join(done.stderr.split())
    counted = evaluated(home, handbook.name, file, "--allow-missing")
    assert counted.returncode == 0, counted.stderr
    assert re.search(r"hybrid +0\.0000", counted.stdout)
    unknown = evaluated(home, "no-such-collection", QUESTIONS)
    assert unknown.returncode == 1
    assert "no-such-collection" in unknown.stderr
    home.client.collections.create("nothing-in-it")
    empty = evaluated(home, "nothing-in-it", QUESTIONS)
    assert empty.returncode == 1
    assert "There are no documents in 'nothing-in-it'" in empty.stderr


def test_two_collections_are_compared_by_the_same_questions(home: RunningHome, handbook: Collection) -> None:
    home.client.collections.ensure("less")
    files = find_files([str(HANDBOOK)]).files[:2]
    ingest_files(home.client, "less", files, timeout=INGEST_SECONDS, changed=None)
    done = evaluated(home, handbook.name, QUESTIONS, "--modes", "sparse", "--against", "less")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^sparse in less +0\.[0-6]", done.stdout, flags=re.MULTILINE)
    assert re.search(r"^sparse minus sparse in less +\+0\.\d+", done.stdout, flags=re.MULTILINE)
    unknown = evaluated(home, handbook.name, QUESTIONS, "--modes", "sparse", "--against", "nowhere")
    assert unknown.returncode == 1
    assert "nowhere" in unknown.stderr


def test_a_question_set_is_evaluated_and_gated_against_an_earlier_result(
    home: RunningHome, handbook: Collection, tmp_path: Path
) -> None:
    saved = home.client.question_sets.save("handbook-questions", read_question_file(QUESTIONS))
    assert (saved.questions, saved.unanswerable) == (40, 10)
    then, gate = tmp_path / "then.json", ("--modes", "sparse", "--gate", "nDCG@10")
    first = evaluated(home, handbook.name, "set:handbook-questions", "--modes", "sparse", "--json", then)
    assert first.returncode == 0, first.stderr
    told = json.loads(then.read_text())
    assert told["question_set"] == {"name": "handbook-questions", "version": 1, "digest": saved.digest}
    assert len(told["by_question"]) == 30
    same = evaluated(home, handbook.name, "set:handbook-questions@1", *gate, "--baseline", then)
    assert same.returncode == 0, same.stderr
    assert "sparse: no difference that luck would not make: +0.000" in same.stdout
    for one in told["by_question"]:
        one["ways"]["sparse"]["nDCG@10"] += 0.1  # as if it had been better then
    then.write_text(json.dumps(told))
    worse = evaluated(home, handbook.name, "set:handbook-questions@1", *gate, "--baseline", then)
    assert worse.returncode == 1
    assert "sparse: worse: -0.100" in worse.stdout
    home.client.question_sets.delete("handbook-questions")
