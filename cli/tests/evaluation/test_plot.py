from __future__ import annotations

from xml.etree import ElementTree

from groundwork.evaluation.plot import draw
from groundwork.evaluation.report import Report


def test_the_plot_is_a_picture_that_shows_means_and_each_difference(report: Report) -> None:
    picture = ElementTree.fromstring(draw(report))
    words = " ".join("".join(element.itertext()) for element in picture.iter("{http://www.w3.org/2000/svg}text"))
    assert "c <&> d" in words
    assert "1.000" in words
    assert "0.750" in words
    assert "12 better with hybrid" in words
    assert "unlikely to be luck" in words
    hints = ["".join(hint.itertext()) for hint in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert len(hints) == 12
    assert all(any(question.text in hint for hint in hints) for question in report.questions)
    assert draw(report) == draw(report)
