"""Finding threads in the tables, a page at a time.

Whatever the query, the time it takes does not grow with the number of threads where one of the indexes gives the order:
by any of the three times, in any folder. Words are looked for among the newest threads first (in the order that was
asked for): what is common is found there. What is rare is found through the index of words, and words that are too
short for it by reading all there are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from backchannel.threads.encoding import to_column
from backchannel.threads.listing import Page, read_cursor, write_cursor
from backchannel.threads.rows import thread_of

if TYPE_CHECKING:
    import sqlite3

    from backchannel.threads.entries import Thread
    from backchannel.threads.listing import ThreadQuery
    from backchannel.threads.rows import Column

__all__ = ["find_threads"]

_N_LOOKED_THROUGH: Final = 1000
"""So many threads are looked through for words before the index is asked."""
_MIN_INDEXED: Final = 3
"""Shorter words are in no index."""
_COLUMN: Final = {"created": "created_at_ms", "updated": "updated_at_ms", "recency": "recency_at_ms"}


def find_threads(database: sqlite3.Connection, query: ThreadQuery) -> Page[Thread]:
    """The threads that are wanted.

    Raises:
        UsageError: The cursor is none.
    """
    column = _COLUMN[query.sort]
    # Each folder by itself, since only one at a time is in order.
    folders = [None] if query.cwds is None else list(dict.fromkeys(query.cwds))
    rows = [row for folder in folders for row in _in_folder(database, query, folder)]
    rows.sort(key=lambda row: (row[column], row["key"]), reverse=query.direction == "newest_first")
    page = rows[: query.limit]
    is_all = len(page) == len(rows)
    return Page(
        items=tuple(map(thread_of, page)),
        next_cursor=None if is_all else write_cursor(query.sort, page[-1][column], page[-1]["key"]),
    )


def _in_folder(database: sqlite3.Connection, query: ThreadQuery, folder: str | None) -> list[sqlite3.Row]:
    """The first of those in a folder, one more than are wanted; None for any folder."""
    column = f"threads.{_COLUMN[query.sort]}"
    sign, order = ("<", "DESC") if query.direction == "newest_first" else (">", "ASC")
    conditions, values = _conditions(query, folder)
    if query.cursor is not None:
        conditions.append(f"({column}, threads.key) {sign} (?, ?)")
        values += read_cursor(query.cursor, query.sort, n_numbers=2)
    where, in_order = " AND ".join(conditions), f"ORDER BY {column} {order}, threads.key {order} LIMIT ?"
    wanted = query.limit + 1
    if not query.words:
        return database.execute(f"SELECT * FROM threads WHERE {where} {in_order}", (*values, wanted)).fetchall()

    # CROSS: the tables are gone through in the order in which they are named.
    has_words = " AND ".join(["instr(words.folded, ?)"] * len(query.words))
    rows = database.execute(
        f"SELECT threads.* FROM (SELECT * FROM threads WHERE {where} {in_order}) AS threads"
        f" CROSS JOIN words ON words.key = threads.key WHERE {has_words} {in_order}",
        (*values, _N_LOOKED_THROUGH, *query.words, wanted),
    ).fetchall()
    if len(rows) == wanted:
        return rows
    indexed = ['"' + word.replace('"', '""') + '"' for word in query.words if len(word) >= _MIN_INDEXED]
    if not indexed:
        return database.execute(
            "SELECT threads.* FROM words CROSS JOIN threads ON threads.key = words.key"
            f" WHERE {has_words} AND {where} {in_order}",
            (*query.words, *values, wanted),
        ).fetchall()
    return database.execute(
        "SELECT threads.* FROM search CROSS JOIN words ON words.key = search.rowid"
        " CROSS JOIN threads ON threads.key = search.rowid"
        f" WHERE search MATCH ? AND {has_words} AND {where} {in_order}",
        (" AND ".join(indexed), *query.words, *values, wanted),
    ).fetchall()


def _conditions(query: ThreadQuery, folder: str | None) -> tuple[list[str], list[Column]]:
    conditions = ["threads.archived = ?"]
    values: list[Column] = [query.archived]
    if folder is not None:
        conditions.append("threads.cwd = ?")
        values.append(to_column(folder))
    if query.leaving_out:
        # As one value: there may be more of them than a statement may have.
        conditions.append("threads.thread_id NOT IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(query.leaving_out))
    for column, wanted in (
        ("client_kind", query.client_kinds),
        ("model_provider", query.model_providers),
        ("originator", query.originators),
    ):
        if wanted is not None:
            conditions.append(f"threads.{column} IN ({', '.join('?' * len(wanted))})")
            values += map(to_column, wanted)
    return conditions, values
