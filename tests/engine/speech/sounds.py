"""Sound for the tests of the speech components: made by the real synthesizers, and noise."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import numpy as np
import soxr

from backchannel.engine.speech.base import HEARING_RATE_HZ, SPEAKING_RATE_HZ
from backchannel.engine.speech.speaking import FliteTextToSpeech

if TYPE_CHECKING:
    import numpy.typing as npt

    from backchannel.engine.speech.base import TextToSpeech

__all__ = ["CHUNK_BYTES", "chunks", "flite", "noise", "seconds", "spoken", "total"]

CHUNK_BYTES = 1024


def flite() -> FliteTextToSpeech:
    """The synthesizer that `scripts/system-deps` installs."""
    return FliteTextToSpeech(program="flite", environment=os.environ)


async def total(speaker: TextToSpeech, text: str, *, voice: str = "marin") -> bytes:
    """All of a speech, 24 kHz."""
    async with contextlib.aclosing(speaker.speak(text, voice=voice)) as pieces:
        return b"".join([piece async for piece in pieces])


async def spoken(text: str, *, voice: str = "marin") -> bytes:
    """An utterance as the engine gives it to a recogniser: 16 kHz, with a little silence around it."""
    samples = np.frombuffer(await total(flite(), text, voice=voice), dtype="<i2")
    heard: npt.NDArray[np.int16] = soxr.resample(samples, SPEAKING_RATE_HZ, HEARING_RATE_HZ).astype("<i2")
    silence = noise(0.25, level=2.0)
    return silence + heard.tobytes() + silence


def noise(duration_s: float, *, level: float, seed: int = 1) -> bytes:
    """White noise of this standard deviation, 16 kHz."""
    samples: npt.NDArray[np.float64] = (
        np.random.default_rng(seed).standard_normal(int(duration_s * HEARING_RATE_HZ)) * level
    )
    limited: npt.NDArray[np.int16] = samples.clip(-32768, 32767).astype("<i2")
    return limited.tobytes()


def chunks(pcm: bytes) -> list[bytes]:
    """Audio as it comes, in pieces of 32 ms."""
    return [pcm[begin : begin + CHUNK_BYTES] for begin in range(0, len(pcm), CHUNK_BYTES)]


def seconds(pcm: bytes) -> float:
    """How long 24 kHz audio is."""
    return len(pcm) / 2 / SPEAKING_RATE_HZ
