"""What improves answers on one home, by OpenAI's client alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.e2e.operations.test_home import SCRIPTED
from tests.support.home.stack import RunningHome, running_home
from tests.support.improvement.loop import (
    compare_blind,
    loop_clients,
    move_a_label_under_streams,
    rate_and_export,
    stop_a_worse_prompt,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHome]:
    """A home of its own, whose model says what it was told."""
    with running_home(tmp_path_factory.mktemp("improvement") / "home", SCRIPTED) as running:
        yield running


@pytest.fixture
async def clients(home: RunningHome) -> AsyncIterator[Any]:
    async with loop_clients([home.base_url], home.admin_key) as made:
        yield made


async def test_an_answer_is_asked_rated_by_its_id_and_exported(clients: Any) -> None:
    await rate_and_export(clients[1])


async def test_no_stream_of_a_hundred_mixes_versions_while_a_label_moves(clients: Any) -> None:
    await move_a_label_under_streams(clients[1])


async def test_the_guard_of_a_split_stops_the_worse_prompt(clients: Any) -> None:
    await stop_a_worse_prompt(*clients)


async def test_a_blind_choice_is_in_the_tally(clients: Any) -> None:
    await compare_blind(*clients)
