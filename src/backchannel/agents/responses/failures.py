"""What goes wrong between us and a model, and whether, when and how often it is tried again. Pure.

A request over HTTP that was not taken is sent again `request_max_retries` times; an answer that broke off, and anything
that goes wrong over a websocket, is asked for again `stream_max_retries` times. Waits double, give or take a tenth, up
to half a minute. A websocket that failed so often is given up for HTTP, which then has its own tries.

Source: app-server.md 2.3 and 5.2.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.config import Provider

__all__ = ["Cause", "Decision", "Failure", "FallBack", "GiveUp", "ModelFailed", "Retries", "TryAgain"]

_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 30.0
_LEAST_SHARE: Final = 0.9
_SPREAD: Final = 0.2


class Cause(enum.Enum):
    """Of what kind a failure is."""

    PASSING = "passing"
    """It may be gone at the next try."""
    STALE = "stale"
    """The server does not know what it was told before: the whole is to be sent, at once."""
    TOO_LONG = "too_long"
    """The model cannot take so much."""
    SETTLED = "settled"
    """It stays as it is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A request to a model that failed."""

    cause: Cause
    reason: str
    """For a person; no key and no payload."""
    remedy: str = ""
    """What a person can do about it."""
    over_websocket: bool = False
    answering: bool = True
    """Whether the server had taken the request."""
    http_status: int | None = None
    """With which it refused the request."""

    @property
    def sentence(self) -> str:
        """What went wrong, and what to do."""
        return f"{self.reason}; {self.remedy}" if self.remedy else self.reason


class ModelFailed(Exception):
    """Raised between a way to a model and who asked; it never leaves the agent."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


@dataclasses.dataclass(frozen=True, slots=True)
class TryAgain:
    """Send it again after a wait."""

    delay_s: float
    notice: str | None
    """What a person should be told."""


@dataclasses.dataclass(frozen=True, slots=True)
class FallBack:
    """Send it again over HTTP, and everything after it."""

    notice: str


@dataclasses.dataclass(frozen=True, slots=True)
class GiveUp:
    """Nothing more is tried."""

    reason: str


Decision: TypeAlias = TryAgain | FallBack | GiveUp


class Retries:
    """Counts the tries of one request after the other.

    Args:
        provider: Says how often.
        random: Gives numbers from 0 up to, but not including, 1.
    """

    def __init__(self, provider: Provider, *, random: Callable[[], float]) -> None:
        self._provider = provider
        self._random = random
        self._requests = 0
        self._streams = 0

    def succeeded(self) -> None:
        """A response is complete: the next one has all tries again."""
        self._requests = self._streams = 0

    def after(self, failure: Failure) -> Decision:
        """What follows a failure; `TOO_LONG` is for who has the history."""
        if failure.cause is Cause.STALE and self._streams == 0:
            # Once: whoever says so of the whole, too, is not right about it.
            self._streams += 1
            return TryAgain(0.0, None)
        if failure.cause is not Cause.PASSING:
            return GiveUp(failure.sentence)
        if failure.over_websocket or failure.answering:
            n, most = self._streams, self._provider.stream_max_retries
            self._streams += 1
        else:
            n, most = self._requests, self._provider.request_max_retries
            self._requests += 1
        if n < most:
            # The first one is nothing to speak of.
            notice = f"no answer from the model ({failure.reason}); trying again, {n + 1} of {most}" if n else None
            return TryAgain(self._wait_s(n), notice)
        if failure.over_websocket:
            self.succeeded()
            return FallBack(f"the websocket to the model is given up for HTTP: {failure.reason}")
        return GiveUp(failure.sentence)

    def _wait_s(self, n: int) -> float:
        # The exponent is bounded for the sake of the arithmetic only.
        wait_s = min(_FIRST_WAIT_S * float(2 ** min(n, 16)), _LONGEST_WAIT_S)
        return wait_s * (_LEAST_SHARE + _SPREAD * self._random())
