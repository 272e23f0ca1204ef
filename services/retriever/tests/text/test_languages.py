from __future__ import annotations

import pytest

from retriever.errors import LanguageUnknown
from retriever.text.languages import CODES, check_language, document_language, query_languages
from retriever.text.terms import query_terms, terms


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The house stands at the end of the street.", "en"),
        ("Das Haus steht am Ende der Straße.", "de"),
        ("La casa está al final de la calle.", "es"),
        ("La maison se trouve au bout de la rue.", "fr"),
        ("La casa si trova alla fine della strada.", "it"),
        ("Ev caddenin sonunda ve çok büyük bir bahçe ile.", "tr"),
        ("Ngôi nhà nằm ở cuối con đường của làng.", "vi"),
        ("def read_file(path): return open(path).read()", "en"),
        ("Acme Router X500", "en"),
        ("", "en"),
    ],
)
def test_function_words_tell_the_language_of_latin_text(text: str, language: str) -> None:
    assert document_language(text.lower().split(), "auto").latin == (language,)


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Die Verteidigung der Panthers gab nur 308 Punkte ab.", "Wie viele Punkte gaben die Verteidiger ab?"),
        ("Las decisiones fueron tomadas por el consejo.", "¿Quién tomó la decisión?"),
        ("قرأ الطالب الكتاب في المكتبة", "أين كتاب الطالب؟"),
        ("Книги лежали на столах", "Где лежит книга?"),
        ("लड़कियों ने किताबें पढ़ीं", "किताब किसने पढ़ी"),
        ("我们在图书馆读书", "图书"),
        ("def readConfigFile(path)", "how to read a config file"),
        ("def read_config_file(path)", "read_config_file"),
    ],
)
def test_a_question_in_the_text_s_own_language_finds_it(said: str, asked: str) -> None:
    assert set(terms(said)) & set(query_terms(asked))


@pytest.mark.parametrize("text", ["Häuser Preise", "casas precios", "Acme routers", "decisions"])
def test_a_text_too_short_to_tell_its_language_is_found_by_its_own_words(text: str) -> None:
    assert set(terms(text)) <= set(query_terms(f"{text} der die und ist")) | set(query_terms(text))


def test_a_query_in_another_language_is_also_looked_for_in_english() -> None:
    assert query_languages(["wo", "sind", "die", "runners", "der", "stadt"], "auto").latin == ("de", "en")
    assert {"runner", "stadt"} <= set(query_terms("wo sind die runners der Stadt"))


def test_a_collection_s_language_is_not_guessed() -> None:
    assert terms("houses", "de") == query_terms("houses", "de") == ["hous"]
    assert terms("Häuser", "de") == query_terms("Haus", "de") == ["haus"]
    assert terms("The house", "de") == ["the", "hous"]


@pytest.mark.parametrize("language", ["auto", *CODES])
def test_every_known_language_is_analysed(language: str) -> None:
    check_language(language)
    assert terms("Groundwork 42 дом 家 بيت", language)
    assert set(terms("Groundwork", language)) <= set(query_terms("Groundwork", language))


def test_an_unknown_language_is_refused_with_what_is_known() -> None:
    with pytest.raises(LanguageUnknown, match=r"'xx'.*'auto'.* de, "):
        check_language("xx")
