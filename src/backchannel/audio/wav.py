"""Reading recorded speech: any PCM WAV becomes what the wire wants."""

from __future__ import annotations

import array
import dataclasses
import struct
import sys
from typing import TYPE_CHECKING, BinaryIO, Final

from backchannel.errors import AudioFileError, MissingComponentError
from backchannel.wire import pcm

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_DURATION_S", "read_wav", "without_trailing_silence"]

MAX_DURATION_S: Final = 3600
_AUDIBLE: Final = 200
_RATES_HZ: Final = range(1_000, 768_001)
_PCM: Final = 1
_EXTENSIBLE: Final = 0xFFFE
"""The real format stands further back; programs write PCM of more than 16 bits or two channels this way."""
_FORMATS: Final = {2: "ADPCM", 3: "floating point", 6: "A-law", 7: "mu-law", 0x11: "ADPCM", 0x55: "MP3"}
_OTHERS: Final = {
    b"ID3": "an MP3 file",
    b"\xff\xfb": "an MP3 file",
    b"\xff\xf3": "an MP3 file",
    b"OggS": "an Ogg file",
    b"fLaC": "a FLAC file",
    b"FORM": "an AIFF file",
    b"RF64": "an RF64 file",
    b"\x1aE\xdf\xa3": "a WebM or Matroska file",
}
_HOW_TO_CONVERT: Final = "convert it, for example with: ffmpeg -i IN -c:a pcm_s16le OUT.wav"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Format:
    """How the samples of a file are written."""

    width: int
    """Bytes a sample."""
    channels: int
    rate_hz: int


def read_wav(path: Path) -> bytes:
    """The sound of a WAV file as mono signed 16-bit little-endian PCM at 24 kHz.

    Channels are mixed and the rate is converted. It blocks: call it in a thread.

    Raises:
        AudioFileError: The file cannot be read, or is not PCM WAV; says what was found.
        MissingComponentError: The rate or width needs converting and the extra `local` is not installed.
    """
    try:
        with path.open("rb") as file:
            form, data = _read(file)
    except OSError as exc:
        raise AudioFileError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except _OtherError as exc:
        raise AudioFileError(f"{path}: expected a WAV file with PCM samples, found {exc}; {exc.remedy}") from None
    if form == _Format(width=pcm.SAMPLE_BYTES, channels=1, rate_hz=pcm.RATE_HZ):
        return data
    return _converted(data, width=form.width, channels=form.channels, rate_hz=form.rate_hz)


class _OtherError(Exception):
    """It is not what we can read; the text says what it is."""

    def __init__(self, found: str, *, remedy: str = _HOW_TO_CONVERT) -> None:
        super().__init__(found)
        self.remedy = remedy


def _read(file: BinaryIO) -> tuple[_Format, bytes]:
    """The format and the samples, whole frames only.

    The lengths in headers are not trusted: a program that writes into a pipe cannot know them.
    """
    start = file.read(12)
    if len(start) < 12 or start[:4] != b"RIFF" or start[8:] != b"WAVE":
        raise _OtherError(_name(start))
    form: _Format | None = None
    while len(header := file.read(8)) == 8:
        kind, n_bytes = struct.unpack("<4sI", header)
        if kind == b"fmt ":
            form = _read_format(file.read(min(n_bytes, 64)))
            file.seek(max(0, n_bytes - 64) + n_bytes % 2, 1)
        elif kind != b"data":
            file.seek(n_bytes + n_bytes % 2, 1)
        elif form is None:
            raise _OtherError("samples without a format before them")
        else:
            return form, _read_samples(file, form, n_bytes)
    raise _OtherError("a file that ends before any samples")


def _read_format(chunk: bytes) -> _Format:
    if len(chunk) < 16:
        raise _OtherError("a format that is cut off")
    tag, channels, rate_hz, _, frame_bytes, _ = struct.unpack("<HHIIHH", chunk[:16])
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        tag = int.from_bytes(chunk[24:26], "little")
    width, rest = divmod(frame_bytes, max(channels, 1))
    if tag != _PCM:
        raise _OtherError(f"{8 * width} bit {_FORMATS.get(tag, f'format {tag}')}")
    if channels < 1 or rest or width not in (1, 2, 3, 4) or rate_hz not in _RATES_HZ:
        raise _OtherError(f"{8 * width} bit samples of {channels} channels at {rate_hz} Hz")
    return _Format(width=width, channels=channels, rate_hz=rate_hz)


def _read_samples(file: BinaryIO, form: _Format, n_bytes: int) -> bytes:
    frame_bytes = form.width * form.channels
    longest = MAX_DURATION_S * form.rate_hz * frame_bytes
    data = file.read(min(n_bytes, longest + 1))
    if len(data) > longest:
        raise _OtherError(f"more than {MAX_DURATION_S} s of sound", remedy="cut it into pieces")
    return data[: len(data) - len(data) % frame_bytes]


def _name(start: bytes) -> str:
    if not start:
        return "an empty file"
    for magic, name in _OTHERS.items():
        if start.startswith(magic):
            return name
    if start[4:8] == b"ftyp":
        return "an MP4 file"
    return f"something else (it begins with {start[:4]!r})"


def without_trailing_silence(sound: bytes) -> bytes:
    """The same PCM16 sound up to its last audible sample (-44 dB of full scale), so that its end is a moment."""
    samples = array.array("h", sound[: len(sound) - len(sound) % pcm.SAMPLE_BYTES])
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
