"""Words: numbers by value, names by spelling, content by stem."""

from __future__ import annotations

import pytest

from agent.text.words import (
    covered_terms,
    form_set,
    is_generic,
    names,
    number_value,
    numbers,
    terms,
    with_amounts,
)


@pytest.mark.parametrize(
    ("token", "value"),
    [
        ("1,180", "1180"),
        ("1180", "1180"),
        ("two", "2"),
        ("3.50", "3.5"),
        ("10-2100", None),
        ("WS3", None),
        ("007", "7"),
        ("1.005k", "1005"),
        ("80k", "80000"),
        ("401k", None),
        ("EUR5000", "5000"),
        ("drei", "3"),
        ("vierzehn", "14"),
        ("quatre", "4"),
        ("siete", "7"),
        ("elf", None),
        ("otto", None),
    ],
)
def test_a_number_has_one_spelling_and_a_code_is_none(token: str, value: str | None) -> None:
    assert number_value(token) == value


def test_a_number_longer_than_python_reads_is_a_number_all_the_same() -> None:
    assert number_value("0" + "7" * 5000) == "7" * 5000
    assert numbers(f"pi is {'3' * 9000}") == {"3" * 9000}
    assert terms(f"How much is {'1' * 32_000}?")


def test_numbers_of_a_sentence() -> None:
    assert numbers("EUR 1,180 for two gateways G1 from 3.5 m") == {"1180", "2", "3.5"}


def test_names_are_capitals_codes_and_acronyms_but_not_the_first_word() -> None:
    assert names("Does the Heron S2 from Osterfenn need a SIM? Ask Support.") == [
        "Heron",
        "S2",
        "Osterfenn",
        "SIM",
        "Support",
    ]


def test_a_question_word_is_covered_by_another_form_of_it() -> None:
    wanted = terms("Which e-mail addresses are registered?")
    assert {term.text for term in covered_terms(wanted, form_set("Register your email address."))} == {
        "e-mail", "addresses", "registered"
    }  # fmt: skip


def test_short_forms_and_words_that_only_ask_are_no_subject() -> None:
    assert [term.text for term in terms("what's the deposit, I'm asking and don't know")] == [
        "deposit",
        "asking",
        "know",
    ]
    assert [term.text for term in terms("whats up with my laptop, im lost")] == ["laptop", "lost"]
    assert [term.text for term in terms("it gets stolen and I got wet") if not is_generic(term)] == ["stolen", "wet"]


@pytest.mark.parametrize(
    ("spoken", "written"),
    [("8.2 million", "8200000"), ("1.005 grand", "1005"), ("2 Thousand", "2000"), ("1,200 thousand", "1,200 thousand")],
)
def test_a_spoken_amount_is_written_out_exactly(spoken: str, written: str) -> None:
    assert with_amounts(spoken) == written


def test_a_plan_named_like_an_amount_keeps_its_name() -> None:
    [plan] = terms("401k?")
    assert not plan.forms.isdisjoint(form_set("The 401k plan is matched."))
    assert "401000" not in plan.forms


@pytest.mark.parametrize(
    ("asked", "told"),
    [("Windows11", "Windows 11 is supported"), ("GPT-4", "GPT 4"), ("iPhone-15", "an iPhone 15"), ("E06", "Code E 06")],
)
def test_a_code_is_found_where_a_space_stands_in_it(asked: str, told: str) -> None:
    [term] = terms(asked)
    assert not term.exact.isdisjoint(form_set(told))


def test_words_of_a_script_without_blanks_are_pairs_of_its_characters() -> None:
    assert [term.text for term in terms("2015年NFL的防守")] == ["2015", "NFL", "的防", "防守"]
    assert numbers("黑豹队丢了308分，在2015年") == {"308", "2015"}
    assert not form_set("保修期多长？").isdisjoint(form_set("泵的保修期为两年。"))
    assert form_set("配達の日数").isdisjoint(form_set("保証"))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("النقاط", "نقاط"),
        ("مُدَرِّس", "مدرس"),
        ("гарантии", "гарантия"),
        ("εγγύησης", "εγγύηση"),
        ("गारंटियों", "गारंटी"),
    ],
)
def test_a_word_is_stemmed_as_its_script_wants_it(asked: str, told: str) -> None:
    assert not form_set(asked).isdisjoint(form_set(told))
    assert len(terms(asked)) == 1, "vowel signs part no word"
