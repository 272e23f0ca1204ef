"""The house rules that no linter knows: sizes, uniform rooms, names, READMEs that stay short."""

from __future__ import annotations

import ast
import random
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("gateway", "ingest", "retriever", "inference", "agent", "lab")
PACKAGES = [
    *(ROOT / "services" / name for name in SERVICES),
    ROOT / "libs/contracts",
    ROOT / "libs/extraction",
    ROOT / "libs/servicekit",
    ROOT / "console",
    ROOT / "cli",
]
CODE = [
    path
    for top in ("libs", "services", "console", "cli", "tests", "benchmarks", "research", "examples", "deploy", "docs")
    for path in (ROOT / top).rglob("*.py")
]
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
HEADINGS = ["Purpose", "API", "Settings", "Metrics", "Run and test"]
NAMELESS = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of signature and body; the docstring is documentation, not length."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


def test_files_stay_short() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in CODE
        if (count := len(path.read_text().splitlines())) > MAX_FILE_LINES
    }
    assert not long, f"split these: {long}"


def test_functions_stay_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name} {_lines(function)}"
        for path in CODE
        if not {"tests", "migrations"} & set(path.parts)
        for function in _functions(ast.parse(path.read_text()))
        if _lines(function) > MAX_FUNCTION_LINES
    ]
    assert not long, f"a longer function is two things: {long}"


def test_modules_are_named_for_what_they_hold() -> None:
    assert not [path for path in CODE if path.stem in NAMELESS]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_modules_at_its_top(service: str) -> None:
    package = ROOT / "services" / service / "src" / service
    for name in ("__main__", "settings", "bootstrap", "metrics"):
        assert (package / f"{name}.py").is_file(), f"services/{service} has no {name}.py"
    folders = {path.parent.name for path in package.glob("*/*.py")}
    assert folders & {"api", "routes"}, f"services/{service} has no folder of routes"


@pytest.mark.parametrize("service", SERVICES)
def test_the_table_of_metrics_names_those_that_there_are(service: str) -> None:
    source = (ROOT / "services" / service / "src" / service / "metrics.py").read_text()
    table = ast.get_docstring(ast.parse(source)) or ""
    listed = re.findall(r"^\| (groundwork_\w+) \|", table, re.MULTILINE)
    assert sorted(listed) == sorted(re.findall(r'"(groundwork_\w+)"', source))


def test_a_migration_s_file_begins_with_its_revision_and_follows_the_one_before() -> None:
    for folder in ROOT.glob("services/*/src/*/migrations/versions"):
        before = "None"
        for file in sorted(folder.glob("[0-9]*.py")):
            revision = f'"{file.name.partition("_")[0]}"'
            lines = file.read_text().splitlines()
            assert {f"revision = {revision}", f"down_revision = {before}"} <= set(lines), file
            before = revision


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_package_has_a_readme_and_tests(package: Path) -> None:
    assert (package / "pyproject.toml").is_file()
    assert any((package / "tests").rglob("test_*.py"))
    headings = re.findall(r"^## (.+)$", (package / "README.md").read_text(), re.MULTILINE)
    if package.parent.name == "services" or package.name == "cli":
        assert headings == HEADINGS, f"{package.name}/README.md has {headings}"


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


def test_only_settings_read_the_environment() -> None:
    """ruff bans the names; this finds what slips past it."""
    readers = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (package / "src").rglob("*.py")
        if re.search(r"\bos\.(environ|getenv)\b|from os import environ", path.read_text())
    ]
    assert all("settings" in path or "/stack/" in path or "/sandbox/" in path for path in readers), readers


def test_chance_comes_from_a_generator_of_one_s_own() -> None:
    """`random`'s functions share one generator with all threads, and a property test seeds it."""
    shared = [
        f"{path.relative_to(ROOT)}:{node.lineno} random.{name}"
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _names_of_random(node)
        if name.islower() and hasattr(random, name) and path != Path(__file__)
    ]
    assert not shared, "use a Random(seed), or SystemRandom(), of your own"


def _names_of_random(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom) and node.module == "random":
        return [alias.name for alias in node.names]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
        return [node.attr]
    return []


def _as_another_thread_draws() -> None:
    drawing = threading.Thread(target=random.random)
    drawing.start()
    drawing.join()


@settings(max_examples=3)
@given(st.builds(_as_another_thread_draws))
def test_a_property_holds_whatever_other_threads_draw(drawn: None) -> None:
    assert drawn is None


def test_what_starts_without_looking_for_garbage_looks_for_it_once_it_serves() -> None:
    starts = [path for path in CODE if path.name == "__main__.py" and "services" in path.parts]
    without = [path for path in starts if "gc.disable()" in path.read_text()]
    assert {path.relative_to(ROOT / "services").parent.as_posix() for path in without} == {
        *(f"{name}/src/{name}" for name in SERVICES),
        "ingest/src/ingest/worker",
    }
    assert not [
        path
        for path in without
        if not re.search(r"^\s+(serve\(|keep_garbage_cheap\(\)|gc\.enable\(\))", path.read_text(), re.M)
    ]
