"""How many events a second go through the whole core, typed events in and effects out."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from backchannel import core
from backchannel.core import events
from backchannel.wire.realtime import events as server

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS = 20_000
RUNS = 5


def _rate(happened: Sequence[events.Event]) -> float:
    conversation = core.Conversation(core.Options())
    conversation.handle(events.TransportOpened(), 0.0)
    now, n_events = 0.0, 0
    began = time.perf_counter()
    for _ in range(ROUNDS):
        for event in happened:
            now += 0.001
            conversation.handle(event, now)
            n_events += 1
    return n_events / (time.perf_counter() - began)


def main() -> dict[str, float]:
    """Measure and return the figures."""
    audio: list[events.Event] = [
        events.AudioCaptured(duration_ms=20),
        events.AudioReceived(item_id="item_1", duration_ms=100),
    ]
    talk: list[events.Event] = [
        server.InputSpeechStarted(),
        server.InputSpeechStopped(),
        server.InputTranscriptDone(text="run the tests"),
        server.ResponseCreated(response_id="resp_1"),
        server.OutputTranscriptDelta(delta="On it."),
        server.OutputTranscriptDone(text="On it."),
        server.ResponseDone(response_id="resp_1"),
        events.Played(item_id="item_1", total_ms=100),
    ]
    return {
        "audio events/s": statistics.median(_rate(audio) for _ in range(RUNS)),
        "other events/s": statistics.median(_rate(talk) for _ in range(RUNS)),
    }
