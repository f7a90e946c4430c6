"""What the engine asks of its speech components: to notice a voice, to write down what it said, to speak.

All audio here is mono signed 16-bit little-endian PCM. What listens takes 16 kHz, the rate of the recognisers; what
speaks gives 24 kHz, the rate of the wire. Nothing here may hold up the event loop for more than a millisecond:
implementations put heavy work into a process of its own.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["HEARING_RATE_HZ", "SPEAKING_RATE_HZ", "Heard", "SpeechToText", "TextToSpeech", "VoiceActivity"]

HEARING_RATE_HZ: Final = 16_000
SPEAKING_RATE_HZ: Final = 24_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a recogniser understood of one utterance."""

    text: str
    """Lower case words; empty when nothing was understood."""
    confidence: float
    """0 (a guess) to 1 (certain)."""
    from_grammar: bool
    """Whether the words are a sentence of the closed grammar, rather than of the general model."""


class VoiceActivity(Protocol):
    """Tells speech from the rest, one session's stream at a time."""

    @property
    def chunk_bytes(self) -> int:
        """How many bytes `probability` wants."""

    def probability(self, chunk: bytes) -> float:
        """The probability (0 to 1) that this next chunk of the stream contains speech."""

    def reset(self) -> None:
        """Forget the stream so far."""


class SpeechToText(Protocol):
    """Writes down one utterance at a time for one session; it decodes while the audio still comes.

    Ownership: whoever made it calls `close`, which ends its process. Idempotent.
    """

    async def start(self) -> None:
        """Get ready (load models, start the process) so that the first utterance does not wait for it."""

    def feed(self, pcm: bytes) -> None:
        """Add audio to the utterance; the first audio after `finish` or `discard` opens the next one."""

    async def finish(self) -> Heard:
        """The utterance is over: what was said.

        Raises:
            SpeechError: The recogniser died; the next utterance starts a new one.
        """

    def discard(self) -> None:
        """Forget the utterance so far."""

    async def close(self) -> None:
        """End it and wait for its process."""


class TextToSpeech(Protocol):
    """Speaks."""

    @property
    def name(self) -> str:
        """Which synthesizer this is, for a person (`flite`, `espeak-ng`, `espeakng-loader`)."""

    def speak(self, text: str, *, voice: str) -> AsyncGenerator[bytes]:
        """Yield the speech piece by piece, the first as early as possible; closing it early ends the synthesis.

        `voice` is a voice name of the realtime protocol (`marin`, `cedar` ...), mapped to what the synthesizer has;
        an unknown name gives the default voice.

        Raises:
            SpeechError: Nothing could be synthesized.
        """
