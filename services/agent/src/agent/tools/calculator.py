"""Arithmetic by a parser of its own: numbers, operators and a few functions, and nothing that Python would run."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from agent.tools.built_in import BuiltInTool
from agent.tools.tool import Repeat, ToolCaller, ToolFailed

MAX_CHARS = 1000
DIGITS = 34
"""Significant digits, as in IEEE 754's decimal128."""
MAX_EXPONENT = 10_000

_BINARY: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}


def _rounded(value: Decimal, places: Decimal = Decimal(0)) -> Decimal:
    if places != places.to_integral_value() or not -DIGITS < places < DIGITS:
        raise ToolFailed("round takes a whole number of places between -33 and 33.")
    return value.quantize(Decimal(1).scaleb(-int(places)))


def _by_float(function: Callable[[float], float]) -> Callable[[Decimal], Decimal]:
    return lambda value: Decimal(repr(function(float(value))))


_FUNCTIONS: dict[str, Callable[..., Decimal]] = {
    "abs": abs,
    "round": _rounded,
    "floor": lambda value: Decimal(math.floor(value)),
    "ceil": lambda value: Decimal(math.ceil(value)),
    "sqrt": lambda value: value.sqrt(),
    "exp": lambda value: value.exp(),
    "ln": lambda value: value.ln(),
    "log10": lambda value: value.log10(),
    "sin": _by_float(math.sin),
    "cos": _by_float(math.cos),
    "tan": _by_float(math.tan),
    "min": min,
    "max": max,
    "sum": lambda *values: sum(values, Decimal(0)),
}
_CONSTANTS = {"pi": Decimal(repr(math.pi)), "e": Decimal(repr(math.e))}


def calculate(expression: str) -> str:
    """The value of an expression, exact to 34 digits; raises `ToolFailed` for what is none."""
    if len(expression) > MAX_CHARS:
        raise ToolFailed(f"The expression is longer than {MAX_CHARS} characters.")
    try:
        tree = ast.parse(expression.replace("^", "**").strip(), mode="eval")
        with localcontext(prec=DIGITS, Emax=MAX_EXPONENT, Emin=-MAX_EXPONENT):
            value = _value(tree.body)
            return _written(value)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ToolFailed("That is not an expression. Write for example: (3 + 4) * 2 / sqrt(2)") from None
    except (InvalidOperation, ZeroDivisionError, ArithmeticError, TypeError):
        raise ToolFailed(
            "The expression has no value: a division by zero, a number out of range, or the like."
        ) from None


def _value(node: ast.expr) -> Decimal:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return Decimal(repr(node.value))
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](_value(node.left), _value(node.right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        function = _FUNCTIONS.get(node.func.id)
        if function is not None:
            return function(*map(_value, node.args))
    raise ToolFailed(f"Only numbers, + - * / // % ^, parentheses and {', '.join(_FUNCTIONS)} are understood.")


def _written(value: Decimal) -> str:
    if not value.is_finite():
        raise InvalidOperation
    plain = value.normalize()
    return f"{plain:f}" if -20 < plain.adjusted() < 40 else str(plain)


class Calculator:
    """`Tool`: arithmetic."""

    name = "calculator"
    kind = "calculator"
    repeat: Repeat = "safe"
    description = "Computes an arithmetic expression exactly."
    parameters: dict[str, Any] = {  # noqa: RUF012  # read only
        "type": "object",
        "properties": {"expression": {"type": "string", "description": "for example (3 + 4) * 2 / sqrt(2)"}},
        "required": ["expression"],
        "additionalProperties": False,
    }

    async def call(self, arguments: dict[str, Any], caller: ToolCaller) -> str:
        """The value."""
        return calculate(arguments["expression"])


BUILT_IN = (
    BuiltInTool("calculator", "Computes an arithmetic expression exactly.", lambda _options, _resources: Calculator()),
)
