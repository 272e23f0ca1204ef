"""A Redis that stores nothing: it keeps what it was asked, and answers as it was told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


class ScriptedRedis:
    """Answers each command and each script with the next answer; an event holds it back for ever."""

    def __init__(self, *answers: Any) -> None:
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self._answers = list(answers)

    def register_script(self, text: str) -> Callable[..., Awaitable[Any]]:
        async def run(**given: Any) -> Any:
            return await self._answer("script", (), given)

        return run

    def __getattr__(self, command: str) -> Callable[..., Awaitable[Any]]:
        async def ask(*given: Any, **options: Any) -> Any:
            return await self._answer(command, given, options)

        return ask

    async def _answer(self, command: str, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
        self.asked.append((command, given, options))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        return answer
