from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from backchannel.runtime.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Failures:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, name: str, exc: Exception) -> None:
        self.seen.append((name, str(exc)))


async def test_a_failing_task_is_told_to_the_owner_and_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures()
    tasks = Tasks(on_failure=failures)
    going_on = asyncio.Event()

    async def fail() -> None:
        raise ValueError("planted")

    async def go_on() -> None:
        await going_on.wait()

    failing = tasks.start("failing", fail())
    other = tasks.start("other", go_on())
    assert failing.get_name() == "failing"
    await asyncio.wait([failing])
    assert failures.seen == [("failing", "planted")]
    assert [record.message for record in caplog.records] == ["! task failing failed"]
    assert not other.done()
    going_on.set()
    await other
    await tasks.cancel()


async def test_cancel_waits_until_everything_has_ended() -> None:
    failures = Failures()
    tasks = Tasks(on_failure=failures)
    ended = []

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append("slow")

    tasks.start("slow", slow())
    tasks.start("never begun", slow())
    await asyncio.sleep(0)
    await tasks.cancel()
    assert ended == ["slow", "slow"]
    assert failures.seen == []
    await tasks.cancel()


async def test_a_task_may_end_the_others_itself() -> None:
    failures = Failures()
    tasks = Tasks(on_failure=failures)
    ended = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("other")

    async def end_all() -> None:
        await tasks.cancel()
        ended.append("myself")

    tasks.start("other", wait())
    await asyncio.sleep(0)
    await tasks.start("ending", end_all())
    assert ended == ["other", "myself"]


async def test_who_waits_for_something_whole_has_what_comes_of_it() -> None:
    failures = Failures()
    tasks = Tasks(on_failure=failures)

    async def work(*, fails: bool) -> str:
        await asyncio.sleep(0)
        if fails:
            raise ValueError("planted")
        return "done"

    assert await tasks.see_through("work", work(fails=False)) == "done"
    with pytest.raises(ValueError, match="planted"):
        await tasks.see_through("work", work(fails=True))
    assert failures.seen == []


async def left(work: Coroutine[object, object, None]) -> None:
    """Begin to wait for something, and give it up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0):
            await work


@pytest.mark.parametrize("fails", [False, True])
async def test_what_is_to_be_done_whole_goes_on_when_nobody_waits_for_it(*, fails: bool) -> None:
    failures = Failures()
    tasks = Tasks(on_failure=failures)
    may_go_on, over = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await may_go_on.wait()
        asyncio.get_running_loop().call_soon(over.set)
        if fails:
            raise ValueError("planted")

    await left(tasks.see_through("work", work()))
    may_go_on.set()
    await over.wait()
    assert failures.seen == ([("work", "planted")] if fails else [])


@pytest.mark.parametrize("has_begun", [False, True])
async def test_nobody_waits_for_what_is_cancelled(*, has_begun: bool) -> None:
    tasks = Tasks(on_failure=Failures())

    async def work() -> None:
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        waits = group.create_task(tasks.see_through("work", work()))
        for _ in range(1 + has_begun):
            await asyncio.sleep(0)
        await tasks.cancel()
    assert waits.cancelled()
