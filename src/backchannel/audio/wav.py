"""Reading recorded speech: any PCM WAV becomes what the wire wants."""

from __future__ import annotations

import array
import sys
import wave
from typing import TYPE_CHECKING, Final

from backchannel.errors import AudioFileError, MissingComponentError
from backchannel.wire import pcm

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_DURATION_S", "read_wav", "without_trailing_silence"]

MAX_DURATION_S: Final = 3600
_AUDIBLE: Final = 200


def read_wav(path: Path) -> bytes:
    """The sound of a WAV file as mono signed 16-bit little-endian PCM at 24 kHz.

    Channels are mixed and the rate is converted. It blocks: call it in a thread.

    Raises:
        AudioFileError: The file cannot be read, or is not PCM WAV; says what was found.
        MissingComponentError: The rate or width needs converting and the extra `local` is not installed.
    """
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate_hz = file.getsampwidth(), file.getnchannels(), file.getframerate()
            n_frames = file.getnframes()
            if n_frames > rate_hz * MAX_DURATION_S:
                raise AudioFileError(
                    f"{path}: expected at most {MAX_DURATION_S} s of sound, found {n_frames // rate_hz} s; cut it"
                )
            data = file.readframes(n_frames)
    except OSError as exc:
        raise AudioFileError(f"{path}: cannot be read: {exc.strerror}") from exc
    except (wave.Error, EOFError) as exc:
        found = str(exc) or "the file ends early"
        raise AudioFileError(
            f"{path}: expected a WAV file with PCM samples, found something else ({found}); "
            "convert it, for example with: sox IN -b 16 -e signed-integer OUT.wav"
        ) from exc
    if width not in (1, 2, 3, 4) or channels < 1 or rate_hz < 1:
        raise AudioFileError(f"{path}: expected 8 to 32 bit samples, found {8 * width} bit, {channels} channels")
    data = data[: len(data) - len(data) % (width * channels)]
    if (width, channels, rate_hz) == (pcm.SAMPLE_BYTES, 1, pcm.RATE_HZ):
        return data
    return _converted(data, width=width, channels=channels, rate_hz=rate_hz)


def without_trailing_silence(sound: bytes) -> bytes:
    """The same PCM16 sound up to its last audible sample (-44 dB of full scale), so that its end is a moment."""
    samples = array.array("h", sound)
    if sys.byteorder == "big":
        samples.byteswap()
    end = len(samples)
    while end > 0 and abs(samples[end - 1]) < _AUDIBLE:
        end -= 1
    return sound[: end * pcm.SAMPLE_BYTES]


def _converted(data: bytes, *, width: int, channels: int, rate_hz: int) -> bytes:
    try:
        import numpy as np
        import soxr
    except ImportError as exc:
        raise MissingComponentError(
            f"this sound is {8 * width} bit, {channels} channel, {rate_hz} Hz and needs converting to 16 bit, 1"
            f" channel, {pcm.RATE_HZ} Hz, for which a component is missing: pip install 'backchannel[local]'"
        ) from exc
    raw = np.frombuffer(data, dtype=np.uint8).reshape(-1, width)
    if width == 1:
        # Eight-bit WAV is unsigned.
        samples = (raw[:, 0].astype(np.float32) - 128) / 128
    else:
        # The bytes go to the top of a 32-bit number, so that one scale fits every width.
        wide = np.zeros((len(raw), 4), dtype=np.uint8)
        wide[:, 4 - width :] = raw
        samples = wide.view("<i4")[:, 0].astype(np.float32) / 2**31
    mono = samples.reshape(-1, channels).mean(axis=1)
    resampled = soxr.resample(mono, rate_hz, pcm.RATE_HZ) if rate_hz != pcm.RATE_HZ else mono
    return bytes((np.clip(resampled, -1, 1) * (2**15 - 1)).astype("<i2").tobytes())
