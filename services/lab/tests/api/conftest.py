from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from services.lab.tests.api.client import Api

from lab.bootstrap import create_app
from lab.dependencies import Dependencies
from lab.settings import LabSettings
from servicekit.auth.delegation import DelegationSigner, generate_key_pair


@pytest.fixture
async def api(opened: Dependencies, settings: LabSettings) -> AsyncIterator[Api]:
    private, public = generate_key_pair()
    key_file = settings.data_dir / "delegation.pub"
    key_file.write_bytes(public)
    app = create_app(settings.model_copy(update={"delegation_public_key_file": key_file}), opened)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://lab.test") as client:
            yield Api(client, DelegationSigner(private))
