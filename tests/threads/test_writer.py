from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from backchannel.errors import BackchannelError, LocalProtocolError, StoreError, UnknownThread
from backchannel.threads import Entry, MemoryThreads, SqliteThreads, Thread, ThreadStore, ThreadWriter, UserAsked

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("nothing_blocks_the_loop")


def made(store: ThreadStore, thread_id: str = "a") -> None:
    store.create(Thread(thread_id=thread_id, cwd="/project", created_at_ms=0, updated_at_ms=0))


def asked(number: int) -> UserAsked:
    return UserAsked(at_ms=number, text=str(number))


async def entries(store: ThreadStore, thread_id: str = "a") -> tuple[Entry, ...]:
    return await asyncio.to_thread(store.entries, thread_id, newest=10**6)


async def test_everything_that_was_written_is_kept_in_order(store: ThreadStore) -> None:
    failures: list[BackchannelError] = []
    async with ThreadWriter(store, on_failure=failures.append) as writer:
        writer.write(made)
        for number in range(1500):
            writer.append("a", asked(number))
        await writer.flush()
        assert len(await entries(store)) == 1500
        writer.append("a", asked(1500))
    assert await entries(store) == tuple(asked(number) for number in range(1501))
    assert failures == []
    assert await writer.close() == 0
    await writer.flush()


async def test_a_write_that_is_refused_is_told_and_the_others_are_kept(store: ThreadStore) -> None:
    failures: list[BackchannelError] = []
    async with ThreadWriter(store, on_failure=failures.append) as writer:
        writer.write(made)
        writer.append("unknown", asked(1))
        writer.append("a", asked(2))
        writer.append("unknown", asked(3))
        assert await writer.close() == 2
    assert await entries(store) == (asked(2),)
    # Once.
    (failure,) = failures
    assert isinstance(failure, UnknownThread)


async def test_a_fault_of_a_caller_does_not_end_the_writing(
    store: ThreadStore, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[BackchannelError] = []
    async with ThreadWriter(store, on_failure=failures.append) as writer:
        writer.write(made)
        writer.write(lambda _: 1 / 0)
        writer.append("a", asked(2))
        assert await writer.close() == 1
    assert await entries(store) == (asked(2),)
    (failure,) = failures
    assert isinstance(failure, LocalProtocolError)
    assert "ZeroDivisionError" in caplog.text


async def test_a_store_that_is_locked_for_a_while_loses_nothing(path: Path) -> None:
    failures: list[BackchannelError] = []
    failed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def fail(failure: BackchannelError) -> None:
        failures.append(failure)
        failed.set()

    store = await asyncio.to_thread(SqliteThreads, path, busy_timeout_s=0.05)
    await asyncio.to_thread(made, store)
    with closing(await asyncio.to_thread(sqlite3.connect, path, check_same_thread=False)) as other:
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        async with ThreadWriter(store, on_failure=fail, retry_s=0.01) as writer:
            writer.append("a", asked(1))
            await writer.flush()
            await failed.wait()
            writer.append("a", asked(2))
            await writer.flush()
            assert await entries(store) == ()
            tried = asyncio.Event()
            writer.write(lambda _: loop.call_soon_threadsafe(tried.set))
            await asyncio.to_thread(other.rollback)
            await tried.wait()
            writer.append("a", asked(3))
            assert await writer.close() == 0
    assert await entries(store) == (asked(1), asked(2), asked(3))
    (failure,) = failures
    assert isinstance(failure, StoreError)
    assert failure.problem == "busy"
    await asyncio.to_thread(store.close)


async def test_what_a_store_would_not_take_until_the_end_is_counted(path: Path) -> None:
    failures: list[BackchannelError] = []
    store = await asyncio.to_thread(SqliteThreads, path, max_bytes=300_000)
    await asyncio.to_thread(made, store)
    async with ThreadWriter(store, on_failure=failures.append) as writer:
        writer.append("a", asked(1))
        await writer.flush()
        writer.append("a", UserAsked(at_ms=2, text="x" * 500_000))
        writer.append("a", asked(3))
        await writer.flush()
        assert await writer.close() == 2
    assert await entries(store) == (asked(1),)
    (failure,) = failures
    assert isinstance(failure, StoreError)
    assert failure.problem == "full"
    await asyncio.to_thread(store.close)


async def test_what_a_store_would_not_take_in_time_is_counted(store: ThreadStore) -> None:
    holding, held = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(_: ThreadStore) -> None:
        loop.call_soon_threadsafe(held.set)
        holding.wait()

    async with ThreadWriter(store, on_failure=lambda _: None) as writer:
        writer.write(made)
        await writer.flush()
        writer.write(hold)
        await held.wait()
        writer.append("a", asked(1))
        assert await writer.close(within_s=0.01) == 2
        holding.set()
        assert await writer.close() == 0
    assert await entries(store) == (asked(1),)


async def test_more_than_may_wait_is_lost_and_that_is_told(store: ThreadStore) -> None:
    failures: list[BackchannelError] = []
    holding, held = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(_: ThreadStore) -> None:
        loop.call_soon_threadsafe(held.set)
        holding.wait()

    await asyncio.to_thread(made, store)
    async with ThreadWriter(store, on_failure=failures.append, max_waiting=3) as writer:
        writer.write(hold)
        await held.wait()
        for number in range(5):
            writer.append("a", asked(number))
        assert len(failures) == 1
        assert "expected at most 3 writes to wait for the thread store" in str(failures[0])
        holding.set()
        await writer.flush()
        writer.append("a", asked(9))
        assert await writer.close() == 3
        writer.append("a", asked(10))
        assert await writer.close() == 4
    assert await entries(store) == (asked(0), asked(1), asked(9))


def test_a_loop_that_is_gone_is_told_nothing() -> None:
    store = MemoryThreads()
    made(store)
    told: list[BackchannelError] = []
    go_on = threading.Event()
    done = threading.Event()

    async def leave() -> None:
        writer = await ThreadWriter(store, on_failure=told.append).__aenter__()
        writer.write(lambda _: go_on.wait())
        writer.append("unknown", asked(1))
        writer.append("a", asked(2))
        writer.write(lambda _: done.set())

    asyncio.run(leave())
    go_on.set()
    assert done.wait(10)
    assert store.entries("a", newest=9) == (asked(2),)
    assert told == []
