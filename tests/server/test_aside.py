from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from backchannel.server.aside import aside

STUCK = """
import asyncio, threading
from backchannel.server.aside import aside

async def main():
    task = asyncio.ensure_future(aside(threading.Event().wait))
    await asyncio.sleep(0)
    task.cancel()

asyncio.run(main())
print("over")
"""


async def test_it_gives_what_came_of_it() -> None:
    assert await aside(threading.current_thread) is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 // 0)


async def test_who_does_not_wait_any_more_hears_nothing() -> None:
    may_go_on, over = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        may_go_on.wait()
        # After what is told of this.
        loop.call_soon_threadsafe(lambda: loop.call_soon(loop.call_soon, over.set))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await aside(work)
    may_go_on.set()
    await over.wait()


async def test_what_nobody_waits_for_any_more_can_be_cleared_away() -> None:
    may_go_on = threading.Event()
    unheard: asyncio.Queue[str] = asyncio.Queue()

    def work() -> str:
        may_go_on.wait()
        return "made"

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await aside(work, unheard=unheard.put_nowait)
    may_go_on.set()
    assert await unheard.get() == "made"


def test_the_program_does_not_wait_for_what_is_stuck() -> None:
    ended = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=20, check=True)
    assert (ended.stdout, ended.stderr) == ("over\n", "")
