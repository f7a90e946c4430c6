from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.wire import pcm


def test_a_microphone_frame_is_20_ms_of_24_khz_mono() -> None:
    assert pcm.FRAME_BYTES == 960
    assert pcm.ms_for_bytes(pcm.FRAME_BYTES) == pcm.FRAME_MS == 20


@pytest.mark.parametrize(
    ("duration_ms", "rate_hz", "channels", "n_bytes"),
    [(0, 24_000, 1, 0), (1000, 24_000, 1, 48_000), (20, 16_000, 2, 1280), (1, 44_100, 1, 88)],
)
def test_bytes_of_a_duration_are_whole_samples(duration_ms: int, rate_hz: int, channels: int, n_bytes: int) -> None:
    assert pcm.bytes_for_ms(duration_ms, rate_hz=rate_hz, channels=channels) == n_bytes


@pytest.mark.parametrize(
    ("n_bytes", "rate_hz", "channels", "duration_ms"),
    [
        (48_000, 24_000, 1, 1000),
        (48_000, 24_000, 2, 500),
        (47, 1000, 1, 23),
        (0, 24_000, 1, 0),
        # What a peer may claim without sense must not divide by zero.
        (48, 0, 1, 24_000),
        (48, 24_000, 0, 1),
    ],
)
def test_a_duration_counts_whole_samples(n_bytes: int, rate_hz: int, channels: int, duration_ms: int) -> None:
    assert pcm.ms_for_bytes(n_bytes, rate_hz=rate_hz, channels=channels) == duration_ms


def test_a_duration_of_samples_is_rounded_down() -> None:
    assert pcm.ms_for_samples(47, rate_hz=24_000) == 1
    assert pcm.ms_for_samples(48, rate_hz=24_000) == 2
    assert pcm.ms_for_samples(3, rate_hz=0) == 3000
    assert pcm.ms_for_samples(24_000) == 1000


@given(st.binary(max_size=200))
def test_base64_is_counted_without_decoding(data: bytes) -> None:
    assert pcm.base64_decoded_bytes(base64.b64encode(data).decode()) == len(data)


@pytest.mark.parametrize("data", ["", "A", "not base64!", "AAA"])
def test_what_cannot_be_base64_lasts_no_time(data: str) -> None:
    assert pcm.base64_decoded_bytes(data) == 0


@given(st.text())
def test_any_text_has_a_length(data: str) -> None:
    assert 0 <= pcm.base64_decoded_bytes(data) <= len(data)


@given(st.binary(max_size=200))
def test_silence_lasts_as_long_as_what_it_stands_for(data: bytes) -> None:
    silence = pcm.base64_silence(base64.b64encode(data).decode())

    assert base64.b64decode(silence, validate=True) == bytes(len(data))


@given(st.text())
def test_any_text_has_a_silence_of_its_length(data: str) -> None:
    silence = pcm.base64_silence(data)

    assert len(silence) == len(data)
    assert set(silence) <= {"A", "="}
    assert pcm.base64_decoded_bytes(silence) == pcm.base64_decoded_bytes(data)
