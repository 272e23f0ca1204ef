"""Takes the effect out of text that came from documents or models, so that showing it does nothing.

Images are fetched by whoever renders them, and links can carry what a prompt held: both become plain words. A bare
address stays readable, as code, which no renderer turns into a link. Foreign citation markers go, since every
marker in an answer must be one of ours. Quotes in annotations are not touched: they are data, never rendered.
"""

from __future__ import annotations

import re

_IMAGE = re.compile(r"!\[([^\]\n]*)\](?:\([^)\n]*\)|\[[^\]\n]*\])")
_LINK = re.compile(r"\[([^\]\n]*)\]\(\s*<?([^)\s>]*)>?[^)\n]*\)")
_REFERENCE = re.compile(r"\[([^\]\n]+)\]\[[^\]\n]*\]")
# Not after a blank at the start: there the text goes on in the middle of a line, and what was sent may end in "]".
_DEFINITION = re.compile(r"(?:\A|(?<=\n)[ \t]*)\[[^\]\n]+\]:[ \t]*")
_ANGLED = re.compile(r"<((?:[a-z][a-z0-9+.-]*:|www\.)[^\s<>]*|[^\s<>@:]+@[^\s<>@:]+)>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z!][^<>]*(?:>|$)", re.IGNORECASE)
_ADDRESS = re.compile(  # also right behind a digit, where there is no boundary of a word
    r"(?:(?<![a-z])(?:[a-z][a-z0-9+.-]{1,20}://|www\.|(?:javascript|data|mailto):)"
    r"|(?<![\w.@/-])(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?[/?])[^\s<>`\"'”’|]+",
    re.IGNORECASE,
)
"""Addresses, also those without a scheme if they carry more than a host: many pages make links of them, too."""
_FENCES = re.compile(r"`+")
_MARKER = re.compile(r"[ \t]?(?:\[\^?\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*\]|【[^】\n]{0,40}】)")
_OPENERS = re.compile(r"!?\[|<|【")
MAX_HELD = 600


def neutralise(text: str) -> str:
    """The text as plain words: no image, link, tag, code span of its own, or citation marker."""
    text = text.replace("`", "'")
    text = _IMAGE.sub(lambda match: match.group(1), text)
    text = _LINK.sub(lambda match: _worded(match.group(1), match.group(2)), text)
    text = _DEFINITION.sub("", text)
    text = _MARKER.sub("", text)
    text = _REFERENCE.sub(lambda match: match.group(1), text)
    text = _ANGLED.sub(lambda match: match.group(1), text)
    text = _TAG.sub("", text)
    text = text.replace("](", "] (").replace("][", "] [")
    return _ADDRESS.sub(_as_code, text)


def defused(text: str, before: str = "") -> str:
    """The text without images, links and tags; all else as it is, for text that is an agent's own to shape.

    `before` is what went out already: an address is fenced by more backticks than ever came before it, so that none
    of them can close its fence.
    """
    text = _IMAGE.sub(lambda match: match.group(1), text)
    text = _LINK.sub(lambda match: _worded(match.group(1), match.group(2)), text)
    text = _DEFINITION.sub("", text)
    text = _REFERENCE.sub(lambda match: match.group(1), text)
    text = _ANGLED.sub(lambda match: match.group(1), text)
    text = _TAG.sub("", text).replace("](", "] (").replace("][", "] [")
    longest = max((len(run) for run in _FENCES.findall(before + text)), default=0)
    return _ADDRESS.sub(lambda match: _as_code(match, "`" * (longest + 1)), text)


def settled(text: str, held: int = MAX_HELD) -> int:
    """How much of a growing text can be neutralised now, whatever comes next: whole words, no open bracket."""
    cut = _word_end(text)
    for match in _OPENERS.finditer(text, 0, cut):
        if cut - match.start() <= held and not _closed(text[match.start() : cut]):
            return _word_end(text[: match.start()])
    return cut


def _word_end(text: str) -> int:
    """Where the last whole word ends, what stands after it being a blank."""
    cut = max(text.rfind(" "), text.rfind("\n"), text.rfind("\t"))
    return len(text[:cut].rstrip()) if cut > 0 else 0


def _closed(construct: str) -> bool:
    if construct.startswith("<"):
        return ">" in construct or not re.match(r"<[/a-z!]", construct, re.IGNORECASE)
    end = construct.find("】" if construct.startswith("【") else "]")
    if end < 0:
        return False
    rest = construct[end + 1 : end + 2]
    return rest not in ("(", "[") or (")" if rest == "(" else "]") in construct[end + 2 :]


def _worded(words: str, address: str) -> str:
    if not address or address == words:
        return words
    return f"{words} ({address})" if _ADDRESS.match(address) else words


def _as_code(match: re.Match[str], fence: str = "`") -> str:
    address = match.group()
    bare = address.rstrip(".,;:!?)]}")
    return f"{fence}{bare}{fence}{address[len(bare) :]}"
