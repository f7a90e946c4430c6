"""A store for callers on an event loop: what they write is taken down by a thread, in order, many writes at once.

Whoever writes never waits, and never fails: the conversation is more important than its record. A store that fails is
reported once, and tried again; what could not be kept when the writer is closed is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import queue
import threading
from typing import TYPE_CHECKING, Final, TypeAlias

from backchannel.errors import BackchannelError, LocalProtocolError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from backchannel.threads.entries import Entry
    from backchannel.threads.store import ThreadStore

__all__ = ["ThreadWriter", "Write"]

Write: TypeAlias = "Callable[[ThreadStore], object]"

_log = logging.getLogger(__name__)
_MAX_WAITING: Final = 10_000
"""A conversation makes a few in a second."""
_MAX_BATCH: Final = 500
_RETRY_S: Final = 1.0


class ThreadWriter:
    """Writes into a store without ever holding up the event loop.

    Overflow: when `max_waiting` writes wait, further ones are lost, which counts as a failure. Ownership: use it as an
    asynchronous context manager; the store is closed by whoever opened it, afterwards. Its methods are called on the
    loop on which it was entered.

    Args:
        store: Where it writes.
        on_failure: Is told on the loop, at most once, that something could not be kept, or not yet.
        max_waiting: How many writes may wait.
        retry_s: How long to wait before a store that failed is tried again.
    """

    def __init__(
        self,
        store: ThreadStore,
        *,
        on_failure: Callable[[BackchannelError], object],
        max_waiting: int = _MAX_WAITING,
        retry_s: float = _RETRY_S,
    ) -> None:
        self._store = store
        self._on_failure = on_failure
        self._max_waiting = max_waiting
        self._retry_s = retry_s
        self._loop: asyncio.AbstractEventLoop
        self._queue: queue.SimpleQueue[Write | asyncio.Event | None] = queue.SimpleQueue()
        """Writes; events that are set when what came before is done; None at the end."""
        self._n_accepted = 0
        self._n_done = 0
        """Counted by the thread alone, as the one above is by the loop alone."""
        self._n_overflown = 0
        self._n_lost = 0
        self._has_reported = False
        self._is_closed = False
        self._ended = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Start the thread."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._work, name="thread store", daemon=True).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Keep what was written."""
        await self.close()

    def append(self, thread_id: str, entry: Entry) -> None:
        """Add an entry to a thread; see `ThreadStore.append`."""
        self.write(lambda store: store.append(thread_id, [entry]))

    def write(self, write: Write) -> None:
        """Do something with the store when what came before is done."""
        if self._is_closed or self._n_accepted - self._n_done >= self._max_waiting:
            self._n_overflown += 1
            self._report(
                BackchannelError(
                    f"expected at most {self._max_waiting} writes to wait for the thread store, got more; what is said"
                    " now may not be kept"
                )
            )
            return
        self._n_accepted += 1
        self._queue.put(write)

    async def flush(self) -> None:
        """Wait until all that was written before is kept, or was tried."""
        if self._is_closed:
            await self._ended.wait()
            return
        done = asyncio.Event()
        self._queue.put(done)
        await done.wait()

    async def close(self, *, within_s: float | None = None) -> int:
        """Keep what was written before, with a last attempt where the store failed; how many writes are lost.

        Idempotent.

        Args:
            within_s: How long it may take, if less than the store may take for a write. What the store has not taken by
                then counts as lost, and whoever opened the store cannot wait for it to close.
        """
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(None)
        try:
            async with asyncio.timeout(within_s):
                await self._ended.wait()
        except TimeoutError:
            return self._n_accepted - self._n_done + self._n_overflown
        return self._n_lost + self._n_overflown

    # In the thread

    def _work(self) -> None:
        waiting: list[Write] = []
        is_over = False
        try:
            while not is_over:
                flushed: list[asyncio.Event] = []
                for each in self._next(retry=bool(waiting)):
                    if each is None:
                        is_over = True
                    elif isinstance(each, asyncio.Event):
                        flushed.append(each)
                    else:
                        waiting.append(each)
                if waiting and self._keep(waiting):
                    self._n_done += len(waiting)
                    waiting.clear()
                for event in flushed:
                    self._tell(event.set)
        finally:
            self._n_lost += len(waiting)
            self._tell(self._ended.set)

    def _next(self, *, retry: bool) -> list[Write | asyncio.Event | None]:
        """What has come, or nothing when it is time to try again."""
        came: list[Write | asyncio.Event | None] = []
        with contextlib.suppress(queue.Empty):
            came.append(self._queue.get(timeout=self._retry_s if retry else None))
            while len(came) < _MAX_BATCH:
                came.append(self._queue.get_nowait())
        return came

    def _keep(self, writes: list[Write]) -> bool:
        """Make the writes; False when they have to be tried again."""
        refused: list[BackchannelError] = []
        try:
            with self._store.batch():
                for write in writes:
                    refused += self._made(write)
        except StoreError as exc:
            self._tell(functools.partial(self._report, exc))
            return False
        self._n_lost += len(refused)
        for each in refused:
            self._tell(functools.partial(self._report, each))
        return True

    def _made(self, write: Write) -> list[BackchannelError]:
        """Make one; what is wrong with it, when it must not be tried again."""
        try:
            write(self._store)
        except StoreError:
            raise
        except BackchannelError as exc:
            return [exc]
        except Exception as exc:
            # The boundary to callers' code: their fault must not end the thread, and with it all writing.
            _log.exception("! thread store: a write has failed")
            return [LocalProtocolError(f"a write into the thread store has failed: {type(exc).__name__}")]
        return []

    # On the loop

    def _tell(self, call: Callable[[], object]) -> None:
        # Who has closed the loop wants to know nothing any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)

    def _report(self, exc: BackchannelError) -> None:
        if not self._has_reported:
            self._has_reported = True
            self._on_failure(exc)
