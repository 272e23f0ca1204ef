"""Every public call with what nobody should send: an answer, or an error that says what to do; never our failure.

The calls are read from the running gateway, so that a new one is tried by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.support.api import hostile
from tests.support.api.openapi_walk import Operation, operations
from tests.support.home.stack import RunningHome

from contracts.core.errors import ErrorEnvelope

COLLECTION, DOCUMENT = "hostile-calls", "letter"
SEGMENTS = ("nothing", "a b", "%00", "..", "é🙂", "'; --", "x" * 3_000, "a\ud7ffb", "-1", "None")
NUMBERS = ("0", "-1", "1e3", "99999999999999999999999", "NaN", "", "x", "0x10", "1_0", "١")
TIMES = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2024-01-01", "0", "-1", "1e30", "x", "")


def checked(response: httpx2.Response) -> int:
    """The status of a whole answer or a whole error."""
    assert response.status_code < 500, (response.request.method, str(response.request.url)[:300], response.text[:500])
    if response.status_code >= 400 and response.request.url.path == "/mcp" and "jsonrpc" in response.json():
        told = response.json()["error"]  # as JSON-RPC has errors
        assert isinstance(told["code"], int)
        assert told["message"]
    elif response.status_code >= 400:
        error = ErrorEnvelope.model_validate_json(response.content).error
        assert error.message
        assert error.request_id == response.headers["x-request-id"]
    return response.status_code


@pytest.fixture(scope="module")
def calls(home: RunningHome, http: httpx2.Client) -> list[Operation]:
    home.client.collections.ensure(COLLECTION)
    job = home.client.documents.add_text(COLLECTION, "The lantern burns oil.", document_id=DOCUMENT).job
    assert job is not None
    home.client.jobs.wait(job.id)
    return operations(http.get("/openapi.json").json())


def url(path: str, **values: str) -> str:
    for name, value in values.items():
        path = path.replace("{" + name + "}", value)
    return path


def query_values(name: str) -> tuple[str, ...]:
    """Hostile values of a query parameter."""
    texts = tuple(text.encode(errors="replace").decode() for text in hostile.TEXTS.values())
    return {"cursor": tuple(hostile.CURSORS.values()), "from": TIMES, "to": TIMES}.get(name, (*NUMBERS, *texts))


def segments_of(operation: Operation) -> Iterator[str]:
    """The call's path with each hostile name in each place, and as it should be elsewhere."""
    real = {"collections": COLLECTION, "documents": DOCUMENT}
    for hostile_name in operation.owners:
        for segment in SEGMENTS:
            quoted = httpx2.URL("http://h/").copy_with(path=f"/{segment}").raw_path.decode()[1:]
            values = {name: real.get(owner, "nothing") for name, owner in operation.owners.items()}
            yield url(operation.path, **{**values, hostile_name: quoted})


def test_any_name_in_a_path_is_answered(http: httpx2.Client, calls: list[Operation]) -> None:
    for operation in calls:
        for path in segments_of(operation):
            body = {"json": {}} if operation.takes_json else {}
            checked(http.request(operation.method, path, **body))


def test_any_query_parameter_is_answered(http: httpx2.Client, calls: list[Operation]) -> None:
    real = {"collections": COLLECTION, "documents": DOCUMENT}
    for operation in calls:
        path = url(operation.path, **{name: real.get(owner, "nothing") for name, owner in operation.owners.items()})
        for name in operation.queries:
            for value in query_values(name):
                checked(http.request(operation.method, path, params={name: value}))


RAW = (
    b"", b"null", b"[]", b'"x"', b"1", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900,
    b'{"name": "\\ud800"}', b'{"\\ud800": 1}', b'{"limit": ' + b"9" * 5_000 + b"}", b'{"a": NaN}', b"\x00",
)  # fmt: skip


def test_any_bytes_as_a_body_are_answered(http: httpx2.Client, calls: list[Operation]) -> None:
    for operation in (each for each in calls if each.takes_json):
        path = url(operation.path, name=COLLECTION, id=DOCUMENT, key_id="nothing", run="nothing")
        for raw in RAW:
            for kind in ("application/json", "text/plain", "application/json; charset=utf-16"):
                assert checked(http.request(operation.method, path, content=raw, headers={"Content-Type": kind})) >= 400


def fields_of(document: dict[str, Any], operation: Operation) -> dict[str, Any]:
    """The properties of a call's JSON body; of every form that it may have, where it may have several."""
    body = document["paths"][operation.path][operation.method.lower()]["requestBody"]["content"]["application/json"]
    fields: dict[str, Any] = {}
    rest = [body["schema"]]
    while rest:
        schema = rest.pop()
        fields |= schema.get("properties", {})
        rest += [form for word in ("anyOf", "oneOf", "allOf") for form in schema.get(word, ())]
        if "$ref" in schema:
            rest.append(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    assert fields, operation.name
    return fields


VALID: dict[str, Any] = {
    "query": "lantern",
    "model": "default",
    "input": "lantern",
    "documents": ["a"],
    "messages": [{"role": "user", "content": "hi"}],
    "max_tokens": 4,
    "text": "A text.",
    "tenant": "default",
    "scopes": ["chat"],
}


def test_any_value_of_any_field_of_a_body_is_answered(http: httpx2.Client, calls: list[Operation]) -> None:
    document = http.get("/openapi.json").json()
    tried = 0

    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(hostile.values)
    def try_value(operation: Operation, fields: dict[str, Any], field: str, value: Any) -> None:
        nonlocal tried
        tried += 1
        body = {name: VALID[name] for name in fields if name in VALID} | {field: value}
        if field != "name" and "name" in fields:
            body["name"] = f"hostile-{tried}"
        path = url(operation.path, name=COLLECTION, id=DOCUMENT, key_id="nothing", run="nothing")
        headers = {"Content-Type": "application/json"}
        checked(http.request(operation.method, path, content=hostile.as_json(body), headers=headers))

    for operation in (each for each in calls if each.takes_json):
        fields = fields_of(document, operation)
        for field in sorted(fields):
            try_value(operation, fields, field)
    assert tried > 300


METADATA: list[Any] = [{"a": hostile.NESTED}, {"\ud800": 1}, {"a": "\udfff"}, {"n": 10**30}, {"n": float("nan")}]


@pytest.mark.parametrize("metadata", METADATA, ids=["nested", "key", "text", "number", "NaN"])
def test_metadata_that_could_break_a_store_is_refused_before_anything_is_kept(
    http: httpx2.Client, calls: list[Operation], metadata: Any
) -> None:
    path, content = f"/v1/collections/{COLLECTION}/documents", hostile.as_json({"text": "x", "metadata": metadata})
    answers = [http.post(path, content=content, headers={"Content-Type": "application/json"})]
    field = {"metadata": hostile.as_json(metadata).decode()}
    answers.append(http.post(path, files={"file": ("a.txt", b"x", "text/plain")}, data=field))
    for answer in answers:
        error = answer.json()["error"]
        assert checked(answer) in (400, 422)
        assert error["param"] == "metadata" or error["code"] == "malformed_json"


def test_a_question_of_a_hundred_pages_is_refused_with_its_limit(http: httpx2.Client, calls: list[Operation]) -> None:
    question = "What does the lantern burn? " * 8_000
    body = {"model": f"rag:{COLLECTION}", "messages": [{"role": "user", "content": question}]}
    answer = http.post("/v1/chat/completions", json=body)
    assert checked(answer) == 400
    assert "8,000" in answer.json()["error"]["message"] or "8000" in answer.json()["error"]["message"]


def test_a_follow_up_of_long_questions_is_answered_and_says_what_was_not_read(
    http: httpx2.Client, calls: list[Operation]
) -> None:
    messages = [{"role": "user", "content": f"And {'lantern oil ' * 660} {at}"} for at in range(6)]
    body = {"model": f"rag:{COLLECTION}", "messages": messages, "groundwork": {"include": ["receipt"]}}
    answer = http.post("/v1/chat/completions", json=body)
    assert checked(answer) == 200
    assert "query_truncated" in answer.json()["groundwork"]["receipt"]["degraded"]
