from __future__ import annotations

from contracts.operations import agents
from contracts.operations.agents import CREATE_RUN, FOLLOW_RUN, SPEAK_MCP
from contracts.operations.operation import Operation

ALL = [value for value in vars(agents).values() if isinstance(value, Operation)]


def test_who_merely_runs_agents_changes_none_and_who_makes_them_runs_none() -> None:
    made = {operation.id for operation in ALL if operation.scopes == ("agents:write",)}
    assert made == {
        "POST /v1/agents",
        "POST /v1/agents/{name}/versions/{version}/activate",
        "DELETE /v1/agents/{name}",
    }
    for operation in ALL:
        if operation.path.startswith("/v1/threads"):
            talks = "/runs" not in operation.path
            assert operation.scopes == (("agents", "chat") if talks else ("agents",)), operation.id


def test_what_makes_something_can_be_sent_twice() -> None:
    creating = {f"POST /v1/{path}" for path in ("agents", "threads", "threads/{id}/messages", "threads/{id}/runs")}
    creating.add("POST /v1/threads/{id}/runs/{run}/replay")
    assert {operation.id for operation in ALL if operation.idempotent} == creating
    assert {operation.id for operation in ALL if operation.grant} == {id_ for id_ in creating if "/runs" in id_}


def test_all_that_was_said_in_a_run_is_screened_when_it_is_read() -> None:
    for operation in ALL:
        of_run = "/runs" in operation.path or operation.path.endswith("/history")
        assert operation.reach.of_run == of_run, operation.id
        assert not of_run or operation.reach.answer, operation.id


def test_a_run_is_followed_in_its_own_call_or_later() -> None:
    assert (CREATE_RUN.gives, CREATE_RUN.status, CREATE_RUN.other_statuses) == ("json_or_events", 202, (200,))
    assert (FOLLOW_RUN.gives, FOLLOW_RUN.carries) == ("events", "nothing")


def test_the_protocol_s_own_errors_pass_and_a_page_of_another_origin_does_not_call_it() -> None:
    assert (SPEAK_MCP.own_errors, SPEAK_MCP.own_origin) == ((400,), True)
    assert [operation.id for operation in ALL if operation.own_origin or operation.own_errors] == ["POST /mcp"]
