"""The floor: who is speaking, and when the agent's news may be said.

What waits here is the wish to *speak*. What there is to know has already reached the voice as context. So the floor
keeps one thing only: the most pressing reason to speak. It is granted when the user is silent, the voice is not
answering, and nothing has been heard for a moment (`quiet_s`); then the voice speaks once, of everything new.
"""

from __future__ import annotations

import enum

__all__ = ["Floor", "Reason", "Speech"]


class Reason(enum.IntEnum):
    """Why the voice should speak, the most pressing highest."""

    MILESTONE = enum.auto()
    """The agent said something on its way."""
    RESULT = enum.auto()
    """The agent is done, or failed."""
    ASKED = enum.auto()
    """The user asked and waits: spoken without waiting for quiet."""


class Speech(enum.Enum):
    """Of what the voice speaks unasked."""

    SILENT = "silent"
    RESULTS = "results"
    MILESTONES = "milestones"
    CHATTY = "chatty"
    """Everything that the agent says, when it is quiet."""
    IMMEDIATE = "immediate"
    """Everything, without waiting for quiet."""


class Floor:
    """Decides when the voice may speak unasked."""

    def __init__(self, *, speech: Speech, quiet_s: float) -> None:
        self._speech = speech
        self._quiet_s = quiet_s
        self._user_speaking = False
        self._stops_are_told = False
        self._silent_since = 0.0
        self._news: Reason | None = None

    @property
    def user_speaking(self) -> bool:
        """Whether the user is speaking now."""
        return self._user_speaking

    @property
    def waiting(self) -> bool:
        """Whether there is something to be said."""
        return self._news is not None

    @property
    def reason(self) -> Reason | None:
        """The most pressing of what is to be said; None when nothing is."""
        return self._news

    def user_started(self) -> None:
        """The user began to speak."""
        self._user_speaking = True

    def user_stopped(self, now: float) -> None:
        """The user fell silent."""
        self._stops_are_told = True
        self._user_speaking = False
        self._silent_since = now

    def user_transcribed(self, now: float) -> None:
        """What the user said is known whole, so the user fell silent, where the server does not tell that itself.

        Where it does, the words come late: the user may be speaking again.
        """
        if not self._stops_are_told:
            self._user_speaking = False
            self._silent_since = now

    def voice_stopped(self, now: float) -> None:
        """The voice has said what it had to say."""
        self._silent_since = max(self._silent_since, now)

    def offer(self, reason: Reason) -> bool:
        """There is something to say. True when it is to be said at once; otherwise it waits, or is not worth saying."""
        if reason is Reason.ASKED or self._speech is Speech.IMMEDIATE:
            return True
        unwanted = self._speech is Speech.SILENT or (self._speech is Speech.RESULTS and reason is Reason.MILESTONE)
        if not unwanted:
            self._news = max(reason, self._news or reason)
        return False

    def spoken(self) -> None:
        """The voice was asked to speak: it knows everything, so nothing waits any more."""
        self._news = None

    def free_at(self, playback_ends_at: float) -> float | None:
        """When what waits may be said, as things stand; None while the user speaks."""
        if self._user_speaking:
            return None
        return max(self._silent_since, playback_ends_at) + self._quiet_s
