"""Ids of threads."""

from __future__ import annotations

import secrets
import uuid

__all__ = ["new_thread_id"]


def new_thread_id(now_ms: int) -> str:
    """A UUID of version 7, which sorts by the time at which it was made (RFC 9562, 5.7).

    Args:
        now_ms: The time, in milliseconds since the epoch.
    """
    number = (now_ms & (1 << 48) - 1) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 7 << 76
    number = number & ~(0b11 << 62) | 0b10 << 62
    return str(uuid.UUID(int=number))
