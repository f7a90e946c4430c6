from __future__ import annotations

import asyncio

from backchannel.tui.chaos import cause_chaos
from tests.runtime.stage import until


async def test_the_connection_is_broken_again_and_again_but_only_when_it_may_be() -> None:
    broken: list[float] = []
    may_break = False
    chances = iter([0.0, 0.5, 1.0])
    async with asyncio.TaskGroup() as tasks:
        chaos = tasks.create_task(
            cause_chaos(
                lambda: broken.append(asyncio.get_running_loop().time()),
                may_break=lambda: may_break,
                chance=lambda: next(chances, 0.0),
                least_s=0.01,
                most_s=0.03,
            )
        )
        began = asyncio.get_running_loop().time()
        await until(lambda: asyncio.get_running_loop().time() > began + 0.1, "some time")
        assert broken == []
        may_break = True
        await until(lambda: len(broken) >= 3, "three breaks")
        chaos.cancel()
    assert broken[1] - broken[0] >= 0.02
    assert broken[2] - broken[1] >= 0.03
