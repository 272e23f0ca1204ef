"""Numbers in words of Chinese, Japanese, Korean and Arabic in digits: "十五天" as "15天", "خمسة وعشرون" as "25".

In all but Arabic only before what is counted: characters of numbers are in many other words, as in 一般, 十分, 사회.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

_ONES = {name: value for value, names in enumerate(("零〇", *"一", "二两兩", *"三四五六七八九")) for name in names}
_PLACES = {"十": 10, "百": 100, "千": 1_000}
_MYRIADS = {"万": 10_000, "萬": 10_000, "亿": 100_000_000, "億": 100_000_000}
_SPELLED = _PLACES | _MYRIADS | {"천": 1_000, "백": 100, "만": 10_000, "억": 100_000_000}
_CHARACTERS = "".join((*_ONES, *_PLACES, *_MYRIADS))
_NUMERAL = f"[{_CHARACTERS}]{{1,24}}"
_MEASURE = (
    "(?:多|余|餘|几|幾)?(?:年|月|周|週|星期|礼拜|天|日|小时|小時|分钟|分鐘|秒|元|块|美元|欧元|歐元|英镑|日元|人|名|位|次|遍|倍|岁|歲|米|公里|厘米|毫米|克"
    "|公斤|千克|斤|吨|噸|升|毫升|度|页|頁|层|層|楼|樓|章|条|條|款|项|項|件|份|张|張|台|本|辆|輛|间|間|家|所|套|瓶|杯|箱|包|封|级|級|成|折|种|種|个|個"
    "|号|號|世纪|世紀|点|點|架|艘|座|支|只|隻|届|屆"
    "|[かカヶヵ箇]月|円|時(?!的|々)|割(?![るりっれ])|分(?=間|以内|以上|前|後|まで|から)|回|冊|枚|匹|頭|杯|歳|才|段|階|番|棟|室|席|組|泊|つ|ドル|ユーロ|ポンド|メートル"
    "|センチ|ミリ|キロ|グラム|トン|リットル|パーセント|ポイント|ページ)"
)
_BEGINS = f"(?<![0-9{_CHARACTERS}])"
_SOME = "(?:(?<![几幾数數何好上成])|(?![十百千万萬亿億]))"
"""Not "some hundred", as in 数百人."""
_SAME = f"(?:(?<![同统統唯专專单單另某任每这這那哪])|(?!一(?![{_CHARACTERS}])))"
"""Not "the same one", as in 同一天."""
_COUNTED = re.compile(f"{_BEGINS}{_SOME}{_SAME}(?!万一|萬一|百度){_NUMERAL}(?={_MEASURE})")
_VAGUE_ONE = re.compile(
    "一[个個种種些点點次位名家所座件份项項条條张張本台间間套级級成支只隻人号度块章包番つ時部段組円席室杯頭]"
    "|一回(?=[事头頭来來到家去国國答])"
)
""" "A" rather than "one"."""
_FRACTION = re.compile(f"{_BEGINS}{_SOME}({_NUMERAL})分之({_NUMERAL}|[0-9]+(?:\\.[0-9]+)?)")
_SHARE = re.compile(f"({_NUMERAL}|\\d{{1,4}})分の({_NUMERAL}|\\d{{1,4}})")
_TENTHS = re.compile(r"(?<![\d.,])(\d{1,2})割(?![るりっれ])")
_TIMES = re.compile(
    r"(?<![\d.,])((?:(?:\d{1,3}(?:,\d{3})+|\d{1,9}(?:\.\d{1,4})?)"
    r"(?:[십백천十百千]?[万萬亿億만억]|[千천](?![克米瓦卡])|백) ?)+)"
    r"(\d,?\d{3}(?![\d.,])|(?<! )\d{1,3}(?![\d.,]))?"
)
_TIMED = re.compile(r"([\d.,]+)(\D+)")
_WIDE = str.maketrans("０１２３４５６７８９％٫٬٪", "0123456789%.,%")
_HAN = re.compile("[\u3400-\u9fff]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
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


_KOREAN_ONES = {name: value for value, name in enumerate("일이삼사오육칠팔구", start=1)}
_KOREAN_TENS = {
    name: value * 10
    for value, name in enumerate(("열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔"), start=1)
} | {"스무": 20}
_KOREAN_FEW = {
    name: value
    for value, names in enumerate(("한", "두", "세|석", "네|넉", "다섯", "여섯", "일곱", "여덟", "아홉"), start=1)
    for name in names.split("|")
}
_OF_TIME = "(?<=[년월일간분초달])(?:간|전|후|뒤|내|치)|(?<=주)(?:일(?:간)?|간)"
_AFTER_COUNTER = (
    f"(?:{_OF_TIME}|이|가|은|는|을|를|의|에|에서|에게|와|과|도|만|로|으로|부터|까지|마다|씩|당|째|나|이나|보다|정도|가량|쯤|동안|이내|이상"
    "|이하|미만|초과|짜리|밖에|뿐|입니다|이다|이며|이고|이라|이면|이었다|이었습니다|였다|였습니다|이에요|예요){0,3}(?![가-힣])"
)
"""Particles and the end of a word: what goes on otherwise is another word, as 주문, 개인 and 회사 are."""
_NO_COUNTER = "(?!시[도가]|분[만과]|장로|대[만가로]|주[도가로의]|회[의로]|원가|도로|인가|호가)"
"""Words that look like a counter with its particle, such as 대만 and 회의."""
_NO_KOREAN_NUMERAL = "(?!만일(?![십백천]) ?|세[대배주분]|열[대병권]|한시(?!간)|한 ?배|천사 )"
"""Words that look like a number, or a number with its counter, such as 만일, 세대 and 열대."""
_KOREAN_NATIVE = re.compile(
    f"(?<![가-힣]){_NO_KOREAN_NUMERAL}({'|'.join(_KOREAN_TENS)})?({'|'.join(_KOREAN_FEW)})? ?(?={_NO_COUNTER}"
    f"(?:시간|시|명|분|개월|개|권|번|살|달|장|대|병|잔|마리|그루|가지|차례|주|배|곳|사람|건){_AFTER_COUNTER})"
)
_KOREAN_VAGUE = re.compile("한 ?(?:가지|번|곳|사람|분|명|개(?!월)|건|대|장)")
_KOREAN_SINO = re.compile(
    f"(?<![가-힣]){_NO_KOREAN_NUMERAL}(?:([일이삼사오육칠팔구]?[십백천만억][일이삼사오육칠팔구십백천만억]{{1,12}}"
    f"|[이삼사오육칠팔구][십백천만억]) ?(?={_NO_COUNTER}"
    "(?:년도|년|개월|월|일|주|시간|분|초|원|명|인|세|퍼센트|프로|회|권|장|대|층|미터|킬로|그램|리터|배|달러|유로|%|호|번|점|도|박|개)"
    f"{_AFTER_COUNTER})"
    f"|([십백천만]) ?(?={_NO_COUNTER}(?:원|명){_AFTER_COUNTER})"
    f"|([일이삼사오육칠팔구십]) ?(?=(?!년도)(?:년|개월|퍼센트){_AFTER_COUNTER})"
    f"|([삼육칠팔십]|오(?= )) ?(?={_NO_COUNTER}주{_AFTER_COUNTER})"
    f"|([일이삼사오육칠팔구])(?=주(?:일|간){_AFTER_COUNTER}))"
)


def with_digits(text: str) -> str:
    """A text whose numbers in Chinese, Japanese, Korean or Arabic words are in digits."""
    text = text.translate(_WIDE)
    han, hangul = _HAN.search(text), _HANGUL.search(text)
    if han or hangul:
        text = _TIMES.sub(_multiplied, text)
    if han:
        text = _SHARE.sub(_share, text)
        text = _COUNTED.sub(_counted, _FRACTION.sub(_fraction, text))
        text = _TENTHS.sub(lambda found: f"{10 * int(found[1])}%", text)
    if hangul:
        text = _KOREAN_SINO.sub(_sino, _KOREAN_NATIVE.sub(_native, text))
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


def _share(found: re.Match[str]) -> str:
    """ "三分の二" as "2/3"."""
    below, above = (each if each.isdecimal() else str(_number(each) or each) for each in found.groups())
    return f"{above}/{below}"


def _multiplied(found: re.Match[str]) -> str:
    """ "1万5千" and "1만 5천" as 15000, "3억" as 300000000."""
    total = Decimal((found[2] or "0").replace(",", ""))
    for number, places in _TIMED.findall(found[1]):
        total += Decimal(number.replace(",", "")) * math.prod(_SPELLED[place] for place in places.strip())
    blank = " " if found[2] is None and found[1].endswith(" ") else ""
    return f"{int(total)}{blank}"


def _native(found: re.Match[str]) -> str:
    tens, few = found.groups()
    if not (tens or few) or (not tens and _KOREAN_VAGUE.match(found.string, found.start())):
        return found[0]
    return str(_KOREAN_TENS.get(tens, 0) + _KOREAN_FEW.get(few, 0))


def _sino(found: re.Match[str]) -> str:
    numeral = next(filter(None, found.groups()))
    return str(_value(numeral, _KOREAN_ONES, {"십": 10, "백": 100, "천": 1_000}, {"만": 10_000, "억": 100_000_000}))


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
    return _value(numeral, _ONES, _PLACES, _MYRIADS)


def _value(numeral: str, ones: dict[str, int], places: dict[str, int], myriads: dict[str, int]) -> int:
    total = section = number = 0
    for one in numeral:
        if one in ones:
            number = ones[one]
        elif one in places:
            section, number = section + (number or 1) * places[one], 0
        else:
            total, section, number = (total + section + number or 1) * myriads[one], 0, 0
    return total + section + number
