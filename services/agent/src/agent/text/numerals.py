"""Numbers in words of Chinese and Arabic, written in digits: "十五天" as "15天", "خمسة وعشرون" as "25".

In Chinese only before what is counted: characters of numbers are in many other words, as in 一般, 十分 and 四川.
"""

from __future__ import annotations

import re
from decimal import Decimal

_ONES = {name: value for value, names in enumerate(("零〇", *"一", "二两兩", *"三四五六七八九")) for name in names}
_PLACES = {"十": 10, "百": 100, "千": 1_000}
_MYRIADS = {"万": 10_000, "萬": 10_000, "亿": 100_000_000, "億": 100_000_000}
_NUMERAL = f"[{''.join((*_ONES, *_PLACES, *_MYRIADS))}]{{1,24}}"
_MEASURE = (
    "(?:多|余|餘|几|幾)?(?:年|月|周|週|星期|礼拜|天|日|小时|小時|分钟|分鐘|秒|元|块|美元|欧元|歐元|英镑|日元|人|名|位|次|遍|倍|岁|歲|米|公里|厘米|毫米|克"
    "|公斤|千克|斤|吨|噸|升|毫升|度|页|頁|层|層|楼|樓|章|条|條|款|项|項|件|份|张|張|台|本|辆|輛|间|間|家|所|套|瓶|杯|箱|包|封|级|級|成|折|种|種|个|個"
    "|号|號|世纪|世紀|点|點|架|艘|座|支|只|隻|届|屆)"
)
_COUNTED = re.compile(f"{_NUMERAL}(?={_MEASURE})")
_VAGUE_ONE = re.compile("一[个個种種些点點次位名家所座件份项項条條张張本台间間套级級成支只隻人号度块章包]")
""" "A" rather than "one"."""
_FRACTION = re.compile(f"({_NUMERAL})分之({_NUMERAL}|[0-9]+(?:\\.[0-9]+)?)")
_TIMES = re.compile("(?<![\\d.,])(\\d{1,9}(?:\\.\\d{1,4})?)(万|萬|亿|億)")
_WIDE = str.maketrans("０１２３４５６７８９％٫٬٪", "0123456789%.,%")
_HAN = re.compile("[\u3400-\u9fff]")
_ARABIC_LETTER = re.compile("[\u0620-\u064a]")

_ARABIC_ONES = {
    name: value
    for value, names in enumerate(
        (
            "واحد واحدة أحد احد إحدى",
            "اثنا اثنتا اثني اثنتي اثنان اثنين اثنتان اثنتين إثنان إثنين",
            "ثلاثة ثلاث",
            "أربعة أربع اربعة اربع",
            "خمسة خمس",
            "ستة ست",
            "سبعة سبع",
            "ثمانية ثماني ثمان",
            "تسعة تسع",
        ),
        start=1,
    )
    for name in names.split()
}
_STEMS = ("ثلاث", "أربع", "خمس", "ست", "سبع", "ثمان", "تسع")
"""Of three to nine, as tens and hundreds are made of them."""
_ARABIC_TENS = {
    f"{name}{ending}": value * 10 for value, name in enumerate(("عشر", *_STEMS), start=2) for ending in ("ون", "ين")
}
_ARABIC_ALONE = (
    {name: value for name, value in _ARABIC_ONES.items() if name not in ("أحد", "احد", "إحدى")}
    | _ARABIC_TENS
    | {"عشرة": 10, "عشر": 10, "مئة": 100, "مائة": 100, "مئتان": 200, "مئتين": 200, "مائتان": 200, "مائتين": 200}
    | {"ألف": 1_000, "ألفان": 2_000, "ألفين": 2_000}
    | {f"{name}{hundred}": value * 100 for value, name in enumerate(_STEMS, start=3) for hundred in ("مئة", "مائة")}
)
_PAIRS = {
    "يوم": "يومان يومين", "أسبوع": "أسبوعان أسبوعين", "شهر": "شهران شهرين", "سنة": "سنتان سنتين", "عام": "عامان عامين",
    "ساعة": "ساعتان ساعتين", "دقيقة": "دقيقتان دقيقتين", "مرة": "مرتان مرتين", "دينار": "ديناران دينارين",
    "ريال": "ريالان ريالين", "درهم": "درهمان درهمين", "دولار": "دولاران دولارين", "متر": "متران مترين",
}  # fmt: skip
_OF_TWO = {two: one for one, both in _PAIRS.items() for two in both.split()}
_JOINT = r"\b[وبلف]?"


def _any(words: dict[str, int] | dict[str, str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_TEEN = re.compile(rf"{_JOINT}(?:ال)?({_any(_ARABIC_ONES)}) (?:عشرة|عشر)\b")
_ONES_AND_TENS = re.compile(rf"{_JOINT}(?:ال)?({_any(_ARABIC_ONES)}) و(?:ال)?({_any(_ARABIC_TENS)})\b")
_ALONE = re.compile(rf"(?!\bلست\b){_JOINT}({_any(_ARABIC_ALONE)})\b")
_TWO = re.compile(rf"{_JOINT}({_any(_OF_TWO)})\b")


def with_digits(text: str) -> str:
    """A text whose numbers in Chinese or Arabic words are in digits."""
    text = text.translate(_WIDE)
    if _HAN.search(text):
        text = _TIMES.sub(lambda found: str(int(Decimal(found[1]) * _MYRIADS[found[2]])), text)
        text = _COUNTED.sub(_counted, _FRACTION.sub(_fraction, text))
    if _ARABIC_LETTER.search(text):
        text = _TEEN.sub(lambda found: str(10 + _ARABIC_ONES[found[1]]), text)
        text = _ONES_AND_TENS.sub(lambda found: str(_ARABIC_ONES[found[1]] + _ARABIC_TENS[found[2]]), text)
        text = _TWO.sub(lambda found: f"2 {_OF_TWO[found[1]]}", text)
        text = _ALONE.sub(lambda found: str(_ARABIC_ALONE[found[1]]), text)
    return text


def _fraction(found: re.Match[str]) -> str:
    """ "百分之五十" as "50%", "三分之二" as "2/3"."""
    below, above = found.groups()
    share = above if above[0].isdecimal() else str(_number(above) or above)
    return f"{share}%" if below == "百" else f"{share}/{_number(below) or below}"


def _counted(found: re.Match[str]) -> str:
    if _VAGUE_ONE.match(found.string, found.start()):
        return found[0]
    value = _number(found[0])
    return found[0] if value is None else str(value)


def _number(numeral: str) -> int | None:
    """A numeral's value; digit by digit where it names no places, as in 二〇一五; None for "three or four"."""
    if all(one in _ONES for one in numeral):
        spelled = "".join(str(_ONES[one]) for one in numeral)
        return int(spelled) if len(numeral) != 2 else None
    total = section = number = 0
    for one in numeral:
        if one in _ONES:
            number = _ONES[one]
        elif one in _PLACES:
            section, number = section + (number or 1) * _PLACES[one], 0
        else:
            total, section, number = (total + section + number or 1) * _MYRIADS[one], 0, 0
    return total + section + number
