"""Threads that are kept as long as the process lives."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import threading
from typing import TYPE_CHECKING

from backchannel.errors import LocalProtocolError
from backchannel.threads.entries import TurnBegan, TurnEnded, UserAsked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backchannel.threads.entries import Entry, Thread

__all__ = ["MemoryThreads"]


class MemoryThreads:
    """A `ThreadStore` in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: dict[str, Thread] = {}
        self._entries: dict[str, list[Entry]] = {}
        self._order: list[tuple[int, str]] = []
        """When each was changed last, in that order."""
        self._turns: dict[str, set[str]] = {}
        """The turns that have begun and not ended, by thread."""

    def create(self, thread: Thread) -> None:
        """See `ThreadStore`."""
        with self._lock:
            if thread.thread_id in self._threads:
                raise LocalProtocolError(f"expected a new thread, but there is one with the id {thread.thread_id}")
            self._threads[thread.thread_id] = thread
            self._entries[thread.thread_id] = []
            bisect.insort(self._order, (thread.updated_at_ms, thread.thread_id))

    def append(self, thread_id: str, entries: Iterable[Entry]) -> None:
        """See `ThreadStore`."""
        with self._lock:
            thread = self._threads.get(thread_id)
            if thread is None:
                raise LocalProtocolError(f"expected the id of a thread that is kept, got {thread_id}")
            before = (thread.updated_at_ms, thread_id)
            for entry in entries:
                self._entries[thread_id].append(entry)
                match entry:
                    case UserAsked(text=text) if thread.first_ask is None:
                        thread = dataclasses.replace(thread, first_ask=text)
                    case TurnBegan(turn_id=turn_id):
                        self._turns.setdefault(thread_id, set()).add(turn_id)
                    case TurnEnded(turn_id=turn_id):
                        self._turns.get(thread_id, set()).discard(turn_id)
                    case _:
                        pass
                thread = dataclasses.replace(thread, updated_at_ms=max(thread.updated_at_ms, entry.at_ms))
            self._threads[thread_id] = thread
            del self._order[bisect.bisect_left(self._order, before)]
            bisect.insort(self._order, (thread.updated_at_ms, thread_id))

    def recent(self, limit: int) -> tuple[Thread, ...]:
        """See `ThreadStore`."""
        with self._lock:
            newest = (self._threads[thread_id] for _, thread_id in reversed(self._order))
            return tuple(itertools.islice((thread for thread in newest if not thread.archived), limit))

    def entries(self, thread_id: str, *, newest: int) -> tuple[Entry, ...]:
        """See `ThreadStore`."""
        with self._lock:
            return tuple(self._entries.get(thread_id, ())[-newest:])

    def working(self) -> tuple[Thread, ...]:
        """See `ThreadStore`."""
        with self._lock:
            working = [self._threads[thread_id] for thread_id, turns in self._turns.items() if turns]
        return tuple(sorted(working, key=lambda thread: thread.updated_at_ms, reverse=True))
