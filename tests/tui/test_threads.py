from __future__ import annotations

import io
import json
import os
from pathlib import Path

import msgspec
import pytest

from backchannel import __version__
from backchannel.core import Outcome, screen
from backchannel.errors import StoreError, UnknownThread, UsageError
from backchannel.threads import (
    AgentSaid,
    ApprovalAsked,
    ApprovalSettled,
    Entry,
    PeerSaid,
    RanTests,
    Spoken,
    SqliteThreads,
    Thread,
    ThreadQuery,
    TurnBegan,
    TurnEnded,
    UserAsked,
    VoiceBegan,
    VoiceEnded,
    decode_entry,
)
from backchannel.tui import delete_thread, export_thread, list_threads, show_thread
from backchannel.tui.threads import ExportHeader, ShownThread

MIDNIGHT = 1_800_000_000_000
ENTRIES: tuple[Entry, ...] = (
    VoiceBegan(at_ms=MIDNIGHT),
    Spoken(at_ms=MIDNIGHT, speaker="user", text="fix the parser"),
    UserAsked(at_ms=MIDNIGHT, text="fix the parser", by_voice=True),
    TurnBegan(at_ms=MIDNIGHT, turn_id="t", request="fix the parser"),
    Spoken(at_ms=MIDNIGHT, speaker="assistant", text="On it."),
    UserAsked(at_ms=MIDNIGHT, text="only core"),
    PeerSaid(at_ms=MIDNIGHT, author="reviewer", text="hello"),
    ApprovalAsked(at_ms=MIDNIGHT, turn_id="t", approval_id="p", action="push it"),
    ApprovalSettled(at_ms=MIDNIGHT, approval_id="p", decision=screen.ApprovalDecision.EXPIRED),
    RanTests(at_ms=MIDNIGHT, command="pytest", passed=False, failures=("a.py::b", "c")),
    RanTests(at_ms=MIDNIGHT, command="pytest -x", passed=False),
    RanTests(at_ms=MIDNIGHT, command="pytest", passed=True),
    AgentSaid(at_ms=MIDNIGHT, text="Done.\n\n\x1b[31m" + "word " * 30),
    AgentSaid(at_ms=MIDNIGHT, text="caf\udcff"),
    TurnEnded(at_ms=MIDNIGHT, turn_id="t", outcome=Outcome.FAILED, error="it broke"),
    TurnEnded(at_ms=MIDNIGHT, turn_id="u", outcome=Outcome.COMPLETED),
    VoiceEnded(at_ms=MIDNIGHT),
)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with two threads, of which one is in the folder that is meant by `here`."""
    monkeypatch.setenv("TZ", "UTC")
    path = tmp_path / "home" / "threads.sqlite3"
    with SqliteThreads(path) as store:
        for thread_id, cwd, branch in (("first", os.path.realpath(tmp_path), "main"), ("other", "/elsewhere", None)):
            store.create(
                Thread(thread_id=thread_id, cwd=cwd, created_at_ms=MIDNIGHT, updated_at_ms=MIDNIGHT, branch=branch)
            )
        store.append("first", ENTRIES)
    return path


def listed(path: Path, query: ThreadQuery, *, as_json: bool = False) -> list[str]:
    out = io.StringIO()
    assert list_threads(path, query, out=out, as_json=as_json) == 0
    return out.getvalue().splitlines()


def shown(path: Path, name: str, here: Path, *, newest: int = 99, as_json: bool = False) -> str:
    out = io.StringIO()
    assert show_thread(path, name, cwd=here, newest=newest, out=out, as_json=as_json) == 0
    return out.getvalue()


def test_threads_are_lines_with_time_id_place_and_request(path: Path, here: Path) -> None:
    first, second = listed(path, ThreadQuery())
    assert first.split()[2:] == ["other", "/elsewhere", "(nothing", "was", "asked)"]
    assert second.endswith(f"first  {os.path.realpath(here)} (main)  “fix the parser”")
    (only,) = listed(path, ThreadQuery(search="parser"))
    assert only == second
    assert listed(path, ThreadQuery(limit=1)) == [first, "there are more; --limit shows them"]
    assert listed(path, ThreadQuery(search="nothing like it")) == [f"no thread of that kind is kept in {path}"]


def test_threads_are_one_json_object_each(path: Path) -> None:
    threads = [msgspec.json.decode(line, type=Thread) for line in listed(path, ThreadQuery(), as_json=True)]
    with SqliteThreads(path) as store:
        assert tuple(threads) == store.recent(9)
    assert listed(path, ThreadQuery(search="nothing like it"), as_json=True) == []


def test_looking_for_threads_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "home" / "threads.sqlite3"
    assert listed(path, ThreadQuery()) == [f"no thread of that kind is kept in {path}"]
    with pytest.raises(UnknownThread):
        shown(path, "first", tmp_path)
    assert not path.parent.exists()


def test_a_thread_is_told_entry_by_entry(path: Path, here: Path) -> None:
    text = shown(path, "last", here)
    assert text == shown(path, "first", here)
    head, _, body = text.partition("\n\n")
    assert "thread   first\n" in head
    assert f"folder   {os.path.realpath(here)} (main)\n" in head
    assert [line[18:] for line in body.splitlines()] == [
        "voice    (the conversation begins)",
        "you      fix the parser",
        "task     by voice: fix the parser",
        "voice    On it.",
        "you type only core",
        "agents   reviewer: hello",
        "approval may the agent push it?",
        "approval declined, because nobody answered in time",
        "tests    pytest: failed a.py::b, c",
        "tests    pytest -x: failed",
        "tests    pytest: passed",
        "agent    Done.",
        "          [31m" + "word " * 18 + "word",
        "         " + ("word " * 11).rstrip(),
        "agent    caf",
        "task     failed: it broke",
        "task     finished",
        "voice    (the conversation is over)",
    ]
    assert shown(path, "first", here, newest=1).splitlines()[-1] == body.splitlines()[-1]


def test_what_else_is_known_of_a_thread_is_told(path: Path, here: Path) -> None:
    with SqliteThreads(path) as store:
        store.fork("first", "copy", at_ms=10**17)
        store.set_name("copy", "Two\nlines")
    text = shown(path, "copy", here)
    assert "name     Two lines\n" in text
    assert "copy of  first\n" in text
    # A time that no calendar has.
    assert "changed  100000000000000000 ms\n" in text


def test_a_thread_is_one_json_object(path: Path, here: Path) -> None:
    text = shown(path, "first", here, newest=3, as_json=True)
    found = msgspec.json.decode(text, type=ShownThread)
    assert found.entries == ENTRIES[-3:]
    assert found.thread.first_ask == "fix the parser"
    everything = json.loads(shown(path, "first", here, as_json=True))
    assert everything["entries"][-4]["text"] == "caf\udcff"


def test_an_export_is_a_header_and_every_entry(path: Path, here: Path) -> None:
    with SqliteThreads(path) as store:
        store.append("first", [UserAsked(at_ms=MIDNIGHT, text=str(number)) for number in range(1200)])
        entries = store.entries("first", newest=9999)
        thread = store.get("first")
    out = io.StringIO()
    assert export_thread(path, "last", cwd=here, to=None, out=out) == 0
    header, *lines = out.getvalue().splitlines()
    assert thread is not None
    assert msgspec.json.decode(header, type=ExportHeader) == ExportHeader(thread=thread)
    assert json.loads(header)["format"] == "backchannel-thread"
    assert json.loads(header)["made_by"] == __version__
    assert tuple(decode_entry(line.encode()) for line in lines) == entries


def test_an_export_goes_into_a_file(path: Path, here: Path) -> None:
    out = io.StringIO()
    export_thread(path, "first", cwd=here, to=None, out=out)
    (here / "out.jsonl").write_text("what was there before " * 999)
    assert export_thread(path, "first", cwd=here, to=here / "out.jsonl", out=io.StringIO()) == 0
    assert (here / "out.jsonl").read_text(encoding="utf-8") == out.getvalue()
    with pytest.raises(UsageError, match=r"cannot be written: .*; choose another one"):
        export_thread(path, "first", cwd=here, to=here / "missing" / "out.jsonl", out=out)


def test_a_thread_that_is_not_there_is_said(path: Path) -> None:
    out = io.StringIO()
    with pytest.raises(UnknownThread, match="`backchannel threads list` shows them"):
        export_thread(path, "none", cwd=path, to=path.parent / "none", out=out)
    assert not (path.parent / "none").exists()
    with pytest.raises(UnknownThread):
        delete_thread(path, "none", confirm=None, out=out)
    with pytest.raises(UsageError, match="expected a thread that was begun in /nowhere, but none is kept"):
        show_thread(path, "last", cwd=Path("/nowhere"), newest=1, out=out, as_json=False)
    assert out.getvalue() == ""


def test_a_thread_is_deleted_when_that_is_meant(path: Path) -> None:
    asked: list[str] = []

    def answer(question: str, *, yes: bool) -> bool:
        asked.append(question)
        return yes

    out = io.StringIO()
    assert delete_thread(path, "first", confirm=lambda question: answer(question, yes=False), out=out) == 1
    assert asked == ["Delete “fix the parser” for good?"]
    with SqliteThreads(path) as store:
        assert store.get("first") is not None
    assert delete_thread(path, "first", confirm=lambda question: answer(question, yes=True), out=out) == 0
    assert delete_thread(path, "other", confirm=None, out=out) == 0
    assert out.getvalue() == "nothing was deleted\ndeleted first\ndeleted other\n"
    with SqliteThreads(path) as store:
        assert store.recent(9) == ()


def test_a_damaged_store_is_an_error(path: Path) -> None:
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreError, match="is damaged"):
        listed(path, ThreadQuery())
