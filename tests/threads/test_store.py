"""What every store has to do."""

from __future__ import annotations

import dataclasses
import os
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from backchannel.core import Outcome, screen
from backchannel.errors import LocalProtocolError, UnknownThread, UsageError
from backchannel.threads import (
    AgentSaid,
    Approval,
    ApprovalAsked,
    ApprovalSettled,
    Entry,
    PeerSaid,
    PlacedEntry,
    RanTests,
    Spoken,
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
    VoiceBegan,
    VoiceEnded,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


def made(thread_id: str, *, at_ms: int = 0, cwd: str = "/project", **more: Any) -> Thread:
    return Thread(thread_id=thread_id, cwd=cwd, created_at_ms=at_ms, updated_at_ms=at_ms, **more)


def ids(threads: Iterable[Thread]) -> str:
    return " ".join(thread.thread_id for thread in threads)


def listed(store: ThreadStore, **query: Any) -> str:
    return ids(store.list_threads(ThreadQuery(**query)).items)


def item(item_id: str, text: str = "") -> TurnItem:
    return TurnItem(item_id=item_id, data=msgspec.Raw(msgspec.json.encode({"id": item_id, "text": text})))


def turns_of(store: ThreadStore, thread_id: str, **query: Any) -> tuple[Turn, ...]:
    return store.turns(thread_id, TurnQuery(**query)).items


# Threads


def test_a_thread_comes_back_as_it_was_kept(store: ThreadStore) -> None:
    plain = made("plain")
    full = made(
        "full",
        asked_at_ms=3,
        branch="main",
        git_sha="abc",
        git_origin_url="https://example.org/x.git",
        first_ask="fix it",
        name="Fixing",
        archived=True,
        source="codex",
        client_kind="vscode",
        originator="an editor",
        model_provider="mine",
        model="m-1",
        forked_from="plain",
    )
    for thread in (plain, full):
        store.create(thread)
        assert store.get(thread.thread_id) == thread
    assert store.get("other") is None


def test_texts_without_utf8_survive(store: ThreadStore) -> None:
    folder = os.fsdecode(b"/p/\xff\xfe")
    odd = "\ud800 \udcff \0 é"
    thread = made("a", cwd=folder, name=odd, branch=odd, originator=odd)
    store.create(thread)
    store.create(made("b"))
    store.append("a", [UserAsked(at_ms=1, text=odd), ApprovalAsked(at_ms=1, turn_id=odd, approval_id=odd, action=odd)])
    assert store.get("a") == dataclasses.replace(thread, first_ask=odd, asked_at_ms=1, updated_at_ms=1)
    assert store.entries("a", newest=2)[0] == UserAsked(at_ms=1, text=odd)
    assert store.approvals("a") == (Approval(approval_id=odd, turn_id=odd, action=odd, asked_at_ms=1),)
    assert listed(store, cwds=(folder,)) == "a"
    assert listed(store, cwds=("/p/??", "/p/")) == ""


def test_the_newest_threads_come_first_and_archived_ones_never(store: ThreadStore) -> None:
    for thread in (made("a", at_ms=1), made("b", at_ms=3), made("c", at_ms=2), made("d", archived=True)):
        store.create(thread)
    assert ids(store.recent(9)) == "b c a"
    assert ids(store.recent(2)) == "b c"
    assert store.recent(0) == ()
    store.append("a", [AgentSaid(at_ms=9, text="done")])
    assert ids(store.recent(1)) == "a"


def test_threads_of_one_time_stand_in_the_order_of_their_making(store: ThreadStore) -> None:
    for thread_id in "abc":
        store.create(made(thread_id))
    assert ids(store.recent(9)) == "c b a"
    assert listed(store, direction="oldest_first") == "a b c"


def test_threads_are_sorted_by_each_of_their_times(store: ThreadStore) -> None:
    for at_ms, thread_id in enumerate("abc"):
        store.create(made(thread_id, at_ms=at_ms))
    store.append("b", [UserAsked(at_ms=10, text="x")])
    store.append("a", [AgentSaid(at_ms=20, text="x")])
    assert listed(store, sort="created") == "c b a"
    assert listed(store, sort="updated") == "a b c"
    assert listed(store, sort="recency") == "b c a"
    assert listed(store, sort="recency", direction="oldest_first") == "a c b"


def test_only_what_is_wanted_is_listed(store: ThreadStore) -> None:
    store.create(made("a", cwd="/x", client_kind="cli", model_provider="p"))
    store.create(made("b", cwd="/x/y", client_kind="vscode", originator="editor"))
    store.create(made("c", cwd="/z", client_kind="exec", model_provider="q"))
    store.create(made("d", cwd="/x", archived=True))
    assert listed(store) == "c b a"
    assert listed(store, archived=True) == "d"
    assert listed(store, cwds=("/x",)) == "a"
    assert listed(store, cwds=("/z", "/x", "/z")) == "c a"
    assert listed(store, cwds=()) == ""
    assert listed(store, client_kinds=("cli", "vscode")) == "b a"
    assert listed(store, client_kinds=()) == ""
    assert listed(store, model_providers=("p",)) == "a"
    assert listed(store, originators=("editor", "other")) == "b"
    assert listed(store, originators=()) == ""
    assert listed(store, leaving_out=("b", "unknown")) == "c a"
    assert listed(store, leaving_out=tuple(f"x{number}" for number in range(50_000))) == "c b a"
    assert listed(store, model_providers=("p", "q"), cwds=("/z", "/x"), direction="oldest_first") == "a c"


@pytest.mark.parametrize("direction", ["newest_first", "oldest_first"])
@pytest.mark.parametrize("sort", ["created", "updated", "recency"])
@pytest.mark.parametrize(
    "query", [{}, {"search": "odd"}, {"search": "o"}, {"search": "odd d"}, {"cwds": ("/0", "/1")}], ids=str
)
def test_pages_are_the_whole_list(query: dict[str, Any], sort: Any, direction: Any, store: ThreadStore) -> None:
    for number in range(20):
        name = "odd" if number % 2 else "even"
        store.create(made(str(number), at_ms=number // 3, cwd=f"/{number % 3}", name=name))
    whole = ThreadQuery(sort=sort, direction=direction, **query)
    pages = []
    cursor = None
    while True:
        page = store.list_threads(dataclasses.replace(whole, limit=3, cursor=cursor))
        pages.append(page.items)
        if (cursor := page.next_cursor) is None:
            break
    assert all(len(page) == 3 for page in pages[:-1])
    assert tuple(thread for page in pages for thread in page) == store.list_threads(whole).items


def test_a_page_goes_on_where_the_last_one_ended_whatever_has_changed(store: ThreadStore) -> None:
    for number in range(6):
        store.create(made(str(number), at_ms=number))
    first = store.list_threads(ThreadQuery(limit=2))
    assert ids(first.items) == "5 4"
    store.append("0", [AgentSaid(at_ms=99, text="x")])
    store.delete("4")
    second = store.list_threads(ThreadQuery(limit=9, cursor=first.next_cursor))
    assert ids(second.items) == "3 2 1"
    assert second.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "é", "!", "AAAA", "bnVsbA", "WyJjcmVhdGVkIiwxLDJd", "W1td" * 5000])
def test_a_text_that_is_no_cursor_is_bad_use(cursor: str, store: ThreadStore) -> None:
    store.create(made("a"))
    with pytest.raises(UsageError, match="expected the cursor of an earlier page of the same list"):
        store.list_threads(ThreadQuery(cursor=cursor))
    with pytest.raises(UsageError, match="expected the cursor of an earlier page of the same list"):
        store.turns("a", TurnQuery(cursor=cursor))


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", "c b a"),
        ("   ", "c b a"),
        ("parser", "a"),
        ("PARS", "a"),
        ("arse", "a"),
        ("fix parser", "a"),
        ("parser fix fix", "a"),
        ("parser login", ""),
        ("straße", "b"),
        ("STRASSE", "b"),
        ("日本", "b"),
        ("日本 x", ""),
        ("本", "b"),
        ("ﬁx", "a"),
        ('say "hi"', "c"),
        ('"', "c"),
        ("100%", "c"),
        ("1_0", ""),
        ("OR", ""),
        ("NEAR(", ""),
        ("*", ""),
        ("\udcff", "c"),
        ("\0", "c b a"),
    ],
)
def test_words_find_threads_by_name_and_first_ask(search: str, found: str, store: ThreadStore) -> None:
    store.create(made("a", name="The Parser"))
    store.append("a", [UserAsked(at_ms=1, text="fix it"), UserAsked(at_ms=1, text="login")])
    store.create(made("b", at_ms=2, first_ask="die Straße in 日本語"))
    store.create(made("c", at_ms=3, name='say "hi"', first_ask="100% \udcff?"))
    assert listed(store, search=search) == found


def test_what_is_common_and_what_is_rare_is_found(store: ThreadStore) -> None:
    with store.batch():
        for number in range(1200):
            store.create(made(str(number), at_ms=number, first_ask=f"common {'rare' if number % 600 == 5 else ''}"))
    assert listed(store, search="common", limit=2) == "1199 1198"
    assert listed(store, search="rare") == "605 5"
    assert listed(store, search="rare common") == "605 5"
    assert listed(store, search="ra co") == "605 5"


def test_what_is_searched_follows_what_is_named(store: ThreadStore) -> None:
    store.create(made("a", name="before"))
    store.set_name("a", "behind")
    assert listed(store, search="before") == ""
    assert listed(store, search="behind") == "a"
    store.set_name("a", None)
    assert listed(store, search="behind") == ""
    store.delete("a")
    assert listed(store, search="behind") == ""


def test_only_the_beginning_of_a_long_ask_is_searched(store: ThreadStore) -> None:
    store.create(made("a", first_ask="x" * 1990 + " needle " + "y" * 1000 + " haystack"))
    assert listed(store, search="needle") == "a"
    assert listed(store, search="haystack") == ""


def test_what_is_told_of_a_thread_later_is_kept_and_makes_it_no_newer(store: ThreadStore) -> None:
    store.create(made("a", at_ms=5, branch="main", model="m-1"))
    changes = {
        "cwd": "/x",
        "branch": "feature",
        "git_sha": "abc",
        "git_origin_url": "u",
        "originator": "o",
        "model_provider": "p",
        "model": "m-2",
    }
    for field, value in changes.items():
        before = store.get("a")
        assert before is not None
        store.change("a", ThreadChange(**{field: value}))
        assert store.get("a") == dataclasses.replace(before, **{field: value})  # type: ignore[arg-type]  # each is text
    store.change("a", ThreadChange())
    store.set_archived("a", archived=True)
    store.set_archived("a", archived=True)
    assert store.get("a") == made("a", at_ms=5, archived=True, **{**changes, "cwd": "/x"})
    store.set_archived("a", archived=False)
    assert ids(store.recent(9)) == "a"


def test_a_deleted_thread_is_gone_with_all_that_was_in_it(store: ThreadStore) -> None:
    for thread_id in "ab":
        store.create(made(thread_id))
        store.append(thread_id, [TurnBegan(at_ms=1, turn_id="t", request="x"), _asked("p")])
        store.put_items(thread_id, "t", [item("i")], at_ms=1)
    store.delete("a")
    assert store.get("a") is None
    assert (store.entries("a", newest=9), store.timeline("a", limit=9), turns_of(store, "a")) == ((), (), ())
    assert store.approvals("a") == ()
    assert ids(store.working()) == "b"
    store.create(made("a"))
    assert (store.entries("a", newest=9), turns_of(store, "a"), store.approvals("a")) == ((), (), ())
    assert turns_of(store, "b", with_items=True)[0].items == (item("i"),)


def test_a_wrong_id_is_an_error_that_names_it(store: ThreadStore) -> None:
    store.create(made("a"))
    with pytest.raises(LocalProtocolError, match="expected a new thread, but there is one with the id a"):
        store.create(made("a"))
    with pytest.raises(LocalProtocolError, match="expected a new thread, but there is one with the id a"):
        store.fork("a", "a", at_ms=1)
    with pytest.raises(LocalProtocolError, match="expected the id of a turn of the thread a, got t"):
        store.put_items("a", "t", [item("i")], at_ms=1)
    for act in (
        lambda: store.append("b", []),
        lambda: store.change("b", ThreadChange(model="m")),
        lambda: store.set_name("b", "x"),
        lambda: store.set_archived("b", archived=True),
        lambda: store.delete("b"),
        lambda: store.fork("b", "c", at_ms=1),
        lambda: store.put_turn("b", Turn(turn_id="t")),
        lambda: store.put_items("b", "t", [], at_ms=1),
    ):
        with pytest.raises(UnknownThread, match="expected the id of a thread that is kept, got b"):
            act()
    assert ids(store.recent(9)) == "a"


@pytest.mark.parametrize("kind", [ThreadQuery, TurnQuery])
def test_a_page_of_nothing_is_not_to_be_had(kind: Any) -> None:
    with pytest.raises(LocalProtocolError, match="expected a limit of at least 1, got 0"):
        kind(limit=0)


# What happened in a thread


def _asked(approval_id: str, *, at_ms: int = 1, turn_id: str = "t") -> ApprovalAsked:
    return ApprovalAsked(at_ms=at_ms, turn_id=turn_id, approval_id=approval_id, action="push")


EVERY_ENTRY: tuple[Entry, ...] = (
    VoiceBegan(at_ms=1),
    Spoken(at_ms=2, speaker="user", text="fix it"),
    UserAsked(at_ms=3, text="fix it", by_voice=True),
    TurnBegan(at_ms=4, turn_id="t", request="fix it"),
    PeerSaid(at_ms=5, author="other", text="hello"),
    _asked("p", at_ms=6),
    ApprovalSettled(at_ms=7, approval_id="p", decision=screen.ApprovalDecision.APPROVED),
    RanTests(at_ms=8, command="pytest", passed=False, failures=("a", "b")),
    AgentSaid(at_ms=9, text="done"),
    TurnEnded(at_ms=10, turn_id="t", outcome=Outcome.FAILED, error="it broke"),
    VoiceEnded(at_ms=11),
)


def test_every_kind_of_entry_comes_back(store: ThreadStore) -> None:
    store.create(made("a"))
    store.append("a", EVERY_ENTRY)
    assert store.entries("a", newest=99) == EVERY_ENTRY
    thread = store.get("a")
    assert thread is not None
    assert (thread.asked_at_ms, thread.updated_at_ms) == (4, 11)


def test_a_thread_remembers_what_was_asked_first_and_when_it_changed(store: ThreadStore) -> None:
    store.create(made("a", at_ms=5))
    store.append("a", [UserAsked(at_ms=7, text="one"), UserAsked(at_ms=6, text="two")])
    (thread,) = store.recent(1)
    assert (thread.first_ask, thread.created_at_ms, thread.updated_at_ms) == ("one", 5, 7)
    assert (thread.asked_at_ms, thread.recency_at_ms) == (7, 7)


def test_the_last_entries_are_read_in_order(store: ThreadStore) -> None:
    store.create(made("a"))
    entries = [UserAsked(at_ms=number, text=str(number)) for number in range(5)]
    store.append("a", entries[:3])
    store.append("a", entries[3:])
    assert store.entries("a", newest=2) == tuple(entries[3:])
    assert store.entries("a", newest=99) == tuple(entries)
    assert store.entries("a", newest=0) == ()
    assert store.entries("unknown", newest=9) == ()


def test_a_timeline_is_read_a_piece_at_a_time(store: ThreadStore) -> None:
    store.create(made("a"))
    entries = [UserAsked(at_ms=number, text=str(number)) for number in range(5)]
    store.append("a", entries)
    placed = [PlacedEntry(position=number, entry=entry) for number, entry in enumerate(entries, 1)]
    assert store.timeline("a", limit=3) == tuple(placed[:3])
    assert store.timeline("a", after=3, limit=3) == tuple(placed[3:])
    assert store.timeline("a", after=5, limit=3) == ()
    assert store.timeline("unknown", limit=3) == ()


def test_threads_with_work_going_on_are_known(store: ThreadStore) -> None:
    for thread_id in "ab":
        store.create(made(thread_id))
        store.append(thread_id, [TurnBegan(at_ms=ord(thread_id), turn_id="t", request="work")])
    assert ids(store.working()) == "b a"
    store.append("b", [TurnEnded(at_ms=200, turn_id="t", outcome=Outcome.COMPLETED)])
    assert ids(store.working()) == "a"
    store.put_turn("a", Turn(turn_id="t", status=TurnStatus.FAILED))
    assert store.working() == ()
    store.put_turn("b", Turn(turn_id="u", started_at_ms=300))
    assert ids(store.working()) == "b"


def test_permissions_are_known_until_their_turn_ends(store: ThreadStore) -> None:
    store.create(made("a"))
    began = TurnBegan(at_ms=1, turn_id="t", request="x")
    declined = ApprovalSettled(at_ms=3, approval_id="p", decision=screen.ApprovalDecision.DECLINED)
    late = ApprovalSettled(at_ms=4, approval_id="p", decision=screen.ApprovalDecision.APPROVED)
    store.append("a", [began, _asked("p", at_ms=2), declined, late, _asked("q", at_ms=5)])

    def approval(approval_id: str, **more: Any) -> Approval:
        return Approval(approval_id=approval_id, turn_id="t", action="push", **more)

    answered = approval("p", asked_at_ms=2, decision=screen.ApprovalDecision.DECLINED, settled_at_ms=3)
    assert store.approvals("a") == (answered, approval("q", asked_at_ms=5))
    store.append("a", [TurnEnded(at_ms=6, turn_id="t", outcome=Outcome.COMPLETED)])
    withdrawn = approval("q", asked_at_ms=5, decision=screen.ApprovalDecision.WITHDRAWN, settled_at_ms=6)
    assert store.approvals("a") == (answered, withdrawn)
    store.append("a", [_asked("p", at_ms=7)])
    assert store.approvals("a") == (approval("p", asked_at_ms=7), withdrawn)
    store.put_turn("a", Turn(turn_id="t", status=TurnStatus.INTERRUPTED, completed_at_ms=8))
    (asked_again, _) = store.approvals("a")
    assert (asked_again.decision, asked_again.settled_at_ms) == (screen.ApprovalDecision.WITHDRAWN, 8)


# Turns


def test_turns_are_made_of_entries_and_of_what_a_client_puts(store: ThreadStore) -> None:
    store.create(made("a"))
    store.append("a", [TurnBegan(at_ms=1, turn_id="t", request="x")])
    assert turns_of(store, "a") == (Turn(turn_id="t", started_at_ms=1),)
    store.append("a", [TurnEnded(at_ms=2, turn_id="t", outcome=Outcome.FAILED, error="it broke \udcff")])
    (failed,) = turns_of(store, "a")
    assert (failed.status, failed.started_at_ms, failed.completed_at_ms) == (TurnStatus.FAILED, 1, 2)
    assert failed.error == msgspec.Raw(rb'{"message":"it broke \udcff"}')
    # What nobody has begun does not end.
    store.append("a", [TurnEnded(at_ms=2, turn_id="other", outcome=Outcome.COMPLETED)])
    error = msgspec.Raw(b'{"message":"no","codexErrorInfo":null}')
    put = Turn(turn_id="u", status=TurnStatus.FAILED, error=error, started_at_ms=5, completed_at_ms=9)
    store.put_turn("a", put)
    assert turns_of(store, "a") == (failed, put)
    thread = store.get("a")
    assert thread is not None
    assert (thread.asked_at_ms, thread.updated_at_ms) == (5, 9)
    # One that begins again stands where it stood.
    store.append("a", [TurnBegan(at_ms=20, turn_id="t", request="again")])
    assert turns_of(store, "a") == (Turn(turn_id="t", started_at_ms=20), put)
    store.put_turn("a", Turn(turn_id="u"))
    assert turns_of(store, "a")[1] == Turn(turn_id="u")


def test_items_are_replaced_by_their_id_and_keep_their_order(store: ThreadStore) -> None:
    store.create(made("a"))
    store.put_turn("a", Turn(turn_id="t", items=(item("1"), item("2"))))
    store.put_turn("a", Turn(turn_id="u"))
    store.put_items("a", "t", [item("3"), item("1", "new")], at_ms=7)
    store.put_items("a", "u", [item("1", "other")], at_ms=6)
    store.put_turn("a", Turn(turn_id="t", status=TurnStatus.COMPLETED))
    first, second = turns_of(store, "a", with_items=True)
    assert first.items == (item("1", "new"), item("2"), item("3"))
    assert second.items == (item("1", "other"),)
    assert [turn.items for turn in turns_of(store, "a")] == [None, None]
    thread = store.get("a")
    assert thread is not None
    assert thread.updated_at_ms == 7


def test_turns_are_paged_in_both_directions(store: ThreadStore) -> None:
    store.create(made("a"))
    store.create(made("b"))
    for number in range(5):
        store.put_turn("b", Turn(turn_id="other"))
        store.put_turn("a", Turn(turn_id=str(number), items=(item("i", str(number)),)))
    page = store.turns("a", TurnQuery(limit=2, with_items=True))
    assert [(turn.turn_id, turn.items) for turn in page.items] == [("0", (item("i", "0"),)), ("1", (item("i", "1"),))]
    page = store.turns("a", TurnQuery(limit=3, cursor=page.next_cursor))
    assert ([turn.turn_id for turn in page.items], page.next_cursor) == (["2", "3", "4"], None)
    page = store.turns("a", TurnQuery(limit=2, direction="newest_first"))
    assert [turn.turn_id for turn in page.items] == ["4", "3"]
    page = store.turns("a", TurnQuery(limit=3, cursor=page.next_cursor, direction="newest_first"))
    assert ([turn.turn_id for turn in page.items], page.next_cursor) == (["2", "1", "0"], None)
    assert store.turns("unknown", TurnQuery()).items == ()


# Copies


def test_a_copy_has_all_that_happened_until_then_and_runs_nothing(store: ThreadStore) -> None:
    store.create(made("a", name="Fixing", archived=True))
    store.append("a", EVERY_ENTRY)
    store.put_items("a", "t", [item("2"), item("1")], at_ms=12)
    store.append("a", [TurnBegan(at_ms=13, turn_id="u", request="go on"), _asked("q", at_ms=14, turn_id="u")])
    store.put_turn("a", Turn(turn_id="v", started_at_ms=15))
    copy = store.fork("a", "b", at_ms=50)
    before = store.get("a")
    assert before is not None
    assert copy == store.get("b")
    assert copy == dataclasses.replace(
        before, thread_id="b", created_at_ms=50, updated_at_ms=50, archived=False, forked_from="a"
    )
    ended = TurnEnded(at_ms=50, turn_id="u", outcome=Outcome.INTERRUPTED)
    assert store.entries("b", newest=99) == (*store.entries("a", newest=99), ended)
    assert [turn.status for turn in turns_of(store, "a")][1:] == [TurnStatus.IN_PROGRESS] * 2
    first, second, third = turns_of(store, "b", with_items=True)
    assert first == turns_of(store, "a", with_items=True)[0]
    assert first.items == (item("2"), item("1"))
    assert (second.status, second.completed_at_ms) == (TurnStatus.INTERRUPTED, 50)
    assert (third.status, third.completed_at_ms) == (TurnStatus.INTERRUPTED, 50)
    assert store.approvals("b")[1].decision is screen.ApprovalDecision.WITHDRAWN
    assert store.approvals("a")[1].decision is None
    assert ids(store.working()) == "a"
    assert listed(store, search="fixing") == "b"
    # From now on they go different ways.
    store.append("b", [UserAsked(at_ms=60, text="b only")])
    store.put_items("b", "t", [item("1", "changed")], at_ms=61)
    store.delete("a")
    assert store.entries("b", newest=1) == (UserAsked(at_ms=60, text="b only"),)
    assert turns_of(store, "b", with_items=True)[0].items == (item("2"), item("1", "changed"))


def test_a_copy_may_end_before_a_turn(store: ThreadStore) -> None:
    store.create(made("a", name="The login"))
    turns = (("t", 10, "fix it"), ("u", 20, "and that"), ("v", 30, "go on"))
    for turn_id, at_ms, text in turns:
        asked = UserAsked(at_ms=at_ms, text=text)
        store.append("a", [asked, TurnBegan(at_ms=at_ms, turn_id=turn_id, request=text)])
        store.append("a", [_asked(f"{turn_id}.1", at_ms=at_ms + 1, turn_id=turn_id)])
        store.put_items("a", turn_id, [item("1")], at_ms=at_ms + 1)
        store.append("a", [TurnEnded(at_ms=at_ms + 2, turn_id=turn_id, outcome=Outcome.COMPLETED)])
    spoken = Spoken(at_ms=33, speaker="user", text="thanks")
    store.append("a", [spoken])
    whole = store.entries("a", newest=99)
    assert store.fork("a", "b", at_ms=50, before_turn_id="u") == store.get("b")
    assert store.entries("b", newest=99) == whole[:4]
    assert turns_of(store, "b", with_items=True) == turns_of(store, "a", with_items=True)[:1]
    assert [approval.turn_id for approval in store.approvals("b")] == ["t"]
    copy = store.get("b")
    assert copy is not None
    assert (copy.name, copy.first_ask, copy.asked_at_ms, copy.forked_from) == ("The login", "fix it", 10, "a")
    empty = store.fork("a", "c", at_ms=50, before_turn_id="t")
    assert (empty.first_ask, empty.asked_at_ms) == (None, None)
    assert not store.entries("c", newest=9)
    assert not turns_of(store, "c")
    assert listed(store, search="fix it") == "b a"
    assert store.fork("b", "d", at_ms=60, last_turn_id="t").first_ask == "fix it"
    assert store.fork("a", "f", at_ms=60, last_turn_id="u").first_ask == "fix it"
    assert store.entries("f", newest=99) == whole[:8]
    store.fork("a", "g", at_ms=60, last_turn_id="v")
    assert store.entries("g", newest=99) == whole
    with pytest.raises(LocalProtocolError, match="expected the id of a turn of the thread b, got u"):
        store.fork("b", "e", at_ms=60, before_turn_id="u")
    assert store.get("e") is None
    assert store.entries("a", newest=99) == whole


def test_a_turn_that_an_entry_began_is_ended_by_one_whoever_put_it_since(store: ThreadStore) -> None:
    store.create(made("a"))
    began = TurnBegan(at_ms=1, turn_id="t", request="x")
    store.append("a", [began])
    store.put_turn("a", Turn(turn_id="t", started_at_ms=1))
    store.fork("a", "b", at_ms=2)
    assert store.entries("b", newest=9) == (began, TurnEnded(at_ms=2, turn_id="t", outcome=Outcome.INTERRUPTED))


# All of it


def test_a_batch_keeps_what_is_written_in_it_and_sees_it(store: ThreadStore) -> None:
    with store.batch():
        store.create(made("a"))
        with store.batch():
            store.append("a", [UserAsked(at_ms=1, text="x")])
        with pytest.raises(UnknownThread):
            store.append("b", [UserAsked(at_ms=1, text="x")])
        store.append("a", [UserAsked(at_ms=2, text="y")])
        assert len(store.entries("a", newest=9)) == 2
    assert len(store.entries("a", newest=9)) == 2


def test_many_threads_of_a_process_write_and_read_at_once(store: ThreadStore) -> None:
    store.create(made("shared"))
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            store.create(made(str(number)))
            for at_ms in range(20):
                with store.batch():
                    store.append("shared", [UserAsked(at_ms=at_ms, text=str(number))])
                    store.append(str(number), [UserAsked(at_ms=at_ms, text=str(at_ms))])
                assert len(store.entries(str(number), newest=99)) == at_ms + 1
                assert len(store.recent(9)) >= 2
        except BaseException as exc:
            failures.append(exc)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    assert len(store.entries("shared", newest=999)) == 80
    positions = [placed.position for placed in store.timeline("shared", limit=999)]
    assert positions == list(range(1, 81))


def test_when_a_store_is_closed_nothing_runs_in_it_any_more(store: ThreadStore) -> None:
    store.create(made("a"))
    store.append("a", [TurnBegan(at_ms=1, turn_id="t", request="x")])
    store.close()
    store.close()
