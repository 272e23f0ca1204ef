"""Numbers in Chinese and Arabic words are in digits; what only looks like one stays as it is."""

from __future__ import annotations

import pytest

from agent.text.numerals import with_digits


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("年假为十二天，满五年后为十五天", "年假为12天，满5年后为15天"),
        ("押金一百元，最多借六本书", "押金100元，最多借6本书"),
        ("共有两千零五十人", "共有2050人"),
        ("三万五千元", "35000元"),
        ("二〇一五年", "2015年"),
        ("约12.5万人，3亿元", "约125000人，300000000元"),
        ("百分之三十的学生，三分之二的人", "30%的学生，2/3的人"),
        ("百分之5", "5%"),
        ("十多年", "10多年"),
        ("四川的一般情况十分好，一起统一", "四川的一般情况十分好，一起统一"),
        ("一个人住了一年", "一个人住了1年"),
        ("三四天", "三四天"),
        ("１２％", "12%"),
        ("خمسة كتب لمدة ثلاثة أسابيع", "5 كتب لمدة 3 أسابيع"),
        ("خمسة عشر ريالا وخمسة وعشرون درهما", "15 ريالا 25 درهما"),
        ("يدفع دينارين بعد أسبوعين", "يدفع 2 دينار بعد 2 أسبوع"),
        ("مئة وأربعون", "100 40"),
        ("يوم الثلاثاء والأربعاء والاثنين", "يوم الثلاثاء والأربعاء والاثنين"),
        ("لست طالبا", "لست طالبا"),
        ("Thirty words stay, and 12 too.", "Thirty words stay, and 12 too."),
    ],
)
def test_numbers_in_words_are_written_in_digits(text: str, written: str) -> None:
    assert with_digits(text) == written


def test_an_endless_numeral_is_read_in_bounded_pieces() -> None:
    assert len(with_digits("九" * 100_000 + "年")) < 200_000
    assert len(with_digits("万" * 5_000 + "年")) < 20_000
