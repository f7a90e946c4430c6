"""WAV files and plain sounds for tests, in pure Python.

Samples are `array("h")`: signed 16-bit integers, one channel, in the machine's byte order.
"""

from __future__ import annotations

import array
import dataclasses
import math
import operator
import pathlib
import sys
import wave
from typing import TYPE_CHECKING, TypeAlias

from backchannel.errors import AudioFileError, LocalProtocolError

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

__all__ = [
    "Samples",
    "Span",
    "WavAudio",
    "read_wav",
    "rms_dbfs",
    "samples_from_pcm",
    "samples_to_pcm",
    "silence",
    "speech_spans",
    "tone",
    "write_wav",
]

Samples: TypeAlias = "array.array[int]"
"""One channel: `array("h")`, shape (n_samples,)."""

_FULL_SCALE = 32768.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WavAudio:
    """What a WAV file holds."""

    rate_hz: int
    channels: tuple[Samples, ...]
    """One or two, of the same length."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.channels[0]) / self.rate_hz


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An audible part of a recording, in seconds from its start."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


def write_wav(path: str | os.PathLike[str], *channels: Samples, rate_hz: int = 24_000) -> None:
    """Write 16-bit PCM, mono or stereo; the shorter channel is filled up with silence.

    Raises:
        LocalProtocolError: Not one or two channels.
    """
    if len(channels) not in {1, 2}:
        raise LocalProtocolError(f"a WAV file is written with 1 or 2 channels, not {len(channels)}")
    n_samples = max(len(channel) for channel in channels)
    interleaved = array.array("h", bytes(2 * n_samples * len(channels)))
    for position, channel in enumerate(channels):
        interleaved[position : len(channel) * len(channels) : len(channels)] = channel
    with wave.open(str(pathlib.Path(path)), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples_to_pcm(interleaved))


def read_wav(path: str | os.PathLike[str]) -> WavAudio:
    """Read 16-bit PCM, mono or stereo.

    Raises:
        AudioFileError: It is something else, or cannot be read.
    """
    try:
        with wave.open(str(pathlib.Path(path)), "rb") as file:
            n_channels, width, rate_hz = file.getnchannels(), file.getsampwidth(), file.getframerate()
            if width != 2 or n_channels not in {1, 2}:
                raise AudioFileError(
                    f"{path}: expected 16-bit PCM with 1 or 2 channels, found {8 * width}-bit with {n_channels}"
                )
            interleaved = samples_from_pcm(file.readframes(file.getnframes()))
    except (OSError, EOFError, wave.Error) as exc:
        raise AudioFileError(f"{path}: expected a PCM WAV file, but it cannot be read: {exc}") from exc
    return WavAudio(
        rate_hz=rate_hz, channels=tuple(interleaved[position::n_channels] for position in range(n_channels))
    )


def samples_from_pcm(pcm: bytes) -> Samples:
    """Samples of 16-bit little-endian bytes; half a sample at the end is left out."""
    samples = array.array("h")
    samples.frombytes(pcm[: len(pcm) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def samples_to_pcm(samples: Samples) -> bytes:
    """16-bit little-endian bytes of samples, as the wire and WAV files have them."""
    if sys.byteorder == "little":
        return samples.tobytes()
    swapped = samples[:]
    swapped.byteswap()
    return swapped.tobytes()


def tone(
    *, duration_s: float, frequency_hz: float = 440.0, rate_hz: int = 24_000, level_dbfs: float = -12.0
) -> Samples:
    """A sine.

    Args:
        duration_s: Its length.
        frequency_hz: Its pitch.
        rate_hz: Samples a second.
        level_dbfs: Its RMS level as `rms_dbfs` measures it; a sine reaches -3.01 at most.
    """
    peak = min(math.sqrt(2.0) * 10 ** (level_dbfs / 20) * _FULL_SCALE, _FULL_SCALE - 1)
    step = 2 * math.pi * frequency_hz / rate_hz
    return array.array("h", (round(peak * math.sin(step * n)) for n in range(round(duration_s * rate_hz))))


def silence(*, duration_s: float, rate_hz: int = 24_000) -> Samples:
    """Zeros."""
    return array.array("h", bytes(2 * round(duration_s * rate_hz)))


def rms_dbfs(samples: Sequence[int]) -> float:
    """The level relative to full scale (a square wave of full scale is 0 dB); minus infinity for silence."""
    energy = sum(map(operator.mul, samples, samples))
    if not energy:
        return -math.inf
    return 10 * math.log10(energy / len(samples) / (_FULL_SCALE * _FULL_SCALE))


def speech_spans(
    samples: Samples,
    *,
    rate_hz: int = 24_000,
    threshold_dbfs: float = -45.0,
    block_s: float = 0.01,
    join_gap_s: float = 0.2,
    shortest_s: float = 0.05,
) -> tuple[Span, ...]:
    """The audible parts of a recording, in order.

    Args:
        samples: One channel.
        rate_hz: Samples a second.
        threshold_dbfs: A block whose level is above this is audible.
        block_s: The length of a block, which is also how exact the result is.
        join_gap_s: Parts with a shorter pause between them are one (words have pauses in them).
        shortest_s: Parts shorter than this are left out (clicks).
    """
    n_block = max(1, round(block_s * rate_hz))
    spans: list[Span] = []
    with memoryview(samples) as view:
        for start in range(0, len(samples), n_block):
            end = min(start + n_block, len(samples))
            if rms_dbfs(view[start:end]) <= threshold_dbfs:
                continue
            if spans and start / rate_hz - spans[-1].end_s < join_gap_s:
                spans[-1] = Span(start_s=spans[-1].start_s, end_s=end / rate_hz)
            else:
                spans.append(Span(start_s=start / rate_hz, end_s=end / rate_hz))
    return tuple(span for span in spans if span.duration_s >= shortest_s)
