from __future__ import annotations

import asyncio

from backchannel.runtime.mailbox import Mailbox


async def test_items_come_in_the_order_they_were_put() -> None:
    box: Mailbox[int] = Mailbox(capacity=2)
    for n in range(5):
        box.put(n)
    assert len(box) == 5
    assert [await box.take() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(box) == 0


async def test_taking_waits_for_an_item() -> None:
    box: Mailbox[int] = Mailbox(capacity=2)
    async with asyncio.TaskGroup() as tasks:
        taken = tasks.create_task(box.take())
        await asyncio.sleep(0)
        assert not taken.done()
        box.put(7)
    assert taken.result() == 7


async def test_a_full_box_has_room_again_when_one_was_taken() -> None:
    box: Mailbox[int] = Mailbox(capacity=2)
    box.put(1)
    async with asyncio.timeout(1):
        await box.room()
    box.put(2)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(box.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        await box.take()
    assert waiting.done()


async def test_a_box_over_its_capacity_has_room_only_below_it() -> None:
    box: Mailbox[int] = Mailbox(capacity=2)
    for n in range(4):
        box.put(n)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(box.room())
        for left in (3, 2):
            await box.take()
            await asyncio.sleep(0)
            assert len(box) == left
            assert not waiting.done()
        await box.take()


async def test_a_closed_box_gives_what_it_holds_and_then_none() -> None:
    box: Mailbox[int] = Mailbox(capacity=1)
    box.put(1)
    box.close()
    box.close()
    box.put(2)
    assert await box.take() == 1
    assert await box.take() is None
    assert await box.take() is None


async def test_closing_lets_all_who_wait_go_on() -> None:
    full: Mailbox[int] = Mailbox(capacity=1)
    full.put(1)
    empty: Mailbox[int] = Mailbox(capacity=1)
    async with asyncio.timeout(1), asyncio.TaskGroup() as tasks:
        tasks.create_task(full.room())
        taken = tasks.create_task(empty.take())
        await asyncio.sleep(0)
        full.close()
        empty.close()
    assert taken.result() is None


async def test_a_cancelled_taker_has_lost_nothing() -> None:
    box: Mailbox[int] = Mailbox(capacity=1)
    async with asyncio.TaskGroup() as tasks:
        taken = tasks.create_task(box.take())
        await asyncio.sleep(0)
        box.put(1)
        taken.cancel()
    assert await box.take() == 1
