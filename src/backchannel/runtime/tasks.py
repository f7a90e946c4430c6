"""The owner of a conversation's tasks: it names them, keeps them, and reports the one that fails."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Tasks"]

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


class Tasks:
    """Background tasks that end together.

    Unlike an `asyncio.TaskGroup` it needs no block around it, so an object with `start` and `stop` can own one, and a
    failing task is told to its owner instead of cancelling the caller.
    """

    def __init__(self, *, on_failure: Callable[[str, Exception], None]) -> None:
        self._on_failure = on_failure
        self._running: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run a coroutine in a task of its own, which stays ours."""
        task = asyncio.get_running_loop().create_task(self._guard(name, work), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # One that is cancelled before its first step never gets to the coroutine, which Python complains of.
        task.add_done_callback(lambda _: work.close())
        return task

    async def see_through(self, name: str, work: Coroutine[object, object, _T]) -> _T:
        """Run a coroutine in a task of its own, which goes on when whoever waits here is cancelled.

        Returns:
            What came of it; what it raises is raised here, or told to the owner where nobody waits any more.
        """
        came: asyncio.Future[_T] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            try:
                result = await work
            except Exception as exc:
                if came.done():
                    raise
                came.set_exception(exc)
            else:
                if not came.done():
                    came.set_result(result)

        task = self.start(name, run())
        # Also where it was cancelled before its first step.
        task.add_done_callback(lambda _: came.cancel())
        task.add_done_callback(lambda _: work.close())
        return await came

    async def cancel(self) -> None:
        """Cancel what runs and wait for its end; the task that calls this is left alone."""
        current = asyncio.current_task()
        running = [task for task in self._running if task is not current]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _guard(self, name: str, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except Exception as exc:
            # The task boundary: a bug must end the conversation, not leave it hanging.
            _log.exception("! task %s failed", name)
            self._on_failure(name, exc)
