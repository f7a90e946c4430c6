"""Threads that are kept as long as the process lives."""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import itertools
import threading
from typing import TYPE_CHECKING

from backchannel.core import Outcome, screen
from backchannel.errors import LocalProtocolError, UnknownThread
from backchannel.threads.entries import ApprovalAsked, ApprovalSettled, TurnBegan, TurnEnded, entries_before
from backchannel.threads.listing import Page, read_cursor, sort_value, write_cursor
from backchannel.threads.store import PlacedEntry
from backchannel.threads.turns import Approval, Turn, TurnStatus, error_of, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    import msgspec

    from backchannel.threads.entries import Entry, Thread
    from backchannel.threads.listing import ThreadQuery, TurnQuery
    from backchannel.threads.store import ThreadChange
    from backchannel.threads.turns import TurnItem

__all__ = ["MemoryThreads"]


class MemoryThreads:
    """A `ThreadStore` in memory."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._threads: dict[str, _Kept] = {}
        self._n_created = 0
        self._order: list[tuple[int, int, str]] = []
        """When each was changed last, in that order; its number; its id."""

    # Threads

    def create(self, thread: Thread) -> None:
        """See `ThreadStore`."""
        with self._lock:
            self._keep(_Kept(thread))

    def get(self, thread_id: str) -> Thread | None:
        """See `ThreadStore`."""
        with self._lock:
            kept = self._threads.get(thread_id)
            return None if kept is None else kept.thread

    def list_threads(self, query: ThreadQuery) -> Page[Thread]:
        """See `ThreadStore`."""
        backwards = query.direction == "newest_first"
        with self._lock:
            placed = [
                ((sort_value(kept.thread, query.sort), kept.number), kept.thread)
                for kept in self._threads.values()
                if query.wants(kept.thread)
            ]
        placed.sort(key=lambda each: each[0], reverse=backwards)
        if query.cursor is not None:
            place = read_cursor(query.cursor, query.sort, n_numbers=2)
            placed = [each for each in placed if (each[0] < place if backwards else each[0] > place)]
        page = placed[: query.limit]
        is_all = len(page) == len(placed)
        return Page(
            items=tuple(thread for _, thread in page),
            next_cursor=None if is_all else write_cursor(query.sort, *page[-1][0]),
        )

    def recent(self, limit: int) -> tuple[Thread, ...]:
        """See `ThreadStore`."""
        with self._lock:
            newest = (self._threads[thread_id].thread for _, _, thread_id in reversed(self._order))
            return tuple(itertools.islice((thread for thread in newest if not thread.archived), limit))

    def working(self) -> tuple[Thread, ...]:
        """See `ThreadStore`."""
        with self._lock:
            working = [kept for kept in self._threads.values() if kept.running()]
            working.sort(key=lambda kept: kept.place, reverse=True)
            return tuple(kept.thread for kept in working)

    def change(self, thread_id: str, change: ThreadChange) -> None:
        """See `ThreadStore`."""
        with self._changing(thread_id) as kept:
            kept.thread = change.of(kept.thread)

    def set_name(self, thread_id: str, name: str | None) -> None:
        """See `ThreadStore`."""
        with self._changing(thread_id) as kept:
            kept.thread = dataclasses.replace(kept.thread, name=name)

    def set_archived(self, thread_id: str, *, archived: bool) -> None:
        """See `ThreadStore`."""
        with self._changing(thread_id) as kept:
            kept.thread = dataclasses.replace(kept.thread, archived=archived)

    def delete(self, thread_id: str) -> None:
        """See `ThreadStore`."""
        with self._lock:
            kept = self._known(thread_id)
            del self._threads[thread_id]
            del self._order[bisect.bisect_left(self._order, kept.place)]

    def fork(
        self,
        thread_id: str,
        new_id: str,
        *,
        at_ms: int,
        last_turn_id: str | None = None,
        before_turn_id: str | None = None,
    ) -> Thread:
        """See `ThreadStore`."""
        with self._lock:
            kept = self._known(thread_id)
            copy = kept.copied_as(new_id, at_ms=at_ms)
            if last_turn_id is not None:
                before_turn_id = kept.turn_after(last_turn_id)
            if before_turn_id is not None:
                kept.check_turn(before_turn_id)
                copy.cut_before(before_turn_id)
            self._keep(copy)
            copy.abandon()
            return copy.thread

    # What happened in a thread

    def append(self, thread_id: str, entries: Iterable[Entry]) -> None:
        """See `ThreadStore`."""
        with self._changing(thread_id) as kept:
            for entry in tuple(entries):
                kept.add(entry)

    def entries(self, thread_id: str, *, newest: int) -> tuple[Entry, ...]:
        """See `ThreadStore`."""
        with self._lock:
            kept = self._threads.get(thread_id)
            return () if kept is None or newest < 1 else tuple(kept.entries[-newest:])

    def timeline(self, thread_id: str, *, after: int = 0, limit: int) -> tuple[PlacedEntry, ...]:
        """See `ThreadStore`."""
        with self._lock:
            kept = self._threads.get(thread_id)
            entries = () if kept is None else tuple(kept.entries[after : after + limit])
        return tuple(PlacedEntry(position=position, entry=entry) for position, entry in enumerate(entries, after + 1))

    # Turns as a client reads them

    def put_turn(self, thread_id: str, turn: Turn) -> None:
        """See `ThreadStore`."""
        with self._changing(thread_id) as kept:
            kept.put(turn)
            kept.put_items(turn.turn_id, turn.items or ())

    def put_items(self, thread_id: str, turn_id: str, items: Iterable[TurnItem], *, at_ms: int) -> None:
        """See `ThreadStore`."""
        with self._changing(thread_id) as kept:
            kept.check_turn(turn_id)
            kept.put_items(turn_id, items)
            kept.thread = kept.thread.after_turn(started_at_ms=None, completed_at_ms=at_ms)

    def turns(self, thread_id: str, query: TurnQuery) -> Page[Turn]:
        """See `ThreadStore`."""
        place = 0 if query.cursor is None else read_cursor(query.cursor, "turns", n_numbers=1)[0]
        backwards = query.direction == "newest_first"
        with self._lock:
            kept = self._threads.get(thread_id)
            turns = [] if kept is None else list(enumerate(kept.turns.values(), 1))
            items = (
                {}
                if kept is None or not query.with_items
                else {id_: tuple(i.values()) for id_, i in kept.items.items()}
            )
        if backwards:
            turns.reverse()
        if place:
            turns = [(number, turn) for number, turn in turns if (number < place if backwards else number > place)]
        page = turns[: query.limit]
        is_all = len(page) == len(turns)
        return Page(
            items=tuple(
                dataclasses.replace(turn, items=items.get(turn.turn_id, ()) if query.with_items else None)
                for _, turn in page
            ),
            next_cursor=None if is_all else write_cursor("turns", page[-1][0]),
        )

    def approvals(self, thread_id: str) -> tuple[Approval, ...]:
        """See `ThreadStore`."""
        with self._lock:
            kept = self._threads.get(thread_id)
            return () if kept is None else tuple(kept.approvals.values())

    # All of it

    def batch(self) -> AbstractContextManager[None]:
        """See `ThreadStore`; nothing here can fail half way."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """See `ThreadStore`."""
        with self._lock:
            for kept in self._threads.values():
                kept.abandon()

    def _keep(self, kept: _Kept) -> None:
        thread_id = kept.thread.thread_id
        if thread_id in self._threads:
            raise LocalProtocolError(f"expected a new thread, but there is one with the id {thread_id}")
        self._n_created += 1
        kept.number = self._n_created
        self._threads[thread_id] = kept
        bisect.insort(self._order, kept.place)

    @contextlib.contextmanager
    def _changing(self, thread_id: str) -> Iterator[_Kept]:
        """Change a thread, and put it where it belongs then."""
        with self._lock:
            kept = self._known(thread_id)
            before = kept.place
            yield kept
            if kept.place != before:
                del self._order[bisect.bisect_left(self._order, before)]
                bisect.insort(self._order, kept.place)

    def _known(self, thread_id: str) -> _Kept:
        kept = self._threads.get(thread_id)
        if kept is None:
            raise UnknownThread(thread_id)
        return kept


class _Kept:
    """A thread with all that is in it."""

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        self.number = 0
        """Which thread of the store it is."""
        self.entries: list[Entry] = []
        self.turns: dict[str, Turn] = {}
        self.noted: set[str] = set()
        """The turns whose beginning is an entry."""
        self.items: dict[str, dict[str, TurnItem]] = {}
        self.approvals: dict[str, Approval] = {}

    @property
    def place(self) -> tuple[int, int, str]:
        """Where it stands among the threads of the store."""
        return (self.thread.updated_at_ms, self.number, self.thread.thread_id)

    def check_turn(self, turn_id: str) -> None:
        if turn_id not in self.turns:
            raise LocalProtocolError(f"expected the id of a turn of the thread {self.thread.thread_id}, got {turn_id}")

    def turn_after(self, turn_id: str) -> str | None:
        self.check_turn(turn_id)
        turns = list(self.turns)
        return next(iter(turns[turns.index(turn_id) + 1 :]), None)

    def running(self) -> list[Turn]:
        return [turn for turn in self.turns.values() if turn.status is TurnStatus.IN_PROGRESS]

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.thread = self.thread.after(entry)
        match entry:
            case TurnBegan(turn_id=turn_id, at_ms=at_ms):
                self.noted.add(turn_id)
                self.turns[turn_id] = Turn(turn_id=turn_id, started_at_ms=at_ms)
            case TurnEnded(turn_id=turn_id, at_ms=at_ms, outcome=outcome, error=error):
                self._end(turn_id, at_ms, outcome, error_of(error))
            case ApprovalAsked(approval_id=approval_id, turn_id=turn_id, action=action, at_ms=at_ms):
                self.approvals[approval_id] = Approval(
                    approval_id=approval_id, turn_id=turn_id, action=action, asked_at_ms=at_ms
                )
            case ApprovalSettled(approval_id=approval_id, decision=decision, at_ms=at_ms):
                self._settle(approval_id, decision, at_ms)
            case _:
                pass

    def put(self, turn: Turn) -> None:
        self.turns[turn.turn_id] = dataclasses.replace(turn, items=None)
        self.thread = self.thread.after_turn(started_at_ms=turn.started_at_ms, completed_at_ms=turn.completed_at_ms)
        if turn.status is not TurnStatus.IN_PROGRESS:
            self._withdraw(turn.turn_id, self.thread.updated_at_ms)

    def put_items(self, turn_id: str, items: Iterable[TurnItem]) -> None:
        self.items.setdefault(turn_id, {}).update((item.item_id, item) for item in items)

    def abandon(self) -> None:
        """End what runs: nobody works on it any more."""
        at_ms = self.thread.updated_at_ms
        for turn in self.running():
            if turn.turn_id in self.noted:
                self.add(TurnEnded(at_ms=at_ms, turn_id=turn.turn_id, outcome=Outcome.INTERRUPTED))
            else:
                self._end(turn.turn_id, at_ms, Outcome.INTERRUPTED, None)

    def copied_as(self, thread_id: str, *, at_ms: int) -> _Kept:
        copy = _Kept(self.thread.copied_as(thread_id, at_ms=at_ms))
        copy.entries = list(self.entries)
        copy.turns = dict(self.turns)
        copy.noted = set(self.noted)
        copy.items = {turn_id: dict(items) for turn_id, items in self.items.items()}
        copy.approvals = dict(self.approvals)
        return copy

    def cut_before(self, turn_id: str) -> None:
        """Forget this turn with what was asked for it, and all that came after."""
        self.entries = list(entries_before(self.entries, turn_id))
        self.thread = self.thread.with_only(self.entries)
        turns = list(self.turns)
        for left_out in turns[turns.index(turn_id) :]:
            del self.turns[left_out]
            self.items.pop(left_out, None)
        self.approvals = {
            approval_id: approval
            for approval_id, approval in self.approvals.items()
            if approval.turn_id not in turns or approval.turn_id in self.turns
        }

    def _end(self, turn_id: str, at_ms: int, outcome: Outcome, error: msgspec.Raw | None) -> None:
        turn = self.turns.get(turn_id)
        if turn is not None:
            self.turns[turn_id] = dataclasses.replace(
                turn, status=status_of(outcome), completed_at_ms=at_ms, error=error
            )
        self._withdraw(turn_id, at_ms)

    def _withdraw(self, turn_id: str, at_ms: int) -> None:
        for approval in list(self.approvals.values()):
            if approval.turn_id == turn_id:
                self._settle(approval.approval_id, screen.ApprovalDecision.WITHDRAWN, at_ms)

    def _settle(self, approval_id: str, decision: screen.ApprovalDecision, at_ms: int) -> None:
        approval = self.approvals.get(approval_id)
        if approval is not None and approval.decision is None:
            self.approvals[approval_id] = dataclasses.replace(approval, decision=decision, settled_at_ms=at_ms)
