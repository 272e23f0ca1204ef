"""Which sentences of a message say how to answer rather than what is asked."""

from __future__ import annotations

import re

from agent.questions.messages import directive_words as words
from agent.questions.small_talk import read_small_talk
from agent.text.words import NUMBER_WORDS, STOPWORDS, TOKEN

MAX_SENTENCE = 600
"""Characters; a longer one is somebody's text."""
MAX_HEAD = 160
"""Characters before a colon or a comma that may say how to answer what follows."""
_POLITE = (
    r"(?:can|could|would|will) you|kannst du|könntest du|können sie|könnten sie|peux-tu|pouvez-vous|puedes|podrías"
)
_BEFORE = (
    r"please|kindly|pls|also|and|but|then|finally|important|note|remember(?: to)?|make sure(?: to| that)?|be sure to"
    r"|you (?:must|should|need to|have to|can|may|will)(?: always| only)?|i(?: want|(?: woul|['’])d like) you to"
    r"|always"
    r"|only|just|bitte|immer|veuillez|merci de|s['’]il (?:te|vous) plaît|svp|por favor|siempre|toujours"
)
_LEAD = re.compile(
    rf"(?:(?:[-*•>#]+|\d{{1,2}}[.)])\s+|[*_(\[]{{1,2}}|(?:{_BEFORE}|{_POLITE})(?!\w)[\s,:!.*-]*)+", re.IGNORECASE
)
_ASKED_POLITELY = re.compile(rf"\s*(?:and |also |please )*(?:{_POLITE})\b", re.IGNORECASE)
_OPENS = re.compile(rf"(?:{'|'.join(words.OPENERS)})", re.IGNORECASE)
_OF_OURS = re.compile(words.ANSWER_OF_OURS, re.IGNORECASE)
_ANNOUNCING = re.compile(rf"(?<!\w){words.ANNOUNCING}(?!\w)", re.IGNORECASE)
_YES_OR_NO = re.compile(r"\W*yes or no\W*", re.IGNORECASE)
_LANGUAGE = rf"(?:{'|'.join(words.LANGUAGES)})|same language"
_FIELD = re.compile(
    rf"(?<!\w)(?:{words.SHORT}|{words.DETAILED}|{words.SHAPE}|{words.PLAIN}|{words.CITING}|{words.TONE}"
    rf"|{words.GROUNDING}|{words.THINKING}|{_LANGUAGE})(?!\w)",
    re.IGNORECASE,
)
_MAY_BE_ASKED = re.compile(
    rf"(?<!\w)(?:{_LANGUAGE})(?!\w)|^\W*(?:in|within) (?:this|that|the|which|what) context\W*$", re.IGNORECASE
)
"""What a part of a question may say as well: "in German, what is it called?"."""
_HELP = re.compile(
    r"\W*(?:(?:dear|hi|hello|hey|hallo|bonjour|hola)(?: there)?[,!]? )?(?:assistant|bot|(?:best|kind"
    r"|warm)? ?regards,?(?: \w+)?"
    r"|this is (?:very )?urgent|i need this (?:urgently|asap|quickly|today)|mit freundlichen grüßen,?(?: \w+)?"
    r"|please help(?: me)?|help me"
    r"|i have (?:a|another|one)(?: quick| more)? question|i need(?: some| your)? help|quick question"
    r"|can you help(?: me)?(?: (?:please|with (?:this|that|a question)))?|ich habe eine frage|j['’]ai une question"
    r"|tengo una pregunta|(?:thanks|thank you|many thanks)(?: (?:so much|a lot|in advance|for your help))*"
    r"|vielen dank im voraus|danke im voraus|merci d['’]avance|gracias de antemano)\W*",
    re.IGNORECASE,
)
_ENDING = re.compile(
    r"(?:(?P<mark>\s*[,;–—-]\s+)(?P<said>[^,;()–—?!.]{3,80})|\s*\((?P<aside>[^()?!]{3,80})\))(?P<end>\s*[?.!]*)$"
)
_JOINED = re.compile(
    r"(?<=[\w)\"'”]) +(?=(?:Please|Answer|Reply|Respond|Think|Explain|Cite|Be|Keep|Use|Return|Format|If|Do not"
    r"|Don['’]t"
    r"|Bitte|Antworte|Réponds|Répondez|Responde|Thanks|Thank you) )"
)
"""Where a sentence about the answer may begin behind a question without its mark."""
_PASTED = r"(?:context|passages?|documents?|sources?|excerpts?|extracted parts|information)"
_ANNOUNCES = re.compile(
    rf"\b{_PASTED}\b.*\b(?:below|following|as follows)\b|\b(?:below|following|these)\b.*\b{_PASTED}\b", re.IGNORECASE
)


def is_directive(sentence: str) -> bool:
    """Whether a sentence only says how to answer. What asks with a question mark does not, unless it asks politely."""
    if len(sentence) > MAX_SENTENCE:
        return False
    if sentence.rstrip(" \"'*_)").endswith(("?", "？")) and not _ASKED_POLITELY.match(sentence):
        return _YES_OR_NO.fullmatch(sentence) is not None
    body = _LEAD.sub("", sentence.strip(), count=1) if _LEAD.match(sentence.strip()) else sentence.strip()
    return bool(_OPENS.match(body) or _OF_OURS.search(body)) or is_of_the_field(body)


def is_of_the_field(text: str) -> bool:
    """Whether all that a text speaks of is the form of an answer: "two sentences at most", "JSON only"."""
    rest, found = _FIELD.subn(" ", text)
    return found > 0 and _is_neutral(rest)


def announces_question(head: str) -> bool:
    """Whether what goes before a colon only says that a question comes: "please tell me"."""
    return _ANNOUNCING.search(head) is not None and not any(map(str.isdigit, head)) and _is_neutral(head)


def _is_neutral(text: str) -> bool:
    found = (token.lower() for token in TOKEN.findall(text))
    return all(word in words.NEUTRAL or word in STOPWORDS or word in NUMBER_WORDS or word.isdigit() for word in found)


def is_courtesy(sentence: str) -> bool:
    """Whether a sentence beside others only greets, thanks, or says that a question comes."""
    if len(sentence) > MAX_HEAD:
        return False
    if sentence.endswith(":") and announces_question(sentence):
        return True
    talk = read_small_talk(sentence, follows=True)
    return bool(_HELP.fullmatch(sentence)) or (talk is not None and talk.manner != "help")


def _is_greeting(head: str) -> bool:
    talk = read_small_talk(head, follows=True)
    return _HELP.fullmatch(head) is not None or (talk is not None and talk.manner == "greeting")


def announces_context(sentence: str) -> bool:
    """Whether a sentence about the answer says that what it is to be made from follows."""
    return _ANNOUNCES.search(sentence[:MAX_SENTENCE]) is not None


def without_head(sentence: str, marks: str = ":,") -> tuple[str, str]:
    """What goes before the question in its own sentence and says how to answer, and the rest: "In one sentence, …"."""
    for mark in marks:
        head, found, rest = sentence[: MAX_HEAD + 1].partition(mark)
        rest = (rest + sentence[MAX_HEAD + 1 :]).strip()
        if not found or not any(map(str.isalpha, rest)):
            continue
        if "?" in head:
            continue
        if announces_question(head) if mark == ":" else _is_greeting(head):
            return "", rest
        said = is_directive(head) if mark == ":" else is_of_the_field(_LEAD.sub("", head, count=1))
        if said and not (mark == "," and _MAY_BE_ASKED.search(head)):
            return head, rest
    return "", sentence


def without_tail(sentence: str) -> tuple[str, str]:
    """The question, and what stands behind it in brackets or after a comma and says how to answer: "… (briefly)?"."""
    end = sentence[-120:]
    found = _ENDING.search(end)
    said = (found["said"] or found["aside"]) if found is not None else ""
    if found is None or not is_directive(said) or (is_of_the_field(said) and _MAY_BE_ASKED.search(said)):
        return sentence, ""
    before = sentence[: len(sentence) - len(end) + found.start()]
    if not any(map(str.isalpha, before)):
        return sentence, ""
    return before.rstrip() + found["end"].strip(), said


def cut_directives(sentence: str) -> list[str]:
    """A sentence, cut where one about the answer begins in it without a mark between."""
    for joint in _JOINED.finditer(sentence) if len(sentence) <= MAX_SENTENCE else ():
        rest = sentence[joint.end() :]
        if is_directive(rest) or is_courtesy(rest):
            return [sentence[: joint.start()], rest]
    return [sentence]
