"""Scans: looking at files, which may take any time, beside the event loop and never in its way.

They run in daemon threads (`workers.py`): a folder that never answers keeps neither a conversation from starting, nor
another scan from running, nor the process from ending. Whoever asks waits as long as they like. A scan that is late
goes on and is joined by the next one who asks for the same; what it finds is kept for a while, for those whose own scan
is late.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import threading
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from backchannel.context.scans.workers import Workers
    from backchannel.net import Clock

__all__ = ["Found", "GaveUp", "Scan", "Scans", "Stop", "ready"]

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

LIMIT_S: Final = 10.0
"""A scan that takes longer gives up, where it can."""
KEEP_S: Final = 300.0
"""How long what was found may still be told, with its age."""
MAX_KEPT: Final = 64


class GaveUp(Exception):
    """A scan took too long."""


class Stop:
    """Asked by a scan now and then whether it should go on."""

    def __init__(self, clock: Clock, *, at: float) -> None:
        self._clock = clock
        self._at = at

    def check(self) -> None:
        """Go on.

        Raises:
            GaveUp: It has taken too long.
        """
        if self.left_s() <= 0:
            raise GaveUp

    def left_s(self) -> float:
        """How many seconds there are left."""
        return self._at - self._clock.now()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[_T]):
    """What a scan came to."""

    value: _T | None = None
    failure: str | None = None
    """Why there is no value."""
    took_s: float
    at: float
    """When, by the clock of the scans."""


class Scan(Generic[_T]):
    """One scan, running or done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: Found[_T] | None = None
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    @property
    def found(self) -> Found[_T] | None:
        """What it came to; None while it runs."""
        return self._found

    def done(self) -> asyncio.Future[None]:
        """A future of the running loop that is done when the scan is."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._found is None:
                self._waiting.append((loop, future))
            else:
                future.set_result(None)
        return future

    def finish(self, found: Found[_T]) -> None:
        """It has come to this; tell those who wait."""
        with self._lock:
            self._found = found
            waiting, self._waiting = self._waiting, []
        for loop, future in waiting:
            # Nobody waits in a loop that is closed.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, future)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def ready(scans: Iterable[Scan[Any]], *, within_s: float) -> None:  # Any: of whatever kind
    """Wait until all of these are done, but not longer than that."""
    waited = [scan.done() for scan in scans]
    if waited:
        await asyncio.wait(waited, timeout=max(0.0, within_s))


class Scans(Generic[_T]):
    """All the scans of one kind in a process, by what they look at.

    Args:
        name: What they look for.
        workers: Do the looking.
        clock: Tells the time.
        limit_s: How long one may take.
        keep_s: How long what was found may still be told.
    """

    def __init__(
        self, name: str, workers: Workers, clock: Clock, *, limit_s: float = LIMIT_S, keep_s: float = KEEP_S
    ) -> None:
        self._name = name
        self._workers = workers
        self._clock = clock
        self._limit_s = limit_s
        self._keep_s = keep_s
        self._lock = threading.Lock()
        self._running: dict[str, Scan[_T]] = {}
        self._kept: dict[str, Found[_T]] = {}

    def start(self, place: str, work: Callable[[Stop], _T]) -> Scan[_T]:
        """Look at something, or join who is looking at it already.

        Args:
            place: What is looked at.
            work: Looks; it runs in another thread.
        """
        with self._lock:
            running = self._running.get(place)
            if running is None:
                scan: Scan[_T] = Scan()
                self._running[place] = scan
        if running is not None:
            # It may never have begun.
            self._workers.go_on()
            return running
        self._workers.submit(lambda: self._run(place, scan, work))
        return scan

    def earlier(self, place: str) -> Found[_T] | None:
        """What was found there a while ago."""
        with self._lock:
            kept = self._kept.get(place)
        return kept if kept is not None and self._clock.now() - kept.at <= self._keep_s else None

    def _run(self, place: str, scan: Scan[_T], work: Callable[[Stop], _T]) -> None:
        began = self._clock.now()
        value: _T | None = None
        failure: str | None = None
        try:
            value = work(Stop(self._clock, at=began + self._limit_s))
        except GaveUp:
            failure = f"it took longer than {self._limit_s:g} s"
        except OSError as exc:
            failure = exc.strerror or type(exc).__name__
        except Exception as exc:
            # The thread's boundary: what one scan does not understand must not take the others with it.
            _log.debug("! scan for %s failed", self._name, exc_info=True)
            failure = f"it broke down: {type(exc).__name__}"
        now = self._clock.now()
        self._finish(place, scan, Found(value=value, failure=failure, took_s=now - began, at=now))

    def _finish(self, place: str, scan: Scan[_T], found: Found[_T]) -> None:
        with self._lock:
            self._running.pop(place, None)
            if found.failure is None:
                self._kept.pop(place, None)
                self._kept[place] = found
                if len(self._kept) > MAX_KEPT:
                    del self._kept[next(iter(self._kept))]
        scan.finish(found)
