"""For each dialect, messages as a server sends them, one or more of every kind, and what they mean."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from backchannel.wire.realtime import events

__all__ = ["FRAMES", "Frame"]

Frame: TypeAlias = tuple[dict[str, object], events.Event | events.Skipped]

_SESSION: Final = {"id": "sess_1", "instructions": "Be brief.", "tools": []}
_UPDATED: Final = events.SessionUpdated(session_id="sess_1", instructions="Be brief.")
_ITEM: Final = {"id": "item_1", "type": "message", "role": "user", "content": []}
_ADDED: Final = events.ItemAdded(item=msgspec.Raw(msgspec.json.encode(_ITEM)), item_id="item_1", after_item_id="item_0")
_ERROR: Final[Frame] = (
    {"type": "error", "error": {"type": "invalid_request_error", "code": "item_not_found", "message": "gone"}},
    events.ServerError(message="gone", code="item_not_found"),
)
_TRANSCRIPTS: Final[tuple[Frame, ...]] = (
    (
        {"type": "conversation.item.input_audio_transcription.delta", "item_id": "item_1", "delta": "run"},
        events.InputTranscriptDelta(delta="run", item_id="item_1"),
    ),
    (
        {"type": "conversation.item.input_audio_transcription.completed", "item_id": "item_1", "transcript": "run it"},
        events.InputTranscriptDone(text="run it", item_id="item_1"),
    ),
    ({"type": "response.output_text.delta", "delta": "on"}, events.OutputTranscriptDelta(delta="on")),
    (
        {"type": "response.output_audio_transcript.delta", "item_id": "item_2", "delta": "on"},
        events.OutputTranscriptDelta(delta="on", item_id="item_2"),
    ),
    (
        {"type": "response.output_audio_transcript.done", "item_id": "item_2", "transcript": "on it"},
        events.OutputTranscriptDone(text="on it", item_id="item_2"),
    ),
)


def _call(name: str, arguments: str) -> dict[str, object]:
    item = {"id": "item_3", "type": "function_call", "name": name, "call_id": "call_1", "arguments": arguments}
    return {"type": "conversation.item.done", "item": item}


_V1: Final[tuple[Frame, ...]] = (
    ({"type": "session.updated", "session": _SESSION}, _UPDATED),
    (
        {
            "type": "conversation.output_audio.delta",
            "delta": "AAAA",
            "sample_rate": 48_000,
            "channels": 2,
            "samples_per_channel": 480,
        },
        events.AudioOut(data="AAAA", rate_hz=48_000, channels=2, samples_per_channel=480),
    ),
    (
        {"type": "conversation.output_audio.delta", "data": "AAAA", "sample_rate": 24_000, "num_channels": 1},
        events.AudioOut(data="AAAA", rate_hz=24_000, channels=1),
    ),
    ({"type": "conversation.input_transcript.delta", "delta": "run"}, events.InputTranscriptDelta(delta="run")),
    (
        {"type": "conversation.input_transcript.turn_marked", "transcript": "run it"},
        events.InputTranscriptDone(text="run it"),
    ),
    ({"type": "conversation.output_transcript.delta", "delta": "on"}, events.OutputTranscriptDelta(delta="on")),
    *_TRANSCRIPTS,
    ({"type": "conversation.item.added", "previous_item_id": "item_0", "item": _ITEM}, _ADDED),
    ({"type": "conversation.item.done", "item": {"id": "item_1", "type": "x"}}, events.ItemDone(item_id="item_1")),
    (
        {
            "type": "conversation.handoff.requested",
            "handoff_id": "handoff_1",
            "item_id": "item_1",
            "input_transcript": "run the tests",
        },
        events.HandoffRequested(handoff_id="handoff_1", item_id="item_1", text="run the tests"),
    ),
    _ERROR,
)
_V2: Final[tuple[Frame, ...]] = (
    ({"type": "session.updated", "session": _SESSION}, _UPDATED),
    (
        {
            "type": "response.output_audio.delta",
            "response_id": "resp_1",
            "item_id": "item_2",
            "output_index": 0,
            "delta": "AAAA",
            "sample_rate": 24_000,
            "channels": 1,
            "samples_per_channel": 480,
        },
        events.AudioOut(data="AAAA", rate_hz=24_000, channels=1, samples_per_channel=480, item_id="item_2"),
    ),
    ({"type": "response.audio.delta", "delta": "AAAA"}, events.AudioOut(data="AAAA", rate_hz=24_000, channels=1)),
    *_TRANSCRIPTS,
    ({"type": "response.output_text.done", "text": "on it"}, events.OutputTranscriptDone(text="on it")),
    (
        {"type": "input_audio_buffer.speech_started", "audio_start_ms": 100, "item_id": "item_1"},
        events.InputSpeechStarted(item_id="item_1"),
    ),
    (
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900, "item_id": "item_1"},
        events.InputSpeechStopped(item_id="item_1"),
    ),
    ({"type": "conversation.item.added", "previous_item_id": "item_0", "item": _ITEM}, _ADDED),
    ({"type": "conversation.item.created", "previous_item_id": "item_0", "item": _ITEM}, _ADDED),
    ({"type": "conversation.item.done", "item": _ITEM}, events.ItemDone(item_id="item_1")),
    (
        _call("background_agent", '{"prompt":"run the tests"}'),
        events.HandoffRequested(handoff_id="call_1", item_id="item_3", text="run the tests"),
    ),
    (_call("remain_silent", "{}"), events.NoopRequested(call_id="call_1", item_id="item_3")),
    (
        _call("agent_status", "{}"),
        events.ToolCalled(call_id="call_1", item_id="item_3", name="agent_status", arguments="{}"),
    ),
    (
        {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}},
        events.ResponseCreated(response_id="resp_1"),
    ),
    ({"type": "response.cancelled", "response_id": "resp_1"}, events.ResponseCancelled(response_id="resp_1")),
    (
        {"type": "response.done", "response": {"id": "resp_1", "status": "completed", "output": []}},
        events.ResponseDone(response_id="resp_1"),
    ),
    _ERROR,
)
_V3: Final[tuple[Frame, ...]] = (
    ({"type": "session.started", "session": _SESSION}, _UPDATED),
    ({"type": "session.updated", "session": _SESSION}, _UPDATED),
    ({"type": "output_audio.delta", "audio": "AAAA"}, events.AudioOut(data="AAAA", rate_hz=24_000, channels=1)),
    (
        {"type": "input_transcript.added", "item": {"id": "i", "type": "input_transcript", "text": "run"}},
        events.InputTranscriptDelta(delta="run"),
    ),
    (
        {"type": "output_transcript.added", "item": {"id": "o", "type": "output_transcript", "text": "on"}},
        events.OutputTranscriptDelta(delta="on"),
    ),
    (
        {"type": "turn.done", "turn": {"id": "t", "role": "user", "transcript": "run it"}},
        events.InputTranscriptDone(text="run it"),
    ),
    (
        {"type": "turn.done", "turn": {"id": "t", "role": "assistant", "transcript": "on it"}},
        events.OutputTranscriptDone(text="on it"),
    ),
    (
        {
            "type": "delegation.created",
            "offset_ms": 1000,
            "item": {
                "id": "del_1",
                "type": "delegation",
                "target": "client",
                "content": [
                    {"type": "input_text", "text": "run "},
                    {"type": "input_image", "text": "nothing"},
                    {"type": "input_text", "text": "the tests"},
                ],
            },
        },
        events.HandoffRequested(handoff_id="del_1", item_id="del_1", text="run the tests"),
    ),
    _ERROR,
)
_STARTED: Final = {
    "id": "live_1",
    "expires_at": 1_800_000_000,
    "model": "gpt-live-1",
    "status": "active",
    "instructions": "Be brief.",
}
_LIVE_SESSION: Final = events.SessionUpdated(session_id="live_1", instructions="Be brief.")
_TIMES: Final = {"event_id": "event_1", "start_ms": 100, "end_ms": 300}
_LIVE: Final[tuple[Frame, ...]] = (
    ({"type": "session.started", "event_id": "event_1", "session": _STARTED}, _LIVE_SESSION),
    ({"type": "session.updated", "event_id": "event_1", "session": _STARTED}, _LIVE_SESSION),
    ({"type": "session.output_audio.delta", "delta": "AAAA"}, events.AudioOut(data="AAAA", rate_hz=24_000, channels=1)),
    (
        {"type": "session.input_transcript.delta", **_TIMES, "delta": "run"},
        events.InputTranscriptDelta(delta="run", end_ms=300),
    ),
    (
        {"type": "session.output_transcript.delta", **_TIMES, "delta": "on"},
        events.OutputTranscriptDelta(delta="on"),
    ),
    (
        {
            "type": "session.delegation.created",
            "event_id": "event_1",
            "offset_ms": 4600,
            "delegation": {"id": "del_1", "type": "delegation", "target": "client"},
        },
        events.HandoffRequested(handoff_id="del_1", item_id="del_1", text="", offset_ms=4600),
    ),
    (
        {"type": "session.closed", "event_id": "event_1", "reason": "close_requested", "session": _STARTED},
        events.Skipped(kind="session.closed"),
    ),
    (
        {"type": "session.closed", "event_id": "event_1", "reason": "expired", "session": _STARTED},
        events.ServerError(message="the session has reached the server's time limit", code="session_expired"),
    ),
    _ERROR,
)

FRAMES: Final[dict[str, tuple[Frame, ...]]] = {"v1": _V1, "v2": _V2, "v3": _V3, "live": _LIVE}
