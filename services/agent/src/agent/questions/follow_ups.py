"""The words by which a follow-up leans on the question before it, in the languages whose small words are known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.questions.language import Spoken, language_of

_FLAGS = re.IGNORECASE


@dataclass(frozen=True, slots=True)
class FollowUps:
    """How one language asks on."""

    lead: re.Pattern[str]
    """What goes before a question that goes on: "and", "what about"."""
    elliptic: re.Pattern[str]
    """What goes before one that may lack its verb."""
    complete: re.Pattern[str]
    """A word that only a whole question has."""
    points_back: re.Pattern[str]
    prepositions: str
    determiners: str
    nouns_are_names: bool = False
    """Whether all nouns have capitals, and a question's verb comes behind its places: so it is in German."""

    @property
    def placed(self) -> re.Pattern[str]:
        """A thing in its place: "in Denmark"."""
        return re.compile(rf"^(?P<preposition>{self.prepositions})\s", _FLAGS)

    @property
    def object(self) -> re.Pattern[str]:
        """A thing by itself: "the list"."""
        return re.compile(rf"^(?:{self.determiners})\s", _FLAGS)

    @property
    def determined(self) -> re.Pattern[str]:
        """A thing within a question, with the word before it."""
        return re.compile(rf"(?<![\w'’])(?P<before>[\w'’]++)\s(?P<thing>(?:{self.determiners})\s)", _FLAGS)


def _of(
    lead: str,
    elliptic: str,
    complete: str,
    points_back: str,
    prepositions: str,
    determiners: str,
    nouns_are_names: bool,
) -> FollowUps:
    return FollowUps(
        re.compile(rf"^\s*(?:{lead})(?!\w)[\s,]*", _FLAGS),
        re.compile(rf"^\s*(?:{elliptic})\b", _FLAGS),
        re.compile(rf"(?<!\w)(?:{complete})\b", _FLAGS),
        re.compile(rf"(?<!\w)(?:{points_back})(?!\w)", _FLAGS),
        prepositions,
        determiners,
        nouns_are_names,
    )


_BY_LANGUAGE: Mapping[Spoken, FollowUps] = {
    "en": _of(
        "and what about|what about|how about|and|or|but|so|ok(?:ay)?|then|also",
        "and|or|but|what about|how about",
        "what|when|where|who|whom|whose|which|why|how|is|are|was|were|do|does|did|can|could|may|must|should|will"
        "|would|has|have",
        "it|its|they|them|their|theirs|he|him|his|she|her|hers|those|these|the same|that one|this one"
        r"|the other|the former|the latter|(?:this|that)(?=\s*(?:[?.!,]|$|cost|apply|include|cover|mean|take|work"
        "|happen|valid))",
        "in|on|at|to|for|from|of|with|by|about|during|after|before|under|over|without|against|between",
        "the|a|an|my|our|your|this|these",
        False,
    ),
    "de": _of(
        "und (?:was ist|wie ist es|wie steht es|wie sieht es aus) mit|was ist mit|wie sieht es aus mit|und|oder|aber"
        "|auch|ok(?:ay)?",
        "und|oder|aber|was ist mit|wie sieht es aus mit",
        "was|wann|wer|wem|wen|wo|woher|wohin|wie|wieviele?|warum|wieso|weshalb|welche[rsmn]?|ist|sind|war|waren|hat"
        "|haben|kann|können|darf|dürfen|muss|müssen|soll|gibt|kostet|kosten|gilt|gelten|wird|werden|brauche?n?"
        "|bekomme?n?",
        "er|ihn|ihm|sein(?:e[rnms]?)?|ihre[rnms]?|deren|dessen|dort|damit|dafür|darin|davon|dazu|dabei|daran|darauf"
        r"|(?<!gibt )es|(?<=und )(?:sie|ihr)|(?<=\w )sie(?=\W*$)|diese[rnms]?(?=\s*(?:[?.!,]|$))"
        r"|das(?=\s*(?:[?.!,]|$|ist|geht|heißt|kostet|gilt|dauert|auch|möglich|erlaubt))",
        "in|im|am|an|auf|bei|beim|für|mit|nach|zu|zum|zur|von|vom|aus|über|um|ab|seit|ohne|unter|gegen|zwischen",
        "der|die|das|den|dem|des|eine?[rnms]?|mein(?:e[rnms]?)?|unser(?:e[rnms]?)?|diese[rnms]?",
        True,
    ),
    "fr": _of(
        "et pour ce qui est d[eu]|et|ou|mais|alors|aussi",
        "et|ou|mais",
        "qui|que|quoi|quels?|quelles?|quand|où|comment|pourquoi|combien|est|est-ce|sont|peut|peux|puis|faut|ont|a-t-.+",
        r"ils?(?! (?:y|faut))|elles?|sa|son|ses|leurs?|lui|ça|cela|celui-ci|celle-ci|le sien|la sienne",
        "à|au|aux|en|dans|de|du|des|pour|par|avec|sans|sur|sous|chez|avant|après|entre|le",
        "les?|la|une?|mon|ma|mes|notre|nos|votre|vos|cette?|ces",
        False,
    ),
    "es": _of(
        "y (?:qué hay de|qué tal)|y|e|o|pero|también",
        "y|e|o|pero",
        "qué|quién|quiénes|cuándo|dónde|cómo|cuánt[oa]s?|cuál|cuáles|por qué|es|son|está|están|hay|puedo|puede|pueden"
        "|debo|debe|tiene|tienen|cuesta|cuestan",
        "él|ella|ellos|ellas|sus?|eso|esto|ése|ésa|el mismo|la misma",
        "en|a|al|de|del|para|por|con|sin|sobre|antes de|después de|entre|desde|hasta",
        "el|la|los|las|una?|mi|mis|nuestr[oa]s?|este|esta|estos|estas",
        False,
    ),
}


def follow_ups_of(before: str) -> FollowUps:
    """Those of the language of the question before; the English ones where it has none here."""
    return _BY_LANGUAGE.get(language_of(before) or "en", _BY_LANGUAGE["en"])
