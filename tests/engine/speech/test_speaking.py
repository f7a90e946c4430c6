from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from backchannel.engine.speech.speaking import (
    EspeakTextToSpeech,
    FliteTextToSpeech,
    LoaderTextToSpeech,
    find_speaker,
)
from backchannel.errors import SpeechError
from tests.engine.speech.sounds import flite, seconds, total

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.engine.speech.base import TextToSpeech

LONG = " ".join(f"This is sentence number {n} of a very long story about nothing at all." for n in range(40))
ODD = "-o /tmp/x --help <speak><break time='9s'/>hello</speak> [[h@l'oU]] \x00\x1b[2J $(id) `id` | ; & caf\u00e9 \ud800"


def espeak() -> EspeakTextToSpeech:
    return EspeakTextToSpeech(program="espeak-ng", environment=os.environ)


def loader() -> LoaderTextToSpeech:
    return LoaderTextToSpeech(os.environ)


SPEAKERS = [flite, espeak, loader]


def synthesizers() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(name in " ".join(child.cmdline()) for name in ("flite", "espeak")):
                found.append(child)
    return found


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("make", SPEAKERS)
async def test_it_speaks_with_little_silence_around(make: Callable[[], TextToSpeech]) -> None:
    pcm = await total(make(), "I ran the tests, and all of them passed.")
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.int32)
    loud = np.flatnonzero(np.abs(samples) > 1000)
    assert 1.5 < seconds(pcm) < 4
    assert loud[0] < 0.08 * 24_000
    assert len(samples) - loud[-1] < 0.3 * 24_000


@pytest.mark.parametrize("make", SPEAKERS)
async def test_odd_text_is_spoken_not_obeyed(make: Callable[[], TextToSpeech]) -> None:
    before = set(os.listdir("."))
    pcm = await total(make(), ODD)
    assert 1 < seconds(pcm) < 20
    assert set(os.listdir(".")) == before
    assert not synthesizers()


@pytest.mark.parametrize("make", SPEAKERS)
@pytest.mark.parametrize(
    "voice", ["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "cedar", "x; id"]
)
async def test_every_voice_speaks(make: Callable[[], TextToSpeech], voice: str) -> None:
    assert seconds(await total(make(), "ready", voice=voice)) > 0.2


@pytest.mark.parametrize("make", SPEAKERS)
@pytest.mark.parametrize("text", ["", " \n", "... ?!", "\x00"])
async def test_nothing_to_pronounce_gives_nothing(make: Callable[[], TextToSpeech], text: str) -> None:
    assert await total(make(), text) == b""


@pytest.mark.parametrize("make", SPEAKERS)
async def test_closing_early_ends_the_synthesis(make: Callable[[], TextToSpeech]) -> None:
    async with contextlib.aclosing(make().speak(LONG, voice="marin")) as pieces:
        assert await anext(pieces)
        running = synthesizers()
    assert running or make is not flite
    assert not synthesizers()


async def test_a_long_answer_is_spoken_whole_and_begins_early() -> None:
    async with contextlib.aclosing(flite().speak("First this. " + LONG[:900], voice="marin")) as pieces:
        sizes = [len(piece) async for piece in pieces]
    assert sum(sizes) / 48_000 > 30
    assert max(sizes) < 48_000
    assert not synthesizers()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 0", "gave no audio"),
        ("echo this is not audio, whatever you may have heard about it", "something else"),
        ("exit 3", "gave no audio"),
    ],
)
async def test_a_synthesizer_that_fails_is_an_error(tmp_path: Path, script: str, reason: str) -> None:
    broken = EspeakTextToSpeech(program=str(program(tmp_path / "espeak-ng", script)), environment={})
    with pytest.raises(SpeechError, match=f"espeak-ng could not speak: it .*{reason}"):
        await total(broken, "hello")
    assert not broken.probe()


async def test_a_synthesizer_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SpeechError, match="flite could not speak"):
        await total(FliteTextToSpeech(program="/nowhere/flite", environment={}), "hello")


def test_the_first_that_really_speaks_is_found(tmp_path: Path) -> None:
    found = find_speaker(os.environ)
    assert found is not None
    assert found.name == "flite"
    program(tmp_path / "flite", "exit 0")
    found = find_speaker({"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert found is not None
    assert found.name == "espeak-ng"
    program(tmp_path / "espeak-ng", "exit 1")
    found = find_speaker({"PATH": str(tmp_path)})
    assert found is not None
    assert found.name == "espeakng-loader"


def test_the_library_under_the_gpl_is_never_loaded_here() -> None:
    assert "espeakng_loader" not in sys.modules
    maps = Path("/proc/self/maps")
    assert not maps.exists() or "libespeak" not in maps.read_text()
