"""A model's own "no answer": in the form that the prompt agrees on, or plainly in words.

Words count only where they speak of the sources or of the one who answers: "The policy does not cover dental care" is
an answer. So is what goes on with "but", or says only that something is not there *explicitly*.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NO_ANSWER = "NO ANSWER"
"""What prompts tell a model to write."""
MAX_CHARACTERS = 400
"""A longer sentence says more than that there is no answer."""
_GAP = r"[^.,;:!?]{0,60}?"
_AGREED_LEAD = re.compile(r"[\s\"'*.“”`>_-]*(?:answer\s*:)?[\s\"'*.“”`]*", re.IGNORECASE)
_HEDGE = re.compile(
    r"\b(?:but|however|although|though|specifically|expli[czs]it\w*|expl[ií]cit\w*|direct\w*|direkt\w*|aber|jedoch"
    r"|allerdings|ausdrücklich|mais|cependant|toutefois|pero|aunque|tuttavia|però|maar|echter|mas|porém)\b",
    re.IGNORECASE,
)
_APOLOGY = re.compile(
    r"(?:(?:i am|i'm|we are|we're) )?(?:very )?(?:sorry|unfortunately|i apologi[sz]e|leider|tut mir leid|désolée?"
    r"|malheureusement|lo siento|lamentablemente|mi dispiace|purtroppo|helaas|het spijt me|infelizmente|lamento)\b"
    r"[\s,.;:!-]*(?:(?:but|aber|mais|pero|ma|maar|mas) )?",
    re.IGNORECASE,
)

_LETTERS = re.compile(r"[^\W\d_]+")
_MARKS = frozenset(("yes answer", "answer yes", "answer no"))
_VERDICTS = {
    *_MARKS,
    *("yes", "no", "true", "false", "ja", "nein", "oui", "non", "sí", "sì", "si", "nee", "sim", "não"),
    *("是", "是的", "不是", "否", "نعم", "لا"),
}

_RULE = re.compile(
    r"\b(?:must|may|shall|should) (?:not|never) be\b"
    r"|(?:\bnot|\bnever|n't) (?:be )?(?:given|provided|disclosed|available) to (?!(?:me|us|answer|determine)\b)",
    re.IGNORECASE,
)
"""What is done with information and documents, or not: "must not be given to visitors"."""


@dataclass(frozen=True, slots=True)
class _Words:
    """How one language says it."""

    sources: str
    """The sources as something known: "the documents"."""
    denials: str
    tells: str
    """What sources do, or what is done with a fact in them."""
    openings: str
    """What says it by itself at the beginning of a sentence."""

    def patterns(self) -> list[str]:
        """The sources do not tell, they tell nothing, it is not told in the sources; and the openings."""
        sources, denials, tells = (rf"\b(?:{words})\b" for words in (self.sources, self.denials, self.tells))
        orders = ((sources, denials, tells), (sources, tells, denials), (denials, tells, sources))
        return [*(_GAP.join(order) for order in orders), rf"^(?:{self.openings})"]


_ENGLISH = _Words(
    sources=r"(?:the|these|those|any of the|your) (?:[\w-]+ ){0,3}?"
    r"(?:sources?|documents?|passages?|texts?|context|excerpts?|information)",
    denials=r"(?:do|does|did|is|are|was|were|has|have|can|could)(?: not|n't)|cannot|can't|not|never|no",
    tells=r"hold|contain\w*|provide\w*|mention\w*|sa(?:y|ys|id)|stat(?:e|es|ed)|specif\w+|include\w*|give[ns]?"
    r"|answer\w*|address\w*|indicate\w*|cover\w*|describe\w*|explain\w*|offer\w*|discuss\w*|disclose\w*|list(?:s|ed)?|found"
    r"|determined|inferred|available|enough|ha(?:ve|s) (?:any|enough|no)",
    openings=r"there(?: is|'s| are) (?:no|not enough|insufficient) (?:\w+ ){0,2}?"
    r"(?:information|answer|mention|details?)\b"
    r"|none of the (?:[\w-]+ ){0,2}?(?:sources|documents|passages|texts|excerpts) "
    r"|i (?:do not|don't) (?:know|have (?:enough|any|that|this|the) )"
    r"|i (?:cannot|can't|can not|could not|couldn't|am unable to|was unable to|did not|didn't)"
    r" (?:answer|find|determine|locate|tell|provide)\b"
    r"|(?:the answer is )?not (?:mentioned|specified|stated|given|provided|found|answered|known)\b[^,;]{0,40}$",
)
_GERMAN = _Words(
    sources=r"(?:den|die|diesen?|das|dem) (?:\w+en )?"
    r"(?:quellen?|dokumenten?|passagen?|texte?n?|unterlagen|textstellen?)",
    denials=r"keine?[nrms]?|nichts?",
    tells=r"enth(?:a|ä)lt(?:en)?|geben|gibt|genannt|nenn(?:en|t)|erwähn(?:en|t)|sag(?:en|t)|beantwort(?:en|et)"
    r"|liefer(?:n|t)|bieten|mach(?:en|t)|ste(?:hen|ht)|find(?:en|et)|angegeben|aufgeführt|hervor|wird|ist|antwort"
    r"|angaben?|information(?:en)?",
    openings=r"es gibt (?:dazu |hierzu |darüber )?keine (?:information(?:en)?|angaben?|antwort|hinweise?)\b"
    r"|ich (?:finde|habe) (?:dazu |hierzu |darüber )?keine (?:information(?:en)?|angaben?|antwort)\b"
    r"|(?:das|dies) (?:weiß|kann) ich (?:leider )?nicht\b"
    r"|ich (?:weiß|kann) (?:(?:es|das|die frage|diese frage|darauf|dazu) )?(?:leider )?(?:nicht|keine antwort)\b"
    r"|keine (?:antwort|angaben?)\b[^,;]{0,30}$",
)
_FRENCH = _Words(
    sources=r"(?:les|ces|des) (?:sources|documents|passages|textes|extraits)(?: \w+s)?",
    denials=r"ne|n|pas|aucune?|nulle part|rien",
    tells=r"contien\w+|contenu\w*|mentionn\w+|donn\w+|indiqu\w+|précis\w+|fourni\w+|répond\w+|dis?ent|figur\w+"
    r"|trouv\w+",
    openings=r"je ne (?:sais|peux|trouve) pas\b|aucune (?:réponse|information)\b[^,;]{0,40}$"
    r"|il n'y a (?:pas|aucune) (?:de |d')?(?:réponse|information)",
)
_SPANISH = _Words(
    sources=r"(?:las|los|estas|estos) (?:\w+ )?(?:fuentes|documentos|pasajes|textos)",
    denials=r"no|ningun[ao]?|ninguna|nada",
    tells=r"contien\w+|mencion\w+|dicen?|indic\w+|especific\w+|proporcion\w+|respond\w+|ofrecen?|incluyen?|encuentr\w+",
    openings=r"no (?:lo )?sé\b|no puedo responder|no hay (?:ninguna )?(?:respuesta|información)|no encuentro\b",
)
_ITALIAN = _Words(
    sources=r"(?:le|i|queste|questi|nelle|nei|dalle|dai) (?:\w+ )?(?:fonti|documenti|passaggi|testi)",
    denials=r"non|nessuna?|nulla|niente",
    tells=r"conten\w+|menzion\w+|dicono|indic\w+|specific\w+|fornisc\w+|rispond\w+|riport\w+|present\w+",
    openings=r"non (?:lo )?so\b|non posso rispondere|non (?:c'è|ci sono) (?:\w+ )?(?:risposta|informazioni?)"
    r"|nessuna (?:risposta|informazione)\b",
)
_DUTCH = _Words(
    sources=r"(?:de|deze|het|dit) (?:\w+ )?(?:bronnen|bron|documenten|document|passages|teksten|tekst)",
    denials=r"geen|niets?",
    tells=r"bevat\w*|gev\w+|geeft|genoemd|noem\w+|vermeld\w*|zegg\w+|zegt|beantwoord\w*|staa[tn]|bied\w+|gevonden",
    openings=r"(?:dat |ik )weet (?:ik )?(?:het )?niet\b|ik kan (?:deze|de) vraag niet\b"
    r"|er is geen (?:antwoord|informatie)\b|geen (?:antwoord|informatie)\b[^,;]{0,40}$",
)
_PORTUGUESE = _Words(
    sources=r"(?:as|os|estas|estes|nas|nos) (?:\w+ )?(?:fontes|documentos|trechos|textos)",
    denials=r"não|nenhuma?|nada",
    tells=r"cont[eéê]m|mencion\w+|dizem|indic\w+|especific\w+|fornec\w+|respond\w+|inclu\w+|present\w+|encontr\w+",
    openings=r"não sei\b|não posso responder|não há (?:nenhuma )?(?:resposta|informaç\w+)"
    r"|nenhuma (?:resposta|informação)\b",
)
_PLAINLY = re.compile(
    "|".join(
        pattern
        for words in (_ENGLISH, _GERMAN, _FRENCH, _SPANISH, _ITALIAN, _DUTCH, _PORTUGUESE)
        for pattern in words.patterns()
    ),
    re.IGNORECASE,
)


def is_refusal(text: str, begun: bool = False) -> bool:
    """Whether a text is the agreed form of "no answer"; with `begun`, also whether it may be about to be."""
    bare = _AGREED_LEAD.sub("", text, count=1)
    said = " ".join(bare.upper().replace("_", " ").replace("-", " ").split())
    return said.startswith(NO_ANSWER) or (begun and NO_ANSWER.startswith(said))


def is_verdict(text: str, begun: bool = False) -> bool:
    """Whether a text is "Yes" or "No" and nothing else; with `begun`, also whether it may be about to be."""
    said = _letters(text)
    return said in _VERDICTS or (begun and any(verdict.startswith(said) for verdict in _VERDICTS))


def is_mark(text: str) -> bool:
    """Whether it is such a verdict in the words that small models make of the agreed form, "YES ANSWER"."""
    return _letters(text) in _MARKS


def _letters(text: str) -> str:
    return " ".join(_LETTERS.findall(text.casefold()))


def says_no_answer(sentence: str) -> bool:
    """Whether a whole sentence says plainly that the sources hold no answer."""
    said = _bare(sentence)
    apology = _APOLOGY.match(said)
    if apology is not None:
        said = said[apology.end() :]
    return len(said) <= MAX_CHARACTERS and not _answers(said) and _PLAINLY.search(said) is not None


def is_apology(sentence: str) -> bool:
    """Whether a sentence is nothing but "Sorry."."""
    return _APOLOGY.fullmatch(_bare(sentence)) is not None


def _answers(said: str) -> bool:
    return _HEDGE.search(said) is not None or _RULE.search(said) is not None


def _bare(sentence: str) -> str:
    return " ".join(sentence.replace("’", "'").split()).strip(" *_\"'“”")
