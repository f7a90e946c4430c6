"""The realtime conversation of a thread. Source: app-server.md 1.7 and 1.8; realtime.md 3.1 and 7.1."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

__all__ = [
    "AppendAudioParams",
    "AppendSpeechParams",
    "AppendTextParams",
    "AudioChunk",
    "ExistingCallTransport",
    "InitialItem",
    "ListVoicesResult",
    "OutputAudio",
    "PlaybackParams",
    "RealtimeClosed",
    "RealtimeError",
    "RealtimeItem",
    "RealtimeItemAdded",
    "RealtimeItemCompleted",
    "RealtimeItemStarted",
    "RealtimeItemTranscriptDelta",
    "RealtimeReconnected",
    "RealtimeReconnecting",
    "RealtimeSdp",
    "RealtimeStartParams",
    "RealtimeStarted",
    "RealtimeStopParams",
    "RealtimeWarning",
    "SessionClosedItem",
    "SessionStartedItem",
    "TranscriptDelta",
    "TranscriptDone",
    "TranscriptSegmentItem",
    "Transport",
    "Version",
    "Voice",
    "Voices",
    "WebRtcTransport",
    "WebSocketTransport",
]

_U16 = Annotated[int, msgspec.Meta(ge=0, le=2**16 - 1)]
_U32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
Version: TypeAlias = Literal["v1", "v2", "v3"]
Voice: TypeAlias = Literal[
    "alloy",
    "arbor",
    "ash",
    "aube",
    "ballad",
    "breeze",
    "bubbie",
    "cedar",
    "coral",
    "cove",
    "echo",
    "ember",
    "haetsal",
    "hanul",
    "himari",
    "juniper",
    "leher",
    "maple",
    "marin",
    "miko",
    "neer",
    "porto",
    "rindo",
    "rio",
    "rivage",
    "sage",
    "selva",
    "shimmer",
    "sol",
    "sonna",
    "spruce",
    "tinta",
    "vale",
    "verse",
    "viola",
]


class WebSocketTransport(msgspec.Struct, frozen=True, tag="websocket"):
    """The server opens a websocket."""


class WebRtcTransport(msgspec.Struct, frozen=True, kw_only=True, tag="webrtc"):
    """The client makes a call, and offers this."""

    sdp: str

    def __repr__(self) -> str:
        """Without what must not be logged."""
        return "WebRtcTransport(...)"


class ExistingCallTransport(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="existingCall"):
    """Somebody made a call already."""

    call_id: str


Transport: TypeAlias = WebSocketTransport | WebRtcTransport | ExistingCallTransport


class InitialItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was said before."""

    role: Literal["user", "assistant", "developer"]
    text: str


class RealtimeStartParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Start a conversation."""

    thread_id: str
    output_modality: Literal["text", "audio"]
    prompt: str | msgspec.UnsetType | None = msgspec.UNSET
    """Left out: the server's own; null: none."""
    realtime_session_id: str | None = None
    session_id: str | None = None
    """The older name of the one above."""
    transport: Transport | None = None
    voice: Voice | None = None
    version: Version | None = None
    model: str | None = None
    include_startup_context: bool | None = None
    initial_items: tuple[InitialItem, ...] | None = None
    client_managed_handoffs: bool | None = None
    codex_responses_as_items: bool | None = None
    codex_response_item_prefix: str | None = None
    codex_response_handoff_mode: Literal["thinking", "commentary", "bemTags"] | None = None
    codex_response_handoff_channel_prefixes: dict[str, tuple[str, ...]] | None = None
    backend_reasoning_status: bool = False
    delegation_ack_filler: bool | None = None
    flush_transcript_tail_on_session_end: bool | None = None
    realtime_start_instructions: str | None = None
    realtime_end_instructions: str | None = None
    voice_session_id: str | None = None


class AudioChunk(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Sound in base64, 16 bit, little endian; it is not decoded here."""

    data: str
    sample_rate: _U32
    num_channels: _U16
    samples_per_channel: _U32 | None = None
    item_id: str | None = None


class AppendAudioParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The microphone gave this."""

    thread_id: str
    audio: AudioChunk


class AppendTextParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Let the voice know something."""

    thread_id: str
    text: str
    role: Literal["user", "developer", "assistant"] = "user"


class AppendSpeechParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Let the voice say something."""

    thread_id: str
    text: str


class RealtimeStopParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """End the conversation."""

    thread_id: str


class PlaybackParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How much of an item has been heard."""

    thread_id: str
    item_id: str
    played_ms: Annotated[int, msgspec.Meta(ge=0)]


class Voices(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The voices of each version."""

    v1: tuple[str, ...]
    v2: tuple[str, ...]
    v3: tuple[str, ...]
    default_v1: str
    default_v2: str


class ListVoicesResult(msgspec.Struct, frozen=True, kw_only=True):
    """The voices."""

    voices: Voices


class RealtimeStarted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The conversation is live."""

    thread_id: str
    realtime_session_id: str | None
    version: Version


class RealtimeSdp(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to the offer of a call."""

    thread_id: str
    sdp: str

    def __repr__(self) -> str:
        """Without what must not be logged."""
        return "RealtimeSdp(...)"


class RealtimeItemAdded(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something was added to the conversation, as the realtime server has it, or happened in it."""

    thread_id: str
    item: msgspec.Raw


class TranscriptDelta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A piece of what somebody says."""

    thread_id: str
    role: str
    delta: str


class TranscriptDone(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What somebody said, whole."""

    thread_id: str
    role: str
    text: str


class OutputAudio(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A piece of the voice."""

    thread_id: str
    audio: AudioChunk


class RealtimeError(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The conversation could not start, or ends because of this."""

    thread_id: str
    message: str


class RealtimeClosed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The conversation is over."""

    thread_id: str
    reason: str | None


class SessionStartedItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="realtimeSessionStarted"):
    """In the thread's history: a conversation began."""

    id: str
    realtime_session_id: str


class TranscriptSegmentItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="transcriptSegment"):
    """In the thread's history: somebody said something."""

    id: str
    realtime_session_id: str
    role: Literal["user", "assistant"]
    text: str


class SessionClosedItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="realtimeSessionClosed"):
    """In the thread's history: the conversation ended."""

    id: str
    realtime_session_id: str
    outcome: Literal["ended", "failed"]


RealtimeItem: TypeAlias = SessionStartedItem | TranscriptSegmentItem | SessionClosedItem


class RealtimeItemStarted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something begins that belongs to the thread's history."""

    thread_id: str
    item: RealtimeItem


class RealtimeItemTranscriptDelta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """More words of it."""

    thread_id: str
    item_id: str
    delta: str


class RealtimeItemCompleted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """It is whole."""

    thread_id: str
    item: RealtimeItem


class RealtimeWarning(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something went wrong, and the conversation goes on."""

    thread_id: str
    message: str


class RealtimeReconnecting(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The realtime server was lost and is called again."""

    thread_id: str
    attempt: int
    delay_ms: int
    message: str


class RealtimeReconnected(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The conversation goes on in a new session."""

    thread_id: str
    state_restored: bool
