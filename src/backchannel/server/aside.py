"""Doing what blocks in a thread that nobody waits for when the program ends.

The threads of `asyncio.to_thread` are waited for, however long: one that waits for a store which another process has
locked would hold up the end of the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["aside"]

_T = TypeVar("_T")


async def aside(work: Callable[[], _T], *, unheard: Callable[[_T], object] = lambda _: None) -> _T:
    """Do something that blocks. Being cancelled, it goes on.

    Args:
        work: What is done.
        unheard: Is given what came of it when that is not waited for any more.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def succeed(result: _T) -> None:
        if done.done():
            unheard(result)
        else:
            done.set_result(result)

    def fail(exc: Exception) -> None:
        if not done.done():
            done.set_exception(exc)

    def tell(call: Callable[[], None]) -> None:
        # Whoever has closed the loop wants to know nothing any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(call)

    def run() -> None:
        try:
            result = work()
        except Exception as exc:
            tell(functools.partial(fail, exc))
        else:
            tell(functools.partial(succeed, result))

    threading.Thread(target=run, name="aside", daemon=True).start()
    return await done
