"""Estimated tokens, and cutting a text in its middle so that it fits a budget of them.

A token is estimated as 4 bytes of UTF-8. Source: realtime.md 9.1 and 9.6 (the form of autumn 2026: the marker is part
of the budget), and for its details the reference 0.169.0, measured.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BYTES_PER_TOKEN", "estimate_tokens", "fits", "truncate_middle"]

BYTES_PER_TOKEN: Final = 4
_MAX_CHARACTER_BYTES: Final = 4


def estimate_tokens(text: str) -> int:
    """How many tokens a text is taken for."""
    return -(-_size(text) // BYTES_PER_TOKEN)


def fits(text: str, max_bytes: int) -> bool:
    """Whether the text has at most so many bytes, where that is seen at a glance; False says nothing."""
    return len(text) * (1 if text.isascii() else _MAX_CHARACTER_BYTES) <= max_bytes


def truncate_middle(text: str, *, max_tokens: int) -> str:
    """The text itself when it fits, else its head and tail around a marker that says how much is missing.

    The result is never longer than the budget and no character is cut. A budget too small for the marker gives an
    empty text.
    """
    max_bytes = max_tokens * BYTES_PER_TOKEN
    if fits(text, max_bytes):
        return text
    data = text.encode("utf-8", "replace")
    if len(data) <= max_bytes:
        return text
    # The marker is reserved in whole tokens. It says how much is missing, of which it is a part itself.
    reserved = 0
    while True:
        room = max_bytes - reserved
        if room < 0:
            return ""
        marker = _marker(len(data) - room)
        if _size(marker) <= reserved:
            break
        reserved = estimate_tokens(marker) * BYTES_PER_TOKEN
    half = room // 2
    return data[:half].decode("utf-8", "ignore") + marker + data[len(data) - half :].decode("utf-8", "ignore")


def _marker(removed_bytes: int) -> str:
    return f"…{-(-removed_bytes // BYTES_PER_TOKEN)} tokens truncated…"


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
