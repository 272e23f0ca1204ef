from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from cli.tests.server import Recorder, Serve, by_path, key, page
from cli.tests.terminal import output, run, sentence


def test_without_a_key_a_command_says_where_it_comes_from() -> None:
    assert "groundwork up" in sentence("key")


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "²"])
def test_a_limit_that_is_none_is_named_before_anything_is_sent(value: str) -> None:
    assert "--tokens-per-minute must be" in sentence("key", "create", "k", f"--tokens-per-minute={value}")
    assert "--usd-a-day must be" in sentence("key", "create", "k", "--usd-a-day=-3")
    assert "Nothing runs in" in sentence("key", "create", "k", "--tokens-per-minute=5", "--usd-a-day=0.5")


def test_a_keys_name_is_shown_as_it_is(serve: Serve) -> None:
    one = {"id": "key_1", "name": "[/] of [red]all[/red]", "tenant": "t", "prefix": "gw_", "scopes": ["chat"]}
    serve(by_path(keys=page({**one, "created_at": "2026-01-01T00:00:00Z"})))
    assert "[/] of [red]all[/red]" in output("key", "list")


@pytest.mark.parametrize("option", ["--requests-per-minute", "--tokens-per-minute", "--concurrency"])
def test_a_limit_with_thousands_of_digits(option: str) -> None:
    assert f"{option} must be a whole number from 1" in sentence("key", "create", "n", option, "9" * 5000)


def test_a_secret_is_all_that_is_printed_so_that_scripts_can_use_it(serve: Serve, tmp_path: Path) -> None:
    server = Recorder(*(httpx2.Response(200, json=key(secret="gw_secret")) for _ in range(2)))
    serve(server)
    done = run("key", "create", "n", "-t", "acme", "--scope", "chat", "--concurrency", "none", "--usd-a-day", "0.50")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "gw_secret\n", "made key_1\n")
    assert server.body()["budgets"] == [{"window": "day", "usd": "0.50"}]
    assert server.body()["limits"] == {}
    assert output("key", "rotate", "key_1", "--overlap", "0") == "gw_secret\n"
    assert server.body() == {"overlap_seconds": 0}


def test_a_change_keeps_the_budgets_that_it_does_not_name(serve: Serve) -> None:
    budgets = [{"window": "day", "usd": "1"}, {"window": "month", "usd": "20"}]
    for given, wanted in (
        (("--usd-a-day", "2"), [{"window": "day", "usd": "2"}, {"window": "month", "usd": "20"}]),
        (("--usd-a-day", "none"), [{"window": "month", "usd": "20"}]),
    ):
        server = Recorder(page(key(id="other"), key(budgets=budgets)), httpx2.Response(200, json=key()))
        serve(server)
        output("key", "change", "key_1", *given)
        assert server.body() == {"budgets": wanted}


def test_a_limit_of_none_is_lifted_and_what_is_not_named_is_not_sent(serve: Serve) -> None:
    server = Recorder(httpx2.Response(200, json=key()))
    serve(server)
    output("key", "change", "key_1", "--concurrency", "none", "--tokens-per-minute", "5")
    assert server.calls == ["PATCH /v1/keys/key_1"]
    assert server.body() == {"limits": {"concurrency": None, "tokens_per_minute": 5}}


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-0.01", "1000000.01", "1e400", "much"])
def test_a_budget_that_is_no_sum_of_money_is_named(value: str) -> None:
    assert "--usd-a-month must be 0 to 1000000, or none" in sentence("key", "create", "k", f"--usd-a-month={value}")


def test_the_list_tells_which_keys_work_until_when(serve: Serve) -> None:
    ends, ended = "2026-03-01T12:30:00Z", "2026-01-02T00:00:00Z"
    limits = {"requests_per_minute": 5}
    keys = (
        key(name="a", limits=limits),
        key(name="b", expires_at=ends),
        key(name="c", revoked_at=ended, expires_at=ends),
    )
    serve(by_path(keys=page(*keys)))
    _, first, second, third = output("key", "list").splitlines()
    assert first.split()[-2:] == ["5", "works"]
    assert second.rstrip().endswith("until 2026-03-01 12:30")
    assert third.split()[-1] == "revoked"


def test_the_homes_key_is_printed_without_anything_around_it(tmp_path: Path) -> None:
    (tmp_path / "home" / "keys").mkdir(parents=True)
    (tmp_path / "home" / "keys" / "admin.key").write_text("gw_admin\n\n")
    assert output("key") == "gw_admin\n"


def test_what_is_kept_of_a_keys_answers_is_said_when_it_is_made_and_changed_later(serve: Serve) -> None:
    server = Recorder(*(httpx2.Response(200, json=key(secret="gw_secret")) for _ in range(3)))
    serve(server)
    output("key", "create", "n", "--records", "full", "--records-days", "7")
    assert (server.body()["records"], server.body()["records_days"]) == ("full", 7)
    output("key", "change", "key_1", "--records", "metadata")
    assert server.body() == {"records": "metadata"}
    output("key", "change", "key_1", "--records", "tenant")
    assert server.body() == {"records": None}
    assert run("key", "change", "key_1", "--records", "all").exit_code != 0


def test_who_decides_for_a_key_that_there_is_no_answer_is_said_and_taken_back(serve: Serve) -> None:
    server = Recorder(*(httpx2.Response(200, json=key(secret="gw_secret")) for _ in range(3)))
    serve(server)
    output("key", "create", "n", "--abstain", "reader")
    assert server.body()["abstain"] == "reader"
    output("key", "change", "key_1", "--abstain", "never")
    assert server.body() == {"abstain": "never"}
    output("key", "change", "key_1", "--abstain", "default")
    assert server.body() == {"abstain": None}
    assert run("key", "change", "key_1", "--abstain", "always").exit_code != 0
