"""Office equations on a line: `(a+b)/2`, `x^2`, `x_i`, `√(b)`; whatever else they are built of, in order."""

from __future__ import annotations

from lxml import etree

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
MAX_DEPTH = 60
_SUM = "∫"
"""What a large operator without a sign of its own is."""


def linear(element: etree._Element, depth: int = 0) -> str:
    """An equation, or a part of one, in the order in which it is spoken."""
    if element.tag == f"{M}t":
        return element.text or ""
    if depth > MAX_DEPTH:
        return "".join(text.text or "" for text in element.iter(f"{M}t"))
    children = [(str(child.tag).removeprefix(M), linear(child, depth + 1)) for child in element]
    parts = dict(children)
    if element.tag == f"{M}f":
        return f"{_group(parts.get('num', ''))}/{_group(parts.get('den', ''))}"
    if element.tag == f"{M}rad":
        return f"√{_group(parts.get('e', ''), always=True)}"
    if element.tag in (f"{M}sSup", f"{M}sSub", f"{M}sSubSup"):
        return f"{parts.get('e', '')}{_scripts(parts)}"
    if element.tag == f"{M}nary":
        sign = element.find(f"{M}naryPr/{M}chr")
        shown = sign.get(f"{M}val", _SUM) if sign is not None else _SUM
        return f"{shown}{_scripts(parts)} {parts.get('e', '')}"
    if element.tag == f"{M}d":
        return f"({', '.join(text for name, text in children if name == 'e')})"
    return "".join(text for _, text in children)


def _scripts(parts: dict[str, str]) -> str:
    below, above = parts.get("sub", ""), parts.get("sup", "")
    return (f"_{_group(below)}" if below else "") + (f"^{_group(above)}" if above else "")


def _group(text: str, *, always: bool = False) -> str:
    return f"({text})" if always or (len(text) > 1 and not text.isalnum()) else text
