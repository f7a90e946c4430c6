"""Whatever is done to the store in a file, it answers as the one in memory does, which is simple enough to be read."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from backchannel.core import Outcome, screen
from backchannel.errors import BackchannelError
from backchannel.threads import (
    AgentSaid,
    ApprovalAsked,
    ApprovalSettled,
    MemoryThreads,
    Spoken,
    SqliteThreads,
    Thread,
    ThreadChange,
    ThreadQuery,
    ThreadStore,
    Turn,
    TurnBegan,
    TurnEnded,
    TurnItem,
    TurnQuery,
    TurnStatus,
    UserAsked,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# Mostly the one that is there from the beginning, so that much happens in it.
THREADS = st.sampled_from(["a", "a", "a", "b", "c"])
TURNS = st.sampled_from(["t", "u"])
APPROVALS = st.sampled_from(["p", "q", "r"])
TIMES = st.integers(0, 50)
TEXTS = st.text(st.sampled_from('aAbß é\udcff日本\0"'), max_size=6) | st.sampled_from(["fix the parser", "parse it"])
MAYBE_TEXTS = st.none() | TEXTS
FOLDERS = st.sampled_from(["/x", "/y", "/\udcff"])
ENTRIES = st.one_of(
    st.builds(UserAsked, at_ms=TIMES, text=TEXTS, by_voice=st.booleans()),
    st.builds(AgentSaid, at_ms=TIMES, text=TEXTS),
    st.builds(Spoken, at_ms=TIMES, speaker=st.sampled_from(["user", "assistant"]), text=TEXTS),
    st.builds(TurnBegan, at_ms=TIMES, turn_id=TURNS, request=TEXTS),
    st.builds(TurnEnded, at_ms=TIMES, turn_id=TURNS, outcome=st.sampled_from(Outcome), error=MAYBE_TEXTS),
    st.builds(ApprovalAsked, at_ms=TIMES, turn_id=TURNS, approval_id=APPROVALS, action=TEXTS),
    st.builds(ApprovalSettled, at_ms=TIMES, approval_id=APPROVALS, decision=st.sampled_from(screen.ApprovalDecision)),
)
DATA = st.builds(lambda text: msgspec.Raw(msgspec.json.encode(text)), st.text(max_size=3))
ITEMS = st.lists(st.builds(TurnItem, item_id=st.sampled_from("123"), data=DATA), max_size=3).map(tuple)
PUT_TURNS = st.builds(
    Turn,
    turn_id=TURNS,
    status=st.sampled_from(TurnStatus),
    error=st.none() | DATA,
    started_at_ms=st.none() | TIMES,
    completed_at_ms=st.none() | TIMES,
    items=st.none() | ITEMS,
)
DIRECTIONS = st.sampled_from(["newest_first", "oldest_first"])
QUERIES = st.builds(
    ThreadQuery,
    limit=st.integers(1, 3),
    sort=st.sampled_from(["created", "updated", "recency"]),
    direction=DIRECTIONS,
    archived=st.booleans(),
    cwds=st.none() | st.lists(FOLDERS, max_size=3).map(tuple),
    client_kinds=st.none() | st.just(("cli",)),
    originators=st.none() | st.just(("editor",)),
    leaving_out=st.lists(THREADS, max_size=2).map(tuple),
    search=st.just("") | TEXTS | st.sampled_from(["par", "PARSE", "it", "fix parser"]),
)
TURN_QUERIES = st.builds(TurnQuery, limit=st.integers(1, 3), direction=DIRECTIONS, with_items=st.booleans())


class TwoStores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "threads.sqlite3"
        self.sqlite = SqliteThreads(self.path)
        self.memory = MemoryThreads()
        self.both(lambda store: store.create(Thread(thread_id="a", cwd="/x", created_at_ms=0, updated_at_ms=0)))

    def teardown(self) -> None:
        self.sqlite.close()
        self.folder.cleanup()

    def both(self, act: Callable[[ThreadStore], object]) -> None:
        """Do or ask the same of both, and expect the same."""
        answers = []
        for store in (self.sqlite, self.memory):
            try:
                answers.append(act(store))
            except BackchannelError as exc:
                answers.append((type(exc), str(exc)))
        assert answers[0] == answers[1]

    @rule(thread_id=THREADS, cwd=FOLDERS, at_ms=TIMES, name=MAYBE_TEXTS, archived=st.booleans())
    def create(self, thread_id: str, cwd: str, at_ms: int, name: str | None, *, archived: bool) -> None:
        thread = Thread(
            thread_id=thread_id,
            cwd=cwd,
            created_at_ms=at_ms,
            updated_at_ms=at_ms,
            name=name,
            archived=archived,
            originator=None if name is None else "editor",
        )
        self.both(lambda store: store.create(thread))

    @rule(thread_id=THREADS, entries=st.lists(ENTRIES, min_size=1, max_size=8))
    def append(self, thread_id: str, entries: list[UserAsked]) -> None:
        self.both(lambda store: store.append(thread_id, entries))

    @rule(thread_id=THREADS, turn=PUT_TURNS)
    def put_turn(self, thread_id: str, turn: Turn) -> None:
        self.both(lambda store: store.put_turn(thread_id, turn))

    @rule(thread_id=THREADS, turn_id=TURNS, items=ITEMS, at_ms=TIMES)
    def put_items(self, thread_id: str, turn_id: str, items: tuple[TurnItem, ...], at_ms: int) -> None:
        self.both(lambda store: store.put_items(thread_id, turn_id, items, at_ms=at_ms))

    @rule(thread_id=THREADS, new_id=THREADS, at_ms=TIMES, last=st.none() | TURNS, before=st.none() | TURNS)
    def fork(self, thread_id: str, new_id: str, at_ms: int, last: str | None, before: str | None) -> None:
        self.both(lambda store: store.fork(thread_id, new_id, at_ms=at_ms, last_turn_id=last, before_turn_id=before))

    @rule(thread_id=THREADS, name=MAYBE_TEXTS)
    def set_name(self, thread_id: str, name: str | None) -> None:
        self.both(lambda store: store.set_name(thread_id, name))

    @rule(thread_id=THREADS, archived=st.booleans())
    def set_archived(self, thread_id: str, *, archived: bool) -> None:
        self.both(lambda store: store.set_archived(thread_id, archived=archived))

    @rule(thread_id=THREADS, cwd=st.none() | FOLDERS, branch=MAYBE_TEXTS)
    def change(self, thread_id: str, cwd: str | None, branch: str | None) -> None:
        self.both(lambda store: store.change(thread_id, ThreadChange(cwd=cwd, branch=branch)))

    @rule(thread_id=THREADS)
    def delete(self, thread_id: str) -> None:
        self.both(lambda store: store.delete(thread_id))

    @rule()
    def open_again(self) -> None:
        # In the file nobody has written that what ran was interrupted, and yet it reads so.
        self.sqlite.close()
        self.memory.close()
        self.sqlite = SqliteThreads(self.path)

    @rule(query=QUERIES)
    def list_in_pages(self, query: ThreadQuery) -> None:
        def pages(store: ThreadStore) -> list[tuple[Thread, ...]]:
            page = store.list_threads(query)
            found = [page.items]
            while page.next_cursor is not None:
                page = store.list_threads(dataclasses.replace(query, cursor=page.next_cursor))
                found.append(page.items)
            return found

        self.both(pages)

    @rule(thread_id=THREADS, query=TURN_QUERIES)
    def turns_in_pages(self, thread_id: str, query: TurnQuery) -> None:
        def pages(store: ThreadStore) -> list[tuple[Turn, ...]]:
            page = store.turns(thread_id, query)
            found = [page.items]
            while page.next_cursor is not None:
                page = store.turns(thread_id, dataclasses.replace(query, cursor=page.next_cursor))
                found.append(page.items)
            return found

        self.both(pages)

    @rule(thread_id=THREADS, after=st.integers(0, 6), limit=st.integers(0, 6))
    def read(self, thread_id: str, after: int, limit: int) -> None:
        self.both(lambda store: store.entries(thread_id, newest=limit))
        self.both(lambda store: store.timeline(thread_id, after=after, limit=limit))

    @invariant()
    def all_is_the_same(self) -> None:
        self.both(lambda store: store.recent(9))
        self.both(lambda store: store.working())
        for thread_id in "abc":
            self.both(lambda store, thread_id=thread_id: store.get(thread_id))  # type: ignore[misc]  # bound at once
            self.both(lambda store, thread_id=thread_id: store.entries(thread_id, newest=99))  # type: ignore[misc]
            self.both(lambda store, thread_id=thread_id: store.approvals(thread_id))  # type: ignore[misc]


TestTwoStores = TwoStores.TestCase
# Each step asks for everything twice, from a file.
TestTwoStores.settings = settings(max_examples=max(10, settings().max_examples // 3))
