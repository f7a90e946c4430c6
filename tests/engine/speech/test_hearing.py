from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import psutil
import pytest

from backchannel.agents import spoken_grammar
from backchannel.engine.speech.hearing import PocketsphinxSpeechToText
from backchannel.errors import SpeechError
from tests.engine.speech.sounds import chunks, noise, spoken

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from backchannel.engine.speech.base import Heard

SMALL = "#JSGF V1.0; grammar small; public <said> = run the tests | stop | what changed this week;"


@contextlib.asynccontextmanager
async def recogniser(grammar: str = SMALL) -> AsyncGenerator[PocketsphinxSpeechToText]:
    made = PocketsphinxSpeechToText(grammar=grammar)
    try:
        await made.start()
        yield made
    finally:
        await made.close()


async def heard(ears: PocketsphinxSpeechToText, pcm: bytes) -> Heard:
    for chunk in chunks(pcm):
        ears.feed(chunk)
    return await ears.finish()


def workers() -> list[psutil.Process]:
    """The recognisers' processes that this one started."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any("hearing_worker" in argument for argument in child.cmdline()):
                found.append(child)
    return found


def babble(voices: list[bytes]) -> bytes:
    """Several people at once."""
    import numpy as np

    length = min(len(voice) for voice in voices)
    mixed = sum(np.frombuffer(voice[:length], dtype="<i2").astype(np.int32) for voice in voices)
    return (np.asarray(mixed) // 2).clip(-32768, 32767).astype("<i2").tobytes()


async def test_sentences_of_the_grammar_are_understood() -> None:
    async with recogniser(spoken_grammar()) as ears:
        for sentence, voice in [
            ("what changed this week", "marin"),
            ("run the tests", "cedar"),
            ("how is it going", "cedar"),
            ("what is the git status", "marin"),
        ]:
            result = await heard(ears, await spoken(sentence, voice=voice))
            assert (result.text, result.from_grammar) == (sentence, True)
            assert 0.5 <= result.confidence <= 1


async def test_other_talk_is_no_sentence_of_the_grammar() -> None:
    async with recogniser(spoken_grammar()) as ears:
        for text, voice in [
            ("the museum opens at ten and closes at six except on mondays", "marin"),
            ("rename this variable to something shorter", "cedar"),
            ("add two cups of flour and stir until the dough is smooth", "ballad"),
        ]:
            result = await heard(ears, await spoken(text, voice=voice))
            assert not result.from_grammar
            assert result.text
            assert result.confidence <= 0.4


async def test_babble_and_noise_are_no_sentence_of_the_grammar() -> None:
    voices = [
        await spoken(text, voice=voice)
        for text, voice in [
            ("traffic is slow on the motorway because of an accident", "marin"),
            ("my daughter started school and has three new friends", "cedar"),
            ("prices for oil and gas rose again after the talks had failed", "ballad"),
        ]
    ]
    async with recogniser(spoken_grammar()) as ears:
        for pcm in (babble(voices), noise(1.5, level=800.0), noise(0.4, level=3000.0), bytes(48_000)):
            assert not (await heard(ears, pcm)).from_grammar


async def test_the_next_utterance_starts_afresh() -> None:
    async with recogniser() as ears:
        for chunk in chunks(await spoken("run the tests")):
            ears.feed(chunk)
        ears.discard()
        assert (await heard(ears, await spoken("stop"))).text == "stop"
        assert (await heard(ears, await spoken("what changed this week"))).text == "what changed this week"


async def test_nothing_and_almost_nothing_are_no_words() -> None:
    async with recogniser() as ears:
        assert (await ears.finish()).text == ""
        for pcm in (b"\0\0", bytes(600), bytes(32_000)):
            result = await heard(ears, pcm)
            assert (result.text, result.from_grammar) == ("", False)


async def test_a_very_long_utterance_is_cut() -> None:
    async with recogniser() as ears:
        assert not (await heard(ears, bytes(31 * 32_000))).from_grammar
        assert (await heard(ears, await spoken("run the tests"))).text == "run the tests"


async def test_a_finish_that_was_given_up_does_not_answer_the_next() -> None:
    async with recogniser() as ears:
        for chunk in chunks(await spoken("run the tests")):
            ears.feed(chunk)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await ears.finish()
        assert (await heard(ears, await spoken("what changed this week"))).text == "what changed this week"


async def test_a_recogniser_that_dies_in_an_utterance_fails_it_and_hears_the_next() -> None:
    async with recogniser() as ears:
        pcm = await spoken("what changed this week")
        for chunk in chunks(pcm)[:20]:
            ears.feed(chunk)
        (worker,) = workers()
        worker.kill()
        with pytest.raises(SpeechError, match="died"):
            await ears.finish()
        result = await heard(ears, pcm)
        assert (result.text, result.from_grammar) == ("what changed this week", True)


async def test_a_recogniser_that_dies_between_utterances_is_replaced() -> None:
    async with recogniser() as ears:
        (worker,) = workers()
        worker.kill()
        pcm = await spoken("what changed this week")
        # Making the speech took the time in which the loop notices the death; should it not, this utterance is lost.
        with contextlib.suppress(SpeechError):
            await heard(ears, pcm)
        assert (await heard(ears, pcm)).text == "what changed this week"


async def test_closing_leaves_no_process() -> None:
    async with recogniser() as ears:
        assert len(workers()) == 1
        for chunk in chunks(noise(2.0, level=300.0)):
            ears.feed(chunk)
    assert workers() == []
    await ears.close()
    ears.feed(b"\0\0")
    ears.discard()
    with pytest.raises(SpeechError, match="closed"):
        await ears.start()
    with pytest.raises(SpeechError, match="closed"):
        await ears.finish()


async def test_a_start_that_is_cancelled_leaves_no_process() -> None:
    ears = PocketsphinxSpeechToText(grammar=SMALL)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ears.start()
    assert workers() == []
    await ears.start()
    assert (await heard(ears, await spoken("stop"))).text == "stop"
    await ears.close()


async def test_without_a_start_the_first_utterance_starts_it() -> None:
    ears = PocketsphinxSpeechToText(grammar=SMALL)
    assert (await heard(ears, await spoken("run the tests"))).text == "run the tests"
    await ears.close()


async def test_a_word_that_the_dictionary_lacks_is_named() -> None:
    ears = PocketsphinxSpeechToText(grammar="#JSGF V1.0; grammar g; public <a> = run | pytestqqx;")
    with pytest.raises(SpeechError, match="lacks: pytestqqx"):
        await ears.start()
    assert workers() == []


@pytest.mark.parametrize("grammar", ["", "#JSGF V1.0; grammar g;", "#JSGF V1.0; grammar g; public <a> = (run"])
async def test_a_grammar_that_cannot_be_read_is_an_error(grammar: str) -> None:
    with pytest.raises(SpeechError, match="grammar cannot be read"):
        await PocketsphinxSpeechToText(grammar=grammar).start()
    assert workers() == []


async def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match=str(tmp_path)):
        await PocketsphinxSpeechToText(grammar=SMALL, model_dir=tmp_path).start()
