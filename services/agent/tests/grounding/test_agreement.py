"""Facts must agree: a number, unit, date, time, name, code, denial or turn of a sentence is in its span, or it is not
supported."""

from __future__ import annotations

import pytest

from agent.grounding.agreement import agrees, differs
from agent.grounding.support import find_support
from agent.relevance.passages import passages
from agent.testing.scripted_answers import bag_of_stems, hit

TITLE = "House rules"


@pytest.mark.parametrize(
    ("sentence", "evidence"),
    [
        ("It asks for 28-day notice.", "The notice period is 27 days."),
        ("It opens at 9:00.", "It opens at 10:00."),
        ("The WS3-K has a battery.", "The WS3-H has a battery."),
        ("It lasts 5 hours.", "It lasts 5 minutes."),
        ("It cost $10.4 billion.", "It cost $10.4 million."),
        ("It cost 5 percent.", "It cost EUR 5."),
        ("It weighs 5kg.", "It weighs 5 g."),
        ("Sales rose by 3,5.", "Sales rose by 4,5."),
        ("Version 1.2.3 is out.", "Version 1.2.4 is out."),
        ("The deadline is 30 June.", "It runs from 1 June to 30 July."),
        ("The date was 2024-06-30.", "The date was 2025-06-30."),
        ("Peter approves absences.", "Marta approves longer absences."),
        ("John Smith came.", "John Brown and Peter Smith came."),
        ("Employees get at most 5 days.", "Employees get at least 5 days."),
        ("Employees must book early.", "Employees may book early."),
        ("Bring it before noon.", "Bring it after noon."),
        ("All employees are covered.", "Some employees are covered."),
        ("Admission is free for members.", "Admission is not free for members."),
        ("Admission isn't free for members.", "Admission is free for members."),
        ("Children pay 10 euros.", "Adults pay 10 euros and children 5 euros."),
        ("Bob manages sales.", "Alice manages sales and Bob manages support."),
    ],
)
def test_a_sentence_whose_facts_differ_is_not_supported(sentence: str, evidence: str) -> None:
    assert not agrees(sentence, evidence, TITLE)
    found = passages([hit(evidence)])
    vectors = [bag_of_stems(passage.text) for passage in found]
    assert find_support(sentence, found, vectors, bag_of_stems(sentence)) is None
    assert find_support(sentence, found, None, None) is None


@pytest.mark.parametrize(
    ("sentence", "evidence"),
    [
        ("A 27-day notice.", "The notice period is 27 days."),
        ("It opens at 09:00.", "It opens at 9:00."),
        ("It lasts 5 minutes.", "It lasts between 5 and 10 minutes."),
        ("The fee is €5.", "The fee is EUR 5."),
        ("It weighs 5kg.", "It weighs 5 kg."),
        ("It took €2 million.", "It took 2 million euros."),
        ("Twenty-five people came.", "25 people came."),
        ("The deadline is June 30.", "The deadline is 30 June 2024."),
        ("The date was 30 June 2024.", "The date was 2024-06-30."),
        ("Adults pay 10 euros.", "Adults pay 10 euros and children 5 euros."),
        ("Alice manages sales.", "Alice manages sales and Bob manages support."),
        ("The U.S. has 50 states.", "The United States has 50 states."),
        (
            "The Normans gave their name to Normandy.",
            "The Normans (French: Normands) are the people who in the 11th century gave their name to Normandy.",
        ),
    ],
)
def test_the_same_facts_in_another_spelling_agree(sentence: str, evidence: str) -> None:
    assert agrees(sentence, evidence, TITLE)


@pytest.mark.parametrize(
    ("one", "other", "different"),
    [
        ("Leave is 27 days a year.", "Leave is 25 days a year.", True),
        ("It was held in Tampa.", "It was held in Glendale.", True),
        ("Dogs are allowed.", "Dogs are not allowed.", True),
        ("Leave is 27 days a year.", "The leave of a year is 27 days.", False),
        ("Leave is 27 days a year.", "Leave is 27 days, 30 from the age of 50.", False),
    ],
)
def test_statements_differ_if_each_has_a_fact_of_its_own(one: str, other: str, different: bool) -> None:
    assert differs(one, other) is different


@pytest.mark.parametrize(
    ("sentence", "evidence"),
    [
        ("食堂提供晚餐。", "食堂不提供晚餐。"),
        ("食堂不提供晚餐。", "食堂提供晚餐。"),
        ("字典可以外借。", "字典不外借。"),
        ("会员只能提前两天预订。", "非会员只能提前两天预订。"),
        ("周末可以施工。", "周末不得施工。"),
        ("借期为三十天。", "借期为二十天。"),
        ("押金一百元。", "押金一百五十元。"),
        ("球馆工作满5年。", "球馆工作满五个月。"),
        ("每位读者至少借六本书。", "每位读者最多借六本书。"),
        ("请在十五日以后缴清。", "请在十五日以前缴清。"),
        ("儿童票价为十元。", "成人票价为十元，儿童票价为五元。"),
        ("三成居民，即百分之三十。", "两成居民，即百分之二十。"),
        ("يسمح بالحيوانات الأليفة.", "لا يسمح بالحيوانات الأليفة."),
        ("لا يشمل الضمان قطع الغيار.", "يشمل الضمان قطع الغيار."),
        ("تصرف المضادات بوصفة طبية.", "لا تصرف المضادات بدون وصفة طبية."),
        ("مدة الإعارة أربعة أسابيع.", "مدة الإعارة ثلاثة أسابيع."),
        ("مدة الإعارة أسبوعان.", "مدة الإعارة شهران."),
        ("يجب الإبلاغ بعد الساعة الثامنة.", "يجب الإبلاغ قبل الساعة الثامنة."),
        ("الورشة مفتوحة يوم الجمعة.", "الورشة مغلقة يوم الجمعة."),
        ("食堂は夕食を提供します。", "食堂は夕食を提供しません。"),
        ("会員は利用できません。", "会員しか利用できません。"),
        ("借りられるのは三冊です。", "借りられるのは五冊です。"),
        ("期限は三か月です。", "期限は三月です。"),
        ("受付は五時間です。", "受付は五時です。"),
        ("试用期为3个月。", "试用期到2024年3月。"),
        ("展览持续3个月。", "展览于3月5日举行。"),
        ("展览持续3个月。", "展览于3月底举行。"),
        ("试用期为3月。", "试用期为3天。"),
        ("料金は三千円以上です。", "料金は三千円以下です。"),
        ("営業は9時までです。", "営業は9時からです。"),
        ("登録は任意です。", "登録しなければなりません。"),
        ("月曜日は開館します。", "月曜日は休館します。"),
        ("식당은 저녁을 제공합니다.", "식당은 저녁을 제공하지 않습니다."),
        ("회원은 이용할 수 없습니다.", "회원은 이용할 수 있습니다."),
        ("대출 기간은 삼 주입니다.", "대출 기간은 사 주입니다."),
        ("기간은 세 시간입니다.", "기간은 세 달입니다."),
        ("마감은 3월입니다.", "마감은 3개월입니다."),
        ("요금은 만 원 이상입니다.", "요금은 만 원 이하입니다."),
        ("신청은 9시까지입니다.", "신청은 9시부터입니다."),
        ("월요일은 휴관입니다.", "월요일은 개관합니다."),
        ("입장은 유료입니다.", "입장은 무료입니다."),
        ("성인은 오천 원입니다.", "성인은 만 원, 어린이는 오천 원입니다."),
        ("Der Kurs hat drei Plätze.", "Der Kurs hat zwei Plätze."),
        ("Der Kurs hat zwölf Plätze.", "Der Kurs hat vierzehn Plätze."),
        ("Die Frist beträgt drei Wochen.", "Die Frist beträgt drei Tage."),
        ("Jedes Mitglied leistet höchstens acht Stunden.", "Jedes Mitglied leistet mindestens acht Stunden."),
        ("Ein Elektrogrill ist verboten.", "Ein Elektrogrill ist erlaubt."),
        ("El curso tiene doce plazas.", "El curso tiene catorce plazas."),
    ],
)
def test_the_opposite_is_not_supported_in_other_languages(sentence: str, evidence: str) -> None:
    assert not agrees(sentence, evidence, TITLE)


@pytest.mark.parametrize(
    ("sentence", "evidence"),
    [
        ("食堂不提供晚餐。", "社区食堂每天不提供晚餐。"),
        ("不能取消预订。", "不可以取消预订。"),
        ("年假十五天。", "年假为15天。"),
        ("住宿每晚最多400元。", "住宿每晚不超过四百元。"),
        ("会员可以提前七天预订。", "会员可以提前七天预订，费用不同。"),
        ("لا يشمل الضمان الإطارات.", "الضمان لا يشمل الإطارات."),
        ("مدة الإعارة 3 أسابيع.", "مدة الإعارة ثلاثة أسابيع."),
        ("الغرامة ديناران.", "الغرامة 2 دينار."),
        ("الرسوم ٢٥ ريالا.", "الرسوم خمسة وعشرون ريالا."),
        ("夕食は提供されません。", "食堂では夕食は提供しません。"),
        ("期限は15日以内です。", "期限は十五日以内です。"),
        ("料金は3000円です。", "料金は三千円です。"),
        ("料金は1万5000円です。", "料金は15,000円です。"),
        ("料金は400円以下です。", "料金は四百円を超えません。"),
        ("저녁은 제공하지 않습니다.", "식당은 저녁을 제공하지 않습니다."),
        ("기간은 15일입니다.", "기간은 십오 일입니다."),
        ("요금은 3만 5천 원입니다.", "요금은 35,000원입니다."),
        ("두 시간 걸립니다.", "2시간 걸립니다."),
        ("요금은 만 원 이하입니다.", "요금은 만 원을 넘지 않습니다."),
        ("만일 회사가 파산하면 계약은 끝납니다.", "만약 회사가 파산하면 계약은 끝납니다."),
        ("주문은 취소할 수 있습니다.", "이 주문은 취소할 수 있습니다."),
        ("이 주차장은 무료입니다.", "주차장은 무료입니다."),
        ("试用期为3个月。", "试用期为3月。"),
        ("试用期为三个月。", "试用期为三月。"),
        ("试用期为3月。", "试用期为3个月。"),
        ("The trial is 3 months.", "试用期为3月。"),
        ("展览于3月举行。", "展览于2024年3月举行。"),
        ("Der Kurs hat 14 Plätze.", "Der Kurs hat vierzehn Plätze."),
        ("Die Frist beträgt 3 Wochen.", "Die Frist beträgt drei Wochen."),
    ],
)
def test_the_same_in_other_words_agrees_in_other_languages(sentence: str, evidence: str) -> None:
    assert agrees(sentence, evidence, TITLE)
