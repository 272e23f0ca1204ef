from __future__ import annotations

import json
from pathlib import Path

import pytest

from groundwork.errors import QuestionsInvalid
from groundwork.evaluation.baseline import read_baseline
from groundwork.evaluation.report import Report

NDCG = "nDCG@10"


def _then(folder: Path, report: Report, **ways: str) -> Path:
    """What an evaluation wrote once: each way with the figures that another one has now."""
    told = report.as_json()
    for one in told["by_question"]:
        one["ways"] = {name: one["ways"][now] for name, now in ways.items()}
    file = folder / "then.json"
    file.write_text(json.dumps(told))
    return file


def test_a_way_that_was_better_then_is_significantly_worse_and_the_other_way_round(
    report: Report, tmp_path: Path
) -> None:
    baseline = read_baseline(_then(tmp_path, report, hybrid="sparse", sparse="hybrid"))
    better, worse = baseline.verdicts(report, [NDCG])
    assert (better.is_worse, worse.is_worse) == (False, True)
    assert better.words.startswith("hybrid: better: +0.5")
    assert worse.words.startswith("sparse: worse: -0.5")
    assert worse.words.endswith("12 questions")
    assert "p 0.000" in worse.words


def test_another_version_of_a_question_set_is_told_where_both_have_one(report: Report, tmp_path: Path) -> None:
    file = _then(tmp_path, report, hybrid="hybrid")
    read_baseline(file).check_version("b")
    file.write_text(json.dumps({**json.loads(file.read_text()), "question_set": {"name": "x", "digest": "a"}}))
    for digest in ("a", None):
        read_baseline(file).check_version(digest)
    with pytest.raises(QuestionsInvalid, match="another version of the question set"):
        read_baseline(file).check_version("b")


def test_a_loss_counts_only_with_all_that_is_compared_beside_it(report: Report, tmp_path: Path) -> None:
    file = _then(tmp_path, report, hybrid="hybrid", sparse="sparse")
    told = json.loads(file.read_text())
    for one in told["by_question"][:6]:
        one["ways"]["sparse"][NDCG] += 0.1
    file.write_text(json.dumps(told))
    baseline = read_baseline(file)
    alone = baseline.verdicts(report, [NDCG])[1]
    assert (alone.comparison.p, alone.p) == (pytest.approx(2 / 2**6), pytest.approx(4 / 2**6))
    assert "no difference that luck would not make: -0.050" in alone.words
    assert not alone.is_worse


def test_what_is_as_it_was_is_not_told_apart(report: Report, tmp_path: Path) -> None:
    baseline = read_baseline(_then(tmp_path, report, hybrid="hybrid"))
    (same,) = baseline.verdicts(report, [NDCG])
    assert not same.is_worse
    assert "no difference that luck would not make: +0.000" in same.words
    assert len(baseline.verdicts(report, [NDCG, "MRR"])) == 2


def test_only_questions_in_the_same_words_are_compared(report: Report, tmp_path: Path) -> None:
    file = _then(tmp_path, report, hybrid="hybrid")
    told = json.loads(file.read_text())
    told["by_question"][0]["query"] = "something else?"
    del told["by_question"][1]
    file.write_text(json.dumps(told))
    (verdict,) = read_baseline(file).verdicts(report, [NDCG])
    assert verdict.words.endswith("10 questions")
    told["by_question"] = told["by_question"][:1]
    file.write_text(json.dumps(told))
    with pytest.raises(QuestionsInvalid, match="asks none of these questions"):
        read_baseline(file).verdicts(report, [NDCG])


def test_a_measure_that_is_not_in_both_is_told_with_those_that_there_are(report: Report, tmp_path: Path) -> None:
    baseline = read_baseline(_then(tmp_path, report, hybrid="hybrid"))
    with pytest.raises(QuestionsInvalid, match=r"'recall@7'.*nDCG@10, recall@5"):
        baseline.verdicts(report, ["recall@7"])


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"by_question": [{}]}', '{"by_question": [{"id": 1, "query": "x"}]}']
)
def test_a_file_that_is_no_result_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(content)
    with pytest.raises(QuestionsInvalid, match="not what `groundwork eval --json` writes"):
        read_baseline(file)
    with pytest.raises(QuestionsInvalid, match="can't be read"):
        read_baseline(tmp_path / "gone.json")
