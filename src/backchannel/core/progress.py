"""Progress: what the agent says on its way, and a sign of life when it says nothing.

Theory of operation. An agent may say ten things in a second. Each costs the voice attention and the wire a message, so
they reach it at most once in `PROGRESS_GAP_S`. The first passes through; what comes too soon after it is held, in order
and each text once, and goes on as one when the gap is over. It goes at once where something follows that must not
overtake it: a final message, the end of the turn, the end of the session. What is held is bounded by `MAX_HELD_BYTES`;
the oldest gives way.

An agent may as well say nothing for minutes, and a user who hears nothing does not know whether it still works. So
silence is broken by heartbeats: the first `FIRST_HEARTBEAT_S` after it began, each further one after twice the time,
up to `MAX_HEARTBEAT_S`: who waits longer needs less telling. Whatever the user hears of the work begins the silence
anew.

Both are tuned by the floor, which knows of what the user wants to hear.

Source: the gap is decision 5 of the design; the heartbeats answer reports of minutes of dead air.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["FIRST_HEARTBEAT_S", "MAX_HEARTBEAT_S", "MAX_HELD_BYTES", "PROGRESS_GAP_S", "Heartbeat", "Progress"]

PROGRESS_GAP_S: Final = 1.0
"""How long after one report the next is passed on."""
MAX_HELD_BYTES: Final = 4000
"""How much is passed on of what was held, in UTF-8, the mark of what was left out included."""
FIRST_HEARTBEAT_S: Final = 20.0
"""How long the agent may be silent before the user is told that it still works."""
MAX_HEARTBEAT_S: Final = 300.0
"""The longest time between two heartbeats."""
_LEFT_OUT: Final = "…"
_BETWEEN: Final = "\n\n"


class Progress:
    """Merges what the agent says in quick succession."""

    def __init__(self) -> None:
        self.gap_s = PROGRESS_GAP_S
        """How long to hold what comes after a report; 0 holds nothing."""
        self._passed_at = -math.inf
        # The texts in order, each once, with their sizes.
        self._held: dict[str, int] = {}
        self._held_bytes = 0
        self._is_cut = False

    @property
    def held_until(self) -> float | None:
        """When what is held goes on; None when nothing is."""
        return self._passed_at + self.gap_s if self._held else None

    def report(self, text: str, now: float) -> str | None:
        """The agent said something on its way. What to pass on now; None when it is held."""
        if now < self._passed_at + self.gap_s:
            self._hold(text)
            return None
        self._passed_at = now
        if not self._held:
            return text
        self._hold(text)
        return self.flush()

    def release(self, now: float) -> str | None:
        """What was held, as one, when its time has come."""
        if not self._held or now < self._passed_at + self.gap_s:
            return None
        self._passed_at = now
        return self.flush()

    def flush(self) -> str | None:
        """What was held, as one, at once."""
        if not self._held:
            return None
        merged = _newest(_BETWEEN.join(self._held), is_cut=self._is_cut)
        self._held = {}
        self._held_bytes = 0
        self._is_cut = False
        return merged

    def _hold(self, text: str) -> None:
        if text in self._held:
            return
        n_bytes = len(_encoded(text))
        self._held[text] = n_bytes
        self._held_bytes += n_bytes
        while self._held_bytes >= MAX_HELD_BYTES:  # mutants: same
            oldest, n_bytes = next(iter(self._held.items()))
            if self._held_bytes - n_bytes < MAX_HELD_BYTES:
                break
            # The newer ones alone are as much as is passed on.
            del self._held[oldest]
            self._held_bytes -= n_bytes
            self._is_cut = True


class Heartbeat:
    """Tells when a silence has lasted long enough to be broken."""

    def __init__(self) -> None:
        self.scale: float | None = 1.0
        """How long the intervals are, as a part of the usual ones; None when no heartbeats are wanted."""
        self._working: dict[str, None] = {}
        self._since = 0.0
        self._interval_s = FIRST_HEARTBEAT_S

    @property
    def due_at(self) -> float | None:
        """When a heartbeat is due; None when nothing works or none is wanted."""
        if not self._working or self.scale is None:
            return None
        return self._since + self._interval_s * self.scale

    def work_started(self, turn_id: str, now: float) -> None:
        """A turn began, which the user knows."""
        self._working[turn_id] = None
        self.news_came(now)

    def work_ended(self, turn_id: str) -> None:
        """A turn is over."""
        self._working.pop(turn_id, None)

    def news_came(self, now: float) -> None:
        """The user hears of the work: the silence begins anew."""
        self._since = now
        self._interval_s = FIRST_HEARTBEAT_S

    def beat(self, now: float) -> str | None:
        """The turn that a heartbeat is about, the oldest that works, when one is due. The next comes later."""
        due_at = self.due_at
        if due_at is None or now < due_at:
            return None
        self._since = now
        self._interval_s = min(2 * self._interval_s, MAX_HEARTBEAT_S)
        return next(iter(self._working))


def _newest(text: str, *, is_cut: bool) -> str:
    """The end of a text, which says whether something is missing before it."""
    encoded = _encoded(text)
    if not is_cut and len(encoded) <= MAX_HELD_BYTES:
        return text
    # Where something was left out before, the rest is as long as may be.
    start = len(encoded) - MAX_HELD_BYTES + len(_encoded(_LEFT_OUT))
    while encoded[start] & 0xC0 == 0x80:
        # In the middle of a character.
        start += 1
    return _LEFT_OUT + encoded[start:].decode(errors="surrogatepass")


def _encoded(text: str) -> bytes:
    # Half a surrogate pair is no reason to lose what the agent said.
    return text.encode(errors="surrogatepass")
