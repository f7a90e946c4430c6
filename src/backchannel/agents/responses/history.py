"""What a model has been told and has answered in one thread, bounded. Pure.

Invariant: where a request may begin, each call has exactly one output, and what the model thought stands before what it
then did; a server refuses anything else.

When there is too much, the oldest part goes, down to half, so that it does not happen again with every request. What
stays: the opening, the last thing that the user asked for, and the last message of the developer, which says how the
model is spoken to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backchannel.agents.responses.items import Call, Kept, Output, Said, size_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backchannel.agents.responses.items import Item

__all__ = ["LEFT_OUT", "MAX_BYTES", "History"]

MAX_BYTES: Final = 800_000
"""Some 200,000 tokens. (Models of 2025 take 200,000 to 400,000.)"""
LEFT_OUT: Final = Said("developer", "Earlier parts of this conversation were left out, since there was too much of it.")


class History:
    """The items of a thread.

    Args:
        opening: What every request begins with.
        max_bytes: More than this is never sent, unless a single item takes it.
    """

    def __init__(self, opening: Iterable[Item] = (), *, max_bytes: int = MAX_BYTES) -> None:
        self._opening = tuple(opening)
        self._items: list[Item] = []
        self._max_bytes = max_bytes
        self._size = 0
        self._cut = False

    @property
    def opening(self) -> tuple[Item, ...]:
        """What every request begins with."""
        return self._opening

    @property
    def items(self) -> tuple[Item, ...]:
        """Everything, in order."""
        cut = (LEFT_OUT,) if self._cut else ()
        return (*self._opening, *cut, *self._items)

    def add(self, *items: Item) -> None:
        """Add what was said or done."""
        self._items += items
        self._size += sum(map(size_of, items))

    def has_call(self, call_id: str) -> bool:
        """Whether a call of this id stands here."""
        return any(isinstance(item, Call) and item.call_id == call_id for item in self._items)

    def ready(self) -> tuple[Item, ...]:
        """Everything as it is to be sent: cut where there is too much."""
        if self._size > self._max_bytes:
            self.shorten()
        return self.items

    def shorten(self) -> bool:
        """Leave out the older half; False when there is nothing that could be."""
        target = min(self._size, self._max_bytes) // 2
        start, rest = 0, self._size
        for place in self._seams():
            rest -= sum(map(size_of, self._items[start:place]))
            start = place
            if rest <= target:
                break
        kept = self._items[start:]
        before = self._items[:start]
        for role in ("user", "developer"):
            if not any(isinstance(item, Said) and item.role == role for item in kept):
                last = [item for item in before if isinstance(item, Said) and item.role == role][-1:]
                kept = [*last, *kept]
        if len(kept) >= len(self._items):
            return False
        self._items = kept
        self._size = sum(map(size_of, kept))
        self._cut = True
        return True

    def _seams(self) -> Iterable[int]:
        """Where it can be cut: no call is open, and no thought is torn from what followed it."""
        waiting = 0
        for place, item in enumerate(self._items):
            if isinstance(item, Call):
                waiting += 1
            elif isinstance(item, Output):
                waiting -= 1
            if not waiting and not isinstance(item, Kept) and place + 1 < len(self._items):
                yield place + 1
