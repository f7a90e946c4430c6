"""How long to wait before the next try: plain numbers, so that a test can say them itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["backoff_s"]

_FIRST_S: Final = 0.2
_LEAST_SHARE: Final = 0.9
_SPREAD: Final = 0.2


def backoff_s(random: Callable[[], float], *, n_retries: int = 4, first_s: float = _FIRST_S) -> tuple[float, ...]:
    """The waits before each further try: each twice the one before, give or take a tenth.

    Args:
        random: Gives numbers from 0 up to, but not including, 1.
        n_retries: How many further tries there are.
        first_s: The first wait.

    Source: realtime.md 2, the joining of a sideband.
    """
    return tuple(first_s * 2**n * (_LEAST_SHARE + _SPREAD * random()) for n in range(n_retries))
