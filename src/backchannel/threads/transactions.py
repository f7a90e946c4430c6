"""Transactions: all of it is kept, or nothing."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Batch", "transaction"]


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE") -> Iterator[None]:
    """A transaction: kept when it is left, taken back when an exception leaves it."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite takes some back by itself, such as one for which the disk is full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


class Batch:
    """A transaction of many parts, each of which can be taken back by itself."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._failure: sqlite3.Error | None = None
        """Why nothing of it can be kept."""

    @property
    def is_ours(self) -> bool:
        """Whether it is that of the thread that asks."""
        return self._thread == threading.get_ident()

    @contextlib.contextmanager
    def part(self, connection: sqlite3.Connection) -> Iterator[None]:
        """Write a part; an exception takes it back, and one of the database all the others too."""
        self.check()
        try:
            connection.execute("SAVEPOINT part")
            try:
                yield
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK TO part")
                    connection.execute("RELEASE part")
                raise
            connection.execute("RELEASE part")
        except sqlite3.Error as exc:
            self._failure = exc
            raise

    def check(self) -> None:
        """Raise why nothing of it can be kept, where that is so."""
        if self._failure is not None:
            raise self._failure
