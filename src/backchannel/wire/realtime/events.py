"""What a realtime server tells us, whichever dialect it speaks.

Each dialect translates its own messages into these (realtime.md 1.8 to 1.11). All but `AudioOut` are also events of
the core; audio reaches the core as a duration.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

__all__ = [
    "AudioOut",
    "Event",
    "HandoffRequested",
    "InputSpeechStarted",
    "InputSpeechStopped",
    "InputTranscriptDelta",
    "InputTranscriptDone",
    "ItemAdded",
    "ItemDone",
    "NoopRequested",
    "OutputTranscriptDelta",
    "OutputTranscriptDone",
    "ResponseCancelled",
    "ResponseCreated",
    "ResponseDone",
    "ServerError",
    "ServerEvent",
    "SessionUpdated",
    "Skipped",
    "ToolCalled",
]


class SessionUpdated(msgspec.Struct, frozen=True, kw_only=True, tag="session_updated"):
    """The server took our settings."""

    session_id: str
    instructions: str | None = None


class AudioOut(msgspec.Struct, frozen=True, kw_only=True, tag="audio_out"):
    """A piece of the assistant's voice."""

    data: str
    """Base64 as it came; never decoded on the way."""
    rate_hz: int
    channels: int
    samples_per_channel: int | None = None
    item_id: str | None = None


class InputSpeechStarted(msgspec.Struct, frozen=True, kw_only=True, tag="input_speech_started"):
    """The user began to speak."""

    item_id: str | None = None


class InputSpeechStopped(msgspec.Struct, frozen=True, kw_only=True, tag="input_speech_stopped"):
    """The user fell silent (told only by servers that say so)."""

    item_id: str | None = None


class InputTranscriptDelta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="input_transcript_delta"):
    """A piece of what the user said."""

    delta: str
    item_id: str | None = None
    """The item that it belongs to, from servers that say so."""
    end_ms: int | None = None
    """Up to where the piece reaches since the session began, from servers that say so."""


class InputTranscriptDone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="input_transcript_done"):
    """What the user said, whole."""

    text: str
    item_id: str | None = None
    """The item that it belongs to, from servers that say so."""


class OutputTranscriptDelta(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="output_transcript_delta"
):
    """A piece of what the assistant says."""

    delta: str
    item_id: str | None = None
    """The item that it belongs to, from servers that say so."""


class OutputTranscriptDone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="output_transcript_done"):
    """What the assistant said, whole."""

    text: str
    item_id: str | None = None
    """The item that it belongs to, from servers that say so."""


class ItemAdded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="item_added"):
    """The server added an item to its conversation; echoes of our own items come back this way too."""

    item: msgspec.Raw
    """The item's JSON as it came."""
    item_id: str | None = None
    """Its id, where it has one."""
    after_item_id: str | None = None
    """The item that it comes after, from servers that say so."""


class ItemDone(msgspec.Struct, frozen=True, kw_only=True, tag="item_done"):
    """An item of the conversation is complete."""

    item_id: str


class ResponseCreated(msgspec.Struct, frozen=True, kw_only=True, tag="response_created"):
    """The server began a response."""

    response_id: str | None = None


class ResponseCancelled(msgspec.Struct, frozen=True, kw_only=True, tag="response_cancelled"):
    """A response was given up."""

    response_id: str | None = None


class ResponseDone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="response_done"):
    """A response is over, whatever came of it."""

    response_id: str | None = None
    failure: str | None = None
    """Why nothing came of it, in the server's words, from servers that say so."""


class HandoffRequested(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="handoff_requested"):
    """The voice hands work to the background agent."""

    handoff_id: str
    item_id: str
    text: str
    """What is asked; may be empty, and is in dialects where a handoff has no text (`Abilities.names_requests`)."""
    offset_ms: int | None = None
    """When it was decided since the session began, from servers that say so: what the user said up to here is meant."""


class NoopRequested(msgspec.Struct, frozen=True, kw_only=True, tag="noop_requested"):
    """The voice chose to say nothing."""

    call_id: str
    item_id: str


class ToolCalled(msgspec.Struct, frozen=True, kw_only=True, tag="tool_called"):
    """The voice calls a tool other than handing over and staying silent."""

    call_id: str
    item_id: str
    name: str
    arguments: str
    """JSON as it came."""


class ServerError(msgspec.Struct, frozen=True, kw_only=True, tag="server_error"):
    """The server reports an error."""

    message: str
    code: str | None = None


class Skipped(msgspec.Struct, frozen=True, kw_only=True, tag="skipped"):
    """A message that means nothing to us: of an unknown type, or malformed. It is logged and nothing else happens."""

    kind: str
    """The message's own type, as far as it could be read."""
    malformed: str | None = None
    """What is wrong with a known message; None for an unknown one."""


ServerEvent: TypeAlias = (
    SessionUpdated
    | InputSpeechStarted
    | InputSpeechStopped
    | InputTranscriptDelta
    | InputTranscriptDone
    | OutputTranscriptDelta
    | OutputTranscriptDone
    | ItemAdded
    | ItemDone
    | ResponseCreated
    | ResponseCancelled
    | ResponseDone
    | HandoffRequested
    | NoopRequested
    | ToolCalled
    | ServerError
)
"""What the core is told as it came."""

Event: TypeAlias = ServerEvent | AudioOut
"""Everything a dialect makes of a server's message."""
