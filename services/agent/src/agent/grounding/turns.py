"""Words that turn a statement round: a source that says "after" supports nobody who says "before"."""

from __future__ import annotations

import re

_SPACED: tuple[tuple[str, str], ...] = (
    ("at least|minimum|no (?:less|fewer) than", "at most|maximum|up to|no more than"),
    ("more than|over|above|exceed(?:s|ing)?", "less than|fewer than|under|below"),
    ("before|prior to|earlier than", "after|following|later than"),
    ("must|ha(?:s|ve) to|required?|mandatory|obligatory|compulsory", "may|might|can|could|optional|voluntary"),
    ("all|every|each|always|any", "some|most|many|few|sometimes|usually|often|mostly|rarely"),
    ("increas(?:e|es|ed|ing)|ros?e|rises?|grew|grows?", "decreas(?:e|es|ed|ing)|f[ae]lls?|drop(?:s|ped)?|shr[aiu]nk"),
    ("includ(?:e|es|ed|ing)", "exclud(?:e|es|ed|ing)"),
    ("allow(?:s|ed)?|permit(?:s|ted)?", "forbid(?:s|den)?|prohibit(?:s|ed)?|ban(?:s|ned)?|refus(?:e|es|ed)"),
    ("accept(?:s|ed)?|approv(?:e|es|ed)", "reject(?:s|ed)?|declin(?:e|es|ed)|den(?:y|ies|ied)"),
    ("open(?:s|ed)?", "clos(?:e|es|ed)"),
    ("start(?:s|ed)?|begin(?:s)?|began", "end(?:s|ed)?|finish(?:es|ed)?|stop(?:s|ped)?|expir(?:e|es|ed)"),
    ("first|earliest", "last|latest"),
    ("highest|largest|biggest|longest|maximum", "lowest|smallest|shortest|minimum"),
    ("with", "without"),
    ("win|wins|won", "lose|loses|lost"),
    ("buy|buys|bought", "sell|sells|sold"),
    ("inside|indoors?", "outside|outdoors?"),
    ("true|correct|right", "false|incorrect|wrong"),
    ("mindestens|wenigstens|mehr als", "höchstens|maximal|weniger als"),
    ("müssen|muss|verpflichtend", "dürfen|darf|können|kann|freiwillig"),
    ("erlaubt|gestattet|zulässig", "verboten|untersagt|unzulässig"),
    ("öffnet|geöffnet", "schließt|geschlossen"),
    ("vorher|davor", "nachher|danach"),
    ("steigt|stieg|gestiegen|erhöht", "sinkt|sank|gesunken|gesenkt"),
    ("au moins", "au plus|au maximum"),
    ("avant", "après"),
    ("autorisée?s?|permise?s?", "interdite?s?"),
    ("al menos|como mínimo", "como máximo|a lo sumo"),
    ("antes", "después"),
    ("permitid[oa]s?", "prohibid[oa]s?"),
    (
        "على الأقل|كحد أدنى|لا [يت]قل عن|أكثر من",
        "على الأكثر|كحد أقصى|لا [يت]زيد عن|لا [يت]تجاوز|أقل من",
    ),
    ("قبل", "بعد"),
    ("يجب|إلزامية?", "يجوز|يمكن|اختيارية?"),
    ("مسموح|يسمح|تسمح|يجوز", "ممنوعة?|محظورة?|[يت]منع|[يت]حظر"),
    ("[يت]فتح|مفتوحة?", "[يت]غلق|مغلقة?"),
    ("[يت]زيد|[يت]رتفع|ارتفعت?|زادت?", "[يت]نقص|[يت]نخفض|انخفضت?|نقصت?"),
)
_UNSPACED: tuple[tuple[str, str], ...] = (
    (
        "至少|最少|不少于|不低于|以上|(?<!不)(?:超过|高于|多于)",
        "至多|最多|不多于|不超过|不高于|以下|以内|(?<!不)(?:低于|少于)|不到|不足",
    ),
    ("以前|之前", "以后|之后"),
    ("必须|必須|应当", "可以|自愿|随意"),
    ("允许|允許|准许", "禁止|严禁|嚴禁|不准|不得"),
    ("增加|增长|上升|提高|上涨", "减少|下降|降低|下跌"),
    ("(?<!不)(?:包括|包含)", "不包括|不包含|除外"),
    ("开放|营业|开门|打开", "关闭|停业|关门|关掉"),
    ("开始", "结束"),
    ("最高|最大|最长", "最低|最小|最短"),
    ("免费|免費", "收费|收費|付费|付費"),
    ("首次|第一", "最后"),
)
_TURNING = tuple(
    (re.compile(frame.format(one), re.IGNORECASE), re.compile(frame.format(other), re.IGNORECASE))
    for frame, pairs in ((r"\b(?:{})\b", _SPACED), ("(?:{})", _UNSPACED))
    for pair in pairs
    for one, other in (pair, pair[::-1])
)


def is_turned(sentence: str, evidence: str) -> bool:
    """Whether the evidence has the opposite of a word of the sentence, and not the word."""
    return any(one.search(sentence) and other.search(evidence) and not one.search(evidence) for one, other in _TURNING)
