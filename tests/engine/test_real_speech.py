"""The engine with its real components: synthesized speech goes in as audio, and what was heard comes out."""

from __future__ import annotations

import os

import psutil

from backchannel.engine import Engine, EngineOptions
from backchannel.engine.speech.speaking import find_speaker
from tests.engine.parts import RATE_HZ, calls, connected, kinds, quiet, spoken, words


async def test_a_spoken_request_is_heard_acknowledged_aloud_and_handed_over() -> None:
    children = psutil.Process().children(recursive=True)
    speaker = find_speaker(os.environ)
    assert speaker is not None
    speech = b"".join([piece async for piece in speaker.speak("run the tests", voice="cedar")])
    async with (
        Engine(EngineOptions()) as server,
        connected(server.url) as client,
    ):
        await client.configure()
        await client.hear(quiet(500), speech, quiet(1200))
        transcript = await client.until("conversation.item.input_audio_transcription.completed")
        response = await client.response()
    assert "tests" in transcript["transcript"]
    assert calls(response) == [("background_agent", {"prompt": transcript["transcript"]})]
    assert words(response)
    assert len(spoken(response)) > RATE_HZ // 4 * 2
    assert kinds(response)[-1] == "response.done"
    assert psutil.Process().children(recursive=True) == children
