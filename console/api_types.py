"""Writes `types/api.d.ts`, the API's types for the console, from docs/openapi.json; `--check` compares them.

The file is for the type checker and editors alone and is not served. A schema of answers has every property, since the
API sends them all; one of bodies has those optional that need not be sent.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TYPES = Path(__file__).parent / "types" / "api.d.ts"
HEAD = """// The API's schemas and calls, written by console/api_types.py from docs/openapi.json: `make docs`.
declare namespace Api {
  type Options<Query, Body> = {
    query?: Query;
    json?: Body;
    headers?: Record<string, string>;
    signal?: AbortSignal;
  };"""
_REFERENCE = re.compile(r'"#/components/schemas/([^"]+)"')
_SCALARS = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
Json = dict[str, Any]


class Types:
    """The types of one OpenAPI document."""

    def __init__(self, document: Json) -> None:
        self._schemas: Json = document["components"]["schemas"]
        self._calls = sorted(_calls(document), key=lambda call: (call[1], call[0]))
        self._answered = self._reached(
            [about["responses"] for path in document["paths"].values() for about in path.values()]
        )
        self._sent = self._reached([_body(about) for _, _, about in self._calls])

    def text(self) -> str:
        """The whole file."""
        schemas = [self._declared(name) for name in sorted(self._schemas) if not name.startswith("Page_")]
        calls = [f"    {self._call(*call)}" for call in self._calls]
        lists = [f"    {line}" for call in self._calls if (line := self._list(*call))]
        ends = ["  interface Call {", *calls, "  }", "  interface All {", *lists, "  }", "}", ""]
        return "\n".join([HEAD, *schemas, *ends])

    def _reached(self, roots: list[Json]) -> set[str]:
        waiting, found = _REFERENCE.findall(json.dumps(roots)), set[str]()
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += _REFERENCE.findall(json.dumps(self._schemas[name].get("properties", self._schemas[name])))
        return found

    def _declared(self, name: str) -> str:
        schema = self._schemas[name]
        if "properties" not in schema:
            return f"  type {_name(name)} = {self._type(schema)};"
        required = schema["properties"] if name in self._answered else schema.get("required", [])
        is_body = name in self._sent and name not in self._answered
        lines = [
            f"{key}{'' if key in required else '?'}: {self._type(value, is_body)};"
            for key, value in sorted(schema["properties"].items())
        ]
        if schema.get("additionalProperties", False) is not False:
            lines.append("[more: string]: unknown;")
        return "\n".join([f"  type {_name(name)} = {{", *(f"    {line}" for line in lines), "  };"])

    def _type(self, schema: Json, is_body: bool = False) -> str:
        if reference := schema.get("$ref"):
            name = reference.rpartition("/")[2]
            is_whole = is_body and name in self._answered and "properties" in self._schemas[name]
            return f"Partial<{_name(name)}>" if is_whole else _name(name)
        if "enum" in schema or "const" in schema:
            return " | ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
        if parts := schema.get("anyOf") or schema.get("oneOf"):
            return " | ".join(dict.fromkeys(self._type(part, is_body) for part in parts))
        if schema.get("type") == "array":
            item = self._type(schema.get("items", {}), is_body)
            return f"({item})[]" if " " in item else f"{item}[]"
        if schema.get("type") == "object":
            values = schema.get("additionalProperties")
            return f"Record<string, {self._type(values, is_body) if isinstance(values, dict) else 'unknown'}>"
        return _SCALARS.get(schema.get("type", ""), "unknown")

    def _call(self, path: str, method: str, about: Json) -> str:
        answer = self._type(_answer(about)) if _answer(about) else "null"
        if page := re.fullmatch(r"Page_(\w+)_", answer):
            answer = f"{{ data: {page[1]}[]; next_cursor: string | null }}"
        options = f"Options<{_query(about)}, {self._type(_body(about), is_body=True) if _body(about) else 'never'}>"
        return f'(method: "{method.upper()}", path: {_path(path)}, options?: {options}): Promise<{answer}>;'

    def _list(self, path: str, method: str, about: Json) -> str:
        page = re.fullmatch(r"Page_(\w+)_", self._type(_answer(about)))
        return f"(path: {_path(path)}, query?: {_query(about)}, most?: number): Promise<{page[1]}[]>;" if page else ""


def _calls(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Path, method and description of what has JSON for an answer, or nothing."""
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            contents = [answer.get("content") for status, answer in about["responses"].items() if status < "3"]
            if path.startswith("/v1/") and any(not one or "application/json" in one for one in contents):
                yield path, method, about


def _answer(about: Json) -> Json:
    contents = [answer.get("content") or {} for status, answer in about["responses"].items() if status < "3"]
    found = [one["application/json"]["schema"] for one in contents if "application/json" in one]
    return found[0] if found else {}


def _body(about: Json) -> Json:
    schema: Json = about.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _query(about: Json) -> str:
    names = [json.dumps(one["name"]) for one in about.get("parameters", []) if one["in"] == "query"]
    return f"Partial<Record<{' | '.join(names)}, unknown>>" if names else "{}"


def _path(path: str) -> str:
    """A tuple with a literal for each segment that is one. Sorted paths have literals first: `{` is behind letters."""
    parts = ["string" if part.startswith("{") else json.dumps(part) for part in path.split("/")[2:]]
    return f"readonly [{', '.join(parts)}]"


def _name(name: str) -> str:
    return name.replace("-", "")


def main(arguments: list[str]) -> int:
    """Write the file, or compare it; returns the exit status."""
    text = Types(json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))).text()
    if "--check" not in arguments:
        TYPES.write_text(text, "utf-8")
    elif not TYPES.exists() or TYPES.read_text("utf-8") != text:
        print("console/types/api.d.ts is not of docs/openapi.json: run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
