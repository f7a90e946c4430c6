"""What a dialect's leniency costs: reading and writing each kind of message, beside msgspec's own typed codec.

The peer reads the very same bytes into structs that have every field of the message with its exact type, one union of
them for each dialect; it writes such a struct, built and encoded. So a ratio says what checking, choosing and
translating cost on top. Both are measured in turns, and of each the fastest run counts: the machine is shared.
"""

from __future__ import annotations

import base64
import functools
import json
import operator
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from backchannel.wire.realtime import DIALECTS, TOOLS, SessionSettings, intents

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

ROUNDS: Final = 2_000
RUNS: Final = 40

_MICROPHONE: Final = base64.b64encode(bytes(960)).decode()
_VOICE: Final = base64.b64encode(bytes(4800)).decode()
_EVENT: Final = {"event_id": "event_B2uoU7VOt1AAITsPRPH9n"}
_ITEM: Final = {"item_id": "item_003", "content_index": 0}
_RESPONSE: Final = {
    "object": "realtime.response",
    "id": "resp_1",
    "status": "in_progress",
    "output": [],
    "conversation_id": "conv_1",
    "output_modalities": ["audio"],
    "max_output_tokens": "inf",
}
_CALL: Final = {
    "id": "item_9",
    "object": "realtime.item",
    "type": "function_call",
    "status": "completed",
    "name": "background_agent",
    "call_id": "call_1",
    "arguments": '{"prompt":"run the tests of the parser"}',
}

RECEIVED: Final[dict[str, tuple[dict[str, object], ...]]] = {
    "v1": (
        {
            "type": "conversation.output_audio.delta",
            "delta": _VOICE,
            "sample_rate": 24_000,
            "channels": 1,
            "samples_per_channel": 2400,
        },
        {"type": "conversation.input_transcript.delta", "delta": " hello"},
        {"type": "conversation.output_transcript.delta", "delta": " hello"},
        {
            "type": "conversation.handoff.requested",
            "handoff_id": "handoff_1",
            "item_id": "item_1",
            "input_transcript": "run the tests",
        },
    ),
    "v2": (
        {"type": "response.output_audio.delta", **_EVENT, "response_id": "resp_1", **_ITEM, "delta": _VOICE},
        {"type": "conversation.item.input_audio_transcription.delta", **_EVENT, **_ITEM, "delta": " hello"},
        {
            "type": "conversation.item.input_audio_transcription.completed",
            **_EVENT,
            **_ITEM,
            "transcript": "run the tests of the parser",
            "usage": {"type": "duration", "seconds": 3},
        },
        {
            "type": "response.output_audio_transcript.delta",
            **_EVENT,
            "response_id": "resp_1",
            **_ITEM,
            "output_index": 0,
            "delta": " hello",
        },
        {"type": "input_audio_buffer.speech_started", **_EVENT, "audio_start_ms": 1340, "item_id": "item_003"},
        {"type": "response.created", **_EVENT, "response": _RESPONSE},
        {"type": "response.done", **_EVENT, "response": {**_RESPONSE, "status": "completed", "output": [_CALL]}},
        {"type": "conversation.item.added", **_EVENT, "previous_item_id": "item_8", "item": _CALL},
        {"type": "conversation.item.done", **_EVENT, "previous_item_id": "item_8", "item": _CALL},
    ),
    "v3": (
        {"type": "output_audio.delta", "audio": _VOICE},
        {
            "type": "input_transcript.added",
            "item": {"id": "item_1", "type": "input_transcript", "text": "run the tests"},
        },
        {"type": "turn.done", "turn": {"id": "turn_1", "role": "user", "transcript": "run the tests"}},
        {
            "type": "delegation.created",
            "offset_ms": 1000,
            "item": {
                "id": "del_1",
                "type": "delegation",
                "target": "client",
                "content": [{"type": "input_text", "text": "run the tests"}],
            },
        },
    ),
    "live": (
        {"type": "session.output_audio.delta", "delta": _VOICE},
        {"type": "session.input_transcript.delta", **_EVENT, "start_ms": 100, "end_ms": 300, "delta": " hello"},
        {"type": "session.output_transcript.delta", **_EVENT, "start_ms": 100, "end_ms": 300, "delta": " hello"},
        {
            "type": "session.delegation.created",
            **_EVENT,
            "offset_ms": 4600,
            "delegation": {"id": "del_1", "type": "delegation", "target": "client"},
        },
    ),
}
"""Messages as servers send them, with all that we do not look at."""

SENT: Final[tuple[intents.Intent, ...]] = (
    intents.AppendAudio(audio=_MICROPHONE),
    intents.AddText(role="user", text="run the tests of the parser"),
    intents.ReportProgress(handoff_id="call_1", text="3 of 40 tests fail, all of them in the parser."),
    intents.FinishHandoff(handoff_id="call_1", output="The task is finished.", is_news=True),
    intents.Truncate(item_id="item_003", audio_end_ms=1340),
    intents.UpdateSession(
        settings=SessionSettings(instructions="x" * 8000, voice="marin", tools=tuple(TOOLS.values()))
    ),
)


def main() -> dict[str, float]:
    """Measure and return the figures."""
    figures: dict[str, float] = {}
    for name, frames in RECEIVED.items():
        peer = _reader(frames)
        for frame in frames:
            data = json.dumps(frame, separators=(",", ":"))
            _add(figures, f"{name} < {frame['type']}", DIALECTS[name].decode, peer, data, data)
        for intent in SENT:
            messages = DIALECTS[name].encode(intent)
            if messages:
                write, value = _writer(json.loads(messages[0]))
                _add(figures, f"{name} > {type(intent).__name__}", DIALECTS[name].encode, write, intent, value)
    return figures


def _add(
    figures: dict[str, float],
    label: str,
    ours: Callable[[Any], object],
    peer: Callable[[Any], object],
    our_value: object,
    peer_value: object,
) -> None:
    ours_s = peer_s = float("inf")
    for _ in range(RUNS):
        ours_s = min(ours_s, _timed(ours, our_value))
        peer_s = min(peer_s, _timed(peer, peer_value))
    figures[f"{label}, us"] = ours_s * 1e6
    figures[f"{label}, ratio"] = ours_s / peer_s


def _timed(work: Callable[[Any], object], value: object) -> float:
    began = time.perf_counter()
    for _ in range(ROUNDS):
        work(value)
    return (time.perf_counter() - began) / ROUNDS


def _reader(frames: tuple[dict[str, object], ...]) -> Callable[[Any], object]:
    union = functools.reduce(operator.or_, (_struct(frame) for frame in frames))
    return msgspec.json.Decoder(union).decode


def _writer(message: dict[str, object]) -> tuple[Callable[[Any], object], object]:
    """What builds and encodes one message, and the values it builds it of."""
    kind = _struct(message)
    encode = msgspec.json.Encoder().encode
    fields = msgspec.json.decode(json.dumps(message), type=kind)
    values = tuple(getattr(fields, name) for name in kind.__struct_fields__)
    return lambda values: encode(kind(*values)), values


def _struct(value: dict[str, object]) -> Any:  # a class made for this one value has no other type
    fields = [(name, _type(field)) for name, field in value.items() if name != "type"]
    return msgspec.defstruct("Exact", fields, tag=str(value["type"]) if "type" in value else None)


def _type(value: object) -> Any:  # as above
    match value:
        case dict():
            return _struct(value)
        case [only]:
            return list[_type(only)]  # type: ignore[misc]  # made at run time, as the classes are
        case list():
            return list[object]
        case _:
            return type(value) if value is not None else None
