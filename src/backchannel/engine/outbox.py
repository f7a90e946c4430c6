"""What waits to be sent to a client: a queue whose makers wait for room at points of their own choosing."""

from __future__ import annotations

import asyncio
import collections
from typing import Final

__all__ = ["READ_LIMIT", "SPEAK_LIMIT", "Outbox"]

SPEAK_LIMIT: Final = 16
"""Speech waits while more messages than this are waiting: 1.6 s of it."""
READ_LIMIT: Final = 256
"""The client's own messages wait while more messages than this are waiting for it."""


class Outbox:
    """Messages in their order, for one writer.

    Overflow: `put` never waits, so that what belongs together goes in together. Who makes messages waits for `room`
    first: the reader of client messages below `READ_LIMIT`, a response before each piece of speech below
    `SPEAK_LIMIT`. So it holds at most `READ_LIMIT` messages and what one client message and one response's end add.
    """

    def __init__(self) -> None:
        self._messages: collections.deque[str] = collections.deque()
        self._changed = asyncio.Condition()
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: str) -> None:
        """Add a message."""
        self._messages.append(message)
        self._filled.set()

    async def get(self) -> str:
        """Take the next message; wait for one."""
        while not self._messages:
            self._filled.clear()
            await self._filled.wait()
        message = self._messages.popleft()
        async with self._changed:
            self._changed.notify_all()
        return message

    async def room(self, limit: int) -> None:
        """Wait until fewer messages than `limit` are waiting."""
        if len(self._messages) < limit:
            return
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._messages) < limit)
