"""Delegations that come without words, until the words are there.

Theory of operation. In the public live protocol a delegation says when it was decided (`offset_ms`) and not what is
asked: its request is what the user said since the delegation before, up to that time. The transcript may come later
than the delegation. So a delegation waits until the transcript has reached its time. One without a time waits a moment,
because the last words are most likely on their way. And none waits longer than `WORDS_S`: the transcript reaches no
time in which nobody speaks, and a request of which the end is missing is better than none.

They are let go in the order in which they came, because each takes the words that the one before has left. Bounded: of
more than 64 the oldest waits no more.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from backchannel.wire.realtime import events as server

__all__ = ["MAX_WAITING", "SETTLE_S", "TIMER", "WORDS_S", "Unnamed"]

TIMER: Final = "words"
WORDS_S: Final = 2.0
"""So long the words of a delegation are waited for."""
SETTLE_S: Final = 0.3
"""So long where nothing tells up to where they reach."""
MAX_WAITING: Final = 64


class Unnamed:
    """The delegations that wait for their words."""

    def __init__(self) -> None:
        self._waiting: collections.deque[tuple[server.HandoffRequested, float]] = collections.deque()
        """With the times at which they wait no more."""

    @property
    def deadline(self) -> float | None:
        """When the next one is due, whatever has been transcribed until then; None when none waits."""
        return self._waiting[0][1] if self._waiting else None

    def wait(self, event: server.HandoffRequested, now: float) -> None:
        """Keep a delegation until its words are there."""
        self._waiting.append((event, now + (SETTLE_S if event.offset_ms is None else WORDS_S)))
        excess = len(self._waiting) - MAX_WAITING
        if excess > 0:
            oldest, _ = self._waiting[excess - 1]
            self._waiting[excess - 1] = (oldest, now)

    def due(self, heard_until_ms: int | None, now: float) -> tuple[server.HandoffRequested, ...]:
        """Those whose words are there, in the order in which they came; they wait no more.

        Args:
            heard_until_ms: How far the user's words have been transcribed; None as long as nothing was.
            now: Monotonic seconds.
        """
        ready = []
        while self._waiting:
            event, deadline = self._waiting[0]
            is_heard = event.offset_ms is not None and heard_until_ms is not None and heard_until_ms >= event.offset_ms
            if not is_heard and now < deadline:
                break
            self._waiting.popleft()
            ready.append(event)
        return tuple(ready)

    def session_lost(self) -> tuple[server.HandoffRequested, ...]:
        """No more words come: all of them, in the order in which they came; they wait no more."""
        waiting = tuple(event for event, _ in self._waiting)
        self._waiting.clear()
        return waiting
