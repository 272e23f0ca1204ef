"""Finds in a word what renderers make a link of though no markup says so, and shows it as code.

It finds more than any one of them: the addresses of CommonMark's and GitHub's autolinks, and the bare names of hosts
that `linkify-it` turns into links (its list of top-level domains, any other one where a path follows).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_SEPARATORS = (
    r"\s\x00-\x20!\"#%&'()*,/:;<>?@\[\]\\`{|}“”‘’„«»…–—｜\x7f-\xa0"
    r"（）［］｛｝【】〔〕「」『』〈〉《》・、。，：；！？"
)
_LABEL = rf"[^{_SEPARATORS}.]"
_COUNTRIES = (
    "a[cdefgilmnoqrstuwxz]|b[abdefghijmnorstvwyz]|c[acdfghiklmnoruvwxyz]|d[ejkmoz]|e[cegrstu]|f[ijkmor]"
    "|g[abdefghilmnpqrstuwy]|h[kmnrtu]|i[delmnoqrst]|j[emop]|k[eghimnprwyz]|l[abcikrstuvy]|m[acdeghklmnopqrstuvwxyz]"
    "|n[acefgilopruz]|om|p[aefghklmnrstwy]|qa|r[eosuw]|s[abcdeghijklmnortuvxyz]|t[cdfghjklmnortvwz]|u[agksyz]"
    "|v[aceginu]|w[fs]|y[et]|z[amw]"
)
_DOMAINS = "biz|com|edu|gov|net|org|pro|web|xxx|aero|asia|coop|info|museum|name|shop|рф|xn--[a-z0-9-]+"
_REST = r"[^\s<>`\"”’|｜]*"
ADDRESS = re.compile(
    rf"(?:[a-z][a-z0-9+.-]*:(?=//)|(?:javascript|vbscript|mailto|xmpp|data(?=:\w+/)):(?=\S)|www\.){_REST}"
    rf"|//(?=(?:localhost|{_LABEL}+\.{_LABEL}))[^\s<>`\"”’|｜]+"
    rf"|(?:{_LABEL}[^{_SEPARATORS}]*)?@{_LABEL}+(?:\.{_LABEL}+)+(?:[/?#]{_REST})?"
    rf"|(?:(?<!{_LABEL})(?:{_LABEL}+\.)+|\A\.)(?:(?:{_DOMAINS}|{_COUNTRIES})(?![^\W_]|-)(?::\d+)?(?:[/?#]{_REST})?"
    rf"|[a-z]{{2,}}(?::\d+)?[/?#](?=[^\s<>`\"”’|]){_REST})",
    re.IGNORECASE,
)
"""Nobody's ordinary sentence holds one, save the name of a file whose ending is that of a country (`README.md`).
What an underscore ends may be emphasis, which leaves the bare name."""
_JOINED_BEFORE = re.compile(rf"(?:{_LABEL}|\.)+\Z")
_JOINED_BEHIND = re.compile(rf"(?:{_LABEL}|\.)*")
_ENDS = ".,;:!?)]}'\\*_~"


def addresses(word: str) -> Iterator[tuple[int, int]]:
    """Where the addresses of a word begin and end, each with all that is joined to it: parted it might be another."""
    at = 0
    while match := ADDRESS.search(word, at):
        before, behind = _JOINED_BEFORE.search(word, at, match.start()), _JOINED_BEHIND.match(word, match.end())
        begin, at = before.start() if before else match.start(), behind.end() if behind else match.end()
        yield begin, at


def as_code(address: str) -> tuple[str, str]:
    """The address as code, which no renderer turns into a link; and what behind it is not a part of it."""
    bare = address.rstrip(_ENDS)
    if address[len(bare) :].startswith(")") and bare.count("(") > bare.count(")"):
        bare += ")"
    return f"`{bare}`", address[len(bare) :]
