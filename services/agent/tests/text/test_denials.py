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
        ("食堂は夕食を提供しません。", True),
        ("食堂は夕食を提供します。", False),
        ("ペットの同伴は禁止です。", True),
        ("予約なしで利用できます。", True),
        ("予約せずに入れます。", True),
        ("予約は不要です。", True),
        ("非会員は二日前から予約できる。", True),
        ("月曜日以外は開館します。", True),
        ("税は含まれていない。", True),
        ("ここで撮影してはいけません。", True),
        ("会員しか利用できません。", False),
        ("十二歳未満は無料で、案内がある。", False),
        ("早めに申し込まなければなりません。", False),
        ("写真を撮っても構いません。", False),
        ("料金は四百円を超えません。", False),
        ("子どもだけでなく大人も参加でき、少なくとも三日かかる。", False),
        ("遅れるかもしれませんが、必ず申し込む。", False),
        ("식당은 저녁을 제공하지 않습니다.", True),
        ("식당은 저녁을 제공합니다.", False),
        ("주차장이 없습니다.", True),
        ("반려동물 출입금지입니다.", True),
        ("사진을 찍으면 안 됩니다.", True),
        ("음식을 가져오지 마십시오.", True),
        ("예약 없이 이용할 수 있습니다.", True),
        ("그는 술을 안 마신다.", True),
        ("회원이 아닌 사람은 이용하지 못합니다.", True),
        ("회원만 이용할 수밖에 없습니다.", False),
        ("어린이뿐만 아니라 어른도 참가할 수 있습니다.", False),
        ("안내 책자가 있고 안전 교육은 불가피합니다.", False),
        ("요금은 만 원을 넘지 않습니다.", False),
        ("신청하지 않으면 안 됩니다.", False),
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


def test_in_japanese_and_korean_what_stands_before_a_denial_is_denied() -> None:
    for text in ("夕食は提供しません", "夕食の提供はありません", "夕食を提供することはできない"):
        assert negated(text) == form_set("提供")
    for text in (
        "저녁을 제공하지 않습니다",
        "저녁은 제공할 수 없습니다",
        "저녁 제공은 불가합니다",
        "저녁을 제공하면 안 됩니다",
    ):
        assert negated(text) == form_set("제공")
    assert form_set("夕食") <= negated("夕食を提供しません", reach=3)
    assert form_set("저녁") <= negated("저녁을 제공하지 않습니다", reach=3)
    assert form_set("会員") <= negated("非会員は参加できる")
    assert negated("夕食を提供します") == negated("저녁을 제공합니다") == frozenset()
