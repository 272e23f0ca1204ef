"""Walks every call that an OpenAPI document names, so that a new route is tried without anybody remembering it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Operation:
    """One call: its path's parameters by the segment before them, its query parameters, and what bodies it takes."""

    method: str
    path: str
    owners: Mapping[str, str]
    queries: Mapping[str, bool]
    """Query parameters, and whether each must be given."""
    media: tuple[str, ...]

    @property
    def name(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"

    @property
    def takes_json(self) -> bool:
        """Whether a body may be JSON."""
        return "application/json" in self.media

    def query_strings(self, values: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
        """What must be given alone, then with each value of each parameter."""
        least = {name: values[name][0] for name, required in self.queries.items() if required}
        yield least
        yield from ({**least, name: value} for name in self.queries for value in values[name])

    def paths(self, values: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, dict[str, str]]]:
        """The path with every combination of these values, which are given by the segment before a parameter."""
        names = list(self.owners)
        for chosen in product(*(values[self.owners[name]] for name in names)):
            path = self.path
            for name, value in zip(names, chosen, strict=True):
                path = path.replace("{" + name + "}", quote(value, safe=""))
            yield path, {self.owners[name]: value for name, value in zip(names, chosen, strict=True)}


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """All of a document's calls."""
    return [
        _operation(method.upper(), path, details)
        for path, methods in document["paths"].items()
        for method, details in methods.items()
    ]


def _operation(method: str, path: str, details: Mapping[str, Any]) -> Operation:
    segments = path.split("/")
    owners = {}
    for at, segment in enumerate(segments):
        if segment.startswith("{"):
            owners[segment[1 : segment.index("}")]] = segments[at - 1]
    parameters = details.get("parameters", ())
    queries = {each["name"]: bool(each.get("required")) for each in parameters if each["in"] == "query"}
    return Operation(method, path, owners, queries, tuple(details.get("requestBody", {}).get("content", {})))
