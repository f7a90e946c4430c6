"""Threads that do jobs one after the other, and one more when a job keeps the others waiting.

Most looks at files take less than a millisecond. A thread for each would make them compete, with each other and with
the event loop, and take longer than the looking. So a few threads do them in order; only when none of them has taken a
job for a moment another one joins, because a folder may never answer. All are daemons: they keep no process from
ending.
"""

from __future__ import annotations

import collections
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Workers"]

_N_AT_FIRST: Final = 2
"""One of them may wait for another program."""
_PATIENCE_S: Final = 0.01
"""Jobs wait so long before another thread joins."""
MAX_THREADS: Final = 64
"""So many may be stuck at a time; then jobs wait."""
_IDLE_S: Final = 30.0
"""A thread that has nothing to do for so long ends."""


class Workers:
    """Does jobs, which must not raise, in threads of its own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: collections.deque[Callable[[], None]] = collections.deque()
        self._n_taken = 0
        self._n_threads = 0
        self._is_watched = False

    def submit(self, job: Callable[[], None]) -> None:
        """Do this soon; it returns at once."""
        with self._changed:
            self._jobs.append(job)
        self.go_on()

    def go_on(self) -> None:
        """Do what was submitted when the system had no thread for it; it returns at once."""
        with self._changed:
            if self._jobs and not self._is_watched:
                self._is_watched = _started(self._watch, "scans")
            self._changed.notify_all()

    def _watch(self) -> None:
        """See to it that no job waits for one that is stuck."""
        with self._changed:
            while True:
                if not self._changed.wait_for(lambda: bool(self._jobs), timeout=_IDLE_S):
                    self._is_watched = False
                    return
                if (self._n_threads < _N_AT_FIRST or self._stand_still()) and not self._join():
                    # Later there may be a thread for us.
                    self._changed.wait(_PATIENCE_S)

    def _stand_still(self) -> bool:
        """Wait a moment; whether nobody took a job meanwhile."""
        before = self._n_taken
        self._changed.wait_for(lambda: not self._jobs or self._n_taken > before, timeout=_PATIENCE_S)
        return bool(self._jobs) and self._n_taken == before

    def _join(self) -> bool:
        """Whether another thread has joined."""
        if self._n_threads >= MAX_THREADS or not _started(self._work, "scan"):
            return False
        self._n_threads += 1
        return True

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: bool(self._jobs), timeout=_IDLE_S):
                    self._n_threads -= 1
                    return
                job = self._jobs.popleft()
                self._n_taken += 1
                self._changed.notify_all()
            job()


def _started(work: Callable[[], None], name: str) -> bool:
    try:
        threading.Thread(target=work, name=name, daemon=True).start()
    except RuntimeError:
        # The system has no thread for us now, or the process ends; those that are there go on.
        return False
    return True
