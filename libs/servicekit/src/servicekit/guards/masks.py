"""Masks findings, in whole texts and in texts that arrive in pieces."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from servicekit.guards.detectors import LETTERS
from servicekit.guards.findings import Detector, Finding
from servicekit.guards.ibans import begins_iban
from servicekit.guards.normal_form import NormalForm

MASK = "*"
MOST_HELD = 16_384
"""Characters held back at most. A finding that is longer than this is masked in its first part only."""
_KEY_BEGIN = "-----BEGIN"
_HAS_DIGIT = re.compile("[0-9]")
_IN_WORDS = re.compile(rf"[!-~{LETTERS}]*")


def masked(text: str, findings: Sequence[Finding]) -> str:
    """The text with every finding masked by as many `*`; as long as it was."""
    return replaced(text, findings, lambda finding, at: MASK * (finding.end - max(at, finding.start)))


def named(text: str, findings: Sequence[Finding]) -> str:
    """The text with the kind of every finding in its place, as in `[email]`: it says what stood there. None is within
    another."""
    return replaced(text, findings, lambda finding, _: f"[{finding.kind}]")


def replaced(text: str, findings: Sequence[Finding], by: Callable[[Finding, int], str]) -> str:
    """The text with something else in each finding's place; `by` is given how far the one before went, too."""
    pieces: list[str] = []
    at = 0
    for finding in sorted(findings, key=lambda one: one.start):
        pieces += (text[at : finding.start], by(finding, at))
        at = max(at, finding.end)
    return "".join((*pieces, text[at:])) if findings else text


class StreamMask:
    """Masks what guards find in a text of which pieces come, and never lets out the beginning of a finding.

    What may yet become one is held back, see `held_from`.
    """

    def __init__(self, guards: Sequence[Detector], masking: Collection[str]) -> None:
        """`masking` names the guards whose findings are masked; those of the others are only noted."""
        self._guards = guards
        self._masking = masking
        self._held = ""
        self.found: list[tuple[str, Finding]] = []
        """Detector and finding, of all that has gone out."""

    def feed(self, piece: str) -> str:
        """What can go out now."""
        self._held += piece
        return self._let_out(held_from(self._held))

    def end(self) -> str:
        """The rest."""
        return self._let_out(len(self._held))

    def _let_out(self, until: int) -> str:
        if until == 0:
            return ""
        findings = [(guard.name, finding) for guard in self._guards for finding in guard.find(self._held)]
        crossing = [finding.start for _, finding in findings if finding.start < until < finding.end]
        until = min(crossing, default=until)
        ready = [(name, finding) for name, finding in findings if finding.end <= until]
        out, self._held = self._held[:until], self._held[until:]
        self.found += ready
        return masked(out, [finding for name, finding in ready if name in self._masking])


def held_from(text: str) -> int:
    """From where on a text may be the beginning of a finding, whatever follows: the word that is being written, the
    words with digits before it, and all since what may be the beginning of an IBAN, whose groups may be letters.
    """
    if len(text) >= MOST_HELD:
        return len(text)
    form = NormalForm.of(text)
    return form.place(_held_from(form.text))


def _held_from(text: str) -> int:
    begun = text.rfind(_KEY_BEGIN)
    if begun >= 0 and _is_open_key(text[begun + len(_KEY_BEGIN) :]):
        return _word_before(text, begun)
    start = _word_before(text, min(_word_before(text, len(text)), begins_iban(text)))
    while text[:start].endswith(" "):  # no finding goes across a line's end, or a letter that none has
        end = len(text[:start].rstrip(" "))
        word = _word_before(text, end)
        if not _HAS_DIGIT.search(text, word, end):
            break
        start = word
    return start


def _word_before(text: str, end: int) -> int:
    """Where the word begins that ends here, of characters that findings have."""
    backwards = _IN_WORDS.match(text[:end][::-1])
    return end - (backwards.end() if backwards is not None else 0)


def _is_open_key(rest: str) -> bool:
    head, closed, body = rest.partition("-----")
    return not closed or ("PRIVATE KEY" in head and "PRIVATE KEY-----" not in body and "KEY BLOCK-----" not in body)
