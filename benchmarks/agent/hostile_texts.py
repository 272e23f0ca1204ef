"""Texts that try to become markup: fragments of tags, links, fences and addresses, put together at random."""

from __future__ import annotations

import random
from collections.abc import Iterator

_MARKUP = (
    *("![", "[", "](", "](<", ")", ">", "]", "]:", "][", "(", ' "t")', "!", "<", "</", "<!--", "-->", "/>", "<?", "?>"),
    *(
        "<![CDATA[",
        "]]>",
        "<!x ",
        "<b>",
        "<im",
        "<im<b>",
        "g src=",
        "img src=",
        "<img src=",
        "<a href=",
        "<svg onload=",
    ),
    *(
        "<script>",
        "<scr",
        "ipt>",
        "</script>",
        "<iframe src=",
        "<style>",
        "onerror=",
        '"',
        "'",
        "=",
        "*",
        "_",
        "~~",
        "|",
    ),
)
_ADDRESSES = (
    *("//evil.example/S", "https://evil.example/S", "HTTP://evil.com", "http:", "//", "www.", "www.evil.example/S"),
    *("evil.com", "evil.example/?q=1", "a@evil.com", "mailto:", "mailto:a@evil.com", "xmpp:a@b.com", "ftp://x.org/y"),
    *(
        "README.md",
        ".com",
        ".",
        "@",
        ":",
        "/",
        "?",
        "#",
        "javascript:alert(1)",
        "data:text/html,x",
        "пример.рф",
        "x.co:80/p",
    ),
    *("localhost", "127.0.0.1/x", "😀.com", "http://[::1]/", "\\https://evil.com", "https\\://evil.com", "a\\@b.com"),
    *("evil\\.com", "https&#58;//evil.com", "a&#64;b.com", "www&period;evil.com", "&lt;img src=x&gt;", "&amp;#60;b>"),
)
_BLOCKS = (
    *("\n", "\n\n", "\r", "\r\n", "\u2028", "\x0b", "\x0c", "\x85", "\t", " ", "  ", "    ", "\n> ", "\n- ", "\n* "),
    *("\n1. ", "\n# ", "\n    ", "\n   ", "> ", "- ", "1. ", "\n---\n", "\n===\n", "\n| a | b |\n|---|---|\n| ", " | "),
    *("`", "``", "```", "````", "~~~", "\n```", "\n```\n", "\n~~~\n", "\n  ```html\n", "\n> ```\n", "\n- ~~~\n", "\\`"),
    *("```bash\n", "\n```mermaid\n", "\n````\n", "$$", "\\", "\\\\", "\\[", "\\]", "\\(", "\\<", "\\!"),
)
_NAMES = (
    *(
        "[r]: //evil.example/S",
        "![r]",
        "[r]",
        "[r][]",
        "![r][]",
        "![a][r]",
        "[^1]",
        "[^1]: ",
        "[1]",
        "[1]: //e.com",
        "[1, 2]",
    ),
    *(
        "【3†s】",
        "［2］",
        "[a\\]b]: ",
        "[a\nb]: //evil.example/S",
        "r",
        "a",
        "word",
        "See",
        "5",
        "&",
        "&#",
        ";",
        "&colon;",
    ),
    *(
        "\u200b",
        "\u200d",
        "\u00a0",
        "\u202e",
        "\ufe0f",
        "\U000e0041",
        "\u00ad",
        "。",
        "（",
        "\x00",
        "\x1b[31m",
        "é",
        "字",
    ),
)
FRAGMENTS = (*_MARKUP, *_ADDRESSES, *_BLOCKS, *_NAMES)
WHOLE = (
    "\\<_evil.com_?\n1. \\<\u2028~~",
    "evil\\.com_`\\`](![r][][1, 2]a&#64;b.com</-->_\\[\x0c`",
    "HTTP://evil.comhttps://evil.example/Shttps&#58;//evil.com;]]>\ufe0f//|пример.рфonerror=< ",
    "//a|пример.рфx",
    "the <im<b>g src=//evil.example/p.png> blue stone",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    *(
        f"{mark}[r]: //evil.example/S\n\n![r]"
        for mark in ("> ", "- ", "* ", "1. ", ">> ", "> > ", "\r\r", "\u2028", "\xa0")
    ),
    "[x\\]y]: //evil.example/S\n\n![x\\]y]",
    "[x\ny]: //evil.example/S\n\n![x y]",
    "[x]:\n//evil.example/S\n\n![x]",
    "![r]\n\n[r]: <//evil.example/S> 'title'",
    "\\https://evil.example/S and \\`https://evil.example/S`",
    "`a http://evil.example/?q=1 b` and so on",
    "``a `http://evil.example/?q=1` b``",
    "`a\n\nhttp://evil.example/?q=1 `",
    "| a | b |\n|---|---|\n| `x | https://evil.com y` |",
    "- ```\n```\nhttps://evil.com <img src=x>\n```",
    "> ```\n```\nhttps://evil.com\n",
    "  ```\n```\n<img src=//evil.example/S>\n```\n<img src=//evil.example/S>",
    "[a] [1]: //evil.example/S\n\n![a]",
    "[x] [1](//evil.example/S)",
    ".com😀.com and a.com😀.com",
    "![x][1](//evil.example/S)",
)
"""What passed by an earlier filter, and its relatives."""


def hostile_texts(count: int, seed: int) -> Iterator[str]:
    """So many texts; the same for the same seed."""
    chance = random.Random(seed)
    for number in range(count):
        if number < len(WHOLE):
            yield WHOLE[number]
            continue
        pieces = chance.choices(FRAGMENTS, k=chance.randint(2, 16))
        if chance.random() < 0.2:
            pieces.insert(chance.randrange(len(pieces)), chance.choice(WHOLE))
        yield "".join(pieces)
