"""Sample formats of the wire, and how long a piece of audio lasts.

Everything on the wire is mono signed 16-bit little-endian PCM at 24 kHz, in base64 inside JSON. Durations are counted
from lengths: audio is never decoded to be counted.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "FRAME_BYTES",
    "FRAME_MS",
    "RATE_HZ",
    "SAMPLE_BYTES",
    "base64_decoded_bytes",
    "base64_silence",
    "bytes_for_ms",
    "ms_for_bytes",
    "ms_for_samples",
]

RATE_HZ: Final = 24_000
"""Samples a second of one channel."""
SAMPLE_BYTES: Final = 2
"""Bytes of one sample of one channel."""
FRAME_MS: Final = 20
"""How much audio a microphone frame carries."""


def bytes_for_ms(duration_ms: int, *, rate_hz: int = RATE_HZ, channels: int = 1) -> int:
    """How many bytes a duration takes, a whole number of samples."""
    return duration_ms * rate_hz // 1000 * channels * SAMPLE_BYTES


def ms_for_bytes(n_bytes: int, *, rate_hz: int = RATE_HZ, channels: int = 1) -> int:
    """How long so many bytes last; partial samples do not count."""
    return ms_for_samples(n_bytes // SAMPLE_BYTES // max(channels, 1), rate_hz=rate_hz)


def ms_for_samples(n_samples: int, *, rate_hz: int = RATE_HZ) -> int:
    """How long so many samples of one channel last, rounded down.

    Source: realtime.md 4.6.
    """
    return n_samples * 1000 // max(rate_hz, 1)


def base64_decoded_bytes(data: str) -> int:
    """How many bytes a base64 text stands for, from its length and padding; 0 when the length cannot be base64."""
    if len(data) % 4:
        return 0
    return len(data) // 4 * 3 - data[-2:].count("=")


def base64_silence(data: str) -> str:
    """Silence, in base64, that lasts as long as a piece of audio."""
    n_padding = data[-2:].count("=")
    return "A" * (len(data) - n_padding) + "=" * n_padding


FRAME_BYTES: Final = bytes_for_ms(FRAME_MS)
"""Bytes of one microphone frame."""
