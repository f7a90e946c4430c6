"""Hearing and speaking for the engine: what it asks of its speech components, and those that come with it.

The implementations load native libraries, so this root gives only the interfaces; `vad.py`, `hearing.py` and
`speaking.py` are imported where one is made.
"""

from backchannel.engine.speech.base import (
    HEARING_RATE_HZ,
    SPEAKING_RATE_HZ,
    Heard,
    SpeechToText,
    TextToSpeech,
    VoiceActivity,
)

__all__ = ["HEARING_RATE_HZ", "SPEAKING_RATE_HZ", "Heard", "SpeechToText", "TextToSpeech", "VoiceActivity"]
