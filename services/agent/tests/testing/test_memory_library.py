from __future__ import annotations

import pytest

from agent.testing.memory_library import MemoryLibrary
from servicekit.core.errors import NotFound


async def test_a_library_has_the_documents_that_it_was_given() -> None:
    library = MemoryLibrary({("prices", "a"): [], ("handbook", "b"): [], ("handbook", "c"): []})
    assert await library.collections("token") == ["handbook", "prices"]
    assert await library.chunks("prices", "a", "token") == []
    with pytest.raises(NotFound):
        await library.chunks("prices", "b", "token")
