"""A clock that stands still until a test moves it."""

from __future__ import annotations

from backchannel.errors import LocalProtocolError

__all__ = ["ManualClock"]


class ManualClock:
    """A clock (`backchannel.net.Clock`) whose time only moves by `advance`.

    Args:
        start_s: What it shows at first; like a machine's monotonic clock it need not start at 0.
    """

    def __init__(self, *, start_s: float = 0.0) -> None:
        self._now_s = start_s

    def now(self) -> float:
        """Seconds, as moved so far."""
        return self._now_s

    def advance(self, seconds: float) -> float:
        """Move the time forward and return the new time.

        Raises:
            LocalProtocolError: Monotonic time never goes back.
        """
        if not seconds >= 0:  # so that NaN is refused too
            raise LocalProtocolError(f"a monotonic clock moves forward, not by {seconds} s")
        self._now_s += seconds
        return self._now_s
