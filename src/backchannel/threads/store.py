"""Where threads are kept, as those see it who write and read them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from backchannel.threads.entries import Entry, Thread
    from backchannel.threads.listing import Page, ThreadQuery, TurnQuery
    from backchannel.threads.turns import Approval, Turn, TurnItem

__all__ = ["PlacedEntry", "ThreadChange", "ThreadStore"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlacedEntry:
    """An entry and its place in the thread."""

    position: int
    """The first is 1, and each next one is one more."""
    entry: Entry


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ThreadChange:
    """What is otherwise in a thread from now on; None leaves it as it is."""

    cwd: str | None = None
    branch: str | None = None
    git_sha: str | None = None
    git_origin_url: str | None = dataclasses.field(default=None, repr=False)
    originator: str | None = None
    model_provider: str | None = None
    model: str | None = None

    def of(self, thread: Thread) -> Thread:
        """The thread as it is then."""
        return dataclasses.replace(
            thread,
            cwd=thread.cwd if self.cwd is None else self.cwd,
            branch=thread.branch if self.branch is None else self.branch,
            git_sha=thread.git_sha if self.git_sha is None else self.git_sha,
            git_origin_url=thread.git_origin_url if self.git_origin_url is None else self.git_origin_url,
            originator=thread.originator if self.originator is None else self.originator,
            model_provider=thread.model_provider if self.model_provider is None else self.model_provider,
            model=thread.model if self.model is None else self.model,
        )


class ThreadStore(Protocol):
    """A store of threads.

    Its methods may block, and can be called from any thread of the process. Each does all that it says or nothing.
    A thread that is not to be kept (an ephemeral one) is never given to a store.

    A turn runs as long as the store that began it is open. One that was not ended before reads as interrupted, and
    what it waited for as withdrawn: in `turns`, in `approvals`, in `working`, and by an entry at the end of the thread.

    All methods may raise `StoreError`: what is kept cannot be read or written.
    """

    # Threads

    def create(self, thread: Thread) -> None:
        """Keep a new thread.

        Raises:
            LocalProtocolError: There is one with its id.
        """

    def get(self, thread_id: str) -> Thread | None:
        """A thread; None where there is none with this id."""

    def list_threads(self, query: ThreadQuery) -> Page[Thread]:
        """Some of the threads. Those of the same time follow each other in the order in which they were created.

        Raises:
            UsageError: Its cursor is none.
        """

    def recent(self, limit: int) -> tuple[Thread, ...]:
        """The threads that were changed last, newest first, without the archived ones."""

    def working(self) -> tuple[Thread, ...]:
        """The threads in which a turn has begun and not ended, newest first."""

    def change(self, thread_id: str, change: ThreadChange) -> None:
        """Take down what is otherwise now; the thread is not newer for it.

        Raises:
            UnknownThread: There is no such thread.
        """

    def set_name(self, thread_id: str, name: str | None) -> None:
        """Name a thread, or take its name away; it is not newer for it.

        Raises:
            UnknownThread: There is no such thread.
        """

    def set_archived(self, thread_id: str, *, archived: bool) -> None:
        """Put a thread away, or take it back; it is not newer for it.

        Raises:
            UnknownThread: There is no such thread.
        """

    def delete(self, thread_id: str) -> None:
        """Keep nothing of a thread any more.

        Raises:
            UnknownThread: There is no such thread.
        """

    def fork(
        self,
        thread_id: str,
        new_id: str,
        *,
        at_ms: int,
        last_turn_id: str | None = None,
        before_turn_id: str | None = None,
    ) -> Thread:
        """Copy a thread with all that is in it now; turns that run go on in the first one only.

        Args:
            thread_id: The thread.
            new_id: Of the copy.
            at_ms: The time.
            last_turn_id: The last turn that is taken over; None takes all of them.
            before_turn_id: The first turn that is left out instead, with what the user asked for it and all that came
                after.

        Raises:
            UnknownThread: There is no such thread.
            LocalProtocolError: There is one with the new id, or no such turn.
        """

    # What happened in a thread

    def append(self, thread_id: str, entries: Iterable[Entry]) -> None:
        """Add what happened, in order. The thread is as new as its newest entry, and its first ask is the first.

        Turns that begin and end, and permissions that are asked for and settled, are known from then on by `turns` and
        `approvals`, too.

        Raises:
            UnknownThread: There is no such thread.
        """

    def entries(self, thread_id: str, *, newest: int) -> tuple[Entry, ...]:
        """The last entries of a thread, at most so many, in the order they happened; none where there is no thread."""

    def timeline(self, thread_id: str, *, after: int = 0, limit: int) -> tuple[PlacedEntry, ...]:
        """The entries behind a position, at most so many, in order; none where there is no thread."""

    # Turns as a client reads them

    def put_turn(self, thread_id: str, turn: Turn) -> None:
        """Keep a new turn, or how an earlier one stands now. Its items are only replaced, or more, where it has some.

        Raises:
            UnknownThread: There is no such thread.
        """

    def put_items(self, thread_id: str, turn_id: str, items: Iterable[TurnItem], *, at_ms: int) -> None:
        """Keep parts of a turn: one with an id that is there takes the other's place, all others follow in order.

        Raises:
            UnknownThread: There is no such thread.
            LocalProtocolError: It has no such turn.
        """

    def turns(self, thread_id: str, query: TurnQuery) -> Page[Turn]:
        """Some of the turns of a thread, in the order in which they were first put; none where there is no thread.

        Raises:
            UsageError: Its cursor is none.
        """

    def approvals(self, thread_id: str) -> tuple[Approval, ...]:
        """Every permission that was asked for in a thread, in order; none where there is no thread."""

    # All of it

    def batch(self) -> AbstractContextManager[None]:
        """What this thread of the process writes inside is kept at its end, in one go, and then or never is lost.

        A single write that raises `UnknownThread` or `LocalProtocolError` changes nothing, and those beside it stand.
        When the store fails, all of it is lost, and leaving the batch raises that.
        """

    def close(self) -> None:
        """Let go of everything; idempotent. Its turns run no longer."""
