"""Masks findings by as many `*`, in whole texts and in texts that arrive in pieces."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gateway.ports import Finding, Guard

MASK = "*"
MOST_HELD = 16_384
"""Characters held back at most. A finding that is longer than this is masked in its first part only."""
_KEY_BEGIN = "-----BEGIN"


def masked(text: str, findings: Sequence[Finding]) -> str:
    """The text with every finding masked; as long as it was."""
    for finding in findings:
        text = text[: finding.start] + MASK * (finding.end - finding.start) + text[finding.end :]
    return text


class StreamMask:
    """Masks what guards find in a text of which pieces come, and never lets out the beginning of a finding.

    What may yet become one is held back: the word that is being written, with the groups of digits before it.
    """

    def __init__(self, guards: Sequence[Guard], masking: Collection[str]) -> None:
        """`masking` names the guards whose findings are masked; those of the others are only noted."""
        self._guards = guards
        self._masking = masking
        self._held = ""
        self.found: list[tuple[str, Finding]] = []
        """Guard and finding, of all that has gone out."""

    def feed(self, piece: str) -> str:
        """What can go out now."""
        self._held += piece
        return self._let_out(held_from(self._held))

    def end(self) -> str:
        """The rest."""
        return self._let_out(len(self._held))

    def _let_out(self, until: int) -> str:
        findings = [(guard.name, finding) for guard in self._guards for finding in guard.find(self._held)]
        crossing = [finding.start for _, finding in findings if finding.start < until < finding.end]
        until = min(crossing, default=until)
        ready = [(name, finding) for name, finding in findings if finding.end <= until]
        out, self._held = self._held[:until], self._held[until:]
        self.found += ready
        return masked(out, [finding for name, finding in ready if name in self._masking])


def held_from(text: str) -> int:
    """From where on a text may be the beginning of a finding: its last word, and the words with digits before that."""
    if len(text) >= MOST_HELD:
        return len(text)
    begun = text.rfind(_KEY_BEGIN)
    if begun >= 0 and _is_open_key(text[begun + len(_KEY_BEGIN) :]):
        return begun
    start = len(text)
    while start > 0:
        end = len(text[:start].rstrip(" "))
        word = end
        while word > 0 and "!" <= text[word - 1] <= "~":
            word -= 1
        is_being_written = start == len(text) == end
        if not is_being_written and not any(character.isdigit() for character in text[word:end]):
            return start
        start = word
        if start > 0 and text[start - 1] != " ":
            return start  # no finding goes across a line's end or beyond ASCII
    return 0


def _is_open_key(rest: str) -> bool:
    head, closed, body = rest.partition("-----")
    return not closed or ("PRIVATE KEY" in head and "PRIVATE KEY-----" not in body)
