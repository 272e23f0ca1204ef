from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from services.agent.tests.api.client import Api
from services.agent.tests.conftest import LEAVE
from services.agent.tests.runs_bench import bench

from agent.bootstrap import create_app
from agent.settings import AgentSettings
from agent.testing.memory_library import MemoryLibrary
from agent.testing.scripted_answers import ScriptedSearch
from servicekit.auth.delegation import DelegationSigner, generate_key_pair
from servicekit.sql.database import Database


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> AsyncIterator[Api]:
    private, public = generate_key_pair()
    key_file = tmp_path / "delegation.pub"
    key_file.write_bytes(public)
    library = MemoryLibrary({("handbook", "leave"): []})
    one = bench(database, "Done.", search=ScriptedSearch([LEAVE]), library=library)
    app = create_app(AgentSettings(data_dir=tmp_path, delegation_public_key_file=key_file), one.opened)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://agent.test") as client:
            yield Api(one, client, DelegationSigner(private))
