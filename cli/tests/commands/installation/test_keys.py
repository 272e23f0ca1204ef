from __future__ import annotations

import pytest
from cli.tests.server import Serve, by_path, page
from cli.tests.terminal import output, sentence


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
