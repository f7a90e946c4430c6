from __future__ import annotations

import array
import itertools
import math
import time
import wave
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.errors import AudioFileError, LocalProtocolError
from backchannel.testing import (
    Span,
    read_wav,
    rms_dbfs,
    samples_from_pcm,
    samples_to_pcm,
    silence,
    speech_spans,
    tone,
    write_wav,
)

if TYPE_CHECKING:
    import pathlib


def test_mono_comes_back(tmp_path: pathlib.Path) -> None:
    sound = tone(duration_s=0.1, rate_hz=16_000)
    write_wav(tmp_path / "a.wav", sound, rate_hz=16_000)
    audio = read_wav(tmp_path / "a.wav")
    assert (audio.rate_hz, audio.channels) == (16_000, (sound,))
    assert audio.duration_s == pytest.approx(0.1)


def test_the_shorter_channel_is_filled_up(tmp_path: pathlib.Path) -> None:
    long, short = array.array("h", [1, -2, 3]), array.array("h", [4])
    write_wav(tmp_path / "a.wav", short, long)
    assert read_wav(tmp_path / "a.wav").channels == (array.array("h", [4, 0, 0]), long)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert file.readframes(1) == b"\x04\x00\x01\x00"


def test_other_numbers_of_channels(tmp_path: pathlib.Path) -> None:
    with pytest.raises(LocalProtocolError, match="1 or 2 channels, not 3"):
        write_wav(tmp_path / "a.wav", *[silence(duration_s=1)] * 3)


def test_files_that_are_something_else(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.wav"
    with pytest.raises(AudioFileError, match="cannot be read"):
        read_wav(path)
    for content in (b"", b"RIFF", b"hello, world, this is a text"):
        path.write_bytes(content)
        with pytest.raises(AudioFileError, match=r"a\.wav: expected a PCM WAV file"):
            read_wav(path)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 3, 8000, 0, "NONE", ""))
        file.writeframes(bytes(9))
    with pytest.raises(AudioFileError, match="expected 16-bit PCM with 1 or 2 channels, found 24-bit with 1"):
        read_wav(path)


def test_bytes_are_little_endian() -> None:
    assert samples_to_pcm(array.array("h", [1, -1])) == b"\x01\x00\xff\xff"
    assert samples_from_pcm(b"\x01\x00\xff\xff\x07") == array.array("h", [1, -1])


@given(st.lists(st.integers(-32768, 32767)))
def test_bytes_and_back(values: list[int]) -> None:
    samples = array.array("h", values)
    assert samples_from_pcm(samples_to_pcm(samples)) == samples


@pytest.mark.parametrize("level_dbfs", [-3.02, -12.0, -40.0])
def test_levels(level_dbfs: float) -> None:
    assert rms_dbfs(tone(duration_s=1, level_dbfs=level_dbfs)) == pytest.approx(level_dbfs, abs=0.1)


def test_the_ends_of_the_scale() -> None:
    assert rms_dbfs(array.array("h", [-32768] * 10)) == pytest.approx(0.0)
    assert rms_dbfs(silence(duration_s=1)) == rms_dbfs(array.array("h")) == -math.inf
    assert max(tone(duration_s=0.1, level_dbfs=6)) == 32767


def test_a_tone_has_its_pitch() -> None:
    sound = tone(duration_s=1, frequency_hz=100, rate_hz=8000)
    rising = sum(1 for before, after in itertools.pairwise(sound) if before < 0 <= after)
    assert len(sound) == 8000
    assert rising in {99, 100}


def test_spans() -> None:
    word, gap, click = tone(duration_s=0.3), silence(duration_s=0.1), tone(duration_s=0.02)
    pause = silence(duration_s=0.5)
    sound = pause + word + gap + word + pause + click + pause + word
    spans = speech_spans(sound)
    assert [(round(span.start_s, 2), round(span.end_s, 2)) for span in spans] == [(0.5, 1.2), (2.22, 2.52)]
    assert spans[0].duration_s == pytest.approx(0.7)
    assert len(speech_spans(sound, join_gap_s=0.05, shortest_s=0.0)) == 4
    assert speech_spans(sound, threshold_dbfs=-6.0) == ()


def test_spans_of_nothing() -> None:
    assert speech_spans(array.array("h")) == speech_spans(silence(duration_s=1)) == ()
    # The last block may be a short one.
    assert speech_spans(tone(duration_s=0.105, rate_hz=1000), rate_hz=1000) == (Span(start_s=0.0, end_s=0.105),)


def test_a_minute_does_not_take_long() -> None:
    sound = (tone(duration_s=0.5) + silence(duration_s=0.5)) * 60
    before_s = time.process_time()
    assert len(speech_spans(sound)) == 60
    assert time.process_time() - before_s < 2.0
