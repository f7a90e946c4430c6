"""What the core wants said to a realtime server, whichever dialect it speaks.

A dialect turns an intent into zero or more messages. What a dialect cannot say (see `Abilities`) becomes no message.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from backchannel.wire.realtime.session import SessionSettings

__all__ = [
    "AddText",
    "AnswerCall",
    "AppendAudio",
    "FinishHandoff",
    "Intent",
    "MirrorTyped",
    "ReportProgress",
    "RequestResponse",
    "Role",
    "Truncate",
    "UpdateSession",
]

Role: TypeAlias = Literal["user", "developer", "assistant"]


class AppendAudio(msgspec.Struct, frozen=True, kw_only=True, tag="append_audio"):
    """Send a piece of the user's voice."""

    audio: str
    """Base64 as the client gave it."""


class AddText(msgspec.Struct, frozen=True, kw_only=True, tag="add_text"):
    """Add a text to the conversation; nothing is asked for by it."""

    role: Role
    text: str


class MirrorTyped(msgspec.Struct, frozen=True, kw_only=True, tag="mirror_typed"):
    """Let the voice know what the user typed to the agent, in at most 300 estimated tokens."""

    text: str


class ReportProgress(msgspec.Struct, frozen=True, kw_only=True, tag="report_progress"):
    """Let the voice know what the agent said, in at most 1000 estimated tokens."""

    handoff_id: str | None
    """The delegation it belongs to; None when there is none."""
    text: str


class FinishHandoff(msgspec.Struct, frozen=True, kw_only=True, tag="finish_handoff"):
    """The delegation is over: answer its call."""

    handoff_id: str
    output: str


class AnswerCall(msgspec.Struct, frozen=True, kw_only=True, tag="answer_call"):
    """Answer any other call of a tool."""

    call_id: str
    output: str


class RequestResponse(msgspec.Struct, frozen=True, kw_only=True, tag="request_response"):
    """Ask the voice to speak."""


class Truncate(msgspec.Struct, frozen=True, kw_only=True, tag="truncate"):
    """Tell the server how much of an item the user heard before cutting it off."""

    item_id: str
    audio_end_ms: int


class UpdateSession(msgspec.Struct, frozen=True, kw_only=True, tag="update_session"):
    """Give the session its settings."""

    settings: SessionSettings


Intent: TypeAlias = (
    AppendAudio
    | AddText
    | MirrorTyped
    | ReportProgress
    | FinishHandoff
    | AnswerCall
    | RequestResponse
    | Truncate
    | UpdateSession
)
"""Everything that can be said to a realtime server."""
