"""The file in which threads are kept: opening it, transactions, and what its failures mean for a person.

A file that cannot be used is refused as it is: it is looked at through a connection that cannot write before one is
made that can. It is in WAL mode: readers never wait, and of writers, in this process or another, one writes at a time
while the others wait for a bounded while. A transaction that a killed process left open was never made.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Final

from backchannel.errors import LocalProtocolError, StoreError
from backchannel.threads.schema import APPLICATION_ID, MIGRATIONS, make_search, migrate, version_of
from backchannel.threads.transactions import Batch, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from backchannel.threads.schema import Migration

__all__ = ["Database"]

_CHECK_S: Final = 0.03
_CHECK_STEPS: Final = 2000
_RETRY_S: Final = 0.01
_WAL_BYTES: Final = 16 * 1024 * 1024
"""The log is cut to this size when it was written back."""
_CACHE_KIB: Final = 16 * 1024
_ELSEWHERE: Final = "let BACKCHANNEL_HOME name another folder"


class Database:
    """An open file.

    Args:
        path: Where it is; a new one is made for its owner's eyes only, and so is its folder.
        busy_timeout_s: How long to wait for another writer.
        max_bytes: How large the file may become; None for as large as the disk lets it.
        check_s: How long it is looked at for damage; a small file is looked at whole in the usual time.
        migrations: What leads to today's tables.

    Raises:
        StoreError: It cannot be used; nothing of it was changed.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout_s: float,
        max_bytes: int | None = None,
        check_s: float = _CHECK_S,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> None:
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._check_s = check_s
        self._migrations = migrations
        self._write_lock = threading.RLock()
        self._read_lock = threading.Lock()
        self._batch: Batch | None = None
        self._wipes = False
        with self._translated(), contextlib.ExitStack() as stack:
            if self._is_there():
                self._look()
            self._writer = stack.enter_context(contextlib.closing(self._connect()))
            self._prepare(max_bytes)
            self._reader = stack.enter_context(contextlib.closing(self._connect()))
            self._reader.execute("PRAGMA query_only = ON")
            self._open = stack.pop_all()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: when it is left all is kept, and when an exception leaves it nothing is."""
        with self._write_lock, self._translated():
            if self._batch is not None:
                with self._batch.part(self._writer):
                    yield self._writer
                return
            with transaction(self._writer):
                yield self._writer
            self._wipe()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The threads as they are at one moment."""
        batch = self._batch
        if batch is not None and batch.is_ours:
            # It sees what it has written.
            with self._translated():
                yield self._writer
            return
        with self._read_lock, self._translated(), transaction(self._reader, "DEFERRED"):
            yield self._reader

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """What this thread writes inside is one transaction; a write that fails by itself takes only itself back."""
        with self._write_lock, self._translated():
            if self._batch is not None:
                yield
                return
            with transaction(self._writer):
                self._batch = Batch()
                try:
                    yield
                    self._batch.check()
                finally:
                    self._batch = None
            self._wipe()

    def wipe_afterwards(self) -> None:
        """When the transaction is over, nothing of what was deleted in it is to be found in the files."""
        self._wipes = True

    def close(self) -> None:
        """Let go of the file; idempotent."""
        with self._write_lock, self._read_lock, self._translated():
            self._open.close()

    # Opening

    def _is_there(self) -> bool:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            return self.path.stat().st_size > 0
        except OSError as exc:
            raise StoreError(
                problem="full" if exc.errno == errno.ENOSPC else "unusable",
                path=str(self.path),
                reason=f"cannot be made: {exc.strerror}",
                remedy=f"make its folder yours and writable, or {_ELSEWHERE}",
            ) from exc

    def _look(self) -> None:
        with contextlib.closing(self._connect("ro")) as connection:
            version = version_of(connection)
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if application != APPLICATION_ID and (application or version or n_tables):
                raise StoreError(
                    problem="corrupt",
                    path=str(self.path),
                    reason="is a database of another program",
                    remedy=f"move it away, or {_ELSEWHERE}",
                )
            if version > len(self._migrations):
                raise StoreError(
                    problem="newer",
                    path=str(self.path),
                    reason=(
                        f"was written by a newer version of Backchannel (expected at most version"
                        f" {len(self._migrations)} of its tables, found {version})"
                    ),
                    remedy=f"update Backchannel, or {_ELSEWHERE}",
                )
            self._check(connection)

    def _check(self, connection: sqlite3.Connection) -> None:
        until = time.monotonic() + self._check_s
        connection.set_progress_handler(lambda: time.monotonic() > until, _CHECK_STEPS)
        try:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            return
        if found != "ok":
            raise _corrupt(str(self.path), found)

    def _connect(self, mode: str = "rw") -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return connection

    def _prepare(self, max_bytes: int | None) -> None:
        writer = self._writer
        # Also what was deleted before a crash is gone.
        writer.execute("PRAGMA secure_delete = ON")
        self._log_ahead()
        # A power failure may take the last seconds, but what a process has written outlives the process.
        writer.execute("PRAGMA synchronous = NORMAL")
        writer.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        writer.execute("PRAGMA foreign_keys = ON")
        if max_bytes is not None:
            (page_bytes,) = writer.execute("PRAGMA page_size").fetchone()
            writer.execute(f"PRAGMA max_page_count = {max_bytes // page_bytes}")
        migrate(writer, self._migrations)
        make_search(writer)

    def _log_ahead(self) -> None:
        # Where two processes make a new file at once, SQLite does not wait here.
        until = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                self._writer.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(_RETRY_S)
            else:
                return

    # Writing

    def _wipe(self) -> None:
        if not self._wipes:
            return
        self._wipes = False
        # Where somebody still reads, it is done when they have ended.
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError as exc:
            raise LocalProtocolError(f"expected an open thread store: {exc}") from exc
        except sqlite3.Error as exc:
            raise _failure(exc, str(self.path), busy_timeout_s=self._busy_timeout_s) from exc


def _failure(exc: sqlite3.Error, path: str, *, busy_timeout_s: float) -> StoreError:
    code = _code_of(exc)
    match code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreError(
                problem="busy",
                path=path,
                reason=f"is locked: another process has been writing for more than {busy_timeout_s:g} s",
                remedy="try again when it is done, or end it",
            )
        case sqlite3.SQLITE_FULL:
            return StoreError(
                problem="full",
                path=path,
                reason="cannot grow: the disk, or the room it may take, is full",
                remedy="free some space, or delete old conversations; what was stored before is still there",
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | 0:
            return _corrupt(path, str(exc))
        case _:
            return StoreError(
                problem="unusable",
                path=path,
                reason=f"cannot be used: {exc}",
                remedy=f"look whether it and its folder are yours, writable and on a disk that works, or {_ELSEWHERE}",
            )


def _code_of(exc: sqlite3.Error) -> int:
    """SQLite's own code; 0 where Python has found what is stored to be no text."""
    try:
        return exc.sqlite_errorcode
    except AttributeError:
        return 0


def _corrupt(path: str, found: str) -> StoreError:
    return StoreError(
        problem="corrupt",
        path=path,
        reason=f"is damaged: {found}",
        remedy=(
            "nothing was changed; move it away together with the files beside it whose names begin alike, and a new"
            " one is begun; `sqlite3 FILE .recover` saves what can still be read"
        ),
    )
