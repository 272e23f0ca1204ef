from __future__ import annotations

import json

import pytest

from groundwork.evaluation.report import Report


def test_a_report_has_means_intervals_and_each_questions_figures(report: Report) -> None:
    assert report.measures == ["nDCG@10", "recall@5", "recall@20", "MRR"]
    assert report.results["hybrid"].means["nDCG@10"].value == 1
    assert report.results["sparse"].means["recall@5"].value == 0.75
    assert report.results["sparse"].milliseconds == 15.5
    [comparison] = report.comparisons
    assert (comparison.wins, comparison.ties, comparison.losses) == (12, 0, 0)
    assert comparison.p < 0.01
    saved = json.loads(json.dumps(report.as_json()))
    assert saved["questions_without_relevant_documents"] == 3
    first = saved["by_question"][0]
    assert first["ways"]["sparse"] == {
        "nDCG@10": pytest.approx(0.6309, abs=1e-4),
        "recall@5": 1.0,
        "recall@20": 1.0,
        "MRR": 0.5,
        "milliseconds": 10.0,
        "found": ["x", "d0"],
    }
