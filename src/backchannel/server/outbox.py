"""What waits to be sent to one client."""

from __future__ import annotations

import asyncio
import collections

__all__ = ["MAX_BYTES", "Outbox"]

MAX_BYTES = 32 * 1024 * 1024
"""Of a client that does not read. A minute of the voice is about 4 MB."""


class Outbox:
    """Messages in order, with a bound in bytes: who is over it does not read, and is given up."""

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._waiting: collections.deque[bytes] = collections.deque()
        self._n_bytes = 0
        self._changed = asyncio.Event()
        self.is_closed = False
        """Whether nothing more is taken."""

    def put(self, message: bytes) -> bool:
        """Send this after what waits; False when the client has to be given up, or was before."""
        if self.is_closed:
            return False
        self._waiting.append(message)
        self._n_bytes += len(message)
        self._changed.set()
        return self._n_bytes <= self._max_bytes

    async def take(self) -> list[bytes]:
        """Everything that waits, at least one message; nothing when it is closed and empty."""
        while not self._waiting and not self.is_closed:
            self._changed.clear()
            await self._changed.wait()
        taken = list(self._waiting)
        self._waiting.clear()
        self._n_bytes = 0
        return taken

    def close(self) -> None:
        """Take no more; what waits is still sent. Idempotent."""
        self.is_closed = True
        self._changed.set()
