"""Constrained decoding by llguidance: which tokens may come next, so that an answer has the form that is asked for."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from numpy.typing import NDArray

from inference.errors import SchemaUnsupported
from inference.requests.generation_request import GenerationRequest
from inference.schemas.grammar import grammar_schema
from inference.schemas.validation import SCHEMA
from inference.tool_calls.calls import MAX_CALLS, Function, Tools

COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""A small model that may write blanks between two values may never write anything else again."""
LENIENT = {"lenient": True, "coerce_one_of": True}
"""Keywords that a grammar can't hold (`uniqueItems`, `if`, `not`) are left to the check of the written answer."""
SHOWN = 300


class LogitsProcessor:
    """The form of one answer, followed token by token."""

    def __init__(self, matcher: LLMatcher, vocabulary: int) -> None:
        self._matcher = matcher
        self._mask = np.zeros((vocabulary + 31) // 32, dtype=np.int32)
        self._vocabulary = vocabulary

    def allowed(self) -> NDArray[np.bool_]:
        """For each token, whether it may come next."""
        self._matcher.unsafe_compute_mask_ptr(self._mask.ctypes.data, self._mask.nbytes)
        self._check()
        return np.unpackbits(self._mask.view(np.uint8), bitorder="little")[: self._vocabulary].view(np.bool_)

    def take(self, token: int) -> bool:
        """Go on with a token that is allowed; true when nothing can follow."""
        self._matcher.consume_token(token)
        self._check()
        return bool(self._matcher.is_stopped())

    def fits(self, tokens: list[int]) -> bool:
        """Whether these are a whole answer; the processor can't be used any more."""
        return self._matcher.try_consume_tokens(tokens) == len(tokens) and bool(self._matcher.is_accepting())

    def again(self) -> LogitsProcessor:
        """The same form from its beginning."""
        copy = self._matcher.deep_copy()
        copy.reset()
        return LogitsProcessor(copy, self._vocabulary)

    def _check(self) -> None:
        if self._matcher.is_error():
            raise SchemaUnsupported("the schema", f"it is too complex ({_words(self._matcher.get_error())})")


class LogitsProcessors:
    """Makes processors for one tokenizer."""

    def __init__(self, tokenizer: LLTokenizer) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def for_bytes(cls) -> LogitsProcessors:
        """For models whose tokens are bytes."""
        return cls(LLTokenizer("byte"))

    @property
    def end(self) -> int:
        """The token that ends an answer."""
        return self._tokenizer.eos_token

    def create(self, generation_request: GenerationRequest) -> LogitsProcessor | None:
        """The form that a request asks for, None for free text; raises `SchemaUnsupported`."""
        if generation_request.tools is not None:
            for number, function in enumerate(generation_request.tools.functions):
                self._matcher(_json(_arguments(function)), f"tools.{number}.function.parameters")
            grammar = _calls(generation_request.tools, generation_request.schema)
        elif generation_request.schema is not None:
            grammar = _json(generation_request.schema)
        else:
            return None
        return LogitsProcessor(
            self._matcher(grammar, SCHEMA if generation_request.schema else "tools"), self._tokenizer.vocab_size
        )

    def _matcher(self, grammar: str, param: str) -> LLMatcher:
        matcher = LLMatcher(self._tokenizer, LLMatcher.grammar_from_lark(grammar), log_level=0)
        if matcher.is_error():
            raise SchemaUnsupported(param, _words(matcher.get_error()))
        return matcher


def _json(schema: dict[str, Any]) -> str:
    return f"start: %json {_constrained(schema)}\n"


def _calls(tools: Tools, schema: dict[str, Any] | None) -> str:
    """A Lark grammar of calls and, where none is needed, of other answers."""
    lines = [f"call: {' | '.join(f'call{number}' for number in range(len(tools.functions)))}"]
    for number, function in enumerate(tools.functions):
        head = json.dumps(f'{{"name": {json.dumps(function.name)}, "arguments": ')
        lines.append(f'call{number}: {head} arguments{number} "}}"')
        lines.append(f"arguments{number}: %json {_constrained(_arguments(function))}")
    forms = ["call"]
    if tools.several:
        lines.append(f'calls: "[" call (", " call){{0,{MAX_CALLS - 1}}} "]"')
        forms.append("calls")
    if not tools.required:
        forms.append("other")
        plain = r"/[^{\[\s](.|\n)*/" if tools.several else r"/[^{\s](.|\n)*/"
        lines.append(f"other: {plain if schema is None else '%json ' + _constrained(schema)}")
    return "\n".join([f"start: {' | '.join(forms)}", *lines]) + "\n"


def _arguments(function: Function) -> dict[str, Any]:
    """The schema of a call's arguments: a tool that lists none takes none."""
    return {"properties": {}, **function.parameters}


def _constrained(schema: dict[str, Any]) -> str:
    return json.dumps({**grammar_schema(schema), "x-guidance": COMPACT | LENIENT})


def _words(error: str) -> str:
    return error.strip().split("\n", 1)[0][:SHOWN].rstrip(".")
