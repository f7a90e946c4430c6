"""The rows of one thread, as they are written within a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backchannel.core import Outcome, screen
from backchannel.errors import LocalProtocolError, UnknownThread
from backchannel.threads.encoding import encode_entry, from_column, to_column
from backchannel.threads.entries import ApprovalAsked, ApprovalSettled, TurnBegan, TurnEnded
from backchannel.threads.listing import searchable
from backchannel.threads.rows import columns_of, raw, thread_of
from backchannel.threads.turns import Turn, TurnStatus, error_of, status_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

    import msgspec

    from backchannel.threads.entries import Entry, Thread
    from backchannel.threads.turns import TurnItem

__all__ = ["ThreadRows", "find_row", "last_position", "running_turns"]

_ALL: Final = 2**63 - 1
"""As a bound: none."""


class ThreadRows:
    """A thread that is being written; `save` comes last.

    Args:
        database: In a transaction.
        key: Of the thread's row.
        thread: As it stands there.
        claim: Names who runs the turns that begin.
    """

    def __init__(self, database: sqlite3.Connection, key: int, thread: Thread, *, claim: Callable[[], str]) -> None:
        self.key = key
        self.thread = thread
        self._database = database
        self._claim = claim
        self._before = thread
        self._n_entries: int | None = None

    @classmethod
    def new(cls, database: sqlite3.Connection, thread: Thread, *, claim: Callable[[], str]) -> ThreadRows:
        """Insert a thread.

        Raises:
            LocalProtocolError: There is one with its id.
        """
        if find_row(database, thread.thread_id) is not None:
            raise LocalProtocolError(f"expected a new thread, but there is one with the id {thread.thread_id}")
        columns = columns_of(thread)
        inserted = database.execute(
            f"INSERT INTO threads ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) RETURNING key",
            list(columns.values()),
        ).fetchone()
        database.execute("INSERT INTO words (key, folded) VALUES (?, ?)", (inserted["key"], searchable(thread)))
        return cls(database, inserted["key"], thread, claim=claim)

    @classmethod
    def known(cls, database: sqlite3.Connection, thread_id: str, *, claim: Callable[[], str]) -> ThreadRows:
        """Find a thread.

        Raises:
            UnknownThread: There is none with this id.
        """
        row = find_row(database, thread_id)
        if row is None:
            raise UnknownThread(thread_id)
        return cls(database, row["key"], thread_of(row), claim=claim)

    def save(self) -> None:
        """Write what is otherwise in the thread's own row now."""
        if self.thread == self._before:
            return
        before, after = columns_of(self._before), columns_of(self.thread)
        changed = {name: value for name, value in after.items() if value != before[name]}
        settings = ", ".join(f"{name} = ?" for name in changed)
        self._database.execute(f"UPDATE threads SET {settings} WHERE key = ?", [*changed.values(), self.key])
        if (words := searchable(self.thread)) != searchable(self._before):
            self._database.execute("UPDATE words SET folded = ? WHERE key = ?", (words, self.key))
        self._before = self.thread

    def delete(self) -> None:
        """Delete the thread, and with it all that belongs to it."""
        self._database.execute("DELETE FROM threads WHERE key = ?", (self.key,))
        # The index keeps the words of what was deleted until it is put in order.
        self._database.execute("INSERT INTO search (search) VALUES ('optimize')")

    def copied_as(
        self, thread_id: str, *, at_ms: int, only: Sequence[Entry] | None = None, before_turn_id: str | None = None
    ) -> Thread:
        """Copy the thread with all that belongs to it; what runs goes on in this one only.

        Args:
            thread_id: Of the copy.
            at_ms: The time.
            only: The first of the entries, and no others; None: all.
            before_turn_id: The first of the turns that are left out; None: none is.

        Raises:
            LocalProtocolError: There is one with the new id, or no such turn.
        """
        thread = self.thread.copied_as(thread_id, at_ms=at_ms)
        n_entries, turn_key = _ALL, _ALL
        if only is not None:
            thread, n_entries = thread.with_only(only), len(only)
        if before_turn_id is not None:
            turn_key = self._turn(before_turn_id)
        copy = ThreadRows.new(self._database, thread, claim=self._claim)
        for table, columns, kept, bounds in (
            ("entries", "position, data", "position <= ?", [n_entries]),
            ("turns", "turn_id, status, error, started_at_ms, completed_at_ms, is_noted", "key < ?", [turn_key]),
            (
                "approvals",
                "approval_id, turn_id, action, asked_at_ms, decision, settled_at_ms",
                "turn_id NOT IN (SELECT turn_id FROM turns WHERE thread_key = ? AND key >= ?)",
                [self.key, turn_key],
            ),
        ):
            self._database.execute(
                f"INSERT INTO {table} (thread_key, {columns})"
                f" SELECT ?, {columns} FROM {table} WHERE thread_key = ? AND {kept} ORDER BY key",
                (copy.key, self.key, *bounds),
            )
        self._database.execute(
            "INSERT INTO items (turn_key, item_id, data) SELECT ours.key, item_id, data FROM items"
            " JOIN turns AS theirs ON theirs.key = turn_key"
            " JOIN turns AS ours ON ours.thread_key = ? AND ours.turn_id = theirs.turn_id"
            " WHERE theirs.thread_key = ? ORDER BY items.key",
            (copy.key, self.key),
        )
        copy.abandon(running_turns(self._database, copy.key))
        copy.save()
        return copy.thread

    # Entries

    def entries(self) -> list[sqlite3.Row]:
        """The rows of all entries, in order."""
        return self._database.execute(
            "SELECT position, data FROM entries WHERE thread_key = ? ORDER BY position", (self.key,)
        ).fetchall()

    def add(self, entry: Entry) -> None:
        """Add an entry, and what it means for turns and permissions."""
        if self._n_entries is None:
            self._n_entries = last_position(self._database, self.key)
        self._n_entries += 1
        self._database.execute(
            "INSERT INTO entries (thread_key, position, data) VALUES (?, ?, ?)",
            (self.key, self._n_entries, encode_entry(entry)),
        )
        self.thread = self.thread.after(entry)
        match entry:
            case TurnBegan(turn_id=turn_id, at_ms=at_ms):
                self._put(Turn(turn_id=turn_id, started_at_ms=at_ms), is_noted=True)
            case TurnEnded(turn_id=turn_id, at_ms=at_ms, outcome=outcome, error=error):
                self._end(turn_id, at_ms, outcome, error_of(error))
            case ApprovalAsked():
                self._ask(entry)
            case ApprovalSettled(approval_id=approval_id, decision=decision, at_ms=at_ms):
                self._database.execute(
                    "UPDATE approvals SET decision = ?, settled_at_ms = ?"
                    " WHERE thread_key = ? AND approval_id = ? AND decision IS NULL",
                    (decision.value, at_ms, self.key, to_column(approval_id)),
                )
            case _:
                pass

    def abandon(self, turns: Iterable[sqlite3.Row]) -> None:
        """End turns on which nobody works any more."""
        at_ms = self.thread.updated_at_ms
        for row in turns:
            turn_id = from_column(row["turn_id"])
            if row["is_noted"]:
                self.add(TurnEnded(at_ms=at_ms, turn_id=turn_id, outcome=Outcome.INTERRUPTED))
            else:
                self._end(turn_id, at_ms, Outcome.INTERRUPTED, None)

    # Turns

    def put(self, turn: Turn) -> None:
        """Keep a turn as it stands now."""
        self._put(turn, is_noted=False)
        self.thread = self.thread.after_turn(started_at_ms=turn.started_at_ms, completed_at_ms=turn.completed_at_ms)
        if turn.status is not TurnStatus.IN_PROGRESS:
            self._withdraw(turn.turn_id, self.thread.updated_at_ms)
        if turn.items:
            self.put_items(turn.turn_id, turn.items)

    def put_items(self, turn_id: str, items: Iterable[TurnItem]) -> None:
        """Keep parts of a turn.

        Raises:
            LocalProtocolError: There is no such turn.
        """
        turn_key = self._turn(turn_id)
        self._database.executemany(
            "INSERT INTO items (turn_key, item_id, data) VALUES (?, ?, ?)"
            " ON CONFLICT (turn_key, item_id) DO UPDATE SET data = excluded.data",
            [(turn_key, to_column(item.item_id), raw(item.data)) for item in items],
        )

    def turn_after(self, turn_id: str) -> str | None:
        """The turn that began after another one; None where that is the newest.

        Raises:
            LocalProtocolError: There is no such turn.
        """
        row = self._database.execute(
            "SELECT turn_id FROM turns WHERE thread_key = ? AND key > ? ORDER BY key LIMIT 1",
            (self.key, self._turn(turn_id)),
        ).fetchone()
        return None if row is None else from_column(row["turn_id"])

    def _turn(self, turn_id: str) -> int:
        row = self._database.execute(
            "SELECT key FROM turns WHERE thread_key = ? AND turn_id = ?", (self.key, to_column(turn_id))
        ).fetchone()
        if row is None:
            raise LocalProtocolError(f"expected the id of a turn of the thread {self.thread.thread_id}, got {turn_id}")
        key: int = row["key"]
        return key

    def _put(self, turn: Turn, *, is_noted: bool) -> None:
        self._database.execute(
            "INSERT INTO turns (thread_key, turn_id, status, error, started_at_ms, completed_at_ms, owner, is_noted)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (thread_key, turn_id) DO UPDATE SET"
            " status = excluded.status, error = excluded.error, started_at_ms = excluded.started_at_ms,"
            " completed_at_ms = excluded.completed_at_ms, owner = excluded.owner,"
            " is_noted = is_noted OR excluded.is_noted",
            (
                self.key,
                to_column(turn.turn_id),
                turn.status.value,
                raw(turn.error),
                turn.started_at_ms,
                turn.completed_at_ms,
                self._claim() if turn.status is TurnStatus.IN_PROGRESS else None,
                is_noted,
            ),
        )

    def _end(self, turn_id: str, at_ms: int, outcome: Outcome, error: msgspec.Raw | None) -> None:
        self._database.execute(
            "UPDATE turns SET status = ?, completed_at_ms = ?, error = ?, owner = NULL"
            " WHERE thread_key = ? AND turn_id = ?",
            (status_of(outcome).value, at_ms, raw(error), self.key, to_column(turn_id)),
        )
        self._withdraw(turn_id, at_ms)

    # Permissions

    def _ask(self, asked: ApprovalAsked) -> None:
        self._database.execute(
            "INSERT INTO approvals (thread_key, approval_id, turn_id, action, asked_at_ms) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (thread_key, approval_id) DO UPDATE SET turn_id = excluded.turn_id,"
            " action = excluded.action, asked_at_ms = excluded.asked_at_ms, decision = NULL, settled_at_ms = NULL",
            (self.key, to_column(asked.approval_id), to_column(asked.turn_id), to_column(asked.action), asked.at_ms),
        )

    def _withdraw(self, turn_id: str, at_ms: int) -> None:
        self._database.execute(
            "UPDATE approvals SET decision = ?, settled_at_ms = ?"
            " WHERE thread_key = ? AND turn_id = ? AND decision IS NULL",
            (screen.ApprovalDecision.WITHDRAWN.value, at_ms, self.key, to_column(turn_id)),
        )


def find_row(database: sqlite3.Connection, thread_id: str) -> sqlite3.Row | None:
    """The row of a thread; None where there is none."""
    row: sqlite3.Row | None = database.execute(
        "SELECT * FROM threads WHERE thread_id = ?", (to_column(thread_id),)
    ).fetchone()
    return row


def last_position(database: sqlite3.Connection, key: int) -> int:
    """The position of the last entry of a thread; 0 where it has none."""
    position: int = database.execute(
        "SELECT coalesce(max(position), 0) FROM entries WHERE thread_key = ?", (key,)
    ).fetchone()[0]
    return position


def running_turns(database: sqlite3.Connection, key: int) -> list[sqlite3.Row]:
    """The turns of a thread that have not ended, in order, whoever runs them."""
    return database.execute(
        "SELECT * FROM turns WHERE thread_key = ? AND status = 'in_progress' ORDER BY key", (key,)
    ).fetchall()
