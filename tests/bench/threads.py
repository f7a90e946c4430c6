"""How long the thread store takes with very many threads, and how long to take down one entry."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from backchannel.threads import SqliteThreads, Thread, ThreadQuery, TurnBegan, UserAsked

if TYPE_CHECKING:
    from collections.abc import Callable

N_THREADS = 100_000
N_ENTRIES = 2_000
RUNS = 15
WORDS = """
    add fix run the tests of parser and make it faster rename remove retry cache login page button colour search explain
    why this fails on windows write docs for update dependency refactor core server client socket timeout
"""


def main() -> dict[str, float]:
    """Measure and return the figures: of each query the median and the longest."""
    with tempfile.TemporaryDirectory() as folder, SqliteThreads(Path(folder) / "threads.sqlite3") as store:
        began = time.perf_counter()
        _fill(store)
        filled_s = time.perf_counter() - began
        second = store.list_threads(ThreadQuery()).next_cursor
        queries: dict[str, Callable[[], object]] = {
            "recent(40)": lambda: store.recent(40),
            "working()": store.working,
            "list, by update": lambda: store.list_threads(ThreadQuery()),
            "list, the second page": lambda: store.list_threads(ThreadQuery(cursor=second)),
            "list, by creation, oldest first": lambda: store.list_threads(
                ThreadQuery(sort="created", direction="oldest_first")
            ),
            "list, of one folder": lambda: store.list_threads(ThreadQuery(cwds=("/project/7",))),
            "list, of three folders": lambda: store.list_threads(
                ThreadQuery(cwds=("/project/7", "/project/8", "/project/9"), sort="recency")
            ),
            "search, a word that is everywhere": lambda: store.list_threads(ThreadQuery(search="the")),
            "search, two words": lambda: store.list_threads(ThreadQuery(search="parser windows")),
            "search, a rare word": lambda: store.list_threads(ThreadQuery(search="needle")),
            "search, a word that is nowhere": lambda: store.list_threads(ThreadQuery(search="haystack")),
            "search, two characters that are nowhere": lambda: store.list_threads(ThreadQuery(search="zq")),
        }
        figures = {f"{N_THREADS} threads, made: s": filled_s}
        for name, ask in queries.items():
            took_ms = [_took_ms(ask) for _ in range(RUNS)]
            figures[f"{name}: ms, median"] = statistics.median(took_ms)
            figures[f"{name}: ms, longest"] = max(took_ms)
        newest = store.recent(1)[0].thread_id
        began = time.perf_counter()
        for _ in range(N_ENTRIES):
            store.append(newest, [UserAsked(at_ms=1, text="go on")])
        figures["one entry, kept by itself: ms"] = (time.perf_counter() - began) * 1000 / N_ENTRIES
        figures["delete: ms"] = _took_ms(lambda: store.delete(newest))
    return figures


def _fill(store: SqliteThreads) -> None:
    chance, words = random.Random(1), WORDS.split()
    with store.batch():
        for number in range(N_THREADS):
            thread_id = f"thread-{number}"
            at_ms = number * 1000
            folder = f"/project/{chance.randrange(200)}"
            store.create(Thread(thread_id=thread_id, cwd=folder, created_at_ms=at_ms, updated_at_ms=at_ms))
            text = " ".join(chance.choices(words, k=12)) + (" needle" if number % 20_000 == 7 else "")
            entries = [UserAsked(at_ms=at_ms + 1, text=text)]
            store.append(thread_id, entries)
            if number % 25_000 == 0:
                store.append(thread_id, [TurnBegan(at_ms=at_ms + 2, turn_id="turn_1", request=text)])


def _took_ms(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1000
