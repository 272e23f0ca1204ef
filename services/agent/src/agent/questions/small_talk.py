"""Greetings, thanks, "what can you do", and what only points to another message: messages that are nothing else.

A message is taken apart from its beginning, phrase by phrase; whatever is left over makes it a question.
"""

from __future__ import annotations

import re

from agent.questions.kind import Language, Manner, Overview

_GREETINGS = """
hi|hello|hiya|hey|howdy|greetings|good morning|good afternoon|good evening|good day|how are you doing|how are you
|how do you do|how is it going|how's it going|nice to meet you|what's up|bonjour|bonsoir|salut|hola|buenos días
|buenos dias|buenas tardes|buenas noches|ciao|buongiorno|buonasera|olá|ola|bom dia|boa tarde|goedemorgen|goedemiddag
|goedendag|cześć|dzień dobry|merhaba|hej|привет|здравствуйте|你好|您好|こんにちは|안녕하세요|مرحبا
"""
_GREETINGS_DE = """
hallo|guten tag|guten morgen|guten abend|moin moin|moin|servus|grüß gott|grüezi|grüß dich|wie geht es dir
|wie geht es ihnen|wie geht's
"""
_THANKS = """
thanks|thank you|thx|cheers|much appreciated|thank u|merci|gracias|muchas gracias|grazie|grazie mille|obrigado|obrigada
|bedankt|dank je|dank u|dziękuję|teşekkürler|tack|спасибо|谢谢|ありがとう|감사합니다|شكرا
"""
_THANKS_DE = "danke schön|dankeschön|danke sehr|danke|vielen dank|besten dank|herzlichen dank"
_HELP = """
help me|help|can you help me|can you help|could you help me|could you help|can anyone help me|can someone help me
|please help me|i need help|i need some help|i need your help|i have a question|i have some questions
|i have a quick question|i've got a question|can i ask you something|can i ask you a question|can i ask a question
|may i ask you something|may i ask a question|is anyone there|is anybody there|is someone there|are you there
|who are you|what are you|what can you do for me|what can you do|what can i ask you
|what can i ask here|what can i ask|what should i ask|what questions can i ask you|what questions can i ask
|what questions can you answer|what can you answer|what can you help me with|what can you help with|how can you help me
|how can you help|what do you know about|what do you know|what topics do you cover|what topics do you know
|tell me about yourself|introduce yourself|what is in this collection|what's in this collection
|what is this collection about|what is in here|what's in here|what documents do you have|what documents are there
|what documents are in here|which documents do you have|which documents are there|list all the documents
|list all documents|list the documents|list your documents|show me all documents|show me the documents
|show all documents|what files are there|how many documents do you have|how many documents are there|aide|aide-moi
|qui es-tu|qui êtes-vous|que peux-tu faire|que pouvez-vous faire|qu'est-ce que tu peux faire|ayuda|quién eres
|qué puedes hacer|aiuto|chi sei|cosa puoi fare|cosa sai fare|ajuda|quem é você|o que você pode fazer|wie ben je
|wat kun je|wat kan je|你是谁|你能做什么
|peux-tu m'aider|pouvez-vous m'aider|puedes ayudarme|me puedes ayudar|puoi aiutarmi|kun je me helpen|pode me ajudar
"""
_HELP_DE = """
hilfe|hilf mir|kannst du mir helfen|können sie mir helfen|könntest du mir helfen|könnten sie mir helfen
|ich brauche hilfe|ich habe eine frage|ich hätte eine frage|darf ich etwas fragen
|wer bist du|was bist du|wer sind sie|was kannst du alles|was kannst du|was können sie|was machst du
|was kann ich dich fragen|was kann ich sie fragen|was kann ich hier fragen|was kann ich fragen
|wobei kannst du mir helfen|wobei kannst du helfen|womit kannst du mir helfen|wie kannst du mir helfen
|wie können sie mir helfen|was weißt du alles
|was weißt du|welche fragen kannst du beantworten|welche dokumente gibt es|welche dokumente hast du
|welche dokumente haben sie|liste alle dokumente|zeige alle dokumente|zeig mir alle dokumente
|wie viele dokumente gibt es|wie viele dokumente hast du|stell dich vor
"""
_FILLERS = """
there|all|everyone|everybody|team|you|so much|very much|a lot|again|today|please|and|ok|okay|great|perfect|cool|nice
|bot|assistant|groundwork|for your help|for the help|for that|then|exactly|actually|here|zusammen|alle|bitte|und|sehr
|dir|ihnen|denn|eigentlich|super|gut|heute|hier|genau|beaucoup
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(words: str) -> re.Pattern[str]:
    """Longest first, so that no phrase leaves the end of another one behind."""
    known = sorted((phrase.strip() for phrase in words.split("|")), key=len, reverse=True)
    return re.compile(rf"(?:{'|'.join(map(re.escape, known))})(?!\S)\s*")


_KNOWN: tuple[tuple[Manner, Language, re.Pattern[str]], ...] = (
    ("help", "en", _phrases(_HELP)),
    ("help", "de", _phrases(_HELP_DE)),
    ("thanks", "en", _phrases(_THANKS)),
    ("thanks", "de", _phrases(_THANKS_DE)),
    ("greeting", "en", _phrases(_GREETINGS)),
    ("greeting", "de", _phrases(_GREETINGS_DE)),
)
_KNOWN_FIRST = (*_KNOWN, ("help", "en", _phrases("how does this work")))
"""In a first message; later it asks about what was said before."""
_FILLER = _phrases(_FILLERS)
_MESSAGES = _words(
    """message messages msg mail mails email emails e-mail chat conversation attachment screenshot attached above below
    nachricht nachrichten mail anhang oben unten"""
)
_POINTING = _words(
    """see look read check refer sent wrote written forwarded attached above below siehe sieh lies gelesen geschickt
    geschrieben"""
)
_BESIDE = _words(
    """please kindly the this that my our your i we you me us to in at of on from it have as is already again just now
    quickly regarding re fwd fyi urgent asap other others another previous earlier last first second former latest one
    bitte meine meiner die der den das ich ihnen dir habe andere anderen letzte vorige im"""
)
"""Words that say nothing of what is wanted beside those that point to another message."""
_QUESTION_WORDS = _words("is are do does can which what who when where how why")
_GERMAN = _words("nachricht nachrichten siehe sieh lies anhang bitte meine habe")
_NO_WORD = re.compile(r"[^\w\s'-]+|_+")
MAX_CHARACTERS = 120


_SAID = "|".join(re.escape(one.strip()) for one in f"{_GREETINGS}|{_GREETINGS_DE}".split("|"))
_BEFORE_A_QUESTION = re.compile(
    rf"^(?:(?:(?:hi|hello|hey|hiya|hallo)\b|(?:{_SAID})(?= ?[,!.:;–]))"
    r"(?: (?:there|all|everyone|team|zusammen)\b)?[\s,!.:;–]*)+(?=\w)",
    re.IGNORECASE,
)


def without_greeting(message: str) -> str:
    """A message without the greeting that it begins with; one that is nothing else, as it is."""
    return _BEFORE_A_QUESTION.sub("", message.strip()) or message


def read_small_talk(message: str, follows: bool = False) -> Overview | None:
    """What kind of small talk a message is; None if anything in it is something else. One that `follows` others points
    to them, not to what can't be seen here."""
    known = _KNOWN if follows else _KNOWN_FIRST
    may_point = not follows and not message.rstrip().endswith("?")
    left = " ".join(_NO_WORD.sub(" ", message.lower().replace("’", "'")).split())
    if len(left) > MAX_CHARACTERS:
        return None
    found: list[tuple[Manner, Language]] = []
    while left:
        said = next(((manner, language, match) for manner, language, one in known if (match := one.match(left))), None)
        if said is not None:
            found.append(said[:2])
            left = left[said[2].end() :]
        elif filler := _FILLER.match(left):
            left = left[filler.end() :]
        elif may_point and _points_elsewhere(left):
            found.append(("help", "de" if not _GERMAN.isdisjoint(left.split()) else "en"))
            left = ""
        else:
            return None
    if not found:
        return None
    manners = [manner for manner, _ in found]
    manner: Manner = "help" if "help" in manners else "thanks" if "thanks" in manners else "greeting"
    return Overview(manner, "de" if any(language == "de" for _, language in found) else "en")


def _points_elsewhere(left: str) -> bool:
    """Whether a message only points to another one: "please see my other message"."""
    words = frozenset(left.split())
    points = any(one != other for one in _MESSAGES & words for other in _POINTING & words)
    return points and left.split()[0] not in _QUESTION_WORDS and words <= _MESSAGES | _POINTING | _BESIDE
