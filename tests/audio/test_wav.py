from __future__ import annotations

import array
import math
import os
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from backchannel.audio import read_wav, without_trailing_silence
from backchannel.errors import AudioFileError
from backchannel.testing import rms_dbfs, samples_from_pcm, samples_to_pcm, silence, tone, write_wav

if TYPE_CHECKING:
    from pathlib import Path

FREQUENCY_HZ = 440.0
DURATION_S = 0.5


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunk(kind: bytes, data: bytes, *, n_bytes: int | None = None) -> bytes:
    padding = b"\0" if len(data) % 2 else b""
    return kind + struct.pack("<I", len(data) if n_bytes is None else n_bytes) + data + padding


def form(*, width: int = 2, channels: int = 1, rate_hz: int = 24_000, tag: int = 1) -> bytes:
    return chunk(
        b"fmt ",
        struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * width * channels, width * channels, 8 * width),
    )


def extensible(*, width: int, channels: int, rate_hz: int, sub_format: int) -> bytes:
    base = struct.pack("<HHIIHH", 0xFFFE, channels, rate_hz, rate_hz * width * channels, width * channels, 8 * width)
    guid = struct.pack("<H", sub_format) + bytes.fromhex("000000001000800000aa00389b71")
    return chunk(b"fmt ", base + struct.pack("<HHI", 22, 8 * width, 3) + guid)


def encoded(samples: array.array[int], *, width: int, channels: int) -> bytes:
    """Samples at another width, the same in every channel."""
    data = bytearray()
    for sample in samples:
        if width == 1:
            piece = bytes([(sample >> 8) + 128])
        else:
            wide = sample << 8 * (width - 2) if width > 2 else sample
            piece = wide.to_bytes(width, "little", signed=True)
        data += piece * channels
    return bytes(data)


def frequency_hz(samples: array.array[int], *, rate_hz: int = 24_000) -> float:
    """Of a sine, by its rising crossings of zero."""
    rising = [n for n in range(1, len(samples)) if samples[n - 1] < 0 <= samples[n]]
    return (len(rising) - 1) * rate_hz / (rising[-1] - rising[0])


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_pcm_becomes_24_khz_mono(rate_hz: int, width: int, channels: int, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    sound = tone(duration_s=DURATION_S, frequency_hz=FREQUENCY_HZ, rate_hz=rate_hz)
    data = encoded(sound, width=width, channels=channels)
    path.write_bytes(riff(form(width=width, channels=channels, rate_hz=rate_hz), chunk(b"data", data)))
    samples = samples_from_pcm(read_wav(path))
    assert len(samples) / 24_000 == pytest.approx(DURATION_S, abs=0.002)
    assert frequency_hz(samples) == pytest.approx(FREQUENCY_HZ, rel=0.005)
    assert rms_dbfs(samples) == pytest.approx(-12.0, abs=0.3)


def test_what_the_wire_wants_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    sound = array.array("h", [0, 1, -1, 32767, -32768, 1234])
    write_wav(path, sound)
    assert read_wav(path) == samples_to_pcm(sound)


def test_channels_are_mixed(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    sound = tone(duration_s=0.2, level_dbfs=-12.0)
    write_wav(path, sound, silence(duration_s=0.2))
    assert rms_dbfs(samples_from_pcm(read_wav(path))) == pytest.approx(-18.0, abs=0.2)


def test_the_loudest_sound_does_not_wrap_around(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    loud = array.array("h", [32767, -32768] * 2000)
    write_wav(path, loud, loud, rate_hz=48_000)
    samples = samples_from_pcm(read_wav(path))
    assert max(samples) <= 32767
    assert len(samples) == 2000


def test_24_bit_as_other_programs_write_it(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    sound = tone(duration_s=0.2, frequency_hz=FREQUENCY_HZ, rate_hz=48_000)
    path.write_bytes(
        riff(
            extensible(width=3, channels=2, rate_hz=48_000, sub_format=1),
            chunk(b"LIST", b"INFOabc"),
            chunk(b"data", encoded(sound, width=3, channels=2)),
        )
    )
    samples = samples_from_pcm(read_wav(path))
    assert len(samples) == 4800
    assert frequency_hz(samples) == pytest.approx(FREQUENCY_HZ, rel=0.01)


@pytest.mark.parametrize("n_bytes", [0xFFFFFFFF, 0x7FFFF000])
def test_a_length_that_a_pipe_could_not_know(n_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    sound = samples_to_pcm(tone(duration_s=0.1))
    path.write_bytes(riff(form(), chunk(b"data", sound, n_bytes=n_bytes)))
    assert read_wav(path) == sound


def test_half_a_frame_at_the_end_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(riff(form(), chunk(b"data", b"\1\2\3\4\5")))
    assert read_wav(path) == b"\1\2\3\4"


def test_a_file_without_samples_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(riff(form(rate_hz=8000, channels=2), chunk(b"data", b"")))
    assert read_wav(path) == b""


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"ID3\4\0\0\0\0\0\0\0\0\0\0", "an MP3 file"),
        (b"\xff\xfb\x90\x64" + bytes(40), "an MP3 file"),
        (b"OggS" + bytes(40), "an Ogg file"),
        (b"fLaC" + bytes(40), "a FLAC file"),
        (b"\0\0\0\x20ftypM4A " + bytes(40), "an MP4 file"),
        (b"RIFF\4\0\0\0AVI " + bytes(40), "begins with b'RIFF'"),
        (b"hello, this is a text", "begins with b'hell'"),
        (riff(form(width=4, tag=3), chunk(b"data", bytes(400))), "32 bit floating point"),
        (riff(form(width=1, tag=7), chunk(b"data", bytes(400))), "8 bit mu-law"),
        (riff(form(width=1, tag=6), chunk(b"data", bytes(400))), "8 bit A-law"),
        (riff(form(tag=0x1234), chunk(b"data", bytes(400))), "format 4660"),
        (
            riff(extensible(width=4, channels=1, rate_hz=8000, sub_format=3), chunk(b"data", bytes(400))),
            "32 bit floating point",
        ),
        (riff(form(channels=0), chunk(b"data", bytes(400))), "0 channels"),
        (riff(form(rate_hz=0), chunk(b"data", bytes(400))), "0 Hz"),
        (riff(form(rate_hz=0xFFFFFFFF, width=0), chunk(b"data", bytes(400))), "0 bit"),
        (riff(form(width=8), chunk(b"data", bytes(400))), "64 bit"),
        (riff(form()), "ends before any samples"),
        (riff(chunk(b"data", bytes(400)), form()), "without a format"),
        (riff(chunk(b"fmt ", b"\1\0\1\0")), "cut off"),
        (riff(form())[:30], "cut off"),
        (riff(chunk(b"junk", b"", n_bytes=0xFFFFFFFF)), "ends before any samples"),
    ],
)
def test_anything_else_is_said_to_be_what_it_is(data: bytes, found: str, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(data)
    with pytest.raises(AudioFileError) as caught:
        read_wav(path)
    assert found in str(caught.value)
    assert str(path) in str(caught.value)
    assert "ffmpeg" in str(caught.value)


def test_more_than_an_hour_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    head = riff(form(width=1, rate_hz=1000), chunk(b"data", b"", n_bytes=2**32 - 1))
    with path.open("wb") as file:
        file.write(head)
        # A sparse file: it takes no room.
        os.truncate(file.fileno(), len(head) + 5_000_000)
    with pytest.raises(AudioFileError, match="more than 3600 s of sound; cut it"):
        read_wav(path)


@pytest.mark.parametrize(("name", "why"), [("missing.wav", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_says_why(name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match=why):
        read_wav(tmp_path / name)


def test_silence_at_the_end_is_cut_off() -> None:
    sound = tone(duration_s=0.1)
    quiet = array.array("h", [199, -199] * 1000)
    padded = samples_to_pcm(sound + quiet + silence(duration_s=0.5))
    cut = samples_from_pcm(without_trailing_silence(padded))
    assert len(sound) - 30 <= len(cut) <= len(sound)
    assert abs(cut[-1]) >= 200


def test_only_silence_is_nothing() -> None:
    assert without_trailing_silence(samples_to_pcm(silence(duration_s=0.1))) == b""
    assert without_trailing_silence(b"") == b""
    assert without_trailing_silence(b"\xff\x7f\1") == b"\xff\x7f"


def test_the_loudest_negative_sample_is_audible() -> None:
    sound = struct.pack("<h", -32768)
    assert without_trailing_silence(sound) == sound
    assert math.isclose(rms_dbfs(samples_from_pcm(sound)), 0.0)


def test_without_the_component_that_converts_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    write_wav(path, tone(duration_s=0.1, rate_hz=8000), rate_hz=8000)
    code = (
        "import pathlib, sys\n"
        "sys.modules['soxr'] = None\n"
        "from backchannel.audio import read_wav\n"
        "from backchannel.errors import MissingComponentError\n"
        "try:\n"
        "    read_wav(pathlib.Path(sys.argv[1]))\n"
        "except MissingComponentError as exc:\n"
        "    print(exc)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "8000 Hz" in done.stdout
    assert "pip install 'backchannel[local]'" in done.stdout
