"""Takes the effect out of text that came from documents or models, so that showing it does nothing.

Images are fetched by whoever renders them, and links can carry what a prompt held. The text stays readable and says
the same: what would be markup is parted by a space (`< img`, `] (`), an address is shown as code, which no renderer
turns into a link, entities are written out. Nothing depends on what a renderer makes of the text around it: each
construct is broken where it stands. Quotes in annotations are not touched: they are data, never rendered.

The same text gives the same result in whatever pieces it comes: a piece is held back until what follows can't change
what becomes of it, which is a word, an inline code span, or a line that may be a fence.
"""

from __future__ import annotations

import html
import re
from typing import Any

from agent.sanitisation.addresses import ADDRESS, addresses, as_code
from agent.sanitisation.invisible import WAITING, visible

MAX_HELD = 600
"""So many characters without a blank are a word; so many are waited for the end of a code span."""
_LINE_ENDS = re.compile(r"[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_STOPS = "。，、；：！？"
_DIGITS = r"\^?\d{1,3}(?:[ \t]{0,2}[,;–-][ \t]{0,2}\d{1,3}){0,8}"
_MARKER = re.compile(rf"[\[［]{_DIGITS}[\]］]|【[^】\n`]{{0,40}}】")
_WORD = re.compile(rf"(?:{_MARKER.pattern}|[^\s`{_STOPS}])+")
_OPEN_MARKER = re.compile(
    r"(?:[\[［]\^?\d{1,3}(?:[ \t]{0,2}[,;–-][ \t]{0,2}\d{0,3}){0,8}[ \t]{0,2}|【[^】\n`]{0,40})\Z"
)
_BLANKS = re.compile(r"[ \t]+")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_MARKUP = re.compile(r"<(?=[a-z/!?])|\](?=[(:])|!(?=\[)|[|@](?=\.)|//(?=[^\s./]*\|)", re.IGNORECASE)
"""The last is a host to `linkify-it`, for which a bar is a letter; as code it would end where a table's cell does."""
_LABEL_MARKUP = re.compile(_MARKUP.pattern + r"|\](?=\[)", re.IGNORECASE)
_FENCE_BEGINS = re.compile(r"[ \t]*(?:`{0,2}|~{0,2})\Z")
_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})([^\n]*)")
_LANGUAGES = re.compile(
    "bash|c|cpp|csharp|css|csv|diff|go|ini|java|javascript|js|json|jsonl|kotlin|makefile|markdown|md|php|powershell"
    "|python|py|r|ruby|rust|scala|sh|shell|sql|swift|text|toml|ts|txt|typescript|yaml|yml|"
)
"""Only these stay behind a fence: some pages draw or run others (`mermaid`, `html`, `svg`)."""


def sanitise(text: str) -> str:
    """A text of a document or an answer as plain words: nothing live, no code of its own, no citation marker."""
    return _whole(text, Sanitiser())


def sanitise_shaped(text: str) -> str:
    """A text that is its writer's to shape: nothing live in it, all else as it is."""
    return _whole(text, Sanitiser(shaped=True))


def sanitise_value(value: Any, names: frozenset[str] = frozenset()) -> Any:
    """A JSON value with nothing live in its strings, keys included; those among `names` stay as they are."""
    if isinstance(value, str):
        if value in names:
            return value
        return _whole(value, Sanitiser(markers=True))
    if isinstance(value, list):
        return [sanitise_value(one, names) for one in value]
    if isinstance(value, dict):
        return {sanitise_value(key, names): sanitise_value(one, names) for key, one in value.items()}
    return value


def label(text: str) -> str:
    """A title or a name on one line, without markup or anything hidden; addresses and names of files as they are."""
    line = visible(" ".join(_unescaped(text).split())).replace("`", "'")
    return _LABEL_MARKUP.sub(_parted, line)


class Sanitiser:
    """Takes a text in pieces, and gives what can be shown of it.

    `shaped` text may have code: spans that begin and end on a line and fences at the beginning of one are left as they
    are. Elsewhere each backtick becomes an apostrophe. Citation markers (`[1]`) stay with `shaped` or `markers`, else
    they go, since every marker in an answer must be one of ours.
    """

    def __init__(self, *, shaped: bool = False, markers: bool = False) -> None:
        self._shaped = shaped
        self._markers = markers or shaped
        self._waiting = ""
        """What may yet be hidden, by what follows."""
        self._after_return = False
        self._before = ""
        """The last character that came in."""
        self._buffer = ""
        self._blanks = ""
        """Blanks that go if a marker follows them."""
        self._out: list[str] = []
        self._last = "\n"
        self._line_begins = True
        self._fence = ""
        self._indent = 0
        self._inside_line = False
        """Whether the beginning of the fenced line was sent: it does not close the fence."""

    def feed(self, text: str) -> str:
        """What can be shown now that this came, too."""
        self._buffer += self._cleaned(text, final=False)
        return self._run(final=False)

    def end(self) -> str:
        """What is left; an open fence is closed, so that it does not reach what stands behind the text."""
        self._buffer += self._cleaned("", final=True)
        shown = self._run(final=True)
        if not self._fence:
            return shown
        closing = ("" if self._last == "\n" else "\n") + self._fence
        self._fence, self._last = "", closing[-1]
        return shown + closing

    def _cleaned(self, text: str, *, final: bool) -> str:
        """With line ends of one kind, without hidden characters."""
        text = self._waiting + text
        held = None if final else WAITING.search(text)
        self._waiting = held.group() if held else ""
        text = text[: len(text) - len(self._waiting)]
        seen = visible(text, self._before)
        self._before = text[-1:] or self._before
        if seen.startswith("\n") and self._after_return:
            seen = seen[1:]
        if text:
            self._after_return = text.endswith("\r")
        seen = _LINE_ENDS.sub("\n", seen.replace("\r\n", "\n").replace("\r", "\n"))
        return seen if self._shaped else seen.replace("`", "'")

    def _run(self, *, final: bool) -> str:
        self._out = []
        while self._buffer and (self._fenced(final) if self._fence else self._next(final)):
            pass
        if final:
            self._emit("")
        return "".join(self._out)

    def _emit(self, text: str) -> None:
        for piece in (self._blanks, text):
            if piece:
                self._out.append(piece)
                self._last = piece[-1]
        self._blanks = ""

    def _take(self, size: int) -> str:
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _next(self, final: bool) -> bool:
        """Take the next thing off the buffer; False to wait for more."""
        if self._line_begins and self._shaped:
            found = self._opening(final)
            if found is not None:
                return found
        self._line_begins = False
        first = self._buffer[0]
        if first == "\n":
            self._emit(self._take(1))
            self._line_begins = True
            return True
        if first == "`":
            return self._code(final)
        if first in _STOPS:
            self._emit(self._take(1))
            return True
        if blanks := _BLANKS.match(self._buffer):
            if blanks.end() == len(self._buffer) and not final:
                return False
            self._blanks += self._take(blanks.end())
            return True
        return self._word(final)

    def _word(self, final: bool) -> bool:
        found = _WORD.match(self._buffer)
        if found is None:  # a blank of another kind
            self._emit(self._take(1))
            return True
        size = found.end()
        if size > MAX_HELD:
            self._emit(self._shown(self._take(MAX_HELD)) + " ")
            return True
        if not final:
            opened = _OPEN_MARKER.search(self._buffer)
            if size == len(self._buffer) or (opened is not None and opened.start() < size):
                return False
        self._emit(self._shown(self._take(size)))
        return True

    def _shown(self, word: str) -> str:
        """A word with nothing live in it."""
        word = _unescaped(word).replace("`", "'")
        if not self._markers:
            began = _MARKER.match(word)
            while (less := _MARKER.sub("", word)) != word:
                word = less
            if began and self._blanks and (not word or word[0] in ".,;!?)"):
                self._blanks = self._blanks[:-1]
        bare = _ESCAPED.sub(r"\1", word)
        if bare != word and ADDRESS.search(bare):
            word = bare
        parts: list[str] = []
        before = self._blanks[-1:] or self._last
        at = 0
        for start, end in addresses(word):
            parts.append(_parted_all(word[at:start]))
            code, rest = as_code(word[start:end])
            before = "".join(parts)[-1:] or before
            parts += [" " if before in ("`", "\\") else "", code, _parted_all(rest)]
            at = end
        parts.append(_parted_all(word[at:]))
        return "".join(parts)

    def _code(self, final: bool) -> bool:
        """A span of code that ends on its line stays; other backticks become apostrophes, which open none."""
        size = len(self._buffer) - len(self._buffer.lstrip("`"))
        if size == len(self._buffer) and not final:
            return False
        known = self._buffer[: MAX_HELD + 1]
        line = known.partition("\n")[0]
        escaped = not self._blanks and self._last == "\\"
        if size < 3 and not escaped:
            end = _closing(line, size)
            if (end == 0 or end == len(known)) and len(line) == len(known) <= MAX_HELD and not final:
                return False
            if end and "|" not in line[:end]:  # in a table a bar ends a cell, and with it the code
                apart = " " if not self._blanks and self._last == "`" else ""
                self._emit(apart + self._take(end))
                return True
        self._take(size)
        self._emit("'" * size)
        return True

    def _opening(self, final: bool) -> bool | None:
        """A fence that opens a block of code, at the very beginning of its line; None if there is none."""
        line_end = self._buffer.find("\n")
        if line_end < 0 and not final:
            if _FENCE_BEGINS.match(self._buffer):
                return False
            if _FENCE.match(self._buffer) and len(self._buffer) <= MAX_HELD:
                return False
        found = _FENCE.match(self._buffer)
        if found is None or found.end() > MAX_HELD or "`" in found.group(3):
            return None
        self._take(found.end() + (line_end >= 0))
        language = found.group(3).strip().lower()
        self._fence, self._indent = found.group(2), len(found.group(1))
        self._emit(f"{self._fence}{language if _LANGUAGES.fullmatch(language) else ''}\n")
        self._inside_line = False
        return True

    def _fenced(self, final: bool) -> bool:
        """The next of a block of code: its end, or a line of it as it is."""
        line_end = self._buffer.find("\n")
        line = self._buffer if line_end < 0 else self._buffer[:line_end]
        if not self._inside_line:
            mark = re.escape(self._fence[0])
            if line_end < 0 and not final and re.fullmatch(rf"[ \t]*{mark}*[ \t]*", line):
                return False
            if re.fullmatch(rf"[ \t]*{mark}{{{len(self._fence)},}}[ \t]*", line):
                self._take(len(line) + (line_end >= 0))
                self._emit(self._fence + ("\n" if line_end >= 0 else ""))
                self._fence, self._line_begins = "", True
                return True
            blanks = len(line) - len(line.lstrip(" \t"))
            self._take(min(self._indent, blanks))
            line = line[min(self._indent, blanks) :]
        self._emit(self._take(len(line) + (line_end >= 0)))
        self._inside_line = line_end < 0
        return True


def _whole(text: str, through: Sanitiser) -> str:
    return through.feed(text) + through.end()


def _closing(line: str, size: int) -> int:
    """Where the code span ends that so many backticks at the beginning of a line's rest open; 0 if none does."""
    found = re.compile(rf"(?<!`)`{{{size}}}(?!`)").search(line, size)
    return found.end() if found and found.end() <= MAX_HELD else 0


def _unescaped(word: str) -> str:
    """Entities written out, until there is none: they would be characters again where the text is rendered."""
    while "&" in word and (less := _ENTITY.sub(lambda match: _seen(html.unescape(match.group())), word)) != word:
        word = less
    return word


def _seen(text: str) -> str:
    return " " if text.isspace() else visible(text)


def _parted(match: re.Match[str]) -> str:
    return f"{match.group()} "


def _parted_all(text: str) -> str:
    return re.sub("~{3,}", "~~", _MARKUP.sub(_parted, text))
