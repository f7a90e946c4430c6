"""The local realtime engine: it hears, speaks and delegates without a network."""

from backchannel.engine.serve import serve
from backchannel.engine.server import Engine, EngineOptions
from backchannel.engine.speech.base import TextToSpeech
from backchannel.engine.voice import find_speaker

__all__ = ["Engine", "EngineOptions", "TextToSpeech", "find_speaker", "serve"]
