"""Support: numbers, names and negation must agree; wording and meaning decide the rest."""

from __future__ import annotations

import numpy as np
import pytest

from agent.grounding.support import cosine, find_support, is_factual
from agent.relevance.passages import passages
from agent.testing.scripted_answers import bag_of_stems, hit

SOURCE = hit(
    "# Leave\n\nFull-time employees get 27 days of paid leave per year. Contractors are not covered. "
    "Unused days expire on 30 June. Marta Lindqvist approves longer absences.\n\n"
    "Plan | Price\nStarter | EUR 2.40\nTeam | EUR 9\n"
)
FOUND = passages([SOURCE])


def quoted(sentence: str, with_vectors: bool = True) -> str | None:
    vectors = [bag_of_stems(passage.text) for passage in FOUND] if with_vectors else None
    found = find_support(sentence, FOUND, vectors, bag_of_stems(sentence) if with_vectors else None)
    return None if found is None else SOURCE.text[slice(*found.span)]


@pytest.mark.parametrize("with_vectors", [True, False])
@pytest.mark.parametrize(
    ("sentence", "quote"),
    [
        ("Full-time employees get 27 days of leave.", "Full-time employees get 27 days of paid leave per year."),
        ("Contractors are not covered.", "Contractors are not covered."),
        ("Unused days expire on 30 June.", "Unused days expire on 30 June."),
        ("The Starter plan has a price of EUR 2.4.", "Plan | Price\nStarter | EUR 2.40"),
    ],
)
def test_a_sentence_that_the_source_says_is_mapped_to_its_span(sentence: str, quote: str, with_vectors: bool) -> None:
    assert quoted(sentence, with_vectors) == quote


@pytest.mark.parametrize("with_vectors", [True, False])
@pytest.mark.parametrize(
    "sentence",
    [
        "Full-time employees get 28 days of paid leave per year.",
        "Contractors are covered.",
        "Unused days expire on 30 July.",
        "Unused days do not expire on 30 June.",
        "Peter Lindqvist approves longer absences.",
        "The canteen opens at noon on Mondays.",
        "The Starter plan costs EUR 24.",
        "The Starter plan has a price of EUR 9.",
        "Plan and price.",
    ],
)
def test_a_wrong_number_name_date_or_negation_is_not_supported(sentence: str, with_vectors: bool) -> None:
    assert quoted(sentence, with_vectors) is None


def test_two_neighbouring_sentences_support_one_that_joins_them() -> None:
    found = quoted("Contractors are not covered and unused days expire on 30 June.")
    assert found == "Contractors are not covered. Unused days expire on 30 June."


@pytest.mark.parametrize(("text", "factual"), [("Yes.", False), ("Here you go:", False), ("It is 5.", True)])
def test_only_what_says_something_needs_support(text: str, factual: bool) -> None:
    assert is_factual(text) is factual


def test_cosine_of_nothing_is_nothing() -> None:
    nothing, east, northeast = np.zeros(2), np.array([1.0, 0.0]), np.array([2.0, 2.0])
    assert cosine(nothing, east) == 0.0
    assert cosine(northeast, northeast) == pytest.approx(1.0)


@pytest.mark.parametrize("with_vectors", [True, False])
@pytest.mark.parametrize(
    "said",
    [
        "员工每年有二十七天带薪年假。",
        "従業員には年間27日の有給休暇があります。",
        "직원은 연간 27일의 유급 휴가를 받습니다.",
        "พนักงานมีวันลาพักร้อนปีละยี่สิบเจ็ดวันโดยได้รับค่าจ้างเต็มจำนวนและสามารถใช้ได้จนถึงสิ้นเดือนมิถุนายนของปีถัดไป.",
        "يحصل الموظفون على 27 يوما من الإجازة المدفوعة.",
    ],
)
def test_what_a_source_says_word_for_word_is_supported_in_any_script(said: str, with_vectors: bool) -> None:
    found = passages([hit(f"{said} Marta Lindqvist approves longer absences.\n")])
    vectors = [bag_of_stems(passage.text) for passage in found] if with_vectors else None
    support = find_support(said, found, vectors, bag_of_stems(said) if with_vectors else None)
    assert support is not None
    assert found[0].hit.text[slice(*support.span)].startswith(said)


@pytest.mark.parametrize(("text", "factual"), [("保修期为两年。", True), ("是的。", False), ("这是答案：", False)])
def test_a_clause_without_blanks_is_more_than_one_word(text: str, factual: bool) -> None:
    assert is_factual(text) is factual


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("Die Garantie beträgt zwei Jahre.", "Die Garantie beträgt drei Jahre."),
        ("Schäden durch Wasser sind nicht abgedeckt.", "Schäden durch Wasser sind abgedeckt."),
        ("La garantie ne couvre pas la batterie.", "La garantie couvre la batterie."),
        ("La garantía dura tres años enteros.", "La garantía dura cuatro años enteros."),
    ],
)
def test_the_opposite_or_another_number_is_not_supported_in_other_languages(source: str, said: str) -> None:
    found = passages([hit(f"{source}\n")])
    near = np.ones(4, dtype=np.float32)  # as near as can be
    assert find_support(source, found, [near] * len(found), near) is not None
    assert find_support(said, found, [near] * len(found), near) is None
