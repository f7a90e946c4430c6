"""Where threads are kept, as those see it who write and read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backchannel.threads.entries import Entry, Thread

__all__ = ["ThreadStore"]


class ThreadStore(Protocol):
    """A store of threads.

    Its methods may block, and can be called from any thread of the process.
    """

    def create(self, thread: Thread) -> None:
        """Keep a new thread.

        Raises:
            LocalProtocolError: There is one with its id.
        """

    def append(self, thread_id: str, entries: Iterable[Entry]) -> None:
        """Add what happened, in order. The thread is as new as its newest entry, and its first ask is the first.

        Raises:
            LocalProtocolError: There is no such thread.
        """

    def recent(self, limit: int) -> tuple[Thread, ...]:
        """The threads that were changed last, newest first, without the archived ones."""

    def entries(self, thread_id: str, *, newest: int) -> tuple[Entry, ...]:
        """The last entries of a thread, at most so many, in the order they happened; none where there is no thread."""

    def working(self) -> tuple[Thread, ...]:
        """The threads in which a turn has begun and not ended, newest first."""
