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
    (
        "少なくとも|以上|最低でも|を?(?:超える|上回る)",
        "多くとも|以下|以内|未満|最大でも|を?超え(?:ない|ません)|を?下回る",
    ),
    ("より?前|以前|前に", "より?後|以後|以降|後に"),
    (r"(?<=[時分日月年])まで", r"(?<=[時分日月年])から"),
    ("なければ(?:なら|なり|いけ)|必須|必ず|義務", "任意|なくても|自由に|て(?:も)?(?:よい|いい|構)"),
    ("許可|認め(?:る|ら)", "禁止|禁じ|不可|認め(?:ない|ません)|お断り"),
    ("増加|増え|増や|上昇|上が", "減少|減り|減っ|減ら|低下|下が"),
    ("開館|営業|開い|開き|開店", "閉館|休館|休業|閉じ|閉ま|閉店|定休"),
    ("開始|始ま|始め", "終了|終わ"),
    ("最長", "最短"),
    ("有料", "無料"),
    ("最初|初回", "最後|最終"),
    ("이상|최소|적어도|초과(?!하지)", "이하|이내|최대|미만|(?:넘지|초과하지) ?(?:않|못)"),
    ("이전|전에|전까지", "이후|후에|후부터"),
    ("(?<=[시분일월년]) ?까지", "(?<=[시분일월년]) ?부터"),
    ("해야|필수|의무|반드시", "선택|임의|자유롭게|해도 ?[됩된돼되]|할 수 있"),
    ("허용|허가", "금지|불허|불가"),
    ("증가|늘어|늘었|상승|올랐|오르", "감소|줄어|줄었|하락|내렸|내리"),
    ("포함(?![되하]지)", "제외|별도|포함[되하]지"),
    ("영업|개관|운영|개장|엽니다|열립니다|열려|열린", "휴무|휴관|휴업|휴장|닫습니다|닫힙니다|닫혀|닫힌|폐관"),
    ("시작|개시", "종료|끝|마감"),
    ("최고|최장", "최저|최단"),
    ("무료", "유료"),
    ("처음|최초|첫", "마지막|최종"),
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
