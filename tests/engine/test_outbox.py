from __future__ import annotations

import asyncio

from backchannel.engine.outbox import Outbox


async def test_messages_come_out_in_their_order() -> None:
    outbox = Outbox()
    for message in ("a", "b", "c"):
        outbox.put(message)
    assert len(outbox) == 3
    assert [await outbox.get() for _ in range(3)] == ["a", "b", "c"]


async def test_the_reader_waits_for_a_message() -> None:
    outbox = Outbox()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(outbox.get())
        await asyncio.sleep(0)
        assert not waiting.done()
        outbox.put("late")
    assert waiting.result() == "late"


async def test_a_maker_waits_until_there_is_room() -> None:
    outbox = Outbox()
    await outbox.room(1)
    outbox.put("a")
    outbox.put("b")
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(outbox.room(1))
        await asyncio.sleep(0)
        await outbox.get()
        await asyncio.sleep(0)
        assert not waiting.done()
        await outbox.get()
    assert waiting.done()
