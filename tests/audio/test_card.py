from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import TYPE_CHECKING

import pytest

from backchannel.audio import Tape, VirtualSoundCard
from backchannel.audio.card import MAX_BUFFERED_MS
from backchannel.net import SystemClock
from backchannel.testing import ManualClock, read_wav, rms_dbfs, samples_from_pcm, samples_to_pcm, tone
from backchannel.wire.realtime.events import AudioOut

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from backchannel.net import Clock

FRAME_BYTES = 960
SILENCE = bytes(FRAME_BYTES)


class Ear:
    """Notes what a sound card tells."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.heard: list[tuple[str, int]] = []
        self.told = asyncio.Event()

    def captured(self, data: str) -> None:
        self.frames.append(base64.b64decode(data, validate=True))
        self.told.set()

    def played(self, item_id: str, total_ms: int) -> None:
        self.heard.append((item_id, total_ms))

    async def has_frames(self, n_frames: int) -> None:
        async with asyncio.timeout(5):
            while len(self.frames) < n_frames:
                self.told.clear()
                await self.told.wait()


@contextlib.asynccontextmanager
async def running(card: VirtualSoundCard) -> AsyncIterator[Ear]:
    ear = Ear()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(card.run(ear))
        yield ear
        task.cancel()


async def pass_time(clock: ManualClock, ear: Ear, n_frames: int) -> None:
    """Let so many frames go by."""
    for _ in range(n_frames):
        clock.advance(0.02)
        await ear.has_frames(len(ear.frames) + 1)


def audio(data: bytes, *, item_id: str | None = "item_1", rate_hz: int = 24_000, channels: int = 1) -> AudioOut:
    return AudioOut(data=base64.b64encode(data).decode(), rate_hz=rate_hz, channels=channels, item_id=item_id)


async def test_without_speech_the_microphone_gives_silence_at_the_pace_of_the_clock() -> None:
    clock: Clock = SystemClock()
    async with running(VirtualSoundCard(clock=clock)) as ear:
        began = clock.now()
        await ear.has_frames(11)
        assert clock.now() - began >= 0.19
    assert set(ear.frames) == {SILENCE}
    assert ear.heard == []


async def test_what_is_said_comes_in_whole_frames() -> None:
    clock = ManualClock()
    card = VirtualSoundCard(clock=clock)
    sound = samples_to_pcm(tone(duration_s=0.05))
    card.say(sound + b"\1")
    saying = [card.is_saying]
    async with running(card) as ear:
        await pass_time(clock, ear, 4)
    saying.append(card.is_saying)
    assert saying == [True, False]
    assert b"".join(ear.frames).startswith(sound + bytes(2 * FRAME_BYTES - len(sound) % FRAME_BYTES))
    assert {len(frame) for frame in ear.frames} == {FRAME_BYTES}


async def test_a_machine_that_slept_is_not_caught_up_with() -> None:
    clock = ManualClock()
    async with running(VirtualSoundCard(clock=clock)) as ear:
        await ear.has_frames(1)
        clock.advance(0.2)
        await ear.has_frames(11)
        clock.advance(60)
        await ear.has_frames(12)
        await pass_time(clock, ear, 1)
    assert len(ear.frames) == 13


async def test_what_was_heard_is_told_and_never_goes_back(tmp_path: Path) -> None:
    clock = ManualClock()
    path = tmp_path / "tape.wav"
    first = samples_to_pcm(tone(duration_s=0.05, frequency_hz=300))
    second = samples_to_pcm(tone(duration_s=0.03, frequency_hz=600))
    async with Tape(path) as tape:
        card = VirtualSoundCard(clock=clock, tape=tape)
        card.play(audio(first[:1000]))
        card.play(audio(first[1000:]))
        card.play(audio(second, item_id="item_2"))
        card.play(audio(second, item_id=None))
        async with running(card) as ear:
            await pass_time(clock, ear, 7)
    assert ear.heard == [("item_1", 20), ("item_1", 40), ("item_1", 50), ("item_2", 10), ("item_2", 30)]
    heard = samples_to_pcm((await asyncio.to_thread(read_wav, path)).channels[1])
    assert heard.startswith(first + second + second)
    assert not any(heard[len(first + second + second) :])


async def test_interrupted_it_falls_silent_and_drops_what_waits() -> None:
    clock = ManualClock()
    card = VirtualSoundCard(clock=clock)
    card.play(audio(bytes(50 * FRAME_BYTES)))
    async with running(card) as ear:
        await pass_time(clock, ear, 3)
        card.stop()
        heard = len(ear.heard)
        await pass_time(clock, ear, 3)
        assert len(ear.heard) == heard
        card.play(audio(bytes(FRAME_BYTES), item_id="item_2"))
        await pass_time(clock, ear, 1)
    assert ear.heard[-1] == ("item_2", 20)


@pytest.mark.parametrize("cut", [1, 959, 961, 2001])
async def test_audio_may_be_cut_in_the_middle_of_a_sample(cut: int, tmp_path: Path) -> None:
    clock = ManualClock()
    path = tmp_path / "tape.wav"
    sound = samples_to_pcm(tone(duration_s=0.06))
    async with Tape(path) as tape:
        card = VirtualSoundCard(clock=clock, tape=tape)
        card.play(audio(sound[:cut]))
        card.play(audio(sound[cut:]))
        card.play(audio(b"\1", item_id="item_2"))
        card.play(audio(sound, item_id="item_3"))
        async with running(card) as ear:
            await pass_time(clock, ear, 8)
    assert samples_to_pcm((await asyncio.to_thread(read_wav, path)).channels[1]).startswith(sound + sound)


async def test_the_latency_is_from_the_last_word_to_the_first_sound() -> None:
    clock = ManualClock()
    card = VirtualSoundCard(clock=clock)
    async with running(card) as ear:
        await ear.has_frames(1)
        assert card.take_latency() is None
        card.say(bytes(3 * FRAME_BYTES))
        await pass_time(clock, ear, 3)
        assert card.take_latency() is None
        await pass_time(clock, ear, 10)
        card.play(audio(bytes(2 * FRAME_BYTES)))
        await pass_time(clock, ear, 1)
        assert card.take_latency() == pytest.approx(0.22)
        await pass_time(clock, ear, 3)
        assert card.take_latency() is None
        card.say(bytes(FRAME_BYTES))
        card.play(audio(bytes(FRAME_BYTES)))
        await pass_time(clock, ear, 2)
        assert card.take_latency() == pytest.approx(0.0)


async def test_what_may_never_be_answered_has_no_latency() -> None:
    clock = ManualClock()
    card = VirtualSoundCard(clock=clock)
    async with running(card) as ear:
        await ear.has_frames(1)
        card.say(bytes(FRAME_BYTES))
        await pass_time(clock, ear, 2)
        card.expect_no_answer()
        card.play(audio(bytes(2 * FRAME_BYTES)))
        await pass_time(clock, ear, 2)
        assert card.take_latency() is None


async def test_what_is_no_audio_of_ours_is_passed_over_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    card = VirtualSoundCard(clock=clock)
    sound = samples_to_pcm(tone(duration_s=0.02))
    for _ in range(3):
        card.play(AudioOut(data="not base64!", rate_hz=24_000, channels=1))
        card.play(AudioOut(data="\u20ac", rate_hz=24_000, channels=1))
        card.play(audio(sound, rate_hz=16_000))
        card.play(audio(sound, channels=2))
    async with running(card) as ear:
        await pass_time(clock, ear, 1)
    assert ear.heard == []
    messages = [record.message for record in caplog.records]
    assert len(messages) == 2
    assert "base64" in messages[0]
    assert "16000 Hz" in messages[1]


async def test_no_more_waits_to_be_heard_than_ten_minutes(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    card = VirtualSoundCard(clock=clock)
    minute = audio(bytes(60 * 48_000))
    for _ in range(MAX_BUFFERED_MS // 60_000):
        card.play(minute)
    assert caplog.records == []
    card.play(minute)
    card.play(minute)
    assert len(caplog.records) == 1
    card.stop()
    caplog.clear()
    card.play(minute)
    async with running(card) as ear:
        await pass_time(clock, ear, 1)
    assert caplog.records == []
    assert ear.heard != []


async def test_both_sides_are_on_the_tape_at_their_times(tmp_path: Path) -> None:
    clock = ManualClock()
    path = tmp_path / "tape.wav"
    sound = samples_to_pcm(tone(duration_s=0.1))
    async with Tape(path) as tape:
        card = VirtualSoundCard(clock=clock, tape=tape)
        async with running(card) as ear:
            await ear.has_frames(1)
            card.say(sound)
            await pass_time(clock, ear, 5)
            card.play(audio(sound))
            await pass_time(clock, ear, 10)
    left, right = (await asyncio.to_thread(read_wav, path)).channels
    assert left[480 : 480 + 2400] == samples_from_pcm(sound)
    assert right[480 + 2400 : 480 + 4800] == samples_from_pcm(sound)
    assert rms_dbfs(right[: 480 + 2400]) == rms_dbfs(left[480 + 2400 :]) == float("-inf")
