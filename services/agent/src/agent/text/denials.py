"""What a text denies: by small words where blanks part them, by characters within a run of Chinese, and by the ends of
words in Japanese and Korean, where what is denied stands before."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.text.scripts import folded, is_piece, pieces
from agent.text.words import TOKEN, forms, is_content

_SPACED = """
no not never none neither nor without cannot nothing nobody nowhere excluded excludes except prohibited forbidden
unavailable nicht kein keine keinem keinen keiner keines nie niemals ohne verboten untersagt niet geen zonder pas jamais
aucun aucune nunca jamás ningún ninguna não nenhum nenhuma sem nessun nessuna senza
"""
_ARABIC = "لا لم لن ليس ليست ليسوا لسنا لست غير بدون دون عدم ممنوع ممنوعة محظور محظورة يمنع تمنع يحظر تحظر إلا سوى"
_ARABIC_JOINED = "بلا بغير بعدم لعدم باستثناء"
DENIALS: frozenset[str] = frozenset(
    (
        *_SPACED.split(),
        *_ARABIC_JOINED.split(),
        *(f"{joint}{word}" for joint in ("", "و", "ف") for word in _ARABIC.split()),
    )
)
"""Words that deny; Arabic ones also behind "and"."""
_HAN_DENIAL = re.compile(
    "(?:不|没|沒|未|无|無|非|勿|禁止|严禁|嚴禁|谢绝|謝絕)"
    "(?:可以|可能|可|能够|能夠|能|得|会|會|应该|應該|应|應|准|許|许|允许|允許|再|被|是|有)*"
)
"""With the verbs that only say in which way: "不可以", "不得" and "不能" deny the same."""
_DENIES_NOTHING = re.compile(
    "不[仅僅但只单單光过過同少断斷久管论論锈鏽丹如妨免禁料惜愧由]|不动产|不動產|不列颠|不来梅|不莱梅|不得不|差不多|对不起|對不起|忍不住|了不起"
    "|不(?:超过|超過|少于|少於|低于|低於|多于|多於|高于|高於|晚于|晚於|早于|早於)"
    "|无论|無論|无数|無數|无线|無線|无料|無料|无锡|無錫|无疑|無疑|无人机|無人機|未来|未來|未免|非常|非洲|除非|莫非|是非|非典|没收|沒收|淹没|淹沒|沉没|沉沒|没落"
    "|出没|出沒|埋没|吞没|([一-鿿])不\\1|有没有|有沒有"
    "|\\b[وف]?(?:لا (?:سيما|بد|شك|ريب|يزال|تزال|يزالون|يقل|تقل|يزيد|تزيد|يتجاوز|تتجاوز)|لاسيما|ليس (?:فقط|فحسب))\\b"
)
"""Expressions with such a word that deny nothing, or compare amounts ("不超过", "لا يقل عن"), which are turns."""
_JAPANESE_DENIAL = re.compile(
    "(?P<prefix>非(?!難|行)|未(?!満|成年|明|亡人))"
    "|(?<![少危切汚幼])ない(?!し)|ません|な(?:く(?!な)|かっ|けれ)|せず|(?<=[わらなかさたばまべめえれて])ずに"
    "|禁止|厳禁|不要|不在|不可(?!欠|避|思議)|お断り|(?<=[一-鿿ァ-ヺー])(?:は|も)?なし|無し|以外|を?除[くき]"
)
"""Of a run with kana: how verbs and nouns end that deny what stands before them; `prefix` stands before it."""
_JAPANESE_WORD = re.compile("[一-鿿々ァ-ヺー]{2,}|[一-鿿][ぁ-ゖ]")
_KOREAN_DENIAL = re.compile(
    "^(?:않|없|못[하한할합해했]|아니|아닙|아닌|아닐)|(?<=지)(?:않|못|마[십세시]|말)|(?<=수)없|금지|불가(?!피|리아|사의)|불허|제외"
)
_KOREAN_MUST_NOT = re.compile(r"(?<![가-힣])안 ?(?=[되됩돼된])|(?<=지 )(?:마(?=[십세시])|말(?=[아고]|\s것))")
_KOREAN_BEFORE = frozenset(("안", "못", "비"))
"""Words that deny the verb behind them."""
_SAYS_OTHERWISE = re.compile(
    "(?:かまい|構い|差し支え(?:あり|ござい)|かもしれ|違い(?:あり|ござい)|問題(?:は|あり)*|すぎ|過ぎ)ません|(?:かまわ|構わ|差し支え|かもしれ|違い|問題|すぎ|過ぎ)ない"
    "|(?:なけれ|ね)ば(?:なり|なら|いけ)(?:ない|ません|ず)|な(?:くては|いと)(?:なり|なら|いけ)(?:ない|ません)|なく(?:ても?)?(?:も(?:よい|いい|構))"
    "|(?:だけ|ばかり)(?:で(?:は)?)?なく|のみならず|少なく(?:とも|ない)?|少なから|間?もなく|まもなく|遅滞なく|ませんか"
    "|(?:超え|下回ら|上回ら|(?:下|上)回り)(?:ない|ません|ず)|[行担商伴賄補]ない(?=ま)"
    "|뿐(?:만)? ?아니라|수밖에 ?없|않으면 ?안 ?[되됩돼된]|않을 ?수 ?없|틀림 ?없|상관 ?없|관계 ?없"
    "|끊임없|변함없|다름 ?없|수없이|어쩔 ?수 ?없이|못지 ?않|적지 ?않"
    "|(?:넘지|초과하지|미만이) ?(?:않|아니|못)"
)
"""Of Japanese and Korean: that something must, may or is only so, and amounts, which are turns."""
_ONLY = re.compile("しか|밖에$")
"""With a denial, "only"."""
_CONTRACTED = re.compile(r"n['’]t\b", re.IGNORECASE)
_KANA = re.compile("[\u3040-\u30ff]")
_HANGUL = re.compile("[\uac00-\ud7a3]+")
_REACH_BEFORE = 3


def is_negated(text: str) -> bool:
    """Whether a text denies something."""
    return any(word is None for word in _said(text))


def negated(text: str, reach: int = 1) -> frozenset[str]:
    """The forms of the first `reach` content words after each denial of a text: what it denies."""
    found: set[str] = set()
    left = 0
    for word in _said(text):
        if word is None:
            left = reach
        elif left and is_content(word):
            found |= forms(word)
            left -= 1
    return frozenset(found)


def _said(text: str) -> Iterator[str | None]:
    """The words of a text in order, None for one that denies; where what is denied stands before, it comes again."""
    text = _DENIES_NOTHING.sub(" ", _CONTRACTED.sub(" not", text))
    text = _KOREAN_MUST_NOT.sub("않", _SAYS_OTHERWISE.sub(" ", text))
    before: list[str] = []
    for token in TOKEN.findall(text):
        if not is_piece(token):
            yield None if folded(token.lower()) in DENIALS else token
        elif _HANGUL.match(token):
            yield from _korean(token, before)
        elif _KANA.search(token):
            yield from _japanese(token, before)
        else:
            for at, part in enumerate(_HAN_DENIAL.split(token)):
                if at:
                    yield None
                yield from pieces(part) if part else ()
            before.extend(pieces(token))


def _japanese(run: str, before: list[str]) -> Iterator[str | None]:
    at = 0
    for found in _JAPANESE_DENIAL.finditer(run):
        part = run[at : found.start()]
        before.extend(_japanese_words(part))
        yield from _japanese_words(part)
        at = found.end()
        if not _ONLY.search(part):
            yield None
            yield from before[: -_REACH_BEFORE - 1 : -1] if found["prefix"] is None else ()
    before.extend(_japanese_words(run[at:]))
    yield from _japanese_words(run[at:])


def _japanese_words(part: str) -> list[str]:
    """Its pairs of characters that are no endings and particles."""
    return [pair for word in _JAPANESE_WORD.findall(part) for pair in pieces(word)]


def _korean(word: str, before: list[str]) -> Iterator[str | None]:
    """A word stands by its first two syllables: what follows is mostly a particle or an ending."""
    if word in _KOREAN_BEFORE:
        yield None
        return
    found = _KOREAN_DENIAL.search(word)
    stem = word[: found.start()] if found else word
    if len(stem) > 1:
        before.append(stem[:2])
        yield stem[:2]
    if found:
        yield None
        yield from before[: -_REACH_BEFORE - 1 : -1]
