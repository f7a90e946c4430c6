"""Utterances of pieces, in dialects whose server never tells that somebody has said their say.

What a speaker says belongs together until the other one speaks, or until nothing of it has come for `PAUSE_S`. Then it
is whole: it can be shown, and the next piece begins another one.

Source: the public live protocol has pieces of transcripts only; the pause is ours, above the second that recognisers
take to write down what they heard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from backchannel.core.screen import Speaker

__all__ = ["PAUSE_S", "TIMER", "Pieces"]

PAUSE_S: Final = 1.5
TIMER: Final = "pieces"


class Pieces:
    """Puts the pieces of two speakers together."""

    def __init__(self) -> None:
        self._speaker: Speaker | None = None
        self._text = ""
        self._latest_at = 0.0  # mutants: same

    @property
    def deadline(self) -> float | None:
        """When what is being said is whole, if nothing more of it comes."""
        return None if self._speaker is None else self._latest_at + PAUSE_S

    def came(self, speaker: Speaker, piece: str, now: float) -> tuple[Speaker, str] | None:
        """Somebody says more. What the other one said is whole by that, and given back."""
        whole = self.end() if self._speaker not in (None, speaker) else None
        self._speaker = speaker
        self._text += piece
        self._latest_at = now
        return whole

    def due(self, now: float) -> tuple[Speaker, str] | None:
        """What is whole because nothing more of it came."""
        deadline = self.deadline
        return self.end() if deadline is not None and deadline <= now else None

    def end(self) -> tuple[Speaker, str] | None:
        """Whatever is being said is whole."""
        speaker, text = self._speaker, self._text
        self._speaker, self._text = None, ""
        return None if speaker is None or not text.strip() else (speaker, text)
