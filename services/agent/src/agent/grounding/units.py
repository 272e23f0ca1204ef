"""Units of numbers in one spelling, and the kind of each: what is told in metres can't be told in hours."""

from __future__ import annotations

from collections.abc import Sequence

from agent.text.scripts import folded, is_piece
from agent.text.words import stem

KINDS: dict[str, str] = {
    unit: kind
    for kind, units in {
        "money": "$ € £ ¥ ₩ usd eur gbp chf jpy krw dollar euro pound cent franc yen won penni yuan dinar riyal dirham",
        "share": "% percent percentag",
        "scale": "hundr thousand million billion trillion dozen",
        "time": "second minut hour day week fortnight month quarter year decad centuri night",
        "length": "mm cm m km millimet centimet metr meter kilomet kilometr inch foot feet yard mile",
        "weight": "mg g kg gram kilogram ton tonn lb ounc",
        "volume": "ml l liter litr gallon",
        "power": "w kw mw watt kilowatt v volt mv a amp ma mah ah",
        "data": "kb mb gb tb byte kilobyt megabyt gigabyt terabyt",
        "heat": "celsius fahrenheit",
        "date": "月",
        "clock": "時",
    }.items()
    for unit in units.split()
}
"""The kind of each unit, by its symbol or its English stem."""
_SAME = {"$": "dollar", "usd": "dollar", "€": "euro", "eur": "euro", "£": "pound", "gbp": "pound", "¥": "yen"}
_SAME |= {"₩": "won", "krw": "won"}
_SAME |= {"jpy": "yen", "%": "percent", "percentag": "percent", "feet": "foot", "meter": "metr", "liter": "litr"}
_SAME |= {"kg": "kilogram", "g": "gram", "km": "kilometr", "kilomet": "kilometr", "m": "metr", "l": "litr"}
_SAME |= {"millimet": "mm", "centimet": "cm", "w": "watt", "kw": "kilowatt", "v": "volt", "tonn": "ton"}
_WORDS: dict[str, str] = {
    word: unit
    for unit, words in {
        "second": "sekunde sekunden seconde secondes segundo segundos ثانية ثوان ثواني",
        "minut": "minuten minuto minutos دقيقة دقائق",
        "hour": "stunde stunden heure heures hora horas ساعة ساعات",
        "day": "tag tage tagen jour jours día días يوم يوما أيام ايام",
        "week": "woche wochen semaine semaines semana semanas أسبوع أسبوعا أسابيع",
        "month": "monat monate monaten mois mes meses شهر شهرا أشهر شهور",
        "year": "jahr jahre jahren année années año años سنة سنوات عام عاما أعوام",
        "percent": "prozent بالمئة بالمائة مئوية",
        "dollar": "دولار دولارا دولارات",
        "euro": "يورو",
        "dinar": "دينار دينارا دنانير",
        "riyal": "ريال ريالا ريالات",
        "dirham": "درهم درهما دراهم",
        "metr": "متر مترا أمتار",
        "kilometr": "كيلومتر كيلومترا كيلومترات",
        "gram": "غرام جرام",
        "kilogram": "كيلوغرام كيلوجرام",
        "litr": "لتر لترا لترات",
    }.items()
    for word in words.split()
}
"""Of other languages that write a blank before a unit, by the word as it stands."""
_HAN: dict[str, str] = {
    "秒": "second", "分钟": "minut", "分鐘": "minut", "小时": "hour", "小時": "hour",
    "个小时": "hour", "個小時": "hour",
    "天": "day", "日": "day", "周": "week", "週": "week", "星期": "week", "个星期": "week", "礼拜": "week",
    "月": "月", "个月": "month", "個月": "month", "年": "year", "世纪": "centuri", "世紀": "centuri",
    "日元": "yen", "元": "yuan", "块": "yuan", "美元": "dollar", "欧元": "euro", "歐元": "euro", "英镑": "pound",
    "毫米": "mm", "厘米": "cm", "米": "metr", "公里": "kilometr", "千米": "kilometr",
    "点": "時", "點": "時", "時": "時", "时": "時",
    "克": "gram", "公斤": "kilogram", "千克": "kilogram", "吨": "ton", "噸": "ton", "毫升": "ml", "升": "litr",
    "分": "minut", "時間": "hour", "か月": "month", "カ月": "month", "ヶ月": "month", "ヵ月": "month", "箇月": "month",
    "円": "yen", "ドル": "dollar", "ユーロ": "euro", "ポンド": "pound", "ウォン": "won", "パーセント": "percent",
    "ミリ": "mm", "センチ": "cm", "メートル": "metr", "キロメートル": "kilometr", "グラム": "gram",
    "キログラム": "kilogram", "トン": "ton", "リットル": "litr", "ミリリットル": "ml",
    "초": "second", "분": "minut", "시간": "hour", "시": "時", "일": "day", "주": "week",
    "달": "month", "개월": "month", "월": "月", "년": "year", "세기": "centuri", "원": "won", "달러": "dollar",
    "유로": "euro", "엔": "yen", "파운드": "pound", "위안": "yuan", "퍼센트": "percent", "프로": "percent",
    "밀리미터": "mm", "센티미터": "cm", "미터": "metr", "킬로미터": "kilometr", "그램": "gram",
    "킬로그램": "kilogram", "톤": "ton", "리터": "litr", "밀리리터": "ml",
}  # fmt: skip
"""Of Chinese, Japanese and Korean, which write what follows without a blank: the longest one that it begins with. A
month of the year and an hour of the day are no lengths of time; 月 alone may be one in Chinese (`is_open_month`)."""
_MOST = max(map(len, _HAN))
_OF_A_DATE = "份底初末中上下"
_ORDINAL = frozenset(("st", "nd", "rd", "th", "s"))


def unit_of(word: str) -> str | None:
    """A unit in one spelling, or None; single letters count only as they are written."""
    if is_piece(word):
        return next((_HAN[word[:size]] for size in range(_MOST, 0, -1) if word[:size] in _HAN), None)
    if word in _ORDINAL or (len(word) == 1 and word.isupper() and word not in ("W", "V", "A")):
        return None
    lowered = word.lower()
    known = _WORDS.get(folded(lowered))
    if known is not None:
        return known
    key = lowered if len(word) < 3 else stem(lowered)
    key = _SAME.get(key, key)
    return key if key in KINDS else None


def is_open_month(pieces: Sequence[str], at: int) -> bool:
    """Whether the 月 behind the number at a place of a Chinese text may be a month of the year and a length of time,
    too, as in 试用期为3月; beside a year or a day, or before 份 and the like, it is one of the year."""
    behind = pieces[at + 1] if at + 1 < len(pieces) else ""
    if not behind.startswith("月") or behind[1:2] in tuple(_OF_A_DATE):
        return False
    of_a_year = at > 0 and pieces[at - 1].endswith("年")
    of_a_day = behind == "月" and at + 2 < len(pieces) and pieces[at + 2][:1].isdigit()
    return not of_a_year and not of_a_day
