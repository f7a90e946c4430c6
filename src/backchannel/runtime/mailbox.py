"""A queue between one machine and one reader, filled without waiting and bounded by its sources.

The core's effects are done at once, in order, without awaiting; so what they put somewhere must be taken. The bound is
kept by whoever feeds the core: a source that can wait waits for `room` before it feeds its next event.
"""

from __future__ import annotations

import asyncio
import collections
from typing import Generic, TypeVar

__all__ = ["Mailbox"]

_T = TypeVar("_T")


class Mailbox(Generic[_T]):
    """Items in the order in which they were put.

    Overflow: `put` always takes the item; sources that await `room` first keep it at about `capacity`, which each event
    may overshoot by its few effects.
    """

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._items: collections.deque[_T] = collections.deque()
        self._closed = False
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()

    def __len__(self) -> int:
        """How many items wait."""
        return len(self._items)

    @property
    def is_closed(self) -> bool:
        """Whether nothing is put in any more."""
        return self._closed

    def put(self, item: _T) -> None:
        """Add an item; after `close` it is dropped."""
        if self._closed:
            return
        self._items.append(item)
        self._filled.set()
        if len(self._items) >= self._capacity:
            self._emptied.clear()

    def close(self) -> None:
        """Nothing more will be put; what waits can still be taken. Idempotent."""
        self._closed = True
        self._filled.set()
        self._emptied.set()

    def drain(self) -> list[_T]:
        """Take everything that waits, at once."""
        items = list(self._items)
        self._items.clear()
        self._emptied.set()
        return items

    async def room(self) -> None:
        """Wait until fewer than `capacity` items wait, or it is closed."""
        await self._emptied.wait()

    async def take(self) -> _T | None:
        """The next item, waiting for one; None once it is closed and empty."""
        while not self._items:
            if self._closed:
                return None
            self._filled.clear()
            await self._filled.wait()
        item = self._items.popleft()
        if len(self._items) < self._capacity:
            self._emptied.set()
        return item
