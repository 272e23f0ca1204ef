"""What a text denies: by small words where blanks part them, by characters within a run of Chinese."""

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
_CONTRACTED = re.compile(r"n['’]t\b", re.IGNORECASE)
_KANA = re.compile("[\u3040-\u30ff]")


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
    """The words of a text in order, None for one that denies."""
    for token in TOKEN.findall(_DENIES_NOTHING.sub(" ", _CONTRACTED.sub(" not", text))):
        if is_piece(token) and not _KANA.search(token):
            for at, part in enumerate(_HAN_DENIAL.split(token)):
                if at:
                    yield None
                yield from pieces(part) if part else ()
        else:
            yield None if folded(token.lower()) in DENIALS else token
