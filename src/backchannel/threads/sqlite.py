"""Threads that are kept in a file, for all processes of a person."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.core import Outcome, screen
from backchannel.errors import StoreError
from backchannel.threads.database import Database
from backchannel.threads.encoding import decode_entry, from_column
from backchannel.threads.entries import TurnEnded, entries_before
from backchannel.threads.finding import find_threads
from backchannel.threads.listing import Page, ThreadQuery, read_cursor, write_cursor
from backchannel.threads.owners import Owner, lives, remove_dead
from backchannel.threads.rows import approval_of, thread_of, turn_of
from backchannel.threads.store import PlacedEntry
from backchannel.threads.turns import TurnItem, TurnStatus
from backchannel.threads.writing import ThreadRows, find_row, last_position, running_turns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import Self

    from backchannel.threads.entries import Entry, Thread
    from backchannel.threads.listing import TurnQuery
    from backchannel.threads.store import ThreadChange
    from backchannel.threads.turns import Approval, Turn

__all__ = ["STORE_NAME", "SqliteThreads"]

STORE_NAME: Final = "threads.sqlite3"
"""What the file is called in the folder for state."""


class SqliteThreads:
    """A `ThreadStore` in a file.

    Ownership: whoever opened it closes it; the turns that were begun through it run until then.

    Args:
        path: The file. What does not exist yet is made, for its owner's eyes only.
        busy_timeout_s: How long a write waits for that of another process before it fails.
        max_bytes: How large the file may become; None for as large as the disk lets it.

    Raises:
        StoreError: The file cannot be used; nothing of it was changed.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = 5.0, max_bytes: int | None = None) -> None:
        self._database = Database(path, busy_timeout_s=busy_timeout_s, max_bytes=max_bytes)
        self._owners = path.with_name(f"{path.name}-owners")
        self._owner = Owner(self._owners)
        self._has_swept = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Threads

    def create(self, thread: Thread) -> None:
        """See `ThreadStore`."""
        with self._writing() as database:
            ThreadRows.new(database, thread, claim=self._claim)

    def get(self, thread_id: str) -> Thread | None:
        """See `ThreadStore`."""
        with self._database.reading() as database:
            row = find_row(database, thread_id)
        return None if row is None else thread_of(row)

    def list_threads(self, query: ThreadQuery) -> Page[Thread]:
        """See `ThreadStore`."""
        with self._database.reading() as database:
            return find_threads(database, query)

    def recent(self, limit: int) -> tuple[Thread, ...]:
        """See `ThreadStore`."""
        return self.list_threads(ThreadQuery(limit=limit)).items if limit > 0 else ()

    def working(self) -> tuple[Thread, ...]:
        """See `ThreadStore`."""
        with self._database.reading() as database:
            running = database.execute(
                "SELECT DISTINCT thread_key, owner FROM turns WHERE status = 'in_progress'"
            ).fetchall()
            living = self._living(running)
            keys = {row["thread_key"] for row in running if row["owner"] in living}
            rows = [database.execute("SELECT * FROM threads WHERE key = ?", (key,)).fetchone() for key in keys]
        rows.sort(key=lambda row: (row["updated_at_ms"], row["key"]), reverse=True)
        return tuple(map(thread_of, rows))

    def change(self, thread_id: str, change: ThreadChange) -> None:
        """See `ThreadStore`."""
        with self._changing(thread_id) as rows:
            rows.thread = change.of(rows.thread)

    def set_name(self, thread_id: str, name: str | None) -> None:
        """See `ThreadStore`."""
        with self._changing(thread_id) as rows:
            rows.thread = dataclasses.replace(rows.thread, name=name)

    def set_archived(self, thread_id: str, *, archived: bool) -> None:
        """See `ThreadStore`."""
        with self._changing(thread_id) as rows:
            rows.thread = dataclasses.replace(rows.thread, archived=archived)

    def delete(self, thread_id: str) -> None:
        """See `ThreadStore`. Nothing of it is to be found in the files then, unless somebody reads at this moment."""
        with self._writing() as database:
            ThreadRows.known(database, thread_id, claim=self._claim).delete()
            self._database.wipe_afterwards()

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
        with self._changing(thread_id) as rows:
            if last_turn_id is not None:
                before_turn_id = rows.turn_after(last_turn_id)
            if before_turn_id is None:
                return rows.copied_as(new_id, at_ms=at_ms)
            entries = [self._decoded(thread_id, row) for row in rows.entries()]
            return rows.copied_as(
                new_id, at_ms=at_ms, only=entries_before(entries, before_turn_id), before_turn_id=before_turn_id
            )

    # What happened in a thread

    def append(self, thread_id: str, entries: Iterable[Entry]) -> None:
        """See `ThreadStore`."""
        with self._changing(thread_id) as rows:
            for entry in entries:
                rows.add(entry)

    def entries(self, thread_id: str, *, newest: int) -> tuple[Entry, ...]:
        """See `ThreadStore`."""
        if newest < 1:
            return ()
        with self._database.reading() as database:
            row = find_row(database, thread_id)
            if row is None:
                return ()
            found = database.execute(
                "SELECT position, data FROM entries WHERE thread_key = ? ORDER BY position DESC LIMIT ?",
                (row["key"], newest),
            ).fetchall()
            ends = self._missing_ends(database, row)
        return (*(self._decoded(thread_id, each) for each in reversed(found)), *ends)[-newest:]

    def timeline(self, thread_id: str, *, after: int = 0, limit: int) -> tuple[PlacedEntry, ...]:
        """See `ThreadStore`."""
        with self._database.reading() as database:
            row = find_row(database, thread_id)
            if row is None:
                return ()
            found = database.execute(
                "SELECT position, data FROM entries WHERE thread_key = ? AND position > ? ORDER BY position LIMIT ?",
                (row["key"], after, limit),
            ).fetchall()
            # These are written in the same places when the thread is written to again.
            ends = enumerate(self._missing_ends(database, row), last_position(database, row["key"]) + 1)
        placed = [PlacedEntry(position=each["position"], entry=self._decoded(thread_id, each)) for each in found]
        placed += [PlacedEntry(position=position, entry=end) for position, end in ends if position > after]
        return tuple(placed[:limit])

    # Turns as a client reads them

    def put_turn(self, thread_id: str, turn: Turn) -> None:
        """See `ThreadStore`."""
        with self._changing(thread_id) as rows:
            rows.put(turn)

    def put_items(self, thread_id: str, turn_id: str, items: Iterable[TurnItem], *, at_ms: int) -> None:
        """See `ThreadStore`."""
        with self._changing(thread_id) as rows:
            rows.put_items(turn_id, items)
            rows.thread = rows.thread.after_turn(started_at_ms=None, completed_at_ms=at_ms)

    def turns(self, thread_id: str, query: TurnQuery) -> Page[Turn]:
        """See `ThreadStore`."""
        sign, order = ("<", "DESC") if query.direction == "newest_first" else (">", "ASC")
        beyond = ""
        if query.cursor is not None:
            (place,) = read_cursor(query.cursor, "turns", n_numbers=1)
            beyond = f"AND key {sign} {place}"
        with self._database.reading() as database:
            row = find_row(database, thread_id)
            if row is None:
                return Page(items=())
            found = database.execute(
                f"SELECT * FROM turns WHERE thread_key = ? {beyond} ORDER BY key {order} LIMIT ?",
                (row["key"], query.limit + 1),
            ).fetchall()
            page = found[: query.limit]
            abandoned = {each["key"] for each in self._abandoned(database, row["key"])}
            turns = [turn_of(each, _items(database, each["key"]) if query.with_items else None) for each in page]
        return Page(
            items=tuple(
                dataclasses.replace(turn, status=TurnStatus.INTERRUPTED, completed_at_ms=row["updated_at_ms"])
                if each["key"] in abandoned
                else turn
                for each, turn in zip(page, turns, strict=True)
            ),
            next_cursor=None if len(page) == len(found) else write_cursor("turns", page[-1]["key"]),
        )

    def approvals(self, thread_id: str) -> tuple[Approval, ...]:
        """See `ThreadStore`."""
        with self._database.reading() as database:
            row = find_row(database, thread_id)
            if row is None:
                return ()
            abandoned = {from_column(each["turn_id"]) for each in self._abandoned(database, row["key"])}
            found = database.execute("SELECT * FROM approvals WHERE thread_key = ? ORDER BY key", (row["key"],))
            approvals = list(map(approval_of, found))
        return tuple(
            dataclasses.replace(each, decision=screen.ApprovalDecision.WITHDRAWN, settled_at_ms=row["updated_at_ms"])
            if each.decision is None and each.turn_id in abandoned
            else each
            for each in approvals
        )

    # All of it

    def batch(self) -> AbstractContextManager[None]:
        """See `ThreadStore`."""
        return self._database.batch()

    def close(self) -> None:
        """See `ThreadStore`."""
        self._database.close()
        self._owner.release()

    # Writing

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._database.writing() as database:
            if not self._has_swept:
                self._has_swept = True
                self._sweep(database)
            yield database

    @contextlib.contextmanager
    def _changing(self, thread_id: str) -> Iterator[ThreadRows]:
        """Write a thread; what is otherwise in it at the end is kept."""
        with self._writing() as database:
            rows = ThreadRows.known(database, thread_id, claim=self._claim)
            rows.abandon(self._abandoned(database, rows.key))
            yield rows
            rows.save()

    def _claim(self) -> str:
        try:
            return self._owner.claim()
        except OSError as exc:
            raise StoreError(
                problem="unusable",
                path=str(self._owners),
                reason=f"cannot hold the lock that shows that this process lives: {exc.strerror or exc}",
                remedy="let BACKCHANNEL_HOME name a folder on a local disk",
            ) from exc

    # Who works

    def _sweep(self, database: sqlite3.Connection) -> None:
        """End what nobody works on any more, in all threads, and forget who worked on it."""
        running = database.execute(
            "SELECT DISTINCT thread_key, owner FROM turns WHERE status = 'in_progress'"
        ).fetchall()
        living = self._living(running)
        for key in {row["thread_key"] for row in running if row["owner"] not in living}:
            thread = thread_of(database.execute("SELECT * FROM threads WHERE key = ?", (key,)).fetchone())
            rows = ThreadRows(database, key, thread, claim=self._claim)
            rows.abandon(self._abandoned(database, key))
            rows.save()
        remove_dead(self._owners)

    def _abandoned(self, database: sqlite3.Connection, key: int) -> list[sqlite3.Row]:
        """The turns of a thread that have not ended and on which nobody works any more, in order."""
        running = running_turns(database, key)
        living = self._living(running)
        return [row for row in running if row["owner"] not in living]

    def _living(self, rows: Iterable[sqlite3.Row]) -> set[str]:
        owners = {row["owner"] for row in rows}
        return {owner for owner in owners if owner == self._owner.owner_id or lives(self._owners, owner)}

    def _missing_ends(self, database: sqlite3.Connection, row: sqlite3.Row) -> list[Entry]:
        """The ends that nobody has written of the turns on which nobody works any more."""
        return [
            TurnEnded(at_ms=row["updated_at_ms"], turn_id=from_column(turn["turn_id"]), outcome=Outcome.INTERRUPTED)
            for turn in self._abandoned(database, row["key"])
            if turn["is_noted"]
        ]

    def _decoded(self, thread_id: str, row: sqlite3.Row) -> Entry:
        try:
            return decode_entry(row["data"])
        except ValueError as exc:
            raise StoreError(
                problem="corrupt",
                path=str(self._database.path),
                reason=f"is damaged: the entry {row['position']} of the thread {thread_id} cannot be read ({exc})",
                remedy=f"delete the thread with `backchannel threads delete {thread_id}`",
            ) from exc


def _items(database: sqlite3.Connection, turn_key: int) -> tuple[TurnItem, ...]:
    found = database.execute("SELECT item_id, data FROM items WHERE turn_key = ? ORDER BY key", (turn_key,))
    return tuple(TurnItem(item_id=from_column(row["item_id"]), data=msgspec.Raw(row["data"])) for row in found)
