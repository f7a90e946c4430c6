"""The tables in which threads are kept, and how an older file comes to have them.

A version is the number of migrations that were made, `user_version` of the file. Each is made whole or not at all. What
an older program could not read is a new version too, such as another kind of entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from backchannel.threads.transactions import transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

__all__ = ["APPLICATION_ID", "MIGRATIONS", "Migration", "make_search", "migrate", "version_of"]

Migration: TypeAlias = tuple[str, ...]
"""Statements."""

APPLICATION_ID: Final = 0x42634874
"""Says that a file is one of ours."""

_FIRST: Final[Migration] = (
    # Ids, names and folders are text where they have UTF-8, else blobs (`encoding.to_column`).
    """
    CREATE TABLE threads (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        thread_id TEXT NOT NULL UNIQUE,
        cwd TEXT NOT NULL,
        created_at_ms INTEGER NOT NULL,
        updated_at_ms INTEGER NOT NULL,
        asked_at_ms INTEGER,
        recency_at_ms INTEGER NOT NULL GENERATED ALWAYS AS (coalesce(asked_at_ms, created_at_ms)) VIRTUAL,
        archived INTEGER NOT NULL,
        source TEXT NOT NULL,
        client_kind TEXT NOT NULL,
        originator TEXT,
        model_provider TEXT,
        model TEXT,
        branch TEXT,
        git_sha TEXT,
        git_origin_url TEXT,
        forked_from TEXT,
        name TEXT,
        first_ask TEXT
    )
    """,
    # What is searched, beside and not in the table of threads: it is read from end to end for words that are too short.
    "CREATE TABLE words (key INTEGER PRIMARY KEY REFERENCES threads ON DELETE CASCADE, folded TEXT NOT NULL)",
    "CREATE INDEX threads_created ON threads (archived, created_at_ms)",
    "CREATE INDEX threads_updated ON threads (archived, updated_at_ms)",
    "CREATE INDEX threads_recency ON threads (archived, recency_at_ms)",
    "CREATE INDEX threads_cwd_created ON threads (cwd, archived, created_at_ms)",
    "CREATE INDEX threads_cwd_updated ON threads (cwd, archived, updated_at_ms)",
    "CREATE INDEX threads_cwd_recency ON threads (cwd, archived, recency_at_ms)",
    """
    CREATE TABLE turns (
        key INTEGER PRIMARY KEY,
        thread_key INTEGER NOT NULL REFERENCES threads ON DELETE CASCADE,
        turn_id TEXT NOT NULL,
        status TEXT NOT NULL,
        error BLOB,
        started_at_ms INTEGER,
        completed_at_ms INTEGER,
        owner TEXT,
        is_noted INTEGER NOT NULL,
        UNIQUE (thread_key, turn_id)
    )
    """,
    "CREATE INDEX turns_in_order ON turns (thread_key)",
    "CREATE INDEX turns_running ON turns (thread_key, owner) WHERE status = 'in_progress'",
    """
    CREATE TABLE items (
        key INTEGER PRIMARY KEY,
        turn_key INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
        item_id TEXT NOT NULL,
        data BLOB NOT NULL,
        UNIQUE (turn_key, item_id)
    )
    """,
    "CREATE INDEX items_in_order ON items (turn_key)",
    """
    CREATE TABLE entries (
        key INTEGER PRIMARY KEY,
        thread_key INTEGER NOT NULL REFERENCES threads ON DELETE CASCADE,
        position INTEGER NOT NULL,
        data BLOB NOT NULL,
        UNIQUE (thread_key, position)
    )
    """,
    """
    CREATE TABLE approvals (
        key INTEGER PRIMARY KEY,
        thread_key INTEGER NOT NULL REFERENCES threads ON DELETE CASCADE,
        approval_id TEXT NOT NULL,
        turn_id TEXT NOT NULL,
        action TEXT NOT NULL,
        asked_at_ms INTEGER NOT NULL,
        decision TEXT,
        settled_at_ms INTEGER,
        UNIQUE (thread_key, approval_id)
    )
    """,
)

MIGRATIONS: Final[tuple[Migration, ...]] = (_FIRST,)

_SEARCH: Final = (
    # Pieces of three characters, so that a piece of a word finds it. The text itself is in the table of words.
    """
    CREATE VIRTUAL TABLE search USING fts5(
        folded, content='words', content_rowid='key', tokenize='trigram case_sensitive 1'
    )
    """,
    """
    CREATE TRIGGER search_insert AFTER INSERT ON words BEGIN
        INSERT INTO search (rowid, folded) VALUES (new.key, new.folded);
    END
    """,
    """
    CREATE TRIGGER search_delete AFTER DELETE ON words BEGIN
        INSERT INTO search (search, rowid, folded) VALUES ('delete', old.key, old.folded);
    END
    """,
    """
    CREATE TRIGGER search_update AFTER UPDATE ON words BEGIN
        INSERT INTO search (search, rowid, folded) VALUES ('delete', old.key, old.folded);
        INSERT INTO search (rowid, folded) VALUES (new.key, new.folded);
    END
    """,
    "INSERT INTO search (search) VALUES ('rebuild')",
)


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations were made."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    """Make the migrations that are missing. Another process may be about to do the same: one of the two does it."""
    while version_of(connection) < len(migrations):
        with transaction(connection):
            version = version_of(connection)
            if version < len(migrations):
                for statement in migrations[version]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {version + 1}")


def make_search(connection: sqlite3.Connection) -> None:
    """Make what threads are searched with, where it is missing; it holds nothing that is not elsewhere."""
    if _has_search(connection):
        return
    with transaction(connection):
        if not _has_search(connection):
            for name in ("search_insert", "search_delete", "search_update"):
                connection.execute(f"DROP TRIGGER IF EXISTS {name}")
            for statement in _SEARCH:
                connection.execute(statement)


def _has_search(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'search'").fetchone()
    return found is not None
