"""JSON schemas of callers: checked before a model sees them, and answers held against them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NoReturn

import jsonschema_rs

from contracts.models.chat import ChatRequest
from inference.errors import AnswerUnfit, InvalidSchema

SHOWN = 300
SCHEMA = "response_format.json_schema.schema"
"""Where a request has the schema of its answer."""
MOST_BACKTRACKS = 10_000
"""Of a pattern that looks around, which can't be matched in linear time; beyond them a text does not match."""


def _no_references(uri: str) -> NoReturn:
    raise ValueError(f"references to other documents are not followed: {uri[:SHOWN]}")


def validator(schema: Any, param: str) -> Any:
    """What checks values against a schema (`validate`, `is_valid`); raises `InvalidSchema`, naming `param`.

    Patterns are matched in linear time, those that look around with a bound of steps, and nothing is fetched, so that
    no schema can hold the service up.
    """
    if not isinstance(schema, dict):
        raise InvalidSchema(param, "it must be an object")
    try:
        return _compiled(schema, jsonschema_rs.RegexOptions())
    except (ValueError, RecursionError):
        pass
    try:
        return _compiled(schema, jsonschema_rs.FancyRegexOptions(backtrack_limit=MOST_BACKTRACKS))
    except (ValueError, RecursionError) as error:
        raise InvalidSchema(param, str(error).split("\n", 1)[0][:SHOWN]) from None


@lru_cache(1024)
def is_linear_pattern(pattern: str) -> bool:
    """Whether a pattern can be matched in linear time: it neither looks around nor refers back."""
    try:
        _compiled({"pattern": pattern}, jsonschema_rs.RegexOptions())
    except ValueError:
        return False
    return True


def _compiled(schema: dict[str, Any], patterns: jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions) -> Any:
    return jsonschema_rs.validator_for(schema, retriever=_no_references, pattern_options=patterns)


def check_answer(schema: Any, text: str) -> None:
    """Raise `AnswerUnfit` for a whole answer that does not fit: a grammar can't hold all that schemas ask."""
    try:
        error = next(iter(validator(schema, SCHEMA).iter_errors(json.loads(text))), None)
    except ValueError:
        raise AnswerUnfit(SCHEMA, "it is no JSON") from None
    if error is not None:
        raise AnswerUnfit(SCHEMA, error.message[:SHOWN])


def check_request(request: ChatRequest) -> None:
    """Raise `InvalidSchema` for a schema that is none, whichever model is asked: engines fail over them in many ways.

    What has another shape than OpenAI's is left to the engine.
    """
    extra = request.model_extra or {}
    tools = extra.get("tools")
    for number, tool in enumerate(tools if isinstance(tools, list) else ()):
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict) and function.get("parameters") is not None:
            validator(function["parameters"], f"tools.{number}.function.parameters")
    shape = extra.get("response_format")
    named = shape.get("json_schema") if isinstance(shape, dict) else None
    if isinstance(named, dict) and named.get("schema") is not None:
        validator(named["schema"], SCHEMA)
