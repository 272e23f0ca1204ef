"""Questions for documents rather than for what one says: which are about a topic, and what one is about as a whole."""

from __future__ import annotations

import re

from agent.questions.kind import DocumentList, Language, Overview, Summary
from agent.questions.question import Question
from agent.text.words import NUMBER_WORDS, is_generic

_DOCS = r"(?:documents?|docs?|files?)"
_ABOUT = (
    r"(?:talks? about|speaks? about|mentions?|(?:is|are) about|covers?|discuss(?:es)?|deals? with|refers? to"
    r"|address(?:es)?|says? (?:something|anything) about|tells? (?:me|us) about"
    r"|(?:has|have|contains?)(?: any| some)? (?:information|something|anything|details?|rules) (?:on|about|for)"
    r"|(?:is|are) there (?:on|about)|do (?:you|we) have (?:on|about))"
)
_DOCS_DE = r"(?:dokument(?:e|en|s)?|datei(?:en)?|unterlagen)"
_ABOUT_DE = (
    r"(?:handel(?:n|t) von|behandel(?:n|t)|erwähn(?:en|t)|(?:sprechen|spricht|reden) (?:über|von)"
    r"|befass(?:en|t) sich mit|beschäftig(?:en|t) sich mit|gibt es (?:zu[mr]?|über)"
    r"|(?:haben|hast) (?:wir|sie|du) (?:zu[mr]?|über)|geht es um"
    r"|enthalten (?:informationen|etwas) (?:zu[mr]?|über))"
)
_DOCS_ZH = r"(?:文档|文件|资料|文献|文章)"
_ABOUT_ZH = r"(?:提到|谈到|说到|讲到|涉及|介绍|讨论|包含|讲|说|关于|有关)(?:了|过)?(?:关于|有关)?"
_DOCS_AR = r"(?:ال)?(?:مستندات?|وثائق|وثيقة|ملفات|ملف)"
_ABOUT_AR = r"(?:[يت]تحدث عن|[يت]تناول|[يت]ذكر|[يت]خص|عن|حول)"
_PAPERS = (
    r"(?:policies|reports|manuals|articles|papers|contracts|agreements|guides|pages|sheets|spreadsheets|pdfs|texts)"
)
_SPEAKS = r"(?:talk about|speak about|mention|discuss|deal with|refer to|say (?:something|anything) about)"
"""What texts do: a policy may also cover a thing, which asks for what it says."""
_LISTS: tuple[tuple[Language, str], ...] = (
    ("en", rf"(?:which|what)(?: of (?:the|your|these))? {_DOCS} (?:that )?{_ABOUT} (?P<topic>.+)"),
    ("en", rf"(?:which|what)(?: of (?:the|your|these))? {_PAPERS} {_SPEAKS} (?P<topic>.+)"),
    ("en", rf"(?:which|what) {_DOCS} (?:has|have|contains?|includes?|lists?|shows?) (?P<topic>.+)"),
    (
        "en",
        (
            rf"(?:list|show|find|give|get|name)(?: me)?(?: all)?(?: of)?(?: the| your)? {_DOCS} "
            rf"(?:about|on|regarding|concerning|mentioning|covering|discussing|(?:that|which) {_ABOUT}) (?P<topic>.+)"
        ),
    ),
    ("en", rf"in (?:which|what) {_DOCS} (?:is|are) (?P<topic>.+?) (?:mentioned|discussed|covered|described)"),
    ("en", rf"in (?:which|what) {_DOCS} (?:does|do) (?P<topic>.+?) (?:appear|occur|come up)"),
    ("en", r"where (?:is|are) (?P<topic>.+?) (?:mentioned|discussed|talked about)"),
    ("en", rf"(?:is|are) there (?:any |a )?{_DOCS} (?:about|on|mentioning|(?:that|which) {_ABOUT}) (?P<topic>.+)"),
    ("en", rf"do (?:you|we) have (?:any |a )?{_DOCS} (?:about|on) (?P<topic>.+)"),
    ("de", rf"(?:in )?welche[nmrs]? {_DOCS_DE} {_ABOUT_DE} (?P<topic>.+)"),
    (
        "de",
        (
            rf"in welche[nmr] {_DOCS_DE} (?:wird|werden|steht|kommt|kommen) (?:etwas )?(?:über |zu[mr]? )?"
            r"(?P<topic>.+?)(?: erwähnt| behandelt| beschrieben| besprochen| vor)?"
        ),
    ),
    ("de", r"wo (?:wird|werden) (?P<topic>.+?) (?:erwähnt|behandelt|besprochen)"),
    (
        "de",
        (
            rf"(?:liste|zeige?|nenne?|suche?|finde|gib)(?: mir)?(?: alle)?(?: die)? {_DOCS_DE} (?:über|zu[mr]?) "
            r"(?P<topic>.+?)(?: auf)?"
        ),
    ),
    ("de", rf"gibt es (?:ein |irgendein )?{_DOCS_DE} (?:über|zu[mr]?) (?P<topic>.+)"),
    ("zh", rf"(?:在)?(?:哪些|哪个|哪份|什么){_DOCS_ZH}(?:中|里)?(?:有)?{_ABOUT_ZH}(?P<topic>.+?)(?:的内容)?"),
    ("zh", rf"(?:有没有|有|列出|显示|查找|给我)(?:所有|全部)?(?:关于|有关|涉及|提到)(?P<topic>.+?)的{_DOCS_ZH}"),
    ("ar", rf"(?:ما هي |ما |أي |في أي ){_DOCS_AR} (?:التي |الذي )?{_ABOUT_AR} (?P<topic>.+)"),
    (
        "ar",
        rf"(?:اعرض|اذكر|أعطني|هل توجد|هل هناك)(?: لي)?(?: جميع| كل)? {_DOCS_AR} (?:التي )?{_ABOUT_AR} (?P<topic>.+)",
    ),
)
_SHORT = r"(?:short |brief |quick |concise |executive )?"
_PAPER = (
    r"(?:document|file|report|policy|guide|guidelines?|manual|handbook|faq|list|notes|agreement|contract|paper|article|plan"
    r"|checklist|glossary|data ?sheet|presentation|slides|letter|memo|minutes|code)"
)
_SUMMARIES: tuple[tuple[Language, str], ...] = (
    ("en", r"(?:briefly )?(?:summari[sz]e|sum up|recap)(?: for me)? (?P<name>.+)"),
    ("en", rf"(?:give|write|make|show)(?: me| us)? (?:a|an|the) {_SHORT}(?:summary|overview|recap) of (?P<name>.+)"),
    ("en", rf"(?:a |the )?{_SHORT}summary of (?P<name>.+)"),
    ("en", r"tl;?dr(?: of| for)? (?P<name>.+)"),
    ("en", r"what(?: is|'s) (?P<name>.+) about"),
    ("en", rf"what does (?P<name>.+ {_PAPER}) (?:say|contain|cover)"),
    ("en", rf"what(?:'s| is) in (?P<name>.+ {_PAPER})"),
    ("de", r"fass(?:e|en sie)?(?: mir)?(?: bitte)? (?P<name>.+?)(?: kurz)? zusammen"),
    (
        "de",
        r"(?:gib mir |schreibe? )?(?:eine )?(?:kurze )?zusammenfassung (?:von|vom|der|des|zu[mr]?) (?P<name>.+)",
    ),
    ("de", r"worum geht(?: es|'s) (?:in|im) (?P<name>.+)"),
    ("de", r"(?:wovon handelt|was steht in|was steht im) (?P<name>.+)"),
    ("zh", r"(?:总结|概括|概述|简述|归纳)(?:一下)?(?P<name>.+?)(?:的(?:内容|主要内容|要点))?"),
    ("zh", r"(?P<name>.+)的(?:摘要|概要|主要内容|要点)(?:是什么)?"),
    ("zh", r"(?P<name>.+?)(?:主要)?(?:讲的是什么|讲了什么|说了什么|写了什么)"),
    ("ar", r"(?:لخص|لخّص)(?: لي)? (?P<name>.+)"),
    ("ar", r"(?:أعطني |ما هو |ما )?(?:ملخص|خلاصة) (?P<name>.+)"),
    ("ar", r"(?:عم|عمّ|عما|عمّا|عن ماذا) [يت]تحدث (?P<name>.+)"),
)
_LENGTH = re.compile(
    rf",? (?:in|with|als|mit) (?P<count>\d{{1,2}}|{'|'.join(list(NUMBER_WORDS)[1:13])}|einem|zwei|drei|vier|fünf|sechs)"
    r" (?:short |brief |kurzen )?(?:sentences?|(?:bullet )?points?|bullets?|lines?|sätzen|satz|(?:stich)?punkten)"
    r"(?=$| zusammen$)",
    re.IGNORECASE,
)
_COUNTS_DE = {"einem": 1, "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6}
_COURTESY = re.compile(
    r"^(?:(?:please|kindly|hi|hello|hey|can you|could you|would you|will you|i want you to|i'd like you to|bitte|hallo"
    r"|kannst du|könntest du|können sie|könnten sie|من فضلك|رجاء|هل يمكنك أن)[\s,!.،]+"
    r"|(?:请|麻烦|你能|能不能|可以)+[，,]?)+",
    re.IGNORECASE,
)
_MARKS = r"[\s,?!.？！。؟]"
_TRAILING = re.compile(
    rf"(?<!{_MARKS})(?:{_MARKS}++(?:please|bitte|briefly|in short|for me|kurz|من فضلك))*+{_MARKS}*+$", re.IGNORECASE
)
_ARTICLE = re.compile(
    r"^(?:the|a|an|our|your|this|that|der|die|das|dem|den|des|unsere[rnms]?|eure[rnms]?|ihre[rnms]?)\s+", re.IGNORECASE
)
_EVERYTHING = re.compile(
    r"(?:everything|alles|(?:all )?(?:of )?(?:the|these|your|our|this|alle|die|diese)? ?"
    r"(?:documents|docs|files|collection|dokumente|unterlagen|sammlung)(?: here)?)",
    re.IGNORECASE,
)
MAX_NAMED = 120
"""Characters of a topic or a name."""


def _compiled(patterns: tuple[tuple[Language, str], ...]) -> tuple[tuple[Language, re.Pattern[str]], ...]:
    return tuple((language, re.compile(pattern, re.IGNORECASE)) for language, pattern in patterns)


_LIST_PATTERNS, _SUMMARY_PATTERNS = _compiled(_LISTS), _compiled(_SUMMARIES)


def read_document_question(question: str) -> DocumentList | Summary | Overview | None:
    """Which documents or which one a question is for; None if it asks for something else."""
    body = _TRAILING.sub("", _COURTESY.sub("", question.strip()))
    for language, pattern in _LIST_PATTERNS:
        if (found := pattern.fullmatch(body)) and _names_something(found["topic"]):
            return DocumentList(_quoted(found["topic"]), language)
    length = _LENGTH.search(body)
    count = _count(length["count"]) if length else None
    body = _TRAILING.sub("", body[: length.start()] + body[length.end() :]) if length else body
    for language, pattern in _SUMMARY_PATTERNS:
        if found := pattern.fullmatch(body):
            name = found["name"]
            if _EVERYTHING.fullmatch(name):
                return Overview("help", language)
            if len(name) <= MAX_NAMED and Question(name).terms:
                return Summary(_quoted(_ARTICLE.sub("", name)), language, count)
    return None


def _names_something(text: str) -> bool:
    """Whether it has a word of its own: not only "it" or "the documents"."""
    return len(text) <= MAX_NAMED and any(not is_generic(term) for term in Question(text).terms)


def _quoted(text: str) -> str:
    return text.strip().strip("\"'“”„‘’`").strip()


def _count(word: str) -> int:
    lowered = word.lower()
    found = _COUNTS_DE.get(lowered) or int(NUMBER_WORDS.get(lowered, lowered) if not lowered.isdigit() else lowered)
    return min(12, max(1, found))
