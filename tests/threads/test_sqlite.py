"""What only the store in a file has to do: other processes, faults, and what is found again after them."""

from __future__ import annotations

import concurrent.futures
import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import IO, TYPE_CHECKING

import msgspec
import pytest

from backchannel.core import Outcome, screen
from backchannel.errors import LocalProtocolError, StoreError
from backchannel.threads import (
    ApprovalAsked,
    SqliteThreads,
    Thread,
    ThreadQuery,
    TurnBegan,
    TurnEnded,
    TurnItem,
    TurnQuery,
    TurnStatus,
    UserAsked,
)
from backchannel.threads.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def thread(thread_id: str = "a", *, name: str | None = None) -> Thread:
    return Thread(thread_id=thread_id, cwd="/project", created_at_ms=0, updated_at_ms=0, name=name)


def asked(text: str, at_ms: int = 1) -> UserAsked:
    return UserAsked(at_ms=at_ms, text=text)


def command(what: str, path: Path, thread_id: str = "a") -> list[str]:
    return [sys.executable, "-m", "tests.threads.processes", what, str(path), thread_id]


@contextmanager
def running(what: str, path: Path, thread_id: str = "a") -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the store; at the end it is gone."""
    with subprocess.Popen(
        command(what, path, thread_id), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# The file


def test_a_new_file_and_its_folder_are_for_their_owners_eyes_only(path: Path) -> None:
    before = os.umask(0)
    try:
        with SqliteThreads(path) as store:
            store.create(thread())
            store.append("a", [TurnBegan(at_ms=1, turn_id="t", request="x")])
            found = {each: stat.S_IMODE(each.stat().st_mode) for each in path.parent.rglob("*")}
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {each.name for each in found} >= {"threads.sqlite3", "threads.sqlite3-wal", "threads.sqlite3-owners"}
    assert {mode for each, mode in found.items() if each.is_dir()} == {0o700}
    assert {mode for each, mode in found.items() if each.is_file()} == {0o600}


def test_what_was_kept_is_there_when_it_is_opened_again(path: Path) -> None:
    with SqliteThreads(path) as store:
        store.create(thread(name="The Parser"))
        store.append("a", [asked("hello")])
    assert sorted(each.name for each in path.parent.iterdir()) == ["threads.sqlite3"]
    with SqliteThreads(path) as store:
        assert store.entries("a", newest=9) == (asked("hello"),)
        assert len(store.list_threads(ThreadQuery(search="parser")).items) == 1


@pytest.mark.parametrize("name", ["a b#?%41.db", os.fsdecode(b"\xff\xfe.db")])
def test_any_name_will_do_for_a_file(name: str, tmp_path: Path) -> None:
    with SqliteThreads(tmp_path / name) as store:
        store.create(thread())
    assert (tmp_path / name).stat().st_size > 0


def test_a_closed_store_is_a_fault_of_ours(path: Path) -> None:
    store = SqliteThreads(path)
    store.close()
    with pytest.raises(LocalProtocolError, match="expected an open thread store"):
        store.recent(1)
    with pytest.raises(LocalProtocolError, match="expected an open thread store"):
        store.create(thread())


def test_nothing_of_a_deleted_thread_is_to_be_found_in_the_files(path: Path) -> None:
    words = ("xylophone", "quagmire", "zeppelin")
    with SqliteThreads(path) as store:
        store.create(thread("other", name="other"))
        store.create(thread(name=words[0]))
        store.append("a", [asked(words[1]), TurnBegan(at_ms=1, turn_id="t", request=words[1])])
        store.put_items("a", "t", [TurnItem(item_id="i", data=msgspec.Raw(b'"%s"' % words[2].encode()))], at_ms=1)
        assert all(any(word.encode() in content for content in files(path.parent).values()) for word in words)
        store.delete("a")
        for content in files(path.parent).values():
            for word in words:
                # Also not the pieces in which it was searched.
                assert word.encode() not in content
            assert b"xyl" not in content
        assert len(store.recent(9)) == 1


def test_the_index_of_words_is_made_anew_where_it_is_missing(path: Path) -> None:
    with SqliteThreads(path) as store:
        store.create(thread(name="The Parser"))
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE search")
        database.commit()
    with SqliteThreads(path) as store:
        assert len(store.list_threads(ThreadQuery(search="parser")).items) == 1
        store.set_name("a", "The Lexer")
        assert len(store.list_threads(ThreadQuery(search="lexer")).items) == 1


# A process that dies


def test_a_process_that_is_killed_while_it_writes_loses_nothing_that_it_had_kept(path: Path) -> None:
    chance = random.Random(7)
    told = 0
    for _ in range(12):
        with running("write_until_killed", path) as process:
            told = int(line(process.stdout))
            until = time.monotonic() + chance.uniform(0, 0.15)
            while time.monotonic() < until:
                told = int(line(process.stdout))
            process.kill()
            # What it said before it died and nobody has read yet.
            assert process.stdout is not None
            rest = process.stdout.read().splitlines()[:-1]
            told = max([told, *map(int, rest)])
        with SqliteThreads(path) as store:
            texts = [
                entry.text.split()[0] for entry in store.entries("a", newest=10**6) if isinstance(entry, UserAsked)
            ]
            (turn,) = store.turns("a", TurnQuery(with_items=True)).items
            assert store.working() == ()
        assert len(texts) >= told
        assert texts == [str(number) for number in range(1, len(texts) + 1)]
        # What is written at once is there as a whole.
        assert [item.item_id for item in turn.items or ()] == texts
        assert turn.status is TurnStatus.INTERRUPTED
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert told > 12


def test_what_a_process_works_on_runs_as_long_as_it_lives(path: Path) -> None:
    with SqliteThreads(path) as store, running("begin_a_turn", path) as process:
        assert line(process.stdout) == "begun"
        assert [each.thread_id for each in store.working()] == ["a"]
        assert store.entries("a", newest=9) == (TurnBegan(at_ms=1, turn_id="t", request="work"),)
        # Somebody else may write into the thread meanwhile.
        waits = ApprovalAsked(at_ms=2, turn_id="t", approval_id="p", action="push")
        store.append("a", [waits])
        (approval,) = store.approvals("a")
        assert approval.decision is None
        process.kill()
        process.wait()
        assert store.working() == ()
        ended = TurnEnded(at_ms=2, turn_id="t", outcome=Outcome.INTERRUPTED)
        assert store.entries("a", newest=9)[1:] == (waits, ended)
        assert store.entries("a", newest=1) == (ended,)
        assert [placed.position for placed in store.timeline("a", after=2, limit=9)] == [3]
        (turn,) = store.turns("a", TurnQuery()).items
        assert (turn.status, turn.completed_at_ms) == (TurnStatus.INTERRUPTED, 2)
        (approval,) = store.approvals("a")
        assert approval.decision is screen.ApprovalDecision.WITHDRAWN
        # It is written down where it was read, when the thread goes on.
        store.append("a", [asked("go on", 5)])
        assert store.entries("a", newest=9)[2:] == (ended, asked("go on", 5))
        assert [placed.position for placed in store.timeline("a", after=2, limit=9)] == [3, 4]


def test_who_writes_first_clears_up_after_the_dead(path: Path) -> None:
    with running("begin_a_turn", path) as process:
        assert line(process.stdout) == "begun"
    owners = path.parent / "threads.sqlite3-owners"
    (dead,) = owners.iterdir()
    with SqliteThreads(path) as store:
        store.create(thread("b"))
        store.append("b", [TurnBegan(at_ms=1, turn_id="t", request="x")])
        (living,) = owners.iterdir()
        assert living != dead
        assert [each.thread_id for each in store.working()] == ["b"]
        with closing(sqlite3.connect(path)) as database:
            query = "SELECT thread_id FROM turns JOIN threads ON threads.key = thread_key WHERE status = 'in_progress'"
            assert database.execute(query).fetchall() == [("b",)]
    assert list(owners.iterdir()) == []


def test_two_stores_of_one_process_know_of_each_other(path: Path) -> None:
    with SqliteThreads(path) as one, SqliteThreads(path) as other:
        one.create(thread())
        one.append("a", [TurnBegan(at_ms=1, turn_id="t", request="x")])
        assert len(other.working()) == 1
        one.close()
        assert other.working() == ()


# Several processes


def test_several_processes_make_a_file_and_write_at_once(path: Path) -> None:
    for _ in range(3):
        shutil.rmtree(path.parent, ignore_errors=True)
        processes = [
            subprocess.Popen(
                command("begin_a_turn", path, str(number)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
            )
            for number in range(4)
        ]
        assert [process.communicate(timeout=15)[0] for process in processes] == [b"begun\n"] * 4
        with SqliteThreads(path) as store:
            assert len(store.recent(9)) == 4


def test_several_processes_write_into_one_thread(path: Path) -> None:
    with SqliteThreads(path) as store:
        store.create(thread("shared"))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            runs = [pool.submit(subprocess.run, command("write_many", path, name), check=True) for name in "abc"]
            while not all(run.done() for run in runs):
                # Whoever reads sees whole writes, and never waits.
                numbers = [placed.position for placed in store.timeline("shared", limit=999)]
                assert numbers == list(range(1, len(numbers) + 1))
            assert all(run.result().returncode == 0 for run in runs)
        texts = [entry.text for entry in store.entries("shared", newest=999) if isinstance(entry, UserAsked)]
    assert len(texts) == 300
    for name in "abc":
        assert [text for text in texts if text.startswith(name)] == [f"{name} {number}" for number in range(100)]


def test_who_waits_for_another_for_too_long_is_told(path: Path) -> None:
    with SqliteThreads(path, busy_timeout_s=0.1) as store:
        store.create(thread())
        with running("hold_the_lock", path, "b") as process:
            assert line(process.stdout) == "begun"
            began = time.monotonic()
            with pytest.raises(StoreError) as caught:
                store.append("a", [asked("x")])
            assert 0.05 < time.monotonic() - began < 5
            assert caught.value.problem == "busy"
            assert str(caught.value) == (
                f"the thread store {path} is locked: another process has been writing for more than 0.1 s; try again"
                " when it is done, or end it"
            )
            with pytest.raises(StoreError, match="is locked"), store.batch():
                raise AssertionError("never begun")
            # Reading goes on, also for those who come now.
            assert len(store.recent(9)) == 1
            with SqliteThreads(path, busy_timeout_s=0.1) as other:
                assert len(other.recent(9)) == 1
        store.append("a", [asked("x")])
        assert store.entries("a", newest=9) == (asked("x"),)
        assert store.get("b") is None


# Disks that are full


def test_a_store_that_may_not_grow_loses_nothing_of_what_it_has(path: Path) -> None:
    with SqliteThreads(path, max_bytes=400_000) as store:
        store.create(thread())
        kept = []

        def fill() -> None:
            while True:
                store.append("a", [asked("x" * 2000)])
                kept.append(1)

        def fill_in_a_batch() -> None:
            with store.batch():
                store.set_archived("a", archived=True)
                for _ in range(3):
                    with pytest.raises(StoreError, match="is full"):
                        store.append("a", [asked("y" * 9000)])

        with pytest.raises(StoreError) as caught:
            fill()
        number = len(kept)
        assert caught.value.problem == "full"
        assert "free some space" in str(caught.value)
        assert number > 10
        assert len(store.entries("a", newest=9999)) == number
        with pytest.raises(StoreError, match="is full"):
            store.append("a", [asked("y" * 9000), asked("z")])
        # A batch that does not fit leaves nothing behind, whoever swallows the failure inside.
        with pytest.raises(StoreError, match="is full"):
            fill_in_a_batch()
        assert len(store.entries("a", newest=9999)) == number
        found = store.get("a")
        assert found is not None
        assert not found.archived
    with SqliteThreads(path) as store:
        store.append("a", [asked("there is room again")])
        assert len(store.entries("a", newest=9999)) == number + 1


def test_a_file_that_cannot_grow_loses_nothing_of_what_it_has(path: Path) -> None:
    done = subprocess.run(command("fill_the_disk", path), capture_output=True, text=True, check=True)
    number, message = done.stdout.split(maxsplit=1)
    assert message.startswith(f"the thread store {path} cannot be used: disk I/O error; look whether")
    with SqliteThreads(path) as store:
        assert len(store.entries("a", newest=9999)) == int(number) > 10
        store.append("a", [asked("more")])
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# Files that cannot be used


def filled(path: Path, *, n_threads: int = 50) -> None:
    with SqliteThreads(path) as store, store.batch():
        for number in range(n_threads):
            store.create(thread(str(number), name=f"thread {number}"))
            store.append(str(number), [asked("x" * 500)])


@pytest.mark.parametrize("damage", ["garbage", "cut", "zeros", "header"])
def test_a_damaged_file_is_refused_and_left_as_it_is(damage: str, path: Path) -> None:
    filled(path)
    good = path.read_bytes()
    bad = {
        "garbage": b"no database " * 500,
        "cut": good[: len(good) // 2],
        "zeros": good[:4096] + bytes(4096 * 8) + good[4096 * 9 :],
        "header": b"X" * 16 + good[16:],
    }[damage]
    path.write_bytes(bad)
    with pytest.raises(StoreError) as caught:
        SqliteThreads(path)
    assert caught.value.problem == "corrupt"
    assert f"{path} is damaged: " in str(caught.value)
    assert "move it away" in str(caught.value)
    assert ".recover" in str(caught.value)
    assert path.read_bytes() == bad


def test_damage_that_is_found_later_is_said_too(path: Path) -> None:
    filled(path)
    with SqliteThreads(path) as store:
        # As by a failing disk, below the feet of an open store.
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        with pytest.raises(StoreError) as caught:
            store.list_threads(ThreadQuery(search="zz"))
        assert caught.value.problem == "corrupt"


def test_an_entry_that_is_none_is_named(path: Path) -> None:
    with SqliteThreads(path) as store:
        store.create(thread())
        store.append("a", [asked("x"), asked("y")])
        for data in (b"{", b"[]", b'{"type":"other"}', b"\xff"):
            with closing(sqlite3.connect(path)) as database:
                database.execute("UPDATE entries SET data = ? WHERE position = 2", (data,))
                database.commit()
            with pytest.raises(StoreError, match="the entry 2 of the thread a cannot be read") as caught:
                store.entries("a", newest=9)
            assert caught.value.problem == "corrupt"
            with pytest.raises(StoreError, match="`backchannel threads delete a`"):
                store.timeline("a", limit=9)


def test_a_text_that_is_none_is_damage(path: Path) -> None:
    filled(path)
    with SqliteThreads(path) as store:
        with closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE threads SET name = CAST(x'ff' AS TEXT) WHERE thread_id = '3'")
            database.commit()
        with pytest.raises(StoreError, match="is damaged: Could not decode to UTF-8") as caught:
            store.get("3")
        assert caught.value.problem == "corrupt"


def test_a_file_is_looked_at_for_damage_only_so_long(path: Path) -> None:
    filled(path, n_threads=500)
    # What is not found in time is found where it is read.
    Database(path, busy_timeout_s=1, check_s=0).close()


@pytest.mark.parametrize("lock", ["BEGIN EXCLUSIVE", "BEGIN"])
def test_who_finds_a_file_locked_that_is_being_made_waits_and_is_told(lock: str, path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute(lock)
        assert other.execute("SELECT count(*) FROM threads").fetchone() == (50,)
        with pytest.raises(StoreError) as caught:
            SqliteThreads(path, busy_timeout_s=0.1)
        assert caught.value.problem == "busy"
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            opened = pool.submit(SqliteThreads, path)
            other.execute("ROLLBACK")
            opened.result().close()


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (x)")
        database.commit()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="is a database of another program; move it away, or let BACKCHANNEL_HOME"):
        SqliteThreads(path)
    assert path.read_bytes() == before


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 9")
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        SqliteThreads(path)
    assert caught.value.problem == "newer"
    assert "expected at most version 1 of its tables, found 9" in str(caught.value)
    assert "update Backchannel" in str(caught.value)
    assert path.read_bytes() == before


def test_a_place_where_nothing_can_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught:
        SqliteThreads(tmp_path / "file" / "threads.sqlite3")
    assert caught.value.problem == "unusable"
    assert "cannot be made: " in str(caught.value)
    assert "BACKCHANNEL_HOME" in str(caught.value)
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match=r"cannot be used: .*; look whether it and its folder are yours"):
        SqliteThreads(tmp_path / "folder")


def test_a_turn_cannot_begin_where_nobody_could_tell_who_runs_it(path: Path) -> None:
    with SqliteThreads(path) as store:
        store.create(thread())
        (path.parent / "threads.sqlite3-owners").touch()
        with pytest.raises(StoreError, match="cannot hold the lock that shows that this process lives"):
            store.append("a", [asked("x"), TurnBegan(at_ms=1, turn_id="t", request="x")])
        assert store.entries("a", newest=9) == ()
