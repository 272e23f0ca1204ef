"""The language of a question, by script or small words: for what is said to people, never for what is searched."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from agent.text.words import TOKEN
from contracts.models.reading import Languages

Spoken = Literal["en", "de", "fr", "es", "it", "nl", "pt", "zh", "ja", "ko", "ar"]
"""The languages that prompts name and abstentions are written in."""
_AFTER_LATIN = "\u0250"
ENGLISH_NAMES: dict[Spoken, str] = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "nl": "Dutch",
    "pt": "Portuguese",
    "zh": "Chinese",
    "ja": "Japanese",
    "ko": "Korean",
    "ar": "Arabic",
}
_SCRIPTS: tuple[tuple[str, str, Spoken], ...] = (
    ("\u3040", "\u30ff", "ja"),
    ("\u3400", "\u9fff", "zh"),
    ("\u1100", "\u11ff", "ko"),
    ("\uac00", "\ud7af", "ko"),
    ("\u0600", "\u06ff", "ar"),
)
"""First and last letter of scripts that are one language's; han characters among kana are Japanese."""
_NOT_ARABIC = frozenset("\u067e\u0686\u0698\u06af\u06a9\u06cc\u0679\u0688\u06d2\u06ba")
"""Letters of its script that Arabic has not, and Persian or Urdu has."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SMALL_WORDS: dict[Spoken, frozenset[str]] = {
    "en": _set(
        "the what how many much who when where which why is are was do does did can could may must should of for to in"
        " on at from with my i you we us it this that there and or if after before have has get not about"
    ),
    "de": _set(
        "der die das den dem des wie viel viele wer wen wem wann wo welche welcher welches warum was ist sind war hat"
        " haben ich wir sie es man kann können darf dürfen muss müssen soll ein eine einen einem einer für mit nach von"
        " vom und oder nicht bei beim gibt im in am auf zu zum zur über wenn mein meine mir"
    ),
    "fr": _set(
        "le la les des du de d l que qu quoi quel quelle quels quelles combien qui quand où pourquoi comment est sont"
        " ont peut puis je nous vous on un une pour avec dans en et ou il elle y a mon ma mes au aux par ce si"
    ),
    "es": _set(
        "el la los las del de al que qué cuál cuáles cuántos cuántas cuánto cuánta quién cuándo dónde cómo es son está"
        " un una para con por y o en hay mi mis puedo puede se si no lo su debe qué"
    ),
    "it": _set(
        "il lo la gli le dei della delle dello di del da che quale quali quanti quante quanto quanta chi quando dove"
        " come perché è sono ha un una per con e o in nel nella c posso può si mio mia ci non se al"
    ),
    "nl": _set(
        "de het een wat hoe veel hoeveel wie wanneer waar welke welk waarom is zijn was heeft hebben ik wij we je voor"
        " met van en of niet kan kunnen mag mogen moet mijn er op in bij naar als"
    ),
    "pt": _set(
        "o os a as do da dos das de que qual quais quantos quantas quanto quanta quem quando onde como porque é são"
        " um uma para com por e ou em no na há meu minha posso pode se não ao tem"
    ),
}

_SMALL_BY_SCRIPT: dict[Spoken, frozenset[str]] = {
    "zh": _set(
        "什么 多少 怎么 怎样 如何 哪些 哪个 哪里 哪一 为什 为何 么时 时候 可以 是否 是什 是谁 谁是 多久 多长 几个"
    ),
    "ar": _set(
        "ما ماذا لماذا من متى أين كيف كم هل أي هو هي في على إلى عن التي الذي هذا هذه ذلك مع أن إن إذا كان كانت يكون"
        " تكون يمكن يمكنني علي لي أفعل"
    ),
}
"""Of languages that are told by their script; Chinese ones in pairs of characters."""


def may_be_in(text: str, languages: Languages | None) -> bool:
    """Whether a text is in one of these languages, as far as its letters and small words tell; yes where nobody said
    which they are, or one is none of those whose small words are known here."""
    if languages is None or languages == "all" or not set(languages) <= set(ENGLISH_NAMES):
        return True
    found = language_of(text)
    if found is not None:
        return found in languages
    return _is_latin(text)


def small_words(language: Spoken | None) -> frozenset[str]:
    """What a language asks and joins by, as far as it is known here; those of English are no words of a question
    anyway."""
    if language is None or language == "en":
        return frozenset()
    return _SMALL_WORDS.get(language, frozenset()) | _SMALL_BY_SCRIPT.get(language, frozenset())


def are_of_two_languages(one: str, other: str) -> bool:
    """Whether two texts are in different languages, as far as their letters and small words tell."""
    spoken = language_of(one), language_of(other)
    if None not in spoken:
        return spoken[0] != spoken[1]
    return _is_latin(one) != _is_latin(other)


def _is_latin(text: str) -> bool:
    letters = [one for one in text if one.isalpha()]
    return 2 * sum(one < _AFTER_LATIN for one in letters) >= len(letters)


def language_of(text: str) -> Spoken | None:
    """The language whose script most words are in, else most of whose small words a text has; None where it has none
    of them, or two share the lead."""
    if (written := _by_script(text)) is not None:
        return written
    said = [token.lower() for token in TOKEN.findall(text.replace("'", " ").replace("’", " "))]
    counts = {language: sum(word in words for word in said) for language, words in _SMALL_WORDS.items()}
    most = max(counts.values())
    leading = [language for language, count in counts.items() if count == most]
    return leading[0] if most and len(leading) == 1 else None


def _by_script(text: str) -> Spoken | None:
    """By words, of which two characters make one where none stands between words."""
    found: Counter[Spoken | None] = Counter()
    scripts = [one for one in _SCRIPTS if one[2] != "ar" or _NOT_ARABIC.isdisjoint(text)]
    for token in TOKEN.findall(text):
        known = {name for one in token for first, last, name in scripts if first <= one <= last}
        name = "ja" if "ja" in known else min(known, default=None)
        found[name] += max(1, len(token) // 2) if name in ("zh", "ja") else 1
    others = found.pop(None, 0)
    if not found or found.total() < others:
        return None
    return "ja" if found["ja"] else found.most_common(1)[0][0]
