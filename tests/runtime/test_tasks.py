from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from backchannel.runtime.tasks import Tasks

if TYPE_CHECKING:
    import pytest


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
