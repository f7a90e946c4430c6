"""What the app server's envelopes and parameters cost, beside msgspec reading and writing the same bytes untyped.

A ratio below one says that finding out what a message is, and giving each field its type, costs less than making a
dictionary of it. Both are measured in turns, and of each the fastest run counts: the machine is shared.
"""

from __future__ import annotations

import base64
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.wire import jsonrpc
from backchannel.wire.appserver import (
    AgentMessageDeltaNotification,
    Empty,
    ThreadRealtimeAudioChunk,
    ThreadRealtimeOutputAudioDeltaNotification,
    decode_params,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

ROUNDS: Final = 2_000
RUNS: Final = 40
FRAMES_PER_S: Final = 50

_THREAD: Final = "0193a5c2-7b1e-7c3a-9d2f-0123456789ab"
_MICROPHONE: Final = base64.b64encode(bytes(960)).decode()
_VOICE: Final = base64.b64encode(bytes(4800)).decode()

_RECEIVED: Final[dict[str, object]] = {
    "thread/realtime/appendAudio": {
        "threadId": _THREAD,
        "audio": {"data": _MICROPHONE, "sampleRate": 24_000, "numChannels": 1, "samplesPerChannel": 480},
    },
    "thread/realtime/appendText": {"threadId": _THREAD, "text": "how is it going"},
    "turn/start": {"threadId": _THREAD, "input": [{"type": "text", "text": "run the tests"}]},
}
_SENT: Final[dict[str, msgspec.Struct]] = {
    "thread/realtime/outputAudio/delta": ThreadRealtimeOutputAudioDeltaNotification(
        thread_id=_THREAD,
        audio=ThreadRealtimeAudioChunk(data=_VOICE, sample_rate=24_000, num_channels=1, samples_per_channel=2400),
    ),
    "item/agentMessage/delta": AgentMessageDeltaNotification(
        thread_id=_THREAD, turn_id=_THREAD, item_id=_THREAD, delta=" hello"
    ),
}


def main() -> dict[str, float]:
    """Microseconds for each message, and how often what msgspec takes for it untyped."""
    figures: dict[str, float] = {}
    decode_untyped = msgspec.json.Decoder().decode
    encode_untyped = msgspec.json.Encoder().encode
    for method, params in _RECEIVED.items():
        message = msgspec.json.encode({"id": 100_001, "method": method, "params": params})
        ours_us, bare_us = _measured(partial(_read, message), partial(decode_untyped, message))
        figures[f"read {method}, us"] = ours_us
        figures[f"read {method}, times untyped"] = ours_us / bare_us
        if method == "thread/realtime/appendAudio":
            figures["microphones on one core, thousands"] = 1e6 / ours_us / FRAMES_PER_S / 1000
    for method, said in _SENT.items():
        write = partial(jsonrpc.encode_notification, method, said, emitted_at_ms=1_790_000_000_000)
        ours_us, bare_us = _measured(write, partial(encode_untyped, msgspec.json.decode(write())))
        figures[f"write {method}, us"] = ours_us
        figures[f"write {method}, times untyped"] = ours_us / bare_us
    figures["write an empty result, us"], _ = _measured(partial(jsonrpc.encode_result, 1, Empty()), int)
    return figures


def _read(message: bytes) -> object:
    request = jsonrpc.decode(message)
    if not isinstance(request, jsonrpc.Request):
        raise TypeError(f"expected a request, got {request}")
    return decode_params(request.method, request.params)


def _measured(ours: Callable[[], object], bare: Callable[[], object]) -> tuple[float, float]:
    """Microseconds of both."""
    best = [float("inf"), float("inf")]
    for _ in range(RUNS):
        for place, function in enumerate((ours, bare)):
            started = time.perf_counter()
            for _ in range(ROUNDS):
                function()
            best[place] = min(best[place], (time.perf_counter() - started) / ROUNDS * 1e6)
    return best[0], best[1]
