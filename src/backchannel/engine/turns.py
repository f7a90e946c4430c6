"""When the user's turn begins and ends: a machine over the probability that each piece of the stream is speech. Pure.

    quiet --voice for min_speech_ms--> speaking --silence_duration_ms without voice, or max_turn_ms--> quiet

A piece counts as voice from `threshold` upwards. While a turn is open it counts as silence only below
`threshold - HYSTERESIS`; what lies between changes nothing. Before a turn, a gap longer than `MAX_GAP_MS` forgets what
was voiced, so that clicks do not add up.
"""

from __future__ import annotations

import dataclasses
from typing import Final, TypeAlias

__all__ = ["HYSTERESIS", "MAX_GAP_MS", "Started", "Stopped", "TurnDetector", "TurnEvent", "TurnOptions"]

HYSTERESIS: Final = 0.15
MAX_GAP_MS: Final = 64


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TurnOptions:
    """When a turn begins and ends."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    """How much of the stream before the first voice belongs to the turn."""
    silence_duration_ms: int = 500
    min_speech_ms: int = 90
    """Less voice than this is a click."""
    max_turn_ms: int = 30_000
    """A turn is cut here, so that a radio in the room does not speak forever."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The user speaks since this point of the stream (padding included)."""

    audio_start_ms: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The user's turn ended at this point of the stream (the closing silence included)."""

    audio_end_ms: int


TurnEvent: TypeAlias = Started | Stopped


class TurnDetector:
    """One stream's turns. Positions count from the stream's first sample, also across turns."""

    def __init__(self, options: TurnOptions) -> None:
        self._options = options
        self._position_ms = 0.0
        self._ended_ms = 0.0
        self._started_ms: float | None = None
        self._onset_ms: float | None = None
        self._voiced_ms = 0.0
        self._silent_ms = 0.0

    @property
    def options(self) -> TurnOptions:
        """The rules in force."""
        return self._options

    @property
    def speaking(self) -> bool:
        """Whether a turn is open."""
        return self._started_ms is not None

    @property
    def silent_ms(self) -> float:
        """For how long the open turn, or the voice that may begin one, has been without voice."""
        return self._silent_ms

    @property
    def position_ms(self) -> float:
        """How much of the stream was heard."""
        return self._position_ms

    def configure(self, options: TurnOptions) -> None:
        """Change the rules; an open turn stays open."""
        self._options = options

    def hear(self, probability: float, chunk_ms: float) -> list[TurnEvent]:
        """The next piece of the stream, and what it means: nothing or one event."""
        begin_ms = self._position_ms
        self._position_ms += chunk_ms
        if probability >= self._options.threshold:
            self._silent_ms = 0.0
            if self._onset_ms is None:
                self._onset_ms = begin_ms
            self._voiced_ms += chunk_ms
        elif self._started_ms is None or probability < self._options.threshold - HYSTERESIS:
            self._silent_ms += chunk_ms
        if self._started_ms is None:
            return self._wait()
        return self._listen(self._started_ms)

    def stop(self) -> Stopped | None:
        """End the open turn here, because the client says so."""
        if self._started_ms is None:
            return None
        return self._end()

    def reset(self) -> None:
        """Forget the open turn and the voice so far; the position goes on."""
        self._started_ms = None
        self._onset_ms = None
        self._voiced_ms = 0.0
        self._silent_ms = 0.0
        self._ended_ms = self._position_ms

    def _wait(self) -> list[TurnEvent]:
        if self._onset_ms is None:
            return []
        if self._silent_ms > MAX_GAP_MS:
            self._onset_ms = None
            self._voiced_ms = 0.0
            return []
        if self._voiced_ms < self._options.min_speech_ms:
            return []
        self._started_ms = max(self._onset_ms - self._options.prefix_padding_ms, self._ended_ms)
        return [Started(audio_start_ms=int(self._started_ms))]

    def _listen(self, started_ms: float) -> list[TurnEvent]:
        silent = self._silent_ms >= self._options.silence_duration_ms
        too_long = self._position_ms - started_ms >= self._options.max_turn_ms
        return [self._end()] if silent or too_long else []

    def _end(self) -> Stopped:
        self.reset()
        return Stopped(audio_end_ms=int(self._position_ms))
