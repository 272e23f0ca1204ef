"""What a text denies, in scripts with blanks between words and without."""

from __future__ import annotations

import pytest

from agent.text.denials import is_negated, negated
from agent.text.words import form_set


@pytest.mark.parametrize(
    ("text", "denies"),
    [
        ("You may not enter.", True),
        ("It isn't free.", True),
        ("It is free.", False),
        ("Nothing is lost.", True),
        ("食堂不提供晚餐。", True),
        ("食堂提供晚餐。", False),
        ("未满十二岁者免费。", True),
        ("没有停车位。", True),
        ("周末勿扰。", True),
        ("非会员只能提前两天预订。", True),
        ("他不仅会游泳，还非常会唱歌。", False),
        ("无论是否下雨，活动照常举行，费用不同。", False),
        ("每晚不超过四百元。", False),
        ("有没有发票都可以报销。", False),
        ("无料で使えます。", False),
        ("لا يسمح بالحيوانات الأليفة.", True),
        ("يسمح بالحيوانات الأليفة.", False),
        ("ولم يصل الطلب بعد.", True),
        ("يصرف الدواء بدون وصفة.", True),
        ("الضمان لا يقل عن سنة، ولا سيما للأجهزة.", False),
        ("الدواء الأول مجاني.", False),
    ],
)
def test_whether_a_text_denies(text: str, denies: bool) -> None:
    assert is_negated(text) is denies


def test_what_stands_behind_a_denial_is_denied_whichever_verb_helps() -> None:
    for text in ("不提供晚餐", "不再提供晚餐", "没有提供晚餐", "不会提供晚餐"):
        assert negated(text) == form_set("提供")
    assert form_set("晚餐") <= negated("不提供晚餐", reach=3)
    assert negated("食堂提供晚餐") == frozenset()
    assert negated("لا يشمل الضمان الإطارات") == form_set("يشمل")
