"""What a dialect's leniency costs: reading and writing each kind of message, beside msgspec's own typed codec.

The peer reads the very same bytes into structs that have every field of the message with its exact type, one union of
them for each dialect; it writes the very same bytes by building such a struct and encoding it. So a ratio says what
checking, choosing, translating, prefixing and bounding cost on top. Both are measured in turns, and of each the fastest
run counts: the machine is shared.
"""

from __future__ import annotations

import base64
import functools
import json
import operator
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from backchannel.wire.realtime import DIALECTS, intents

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


class _Text(msgspec.Struct):
    type: str
    text: str


class _Item(msgspec.Struct, tag="message"):
    role: str
    content: list[_Text]


class _Output(msgspec.Struct, tag="function_call_output"):
    call_id: str
    output: str


class _Create(msgspec.Struct, tag="conversation.item.create"):
    item: _Item | _Output


class _Truncate(msgspec.Struct, tag="conversation.item.truncate"):
    item_id: str
    content_index: int
    audio_end_ms: int


class _Handoff(msgspec.Struct, tag="conversation.handoff.append"):
    handoff_id: str
    output_text: str


class _Context(msgspec.Struct, tag="session.context.append"):
    content: list[_Text]


class _Delegation(msgspec.Struct, tag="delegation.context.append"):
    delegation_item_id: str
    content: list[_Text]


class _Thinking(msgspec.Struct, tag="session.thinking.append"):
    content: str
    delegation_id: str | None


class _Commentary(msgspec.Struct, tag="session.commentary.append"):
    content: str
    delegation_id: str | None


class _Audio1(msgspec.Struct, tag="input_audio_buffer.append"):
    audio: str


class _Audio3(msgspec.Struct, tag="input_audio.append"):
    audio: str


class _AudioLive(msgspec.Struct, tag="session.input_audio.append"):
    audio: str


_encode: Final = msgspec.json.Encoder().encode
_TYPED: Final = "run the tests of the parser"
_SAID: Final = "3 of 40 tests fail, all of them in the parser."
_LABEL: Final = '"Agent Final Message":\n\n'
_AUDIO: Final = intents.AppendAudio(audio=_MICROPHONE)
_ADD: Final = intents.AddText(role="user", text=_TYPED)
_REPORT: Final = intents.ReportProgress(handoff_id="call_1", text=_SAID)
_FINISH: Final = intents.FinishHandoff(handoff_id="call_1", output=_SAID, is_news=True)
_CUT: Final = intents.Truncate(item_id="item_003", audio_end_ms=1340)

SENT: Final[dict[str, tuple[tuple[intents.Intent, Callable[[object], bytes]], ...]]] = {
    "v1": (
        (_AUDIO, lambda _: _encode(_Audio1(_MICROPHONE))),
        (_ADD, lambda _: _encode(_Create(_Item("user", [_Text("input_text", _TYPED)])))),
        (_REPORT, lambda _: _encode(_Handoff("call_1", _LABEL + _SAID))),
        (_FINISH, lambda _: _encode(_Handoff("call_1", _LABEL + _SAID))),
    ),
    "v2": (
        (_AUDIO, lambda _: _encode(_Audio1(_MICROPHONE))),
        (_ADD, lambda _: _encode(_Create(_Item("user", [_Text("input_text", "[USER] " + _TYPED)])))),
        (_REPORT, lambda _: _encode(_Create(_Item("user", [_Text("input_text", "[BACKEND] " + _SAID)])))),
        (_FINISH, lambda _: _encode(_Create(_Output("call_1", _SAID)))),
        (_CUT, lambda _: _encode(_Truncate("item_003", 0, 1340))),
    ),
    "v3": (
        (_AUDIO, lambda _: _encode(_Audio3(_MICROPHONE))),
        (_ADD, lambda _: _encode(_Context([_Text("input_text", _TYPED)]))),
        (_REPORT, lambda _: _encode(_Delegation("call_1", [_Text("input_text", _SAID)]))),
        (_FINISH, lambda _: _encode(_Delegation("call_1", [_Text("input_text", _SAID)]))),
    ),
    "live": (
        (_AUDIO, lambda _: _encode(_AudioLive(_MICROPHONE))),
        (_ADD, lambda _: _encode(_Thinking("[USER] " + _TYPED, None))),
        (_REPORT, lambda _: _encode(_Commentary(_SAID, "call_1"))),
        (_FINISH, lambda _: _encode(_Commentary(_SAID, "call_1"))),
    ),
}
"""What is said to servers while they run, and how a person would write it by hand."""


def main() -> dict[str, float]:
    """Measure and return the figures."""
    figures: dict[str, float] = {}
    for name, frames in RECEIVED.items():
        peer = _reader(frames)
        for frame in frames:
            data = json.dumps(frame, separators=(",", ":"))
            read = _with_arguments(peer) if frame["type"] == "conversation.item.done" else peer
            _add(figures, f"{name} < {frame['type']}", DIALECTS[name].decode, read, data, data)
        for intent, write in SENT[name]:
            dialect = DIALECTS[name]
            if dialect.encode(intent) != (write(intent),):
                raise AssertionError(f"the peer writes another {type(intent).__name__} than {name}")
            _add(figures, f"{name} > {type(intent).__name__}", dialect.encode, write, intent, intent)
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


class _Arguments(msgspec.Struct):
    prompt: str


def _with_arguments(read: Callable[[Any], Any]) -> Callable[[Any], object]:
    """Reads a call's arguments too, which are JSON within JSON."""
    read_arguments = msgspec.json.Decoder(_Arguments).decode
    return lambda data: read_arguments(read(data).item.arguments)


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
