from __future__ import annotations

import pytest

from backchannel.core import Outcome
from backchannel.errors import LocalProtocolError
from backchannel.threads import AgentSaid, MemoryThreads, Thread, ThreadStore, TurnBegan, TurnEnded, UserAsked


def _thread(thread_id: str, *, at_ms: int = 0, archived: bool = False) -> Thread:
    return Thread(thread_id=thread_id, cwd="/project", created_at_ms=at_ms, updated_at_ms=at_ms, archived=archived)


def test_the_newest_threads_come_first_and_archived_ones_never() -> None:
    store: ThreadStore = MemoryThreads()
    for thread in (_thread("a", at_ms=1), _thread("b", at_ms=3), _thread("c", at_ms=2), _thread("d", archived=True)):
        store.create(thread)
    assert [thread.thread_id for thread in store.recent(9)] == ["b", "c", "a"]
    assert [thread.thread_id for thread in store.recent(2)] == ["b", "c"]
    store.append("a", [AgentSaid(at_ms=9, text="done")])
    assert [thread.thread_id for thread in store.recent(1)] == ["a"]


def test_a_thread_remembers_what_was_asked_first_and_when_it_changed() -> None:
    store = MemoryThreads()
    store.create(_thread("a", at_ms=5))
    store.append("a", [UserAsked(at_ms=7, text="one"), UserAsked(at_ms=6, text="two")])
    (thread,) = store.recent(1)
    assert (thread.first_ask, thread.created_at_ms, thread.updated_at_ms) == ("one", 5, 7)


def test_the_last_entries_are_read_in_order() -> None:
    store = MemoryThreads()
    store.create(_thread("a"))
    entries = [UserAsked(at_ms=number, text=str(number)) for number in range(5)]
    store.append("a", entries)
    assert store.entries("a", newest=2) == tuple(entries[3:])
    assert store.entries("a", newest=99) == tuple(entries)
    assert store.entries("unknown", newest=9) == ()


def test_threads_with_work_going_on_are_known() -> None:
    store = MemoryThreads()
    for thread_id in "ab":
        store.create(_thread(thread_id))
        store.append(thread_id, [TurnBegan(at_ms=ord(thread_id), turn_id="t", request="work")])
    assert [thread.thread_id for thread in store.working()] == ["b", "a"]
    store.append("b", [TurnEnded(at_ms=200, turn_id="t", outcome=Outcome.COMPLETED)])
    assert [thread.thread_id for thread in store.working()] == ["a"]


def test_a_wrong_id_is_an_error_that_names_it() -> None:
    store = MemoryThreads()
    store.create(_thread("a"))
    with pytest.raises(LocalProtocolError, match="expected a new thread, but there is one with the id a"):
        store.create(_thread("a"))
    with pytest.raises(LocalProtocolError, match="expected the id of a thread that is kept, got b"):
        store.append("b", [])
