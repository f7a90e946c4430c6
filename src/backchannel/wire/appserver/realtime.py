"""The conversation in front of a thread: starting it, speaking into it, and what is heard of it.

All of it is experimental in the reference. `thread/realtime/playback`, `/warning`, `/reconnecting` and `/reconnected`
are ours; a client without the capability `backchannel` never sees the notifications.

The file is long because it is a list of many small shapes, with one voice a line.

Source: app-server.md 1.7 and 1.8; realtime.md 3.1 and 7.1; the reference's own schema.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType, field

from backchannel.wire.appserver.shapes import U16, U32, U64, Discreet, Params, Shape
from backchannel.wire.realtime import DIALECTS, LISTED_VOICES

__all__ = [
    "VOICES",
    "BemItemPromoted",
    "CodexResponseHandoffMode",
    "ConversationTextRole",
    "ExistingCallTransport",
    "InlineMarkdown",
    "InlineVisualization",
    "RealtimeConversationVersion",
    "RealtimeOutputModality",
    "RealtimeSessionClosed",
    "RealtimeSessionStarted",
    "RealtimeVoice",
    "RealtimeVoicesList",
    "ThreadRealtimeAppendAudioParams",
    "ThreadRealtimeAppendSpeechParams",
    "ThreadRealtimeAppendTextParams",
    "ThreadRealtimeAudioChunk",
    "ThreadRealtimeBemItemPresentation",
    "ThreadRealtimeClosedNotification",
    "ThreadRealtimeErrorNotification",
    "ThreadRealtimeInitialItem",
    "ThreadRealtimeItem",
    "ThreadRealtimeItemAddedNotification",
    "ThreadRealtimeItemCompletedNotification",
    "ThreadRealtimeItemStartedNotification",
    "ThreadRealtimeItemTranscriptDeltaNotification",
    "ThreadRealtimeListVoicesParams",
    "ThreadRealtimeListVoicesResponse",
    "ThreadRealtimeOutputAudioDeltaNotification",
    "ThreadRealtimePlaybackParams",
    "ThreadRealtimeReconnectedNotification",
    "ThreadRealtimeReconnectingNotification",
    "ThreadRealtimeSdpNotification",
    "ThreadRealtimeStartParams",
    "ThreadRealtimeStartTransport",
    "ThreadRealtimeStartedNotification",
    "ThreadRealtimeStopParams",
    "ThreadRealtimeTranscriptDeltaNotification",
    "ThreadRealtimeTranscriptDoneNotification",
    "ThreadRealtimeWarningNotification",
    "TranscriptSegment",
    "WebrtcTransport",
    "WebsocketTransport",
    "WholeItem",
]

RealtimeConversationVersion: TypeAlias = Literal["v1", "v2", "v3"]
RealtimeOutputModality: TypeAlias = Literal["text", "audio"]
ConversationTextRole: TypeAlias = Literal["user", "developer", "assistant"]
CodexResponseHandoffMode: TypeAlias = Literal["thinking", "commentary", "bemTags"]
RealtimeVoice: TypeAlias = Literal[
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


# Starting and stopping


class WebsocketTransport(Shape, frozen=True, kw_only=True, tag_field="type", tag="websocket"):
    """Sound goes through this connection."""


class WebrtcTransport(Discreet, Shape, frozen=True, kw_only=True, tag_field="type", tag="webrtc"):
    """Sound goes directly from the client to the realtime server."""

    sdp: str
    """The client's offer; the answer comes as `thread/realtime/sdp`."""


class ExistingCallTransport(Shape, frozen=True, kw_only=True, tag_field="type", tag="existingCall"):
    """The client has a call already."""

    call_id: str


ThreadRealtimeStartTransport: TypeAlias = WebsocketTransport | WebrtcTransport | ExistingCallTransport


class ThreadRealtimeInitialItem(Shape, frozen=True, kw_only=True):
    """Something that was said before the conversation began."""

    role: ConversationTextRole
    text: str


class ThreadRealtimeStartParams(Params, frozen=True, kw_only=True):
    """Begin to talk about a thread."""

    thread_id: str
    output_modality: RealtimeOutputModality
    """Whether the voice speaks or writes."""
    prompt: str | UnsetType | None = UNSET
    """Omitted means the built-in prompt; null or empty means none; a text is the prompt."""
    realtime_session_id: str | None = None
    """Omitted means the thread's id."""
    session_id: str | None = None
    """The older spelling of `realtimeSessionId`, which wins over it."""
    transport: ThreadRealtimeStartTransport | None = None
    """Omitted means `websocket`."""
    version: RealtimeConversationVersion | None = None
    """Omitted means the configured one."""
    voice: RealtimeVoice | None = None
    """Omitted means the configured one; it has to be one of the version's."""
    model: str | None = None
    include_startup_context: bool | None = None
    """Omitted means yes."""
    initial_items: tuple[ThreadRealtimeInitialItem, ...] | None = None
    """Only with `v3`: at most 128, and 8192 estimated tokens."""
    realtime_start_instructions: str | None = None
    """What the agent is told when the conversation begins."""
    realtime_end_instructions: str | None = None
    """What the agent is told when the conversation is over."""
    client_managed_handoffs: bool | None = None
    """Whether the client itself brings what the agent says into the conversation."""
    codex_responses_as_items: bool | None = None
    codex_response_item_prefix: str | None = None
    codex_response_handoff_mode: CodexResponseHandoffMode | None = None
    """How version 3 is told what the agent says: `thinking` while it is being written, for the voice to choose the
    moment to speak; `commentary` likewise, not to be spoken; `bemTags` likewise, the text saying by its beginning
    whether it may be spoken; else whole messages, and when to speak of them."""
    codex_response_handoff_channel_prefixes: dict[str, tuple[str, ...]] | None = None
    backend_reasoning_status: bool = False
    """Whether version 3 is told, silently, what the agent thinks, as far as its model tells that."""
    delegation_ack_filler: bool | None = None
    flush_transcript_tail_on_session_end: bool | None = None
    """Whether the agent is told, with its next turn, what was said since the last delegation when the conversation
    ends."""
    voice_session_id: str | None = None

    def __post_init__(self) -> None:
        """Bring the older spelling to the newer one, so that nobody else need know it."""
        if self.realtime_session_id is None:
            msgspec.structs.force_setattr(self, "realtime_session_id", self.session_id)
        msgspec.structs.force_setattr(self, "session_id", None)


class ThreadRealtimeStopParams(Params, frozen=True, kw_only=True):
    """End the conversation."""

    thread_id: str


# Speaking


class ThreadRealtimeAudioChunk(Shape, frozen=True, kw_only=True):
    """A piece of sound."""

    data: str
    """16-bit PCM, little endian, in base64; handed on as it is."""
    sample_rate: U32
    num_channels: U16
    samples_per_channel: U32 | None = None
    item_id: str | None = None


class ThreadRealtimeAppendAudioParams(Params, frozen=True, kw_only=True):
    """A piece of the user's voice."""

    thread_id: str
    audio: ThreadRealtimeAudioChunk


class ThreadRealtimeAppendTextParams(Params, frozen=True, kw_only=True):
    """Something typed."""

    thread_id: str
    text: str
    role: ConversationTextRole = "user"


class ThreadRealtimeAppendSpeechParams(Params, frozen=True, kw_only=True):
    """Something that the voice shall say."""

    thread_id: str
    text: str


class ThreadRealtimePlaybackParams(Params, frozen=True, kw_only=True):
    """How much of an item's sound was heard. What was cut off then counts as not said."""

    thread_id: str
    item_id: str
    played_ms: U64


# Voices


class RealtimeVoicesList(Shape, frozen=True, kw_only=True):
    """The voices of each version, in the order in which they are shown."""

    v1: tuple[RealtimeVoice, ...]
    v2: tuple[RealtimeVoice, ...]
    v3: tuple[RealtimeVoice, ...] | UnsetType = UNSET
    default_v1: RealtimeVoice
    default_v2: RealtimeVoice


class ThreadRealtimeListVoicesParams(Params, frozen=True, kw_only=True):
    """Ask for the voices."""


class ThreadRealtimeListVoicesResponse(Shape, frozen=True, kw_only=True):
    """The voices."""

    voices: RealtimeVoicesList


VOICES: Final = msgspec.convert(
    {
        "voices": {
            **{version: LISTED_VOICES[version] for version in ("v1", "v2", "v3")},
            "defaultV1": DIALECTS["v1"].voices[0],
            "defaultV2": DIALECTS["v2"].voices[0],
        }
    },
    ThreadRealtimeListVoicesResponse,
)
"""The answer to `thread/realtime/listVoices`."""


# What becomes of the conversation


class ThreadRealtimeStartedNotification(Shape, frozen=True, kw_only=True):
    """The conversation has begun."""

    thread_id: str
    realtime_session_id: str | None = None
    version: RealtimeConversationVersion


class ThreadRealtimeSdpNotification(Discreet, Shape, frozen=True, kw_only=True):
    """The realtime server's answer to the client's offer."""

    thread_id: str
    sdp: str


class ThreadRealtimeErrorNotification(Shape, frozen=True, kw_only=True):
    """The conversation failed, or could not begin."""

    thread_id: str
    message: str


class ThreadRealtimeClosedNotification(Shape, frozen=True, kw_only=True):
    """The conversation is over."""

    thread_id: str
    reason: str | None = None
    """`requested`, `transport_closed` or `error`."""


class ThreadRealtimeWarningNotification(Shape, frozen=True, kw_only=True):
    """Something went wrong that the conversation survives."""

    thread_id: str
    message: str


class ThreadRealtimeReconnectingNotification(Shape, frozen=True, kw_only=True):
    """The connection to the realtime server was lost, and is being made again."""

    thread_id: str
    attempt: U32
    """1 for the first one."""
    delay_ms: U64
    """How long is waited before it."""
    message: str
    """Why it was lost."""


class ThreadRealtimeReconnectedNotification(Shape, frozen=True, kw_only=True):
    """There is a connection again."""

    thread_id: str
    state_restored: bool
    """Whether the voice knows what was said before."""


# What is said


class ThreadRealtimeItemAddedNotification(Shape, frozen=True, kw_only=True):
    """Something was added to the conversation, in the realtime server's own form."""

    thread_id: str
    item: Raw


class ThreadRealtimeTranscriptDeltaNotification(Shape, frozen=True, kw_only=True):
    """A piece of what is said."""

    thread_id: str
    role: str
    """`user` or `assistant`."""
    delta: str


class ThreadRealtimeTranscriptDoneNotification(Shape, frozen=True, kw_only=True):
    """What was said, whole."""

    thread_id: str
    role: str
    """`user` or `assistant`."""
    text: str


class ThreadRealtimeOutputAudioDeltaNotification(Shape, frozen=True, kw_only=True):
    """A piece of the assistant's voice."""

    thread_id: str
    audio: ThreadRealtimeAudioChunk


# The timeline


class _TimelineItem(Shape, frozen=True, kw_only=True, tag_field="type"):
    id: str
    realtime_session_id: str


class RealtimeSessionStarted(_TimelineItem, frozen=True, kw_only=True, tag="realtimeSessionStarted"):
    """Here the conversation began."""


class TranscriptSegment(_TimelineItem, frozen=True, kw_only=True, tag="transcriptSegment"):
    """Here somebody spoke."""

    role: Literal["user", "assistant"]
    text: str


class WholeItem(Shape, frozen=True, kw_only=True, tag_field="type", tag="wholeItem"):
    """Shown whole."""


class InlineMarkdown(Shape, frozen=True, kw_only=True, tag_field="type", tag="inlineMarkdown"):
    """Shown as text."""


class InlineVisualization(Shape, frozen=True, kw_only=True, tag_field="type", tag="inlineVisualization"):
    """One of its pictures is shown."""

    index: U32


ThreadRealtimeBemItemPresentation: TypeAlias = WholeItem | InlineMarkdown | InlineVisualization


class BemItemPromoted(_TimelineItem, frozen=True, kw_only=True, tag="bemItemPromoted"):
    """Here an item of the agent was shown."""

    turn_id: str = field(name="turn_id")
    item_id: str = field(name="item_id")
    presentation: ThreadRealtimeBemItemPresentation


class RealtimeSessionClosed(_TimelineItem, frozen=True, kw_only=True, tag="realtimeSessionClosed"):
    """Here the conversation was over."""

    outcome: Literal["ended", "failed"]


ThreadRealtimeItem: TypeAlias = RealtimeSessionStarted | TranscriptSegment | BemItemPromoted | RealtimeSessionClosed


class ThreadRealtimeItemStartedNotification(Shape, frozen=True, kw_only=True):
    """An item of the timeline has begun."""

    thread_id: str
    item: ThreadRealtimeItem


class ThreadRealtimeItemTranscriptDeltaNotification(Shape, frozen=True, kw_only=True):
    """A piece of what is said in an item of the timeline."""

    thread_id: str
    item_id: str
    delta: str


class ThreadRealtimeItemCompletedNotification(Shape, frozen=True, kw_only=True):
    """An item of the timeline is complete."""

    thread_id: str
    item: ThreadRealtimeItem
