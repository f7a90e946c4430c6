"""The playback machine: what of the assistant's voice has arrived, and what of it has been heard.

Theory of operation. Audio arrives faster than it is heard. What was heard of an item is told by a player (`played`);
without a player it is the wall clock since the item could first be heard, which is when its first audio arrived or
when the item before it ended, whichever is later. It never exceeds what arrived.

When the user speaks over the assistant (`cut`), playback stops at once, the server is told how much was heard (only
where that is more than nothing, once an item), and audio of that item which still arrives is dropped.

Source: realtime.md 4.6; heard instead of received is ours (the reference truncates to what arrived).
"""

from __future__ import annotations

import collections
import math
from typing import Final

from backchannel.core.effects import Effect, PlayAudio, Send, Show, StopPlayback
from backchannel.core.screen import PlaybackCut
from backchannel.wire.realtime import intents

__all__ = ["Playback"]

_REMEMBERED: Final = 64


class _Item:
    __slots__ = ("heard_at", "heard_ms", "is_lost", "item_id", "received_ms", "starts_at")

    def __init__(self, item_id: str | None, starts_at: float) -> None:
        self.item_id = item_id
        self.starts_at = starts_at
        self.received_ms = 0
        self.heard_ms: int | None = None
        """As a player told; None without one."""
        self.heard_at = starts_at
        self.is_lost = False
        """Whether its session is gone, so that nobody wants to know what was heard of it."""

    def heard(self, now: float) -> int:
        if self.heard_ms is not None:
            return self.heard_ms
        return max(0, min(int((now - self.starts_at) * 1000), self.received_ms))

    @property
    def ends_at(self) -> float:
        if self.heard_ms is not None:
            return self.heard_at + (self.received_ms - self.heard_ms) / 1000
        return self.starts_at + self.received_ms / 1000

    def grow(self, duration_ms: int, now: float) -> None:
        # Audio that comes after all before it was heard (the server was slow) starts to be heard when it comes.
        gap_s = max(0.0, now - self.ends_at)
        self.starts_at += gap_s
        self.heard_at += gap_s
        self.received_ms += duration_ms


class Playback:
    """Follows the assistant's voice to the user's ear."""

    def __init__(self) -> None:
        self._items: collections.deque[_Item] = collections.deque()
        """Not yet heard to the end, in the order of playing; the last may be heard and still growing."""
        self._cut: collections.deque[str] = collections.deque(maxlen=_REMEMBERED)
        self._silent_since = -math.inf

    def received(self, item_id: str | None, duration_ms: int, now: float) -> list[Effect]:
        """Audio arrived: play it, unless the user cut its item off."""
        if item_id is not None and item_id in self._cut:
            return []
        last = self._items[-1] if self._items else None
        if last is None or last.item_id != item_id or last.is_lost:
            last = _Item(item_id, max(now, last.ends_at) if last is not None else now)
            while self._items and self._items[0].ends_at <= now:
                self._items.popleft()
            self._items.append(last)
        last.grow(duration_ms, now)
        return [PlayAudio(item_id=item_id)]

    def played(self, item_id: str, total_ms: int, now: float) -> None:
        """A player tells how much of an item has been heard; what it told of it before counts if it was more."""
        before: _Item | None = None
        for item in self._items:
            if item.item_id == item_id:
                item.heard_ms = min(max(item.heard_ms or 0, total_ms), item.received_ms)
                item.heard_at = now
            elif before is not None:
                # A player that is behind the clock delays what comes after.
                item.starts_at = max(item.starts_at, before.ends_at)
            before = item

    def cut(self, now: float) -> list[Effect]:
        """The user speaks: fall silent. Nothing happens when nothing is playing."""
        if self.ends_at <= now:
            return []
        effects: list[Effect] = [StopPlayback()]
        for item in self._items:
            if item.ends_at <= now:
                continue
            heard_ms = item.heard(now)
            if item.item_id is not None and item.item_id not in self._cut:
                self._cut.append(item.item_id)
                if heard_ms > 0 and not item.is_lost:
                    truncate = intents.Truncate(item_id=item.item_id, audio_end_ms=heard_ms)
                    effects.append(Send(intent=truncate))
            effects.append(Show(event=PlaybackCut(item_id=item.item_id, heard_ms=heard_ms)))
        self._items.clear()
        self._silent_since = now
        return effects

    def session_lost(self) -> None:
        """The session is gone; what has arrived of it can still be heard."""
        for item in self._items:
            item.is_lost = True

    def session_began(self) -> None:
        """Another session is there, which may give the ids of the one before to items of its own."""
        self._cut.clear()

    @property
    def ends_at(self) -> float:
        """When the last of what arrived has been or will have been heard; long ago when nothing has arrived."""
        return self._items[-1].ends_at if self._items else self._silent_since
