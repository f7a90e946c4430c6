from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from backchannel.errors import StoreError
from backchannel.threads.database import Database
from backchannel.threads.schema import APPLICATION_ID, MIGRATIONS, migrate, version_of

if TYPE_CHECKING:
    from pathlib import Path

SECOND = ("CREATE TABLE more (x)", "INSERT INTO more VALUES (1)")
BROKEN = ("CREATE TABLE again (x)", "INSERT INTO missing VALUES (1)")


def test_a_file_of_an_older_version_is_brought_up_to_date_and_keeps_what_is_in_it(path: Path) -> None:
    Database(path, busy_timeout_s=1).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO words (key, folded) VALUES (1, 'kept')")
        database.commit()
    database_now = Database(path, busy_timeout_s=1, migrations=(*MIGRATIONS, SECOND))
    with database_now.reading() as database:
        assert version_of(database) == len(MIGRATIONS) + 1
        assert database.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        assert database.execute("SELECT x FROM more").fetchone()[0] == 1
        assert database.execute("SELECT folded FROM words").fetchone()[0] == "kept"
    database_now.close()


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    Database(path, busy_timeout_s=1).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="no such table: missing"):
        Database(path, busy_timeout_s=1, migrations=(*MIGRATIONS, BROKEN))
    assert path.read_bytes() == before
    Database(path, busy_timeout_s=1).close()


def test_of_two_who_migrate_at_once_one_does(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with closing(sqlite3.connect(tmp_path / "file", isolation_level=None, timeout=10)) as database:
                migrate(database, (*MIGRATIONS, SECOND))
        except BaseException as exc:
            failures.append(exc)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    with closing(sqlite3.connect(tmp_path / "file")) as database:
        assert database.execute("SELECT count(*) FROM more").fetchone() == (1,)
