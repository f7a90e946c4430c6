"""Processes of their own that use a store: `python -m tests.threads.processes WHAT FILE [MORE]`."""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path

import msgspec

from backchannel.errors import StoreError
from backchannel.threads import SqliteThreads, Thread, Turn, TurnBegan, TurnItem, UserAsked

PADDING = "x" * 3000
"""So that an entry fills a page and the log is written back while entries come."""


def write_until_killed(store: SqliteThreads, thread_id: str) -> None:
    """Write one entry after the other, and say of each that it is kept."""
    if store.get(thread_id) is None:
        store.create(_thread(thread_id))
    number = len(store.entries(thread_id, newest=10**9))
    while True:
        number += 1
        # What began before was cut off, and reads as ended when this is written.
        with store.batch():
            store.append(thread_id, [UserAsked(at_ms=number, text=f"{number} {PADDING}")])
            item = TurnItem(item_id=str(number), data=msgspec.Raw(b"%d" % number))
            store.put_turn(thread_id, Turn(turn_id="t", items=(item,)))
        _say(number)


def begin_a_turn(store: SqliteThreads, thread_id: str) -> None:
    """Begin a turn and work on it until the input ends."""
    store.create(_thread(thread_id))
    store.append(thread_id, [TurnBegan(at_ms=1, turn_id="t", request="work")])
    _say("begun")
    sys.stdin.read()


def write_many(store: SqliteThreads, thread_id: str) -> None:
    """Write a hundred entries into a shared thread, beside others who do so, each as itself."""
    for number in range(100):
        store.append("shared", [UserAsked(at_ms=number, text=f"{thread_id} {number}")])


def hold_the_lock(store: SqliteThreads, thread_id: str) -> None:
    """Write, and come to no end."""
    with store.batch():
        store.create(_thread(thread_id))
        _say("begun")
        sys.stdin.read()


def fill_the_disk(store: SqliteThreads, thread_id: str) -> None:
    """Write until no file may grow any more; say how many entries are kept, and what was wrong then."""
    store.create(_thread(thread_id))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, resource.RLIM_INFINITY))
    number = 0
    try:
        while True:
            store.append(thread_id, [UserAsked(at_ms=1, text=PADDING)])
            number += 1
    except StoreError as exc:
        _say(number, exc)


def _say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def _thread(thread_id: str) -> Thread:
    return Thread(thread_id=thread_id, cwd="/project", created_at_ms=0, updated_at_ms=0)


def main() -> None:
    """Do what is named."""
    what, path, thread_id = sys.argv[1:]
    with SqliteThreads(Path(path)) as store:
        {each.__name__: each for each in (write_until_killed, begin_a_turn, write_many, hold_the_lock, fill_the_disk)}[
            what
        ](store, thread_id)


if __name__ == "__main__":
    main()
