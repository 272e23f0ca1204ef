"""Greetings, thanks, "what can you do", and what only points to another message: messages that are nothing else.

A message is taken apart from its beginning, phrase by phrase; whatever is left over makes it a question.
"""

from __future__ import annotations

import re

from agent.questions.kind import Language, Manner, Overview
from agent.text.scripts import HAN

_GREETINGS = """
hi|hello|hiya|hey|howdy|greetings|good morning|good afternoon|good evening|good day|how are you doing|how are you
|how do you do|how is it going|how's it going|nice to meet you|what's up|bonjour|bonsoir|salut|hola|buenos días
|buenos dias|buenas tardes|buenas noches|ciao|buongiorno|buonasera|olá|ola|bom dia|boa tarde|goedemorgen|goedemiddag
|goedendag|cześć|dzień dobry|merhaba|hej|привет|здравствуйте|こんにちは|안녕하세요
"""
_GREETINGS_DE = """
hallo|guten tag|guten morgen|guten abend|moin moin|moin|servus|grüß gott|grüezi|grüß dich|wie geht es dir
|wie geht es ihnen|wie geht's
"""
_THANKS = """
thanks|thank you|thx|cheers|much appreciated|thank u|merci|gracias|muchas gracias|grazie|grazie mille|obrigado|obrigada
|bedankt|dank je|dank u|dziękuję|teşekkürler|tack|спасибо|ありがとう|감사합니다
|that helped|that helped a lot|that helps|this helped|this helps|that was helpful|very helpful|got it|i see|understood
|all right|alright|that's all|that is all|no more questions|perfect thanks
"""
_THANKS_DE = """
danke schön|dankeschön|danke sehr|danke|vielen dank|besten dank|herzlichen dank|das hat geholfen|das hilft mir
|das hilft|verstanden|alles klar|das war's|das war alles
"""
_FAREWELLS = """
bye|bye bye|goodbye|good bye|see you|see you later|see ya|cya|have a nice day|have a good day|good night|take care
|au revoir|à bientôt|adiós|adios|hasta luego|arrivederci|tot ziens|até logo|tchau|до свидания
"""
_FAREWELLS_DE = "tschüss|tschüß|auf wiedersehen|bis bald|bis später|schönen tag noch|gute nacht|ciao ciao"
_HELP = """
help me|help|can you help me|can you help|could you help me|could you help|can anyone help me|can someone help me
|please help me|i need help|i need some help|i need your help|i have a question|i have some questions
|i have a quick question|i've got a question|can i ask you something|can i ask you a question|can i ask a question
|may i ask you something|may i ask a question|is anyone there|is anybody there|is someone there|are you there
|who are you|what are you|what's your name
|what is your name|are you a robot|are you a bot|are you human|are you real
|what is this about|what's this about|what is this|what's this
|what can you do for me|what can you do|what can i ask you
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
|wat kun je|wat kan je
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
_GREETINGS_ZH = "你好|您好|你们好|大家好|嗨|哈喽|早上好|早安|上午好|中午好|下午好|晚上好|你好吗|您好吗"
_THANKS_ZH = """
谢谢|谢谢你|谢谢您|谢谢你的帮助|谢谢您的帮助|谢谢大家|多谢|非常感谢|十分感谢|太感谢了|感谢|感谢你|感谢您
|感谢您的帮助
"""
_HELP_ZH = """
你是谁|您是谁|你能做什么|你会做什么|你可以做什么|您能做什么|我可以问什么|我能问什么|我能问你什么|我可以问你什么
|你能回答什么|你能回答什么问题|你能帮我什么|你能帮我吗|可以帮我吗|请帮帮我|帮帮我|帮我|我需要帮助|我有一个问题
|我有个问题|有哪些文档|有什么文档|你有哪些文档|这里有哪些文档|列出所有文档|你知道什么
"""
_GREETINGS_AR = """
مرحبا|مرحبا بك|مرحبا بكم|أهلا|أهلا وسهلا|اهلا|السلام عليكم|السلام عليكم ورحمة الله
|السلام عليكم ورحمة الله وبركاته|صباح الخير|مساء الخير|كيف حالك|كيف الحال|تحية طيبة|مرحبًا|مرحباً|أهلًا|أهلاً
"""
_FAREWELLS_ZH = "再见|拜拜|回头见|晚安"
_FAREWELLS_AR = "مع السلامة|إلى اللقاء|وداعا|تصبح على خير"
_THANKS_AR = "شكرا|شكرا لك|شكرا لكم|شكرا جزيلا|شكرا جزيلا لك|ألف شكر|أشكرك|أشكركم|جزاك الله خيرا"
_HELP_AR = """
من أنت|ما أنت|ماذا يمكنك أن تفعل|ماذا تستطيع أن تفعل|ماذا يمكنني أن أسأل|ماذا أستطيع أن أسأل
|عماذا يمكنني أن أسأل|ما الذي يمكنك فعله|ساعدني|هل يمكنك مساعدتي|أحتاج مساعدة|أحتاج إلى مساعدة|لدي سؤال
|عندي سؤال|ما هي المستندات المتوفرة|ما المستندات المتوفرة|ما هي المستندات الموجودة|اعرض جميع المستندات
"""
_FILLERS = """
there|all|everyone|everybody|team|you|so much|very much|a lot|again|today|please|and|ok|okay|great|perfect|cool|nice
|bot|assistant|groundwork|for your help|for the help|for that|then|exactly|actually|here|zusammen|alle|bitte|und|sehr
|dir|ihnen|denn|eigentlich|super|gut|heute|hier|genau|beaucoup|好的|好|请|请问|啊|呀|من فضلك|لو سمحت|جزيلا
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(words: str) -> re.Pattern[str]:
    """Longest first, so that no phrase leaves the end of another one behind; in Chinese nothing stands between two."""
    known = sorted((phrase.strip() for phrase in words.split("|")), key=len, reverse=True)
    return re.compile(rf"(?:{'|'.join(map(re.escape, known))})(?:(?!\S)|(?<=[{HAN}]))\s*")


_BY_LANGUAGE: tuple[tuple[Language, str, str, str, str], ...] = (
    ("en", _HELP, _FAREWELLS, _THANKS, _GREETINGS),
    ("de", _HELP_DE, _FAREWELLS_DE, _THANKS_DE, _GREETINGS_DE),
    ("zh", _HELP_ZH, _FAREWELLS_ZH, _THANKS_ZH, _GREETINGS_ZH),
    ("ar", _HELP_AR, _FAREWELLS_AR, _THANKS_AR, _GREETINGS_AR),
)
_MANNERS: tuple[Manner, ...] = ("help", "farewell", "thanks", "greeting")
"""The first that a message has is what it is taken for."""
_KNOWN: tuple[tuple[Manner, Language, re.Pattern[str]], ...] = tuple(
    (manner, language, _phrases(phrases[at]))
    for at, manner in enumerate(_MANNERS)
    for language, *phrases in _BY_LANGUAGE
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
_MARKS = re.compile(r"[\u064b-\u0652\u0640]")
"""Vowels of Arabic, which some write in a greeting."""
MAX_CHARACTERS = 120


_SAID = "|".join(re.escape(one.strip()) for *_, greetings in _BY_LANGUAGE for one in greetings.split("|"))
_BEFORE_A_QUESTION = re.compile(
    rf"^(?:(?:(?:hi|hello|hey|hiya|hallo)\b|(?:{_SAID})(?= ?[,!.:;–，！。：；、،؛]))"
    r"(?: (?:there|all|everyone|team|zusammen)\b)?[\s,!.:;–，！。：；、،؛]*(?:请问[，,]?)?)+(?=\w)",
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
    left = " ".join(_NO_WORD.sub(" ", _MARKS.sub("", message.lower()).replace("’", "'")).split())
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
    manner = next(manner for manner in _MANNERS if manner in manners)
    return Overview(manner, next((language for _, language in found if language != "en"), "en"))


def _points_elsewhere(left: str) -> bool:
    """Whether a message only points to another one: "please see my other message"."""
    words = frozenset(left.split())
    points = any(one != other for one in _MESSAGES & words for other in _POINTING & words)
    return points and left.split()[0] not in _QUESTION_WORDS and words <= _MESSAGES | _POINTING | _BESIDE
