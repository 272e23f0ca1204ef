"""No test depends on how fast a machine is: what bounds a hang is long, and no elapsed time is judged."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEAST = 60
"""Seconds of a bound that only ends a hang; one up to a second is what a test waits for in vain."""
OWN = ("tests/vllm", "tests/compose", "tests/contract/clients")
"""Suites with bounds of minutes that they name themselves."""
CLOCKS = ("monotonic", "perf_counter")


def _tests() -> Iterator[tuple[str, ast.AST]]:
    for folder in ("libs", "services", "console", "cli", "tests"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            name = str(file.relative_to(ROOT))
            if "tests/" in name and not name.startswith(OWN):
                yield name, ast.parse(file.read_text())


def _numbers(tree: ast.AST) -> dict[str, float]:
    """Names that a module gives to numbers, with those."""
    return {
        target.id: node.value.value
        for node in ast.iter_child_nodes(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and isinstance(node.value.value, int | float)
    }


def _bounds(node: ast.AST, numbers: dict[str, float]) -> Iterator[float]:
    """Seconds that a call waits at the longest, where it says so by a number or by one's name."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and _is_clock(node.left):
        given = [node.right]
    elif isinstance(node, ast.Expr) and _called(node.value) == "join":  # what gives nothing: of a thread or process
        given = node.value.args[:1]  # type: ignore[attr-defined]
    elif isinstance(node, ast.Call):
        given = _waits(node)
    else:
        return
    for each in given:
        if isinstance(each, ast.Constant) and isinstance(each.value, int | float):
            yield each.value
        elif isinstance(each, ast.Name) and each.id in numbers:
            yield numbers[each.id]


def _called(node: ast.AST) -> str:
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else str(getattr(function, "id", ""))


def _is_clock(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS


def _waits(node: ast.Call) -> list[ast.expr]:
    """What a call says of how long it waits."""
    called = _called(node)
    given = [keyword.value for keyword in node.keywords if keyword.arg == "timeout"]
    given += node.args[:1] if called in ("timeout", "wait", "result") else []
    return given + (node.args[1:2] if called == "wait_for" else [])


def test_what_only_bounds_a_hang_is_a_minute_at_least() -> None:
    short = [
        f"{name}:{node.lineno} {seconds:g} s"  # type: ignore[attr-defined]
        for name, tree in _tests()
        for numbers in (_numbers(tree),)
        for node in ast.walk(tree)
        for seconds in _bounds(node, numbers)
        if 1 < seconds < LEAST
    ]
    assert not short, "a busy machine takes longer: wait for a minute, or for an event"


def _is_elapsed(node: ast.AST) -> bool:
    """Whether it is `clock() - began`."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Sub)
        and any(_is_clock(each) for each in ast.walk(node.left))
    )


def test_no_elapsed_time_is_judged_to_be_short() -> None:
    judged = [
        f"{name}:{node.lineno}"
        for name, tree in _tests()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        for compared in ast.walk(node)
        if isinstance(compared, ast.Compare)
        for left, operator in zip([compared.left, *compared.comparators], compared.ops, strict=False)
        if isinstance(operator, ast.Lt | ast.LtE) and _is_elapsed(left)
    ]
    assert not judged, "speed is measured in benchmarks/; judge by records, events and order"
