from __future__ import annotations

import json
import random
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel
from starlette.testclient import TestClient

from servicekit.core.errors import Unprocessable
from servicekit.core.settings import ServiceSettings
from servicekit.web.app import build_app
from servicekit.web.json_bodies import LARGE_BYTES, TooManyValues, ValueCount, check_values, parse
from servicekit.web.router import Router

MOST = 1000
parsed_in: list[int] = []


def _noted(text: str) -> str:
    parsed_in.append(threading.get_ident())
    return text


class Noted(BaseModel):
    """A body that tells where it was checked."""

    text: Annotated[str, AfterValidator(_noted)]
    rest: list[Any] = []


router = Router()


@router.post("/noted")
async def note(body: Noted) -> dict[str, int]:
    return {"length": len(body.text)}


@asynccontextmanager
async def _opening() -> AsyncIterator[None]:
    yield None


@pytest.fixture
def app(key_file: Path) -> Any:
    parsed_in.clear()
    settings = ServiceSettings(delegation_public_key_file=key_file, max_json_values=MOST)
    return build_app("sample", settings=settings, opening=_opening, routers=[router], probes=lambda _: {})


@pytest.fixture
def client(app: Any) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def _value(random_: random.Random, depth: int = 0) -> Any:
    kind = random_.choice(["text", "number", "list", "object"] if depth < 4 else ["text", "number"])
    if kind == "text":
        return "".join(random_.choice('a,[{"\\é\n') for _ in range(random_.randrange(6)))
    if kind == "number":
        return random_.randrange(1000)
    inner = [_value(random_, depth + 1) for _ in range(random_.randrange(5))]
    return inner if kind == "list" else {f'k"{at}\\': value for at, value in enumerate(inner)}


def _marks(value: Any) -> int:
    """Containers and commas, reckoned from what was parsed."""
    if isinstance(value, dict | list):
        inner = list(value.values()) if isinstance(value, dict) else value
        return 1 + max(0, len(inner) - 1) + sum(map(_marks, inner))
    return 0


def test_values_are_counted_as_a_parser_finds_them_however_the_body_is_cut() -> None:
    random_ = random.Random(1)  # test data
    for _ in range(300):
        value = [_value(random_) for _ in range(4)]
        body = json.dumps(value, ensure_ascii=random_.random() < 0.5).encode()
        marks, cuts = _marks(value), sorted(random_.choices(range(len(body) + 1), k=5))
        pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        enough, too_few = ValueCount(marks), ValueCount(marks - 1)
        for piece in pieces:
            enough.feed(piece)
        with pytest.raises(TooManyValues):
            for piece in pieces:
                too_few.feed(piece)


def test_a_long_text_of_brackets_and_commas_is_one_value() -> None:
    check_values(json.dumps({"text": '[{,"\\' * 10_000}).encode(), MOST)


@pytest.mark.parametrize("unit", [b"{}", b"0", b'""', b'{"a":[]}', b'"\\""'])
def test_a_body_of_too_many_values_is_refused_before_a_parser_sees_it(client: TestClient, unit: bytes) -> None:
    body = b'{"text": "bad", "rest": [' + b",".join([unit] * (MOST + 1)) + b"]}"
    answer = client.post("/noted", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_values")
    assert "1,000 values" in answer.json()["error"]["message"]
    assert parsed_in == []


def test_strings_without_end_are_refused_too(client: TestClient) -> None:
    body = b'{"text": "bad", "rest": [' + b'""' * (4 * MOST)
    answer = client.post("/noted", content=body, headers={"content-type": "application/json"})
    assert answer.json()["error"]["code"] == "too_many_values"


async def test_a_small_body_is_parsed_where_it_is() -> None:
    await parse(Noted, b'{"text": "small"}')
    assert parsed_in[-1] == threading.get_ident()


async def test_a_large_body_is_parsed_elsewhere_and_what_is_wrong_with_it_is_named() -> None:
    await parse(Noted, json.dumps({"text": "x" * LARGE_BYTES}).encode())
    assert parsed_in[-1] != threading.get_ident()
    with pytest.raises(Unprocessable) as refused:
        await parse(Noted, json.dumps({"text": [1], "rest": ["x" * LARGE_BYTES]}).encode())
    assert refused.value.param == "text"
