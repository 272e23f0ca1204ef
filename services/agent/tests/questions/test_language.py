from __future__ import annotations

import pytest

from agent.questions.language import are_of_two_languages, language_of, may_be_in
from contracts.models.reading import Languages


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("How many days of paid leave do I get?", "en"),
        ("What do I do if my laptop gets stolen", "en"),
        ("Wie viele Tage Urlaub habe ich?", "de"),
        ("Und in Dänemark?", "de"),
        ("Was kostet der Heron S2?", "de"),
        ("Combien de jours de congé ai-je par an ?", "fr"),
        ("¿Cuántos días de vacaciones tengo?", "es"),
        ("Quanti giorni di ferie ho all'anno?", "it"),
        ("Hoeveel vakantiedagen heb ik per jaar?", "nl"),
        ("Quantos dias de férias tenho por ano?", "pt"),
        ("有给假期有多少天？", "zh"),
        ("X.25使用哪种网络类型", "zh"),
        ("VPN是什么？", "zh"),
        ("API和SDK的区别", "zh"),
        ("有給休暇は何日ありますか", "ja"),
        ("휴가는 며칠입니까?", "ko"),
        ("ما هو نوع الشبكة الذي تستعمله إكس 25؟", "ar"),
        ("What does 年假 mean in the leave policy?", "en"),
        ("Сколько дней отпуска?", None),
        ("Heron S2", None),
        ("چند روز مرخصی دارم", None),
        ("مجھے کتنے دن کی چھٹی ملتی ہے", None),
    ],
)
def test_the_language_of_a_question_is_told_by_its_small_words_or_not_at_all(
    question: str, language: str | None
) -> None:
    assert language_of(question) == language


@pytest.mark.parametrize(
    ("text", "languages", "is_read"),
    [
        ("How many days are there?", ("en",), True),
        ("Wie viele Tage gibt es?", ("en",), False),
        ("Wie viele Tage gibt es?", ("en", "de"), True),
        ("Wie viele Tage gibt es?", "all", True),
        ("Wie viele Tage gibt es?", None, True),
        ("parking permit", ("en",), True),
        ("ما هي عاصمة فرنسا", ("en",), False),
        ("年假有多少天", ("en",), False),
        ("年假有多少天", ("en", "zh"), True),
        ("Hvor mange dage har en medarbejder til ferie?", ("da",), True),
        ("4711", ("en",), True),
    ],
)
def test_whether_a_text_may_be_in_a_language(text: str, languages: Languages | None, is_read: bool) -> None:
    assert may_be_in(text, languages) is is_read


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("Wie lange gilt die Garantie?", "Die Garantie gilt für zwei Jahre.", False),
        ("How long is the warranty?", "Die Garantie gilt für zwei Jahre.", True),
        ("保修期多长？", "The warranty lasts two years.", True),
        ("ما مدة الضمان؟", "保修期两年。", True),
        ("Каков срок гарантии?", "Срок гарантии два года.", False),
        ("Garantie", "Die Garantie gilt für zwei Jahre.", False),
    ],
)
def test_whether_two_texts_are_of_two_languages(one: str, other: str, differ: bool) -> None:
    assert are_of_two_languages(one, other) is differ


def test_names_in_latin_letters_make_no_question_one_of_another_language() -> None:
    assert not are_of_two_languages("iPhoneのSIMロック解除", "電話のロックは無料で解除できます。")
    assert not are_of_two_languages("VPN是什么？", "公司的VPN是安全的网络。")
