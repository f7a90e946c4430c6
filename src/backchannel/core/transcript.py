"""The transcript: who said what since work was last handed over.

Each speaker has at most one open utterance, to which deltas are added and which a final text closes and replaces, so
that two people speaking at once do not cut each other's words to pieces. A handoff takes what there is. Bounded: past
8192 bytes the oldest utterances are dropped, and of a single longer one the tail is kept.

Source: realtime.md 1.12 (the newest form).
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from backchannel.core.screen import Speaker

__all__ = ["MAX_BYTES", "Transcript", "Utterance"]

MAX_BYTES: Final = 8192
_OVERHEAD_BYTES: Final = 3
_CUT: Final = "…"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What one speaker said in one go."""

    speaker: Speaker
    text: str


class Transcript:
    """What was said since the last handoff, in the order in which it was begun."""

    def __init__(self) -> None:
        self._said: dict[int, Utterance] = {}
        self._keys = itertools.count()
        self._open: dict[Speaker, int] = {}

    def began(self, speaker: Speaker) -> None:
        """The speaker's next words are a new utterance."""
        self._open.pop(speaker, None)

    def delta(self, speaker: Speaker, text: str) -> None:
        """More of what a speaker says."""
        if not text:
            return
        key = self._open.get(speaker)
        before = self._said[key].text if key is not None and key in self._said else ""
        self._open[speaker] = self._put(key if before else None, Utterance(speaker=speaker, text=before + text))

    def done(self, speaker: Speaker, text: str) -> None:
        """The whole of what a speaker said; replaces the pieces."""
        key = self._open.pop(speaker, None)
        if text:
            self._put(key if key in self._said else None, Utterance(speaker=speaker, text=text))

    def take(self, request: str) -> tuple[Utterance, ...]:
        """What was said, for a handoff that asks for `request`; afterwards the transcript is empty.

        The request itself stands in it once, also where the user's words have not been transcribed yet.
        """
        request = request.strip()
        spoken = {entry.text.strip() for entry in self._said.values() if entry.speaker == "user"}
        if request and request not in spoken:
            self._put(None, Utterance(speaker="user", text=request))
        said = tuple(self._said.values())
        self._said.clear()
        return said

    def _put(self, key: int | None, entry: Utterance) -> int:
        if key is None:
            key = next(self._keys)
        self._said[key] = entry
        self._bound()
        return key

    def _bound(self) -> None:
        while len(self._said) > 1 and sum(map(_size, self._said.values())) > MAX_BYTES:
            del self._said[next(iter(self._said))]
        for key, entry in self._said.items():
            if _size(entry) > MAX_BYTES:
                room = MAX_BYTES - _size(Utterance(speaker=entry.speaker, text=_CUT))
                tail = entry.text.encode("utf-8", "replace")[-room:].decode("utf-8", "ignore")
                self._said[key] = Utterance(speaker=entry.speaker, text=_CUT + tail)


def _size(entry: Utterance) -> int:
    return len(entry.speaker) + len(entry.text.encode("utf-8", "replace")) + _OVERHEAD_BYTES
