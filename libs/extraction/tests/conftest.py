"""Fixtures of extraction's unit tests."""

from __future__ import annotations

import pytest
import structlog
from pytest_socket import disable_socket
from tests.support.inference.tokenizers import word_pieces

from extraction.chunking.tokens import Tokens


@pytest.fixture(autouse=True, scope="session")
def _plain_logs() -> None:
    """Rich tracebacks, structlog's default, take seconds each."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    disable_socket(allow_unix_socket=True)


@pytest.fixture(scope="session")
def tokens() -> Tokens:
    return Tokens(word_pieces())
