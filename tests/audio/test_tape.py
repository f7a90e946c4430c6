from __future__ import annotations

import array
import asyncio
import logging
import random
from pathlib import Path

import pytest

from backchannel.audio import Tape
from backchannel.errors import AudioFileError, UsageError
from backchannel.testing import read_wav, samples_from_pcm, samples_to_pcm


def frame(value: int) -> bytes:
    return samples_to_pcm(array.array("h", [value] * 480))


async def test_left_is_the_user_and_right_the_assistant(tmp_path: Path) -> None:
    path = tmp_path / "tape.wav"
    rng = random.Random(5)
    left = rng.randbytes(9600)
    right = rng.randbytes(9600)
    async with Tape(path) as tape:
        for start in range(0, 9600, 960):
            tape.add(left[start : start + 960], right[start : start + 960])
    audio = await asyncio.to_thread(read_wav, path)
    assert audio.rate_hz == 24_000
    assert audio.channels == (samples_from_pcm(left), samples_from_pcm(right))


async def test_nothing_said_is_a_playable_file(tmp_path: Path) -> None:
    path = tmp_path / "tape.wav"
    async with Tape(path):
        pass
    audio = await asyncio.to_thread(read_wav, path)
    assert [len(channel) for channel in audio.channels] == [0, 0]


async def test_nothing_is_lost_or_out_of_order_under_load(tmp_path: Path) -> None:
    path = tmp_path / "tape.wav"
    async with Tape(path) as tape:
        for n in range(3000):
            tape.add(frame(n), frame(-n))
            if n % 5 == 0:
                await asyncio.sleep(0.001)
    left, right = (await asyncio.to_thread(read_wav, path)).channels
    assert list(left[::480]) == list(range(3000))
    assert list(right[::480]) == [-n for n in range(3000)]


async def test_the_file_is_playable_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "tape.wav"

    def length_s() -> float:
        try:
            return read_wav(path).duration_s
        except AudioFileError:
            return 0.0

    async with Tape(path) as tape, asyncio.timeout(5):
        lengths = {0.0}
        while len(lengths) < 3:
            tape.add(frame(1), frame(2))
            await asyncio.sleep(0.01)
            lengths.add(await asyncio.to_thread(length_s))


async def test_it_is_closed_also_when_what_it_recorded_failed(tmp_path: Path) -> None:
    path = tmp_path / "tape.wav"
    tape = Tape(path)

    async def fail() -> None:
        async with tape:
            tape.add(frame(1), frame(2))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert (await asyncio.to_thread(read_wav, path)).duration_s == pytest.approx(0.02)


@pytest.mark.parametrize("where", ["missing/tape.wav", "."])
async def test_a_file_that_cannot_be_written_is_bad_use(where: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        async with Tape(tmp_path / where):
            pass


async def test_a_full_disk_is_said_once_and_ends_the_tape_only(caplog: pytest.LogCaptureFixture) -> None:
    async with Tape(Path("/dev/full")) as tape, asyncio.timeout(5):
        while not caplog.records:
            tape.add(frame(1) * 100, frame(2) * 100)
            await asyncio.sleep(0.01)
        tape.add(frame(1), frame(2))
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.ERROR, "! sound file /dev/full cannot be written any more: No space left on device")
    ]
