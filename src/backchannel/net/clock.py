"""Time as a value that is passed in, so that a test can hold it still."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Says what time it is."""

    def now(self) -> float:
        """Monotonic seconds; only differences mean something."""


class SystemClock:
    """The machine's monotonic clock (the one asyncio's own loop uses)."""

    def now(self) -> float:
        """Monotonic seconds since some fixed moment in the past."""
        return time.monotonic()
