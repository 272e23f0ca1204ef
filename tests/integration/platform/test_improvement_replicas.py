"""What improves answers on two replicas of gateway and agents with PostgreSQL, by OpenAI's client alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr
from tests.support.agent.running import running_agents
from tests.support.home.postgres import postgres_installed, temporary_postgres
from tests.support.improvement.loop import (
    compare_blind,
    loop_clients,
    move_a_label_under_streams,
    rate_and_export,
    stop_a_worse_prompt,
)

from agent.testing.scripted_agents import Turn
from contracts.models.chat import ChatRequest

pytestmark = [
    pytest.mark.skipif(not postgres_installed(), reason="PostgreSQL is not installed"),
    pytest.mark.asyncio(loop_scope="module"),
]


def _echo(request: ChatRequest) -> Turn:
    return Turn(f"You said: {request.messages[-1].plain_text()}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    folder: Path = tmp_path_factory.mktemp("replicas")
    with temporary_postgres() as gateways, temporary_postgres() as agents:
        settings: dict[str, Any] = {
            "gateway_settings": {"database_url": SecretStr(gateways)},
            "database_url": SecretStr(agents),
        }
        async with running_agents(folder, **settings) as first, running_agents(folder, **settings) as second:
            for each in (first, second):
                each.model.script = _echo
            urls = [each.gateway.url for each in (first, second)]
            async with loop_clients(urls, first.gateway.admin_key) as made:
                yield made


async def test_an_answer_is_asked_rated_by_its_id_and_exported_on_whichever_replica(clients: Any) -> None:
    await rate_and_export(clients[1])


async def test_no_stream_of_a_hundred_mixes_versions_while_a_label_moves_on_two_replicas(clients: Any) -> None:
    await move_a_label_under_streams(clients[1])


async def test_the_guard_of_a_split_stops_the_worse_prompt_on_both_replicas(clients: Any) -> None:
    await stop_a_worse_prompt(*clients)


async def test_a_blind_choice_is_in_the_tally_of_both_replicas(clients: Any) -> None:
    await compare_blind(*clients)
