from __future__ import annotations

import pytest

from backchannel.engine.speech.vad import SileroVoiceActivity
from tests.engine.speech.sounds import chunks, noise, spoken


async def test_speech_is_told_from_noise_and_silence() -> None:
    voice = SileroVoiceActivity()
    speech = await spoken("run the tests in core please")
    of_speech = [voice.probability(chunk) for chunk in chunks(speech) if len(chunk) == voice.chunk_bytes]
    assert max(of_speech) > 0.95
    assert of_speech[0] < 0.3
    voice.reset()
    of_noise = [voice.probability(chunk) for chunk in chunks(noise(3.2, level=400.0))]
    of_silence = [voice.probability(bytes(voice.chunk_bytes)) for _ in range(50)]
    assert max(of_noise + of_silence) < 0.5


async def test_reset_forgets_the_stream() -> None:
    speech = chunks(await spoken("what changed this week"))[:30]
    used, fresh = SileroVoiceActivity(), SileroVoiceActivity()
    for chunk in reversed(speech):
        used.probability(chunk)
    used.reset()
    assert [used.probability(chunk) for chunk in speech] == [fresh.probability(chunk) for chunk in speech]


def test_a_chunk_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 1024"):
        SileroVoiceActivity().probability(bytes(640))
