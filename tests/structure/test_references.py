"""What one place says of another is there: links between documents, modules and folders that docstrings name."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOPS = ("libs", "services", "console", "cli", "tests", "benchmarks", "research", "examples", "deploy", "docs")
CODE = [path for top in TOPS for path in (ROOT / top).rglob("*.py")]


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[parts.index("src") + 1 :] if "src" in parts else parts).removesuffix(".__init__")


MODULES = {_module(path): path for path in CODE}
PACKAGES = {name[:at] for name in MODULES for at, letter in enumerate(name) if letter == "."}
FOLDERS = "\n".join(f"/{path.parent.relative_to(ROOT)}/" for top in TOPS for path in (ROOT / top).rglob("*.*"))
MOST_PICTURE_BYTES = 120_000
OF_A_HOME = {"run/"}
"""Folders of a data directory, not of ours."""


@cache
def _docstrings() -> list[tuple[str, str]]:
    """Every text that stands alone in the code, with where it is."""
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno}", node.value.value)
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node.value.value, str)
    ]


def _is_there(name: str) -> bool:
    """Whether a dotted name is a package, a module, or said in the module that it begins with."""
    if name in PACKAGES | MODULES.keys():
        return True
    module, _, attribute = name.rpartition(".")
    if module in MODULES:
        return re.search(rf"\b{attribute}\b", MODULES[module].read_text()) is not None
    return module not in PACKAGES and "." in module and _is_there(module)


def test_links_between_documents_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in {*pages, *(readme for top in TOPS for readme in (ROOT / top).rglob("README.md"))}
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_pictures_are_small_and_each_is_shown_on_a_page() -> None:
    pages = "\n".join(page.read_text() for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    for picture in (ROOT / "docs" / "pictures").iterdir():
        assert f"pictures/{picture.name})" in pages, picture.name
        assert picture.stat().st_size <= MOST_PICTURE_BYTES, picture.name


def test_modules_that_docstrings_name_exist() -> None:
    tops = {name.partition(".")[0] for name in MODULES}
    missing = [
        f"{place}: {name}"
        for place, text in _docstrings()
        for name in re.findall(r"(?<![\w./-])([a-z_]\w*(?:\.\w+)+)(?![\w(/-]*/)", text)
        if name.partition(".")[0] in tops and not _is_there(name)
    ]
    assert not missing


def test_folders_that_docstrings_name_exist() -> None:
    missing = [
        f"{place}: {folder}"
        for place, text in _docstrings()
        for folder in re.findall(r"`((?:[\w-]+/)+)`", text)
        if f"/{folder}" not in FOLDERS and folder not in OF_A_HOME
    ]
    assert not missing
