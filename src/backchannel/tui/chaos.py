"""Breaks the connection now and then, so that anyone can watch a conversation survive it."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["cause_chaos"]

_LEAST_S: Final = 3.0
_MOST_S: Final = 9.0
_TICK_S: Final = 0.05


async def cause_chaos(
    break_connection: Callable[[], None],
    *,
    may_break: Callable[[], bool],
    chance: Callable[[], float] = random.random,
    least_s: float = _LEAST_S,
    most_s: float = _MOST_S,
) -> None:
    """Break the connection at random moments, until it is cancelled.

    Args:
        break_connection: Does it.
        may_break: Whether this is a moment for it; else the next such moment is waited for.
        chance: Draws from 0 up to 1.
        least_s: The shortest time between two moments.
        most_s: The longest.
    """
    while True:
        await asyncio.sleep(least_s + (most_s - least_s) * chance())
        while not may_break():  # noqa: ASYNC110 - a moment of many parts, not one event
            await asyncio.sleep(_TICK_S)
        break_connection()
