from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.engine.speech.shaping import Shaper

RATE_HZ = 16_000


def tone(duration_s: float) -> bytes:
    times = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    return (np.sin(2 * np.pi * 300 * times + 0.5) * 8000).astype("<i2").tobytes()


def quiet(duration_s: float) -> bytes:
    return bytes(int(duration_s * RATE_HZ) * 2)


def shaped(*pieces: bytes, slice_bytes: int = 8192) -> bytes:
    shaper = Shaper(RATE_HZ)
    out = []
    for piece in pieces:
        out += [shaper.shape(piece[begin : begin + slice_bytes]) for begin in range(0, len(piece), slice_bytes)]
        shaper.end_piece()
    return b"".join([*out, shaper.finish()])


def duration_s(pcm: bytes) -> float:
    return len(pcm) / 2 / 24_000


def test_silence_around_is_cut_and_silence_within_is_kept() -> None:
    pcm = shaped(quiet(0.5) + tone(0.4) + quiet(0.7) + tone(0.4) + quiet(0.9))
    assert duration_s(pcm) == pytest.approx(0.02 + 0.4 + 0.7 + 0.4 + 0.06, abs=0.01)


def test_between_two_pieces_is_a_short_pause() -> None:
    pcm = shaped(tone(0.4) + quiet(0.9), quiet(0.9) + tone(0.4))
    assert duration_s(pcm) == pytest.approx(0.4 + 0.16 + 0.4 + 0.06, abs=0.18)
    assert duration_s(pcm) < 0.4 + 0.32 + 0.4 + 0.1


@pytest.mark.parametrize("pieces", [(), (b"",), (quiet(1.0), quiet(1.0))])
def test_without_a_sound_there_is_nothing(pieces: tuple[bytes, ...]) -> None:
    assert shaped(*pieces) == b""


@given(st.integers(min_value=1, max_value=9000))
def test_the_slices_do_not_matter(slice_bytes: int) -> None:
    piece = quiet(0.1) + tone(0.1) + quiet(0.1) + tone(0.1)
    some = np.frombuffer(shaped(piece, slice_bytes=slice_bytes), dtype="<i2").astype(np.int32)
    whole = np.frombuffer(shaped(piece, slice_bytes=len(piece)), dtype="<i2").astype(np.int32)
    # Rounding to 16 bit is dithered.
    assert len(some) == len(whole)
    assert np.abs(some - whole).max() <= 3
