"""Other forms of a question's word in its language: who asks for a "Hecke" is answered by what is said of "Hecken"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.questions.language import Spoken
from agent.text.words import Term, stem

LEAST = 3
"""Letters that stay of a word when an ending is taken away."""
_ENDINGS: Mapping[Spoken, tuple[str, ...]] = {
    "de": ("ern", "en", "er", "es", "em", "e", "n", "s"),
    "fr": ("es", "s", "e", "x"),
    "es": ("es", "os", "as", "s", "o", "a"),
    "it": ("o", "a", "i", "e"),
    "nl": ("en", "e", "n", "s"),
    "pt": ("es", "os", "as", "s", "o", "a"),
}
"""English ones, and those of other scripts, are taken away where words are cut."""


def with_inflections(term: Term, language: Spoken | None) -> Term:
    """The term, also present in other forms of its word, as far as endings tell."""
    endings = _ENDINGS.get(language, ()) if language else ()
    if not endings or not term.text.isalpha():
        return term
    word = term.text.lower()
    bare = [word[: -len(one)] for one in endings if word.endswith(one) and len(word) - len(one) >= LEAST]
    bases = {word, *bare}
    return replace(term, forms=term.forms | {stem(f"{base}{one}") for base in bases for one in ("", *endings)})
