"""What the core wants said to a realtime server, whichever dialect it speaks.

A dialect turns an intent into zero or more messages. What a dialect cannot say (see `Abilities`) becomes no message.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from backchannel.wire.realtime.session import Role, SessionSettings

__all__ = [
    "AddText",
    "AnswerCall",
    "AppendAudio",
    "ChangeInstructions",
    "Channel",
    "CloseSession",
    "FinishHandoff",
    "Intent",
    "MirrorTyped",
    "Phase",
    "ReportAsItem",
    "ReportProgress",
    "RequestResponse",
    "Role",
    "SpeakText",
    "Truncate",
    "UpdateSession",
]

Channel: TypeAlias = Literal["speakable", "commentary"]
"""What the voice may do with a text, in dialects that distinguish it: say it, or only know it."""

Phase: TypeAlias = Literal["commentary", "final"]
"""Whether the agent goes on working after a message."""


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


class SpeakText(msgspec.Struct, frozen=True, kw_only=True, tag="speak_text"):
    """Let the voice say something, in at most 1000 estimated tokens; a blank text is nothing.

    Where the client asks for responses (`Abilities.creates_responses`), a `RequestResponse` has to follow.
    """

    text: str


class ReportProgress(msgspec.Struct, frozen=True, kw_only=True, tag="report_progress"):
    """Let the voice know what the agent said, in at most 1000 estimated tokens."""

    handoff_id: str | None
    """The delegation it belongs to; None when there is none, and then a blank text is nothing."""
    text: str
    phase: Phase | None = None
    """None when it is not known; that counts as final."""
    channel: Channel | None = None
    """None leaves the choice to the dialect."""


class ReportAsItem(msgspec.Struct, frozen=True, kw_only=True, tag="report_as_item"):
    """Let the voice know what the agent said, as a developer's message: with its prefix at most 1000 estimated tokens.

    A blank text is nothing. Source: realtime.md 5.5.
    """

    text: str
    prefix: str | None = None
    """Stands before the text, a blank line between them."""
    channel: Channel | None = None


class FinishHandoff(msgspec.Struct, frozen=True, kw_only=True, tag="finish_handoff"):
    """The delegation is over: answer its call."""

    handoff_id: str
    output: str
    is_news: bool = False
    """Whether no report has said what the output says. In dialects where no call waits for an answer, it is sent only
    then."""
    channel: Channel | None = None


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


class ChangeInstructions(msgspec.Struct, frozen=True, kw_only=True, tag="change_instructions"):
    """Give a live session other instructions, as far as the dialect allows it (`Abilities.instruction_change`)."""

    instructions: str


class UpdateSession(msgspec.Struct, frozen=True, kw_only=True, tag="update_session"):
    """Give the session its settings: the first thing that is said in it."""

    settings: SessionSettings


class CloseSession(msgspec.Struct, frozen=True, kw_only=True, tag="close_session"):
    """Say that the session is over, before the transport closes (`Abilities.announces_close`)."""


Intent: TypeAlias = (
    AppendAudio
    | AddText
    | MirrorTyped
    | SpeakText
    | ReportProgress
    | ReportAsItem
    | FinishHandoff
    | AnswerCall
    | RequestResponse
    | Truncate
    | ChangeInstructions
    | UpdateSession
    | CloseSession
)
"""Everything that can be said to a realtime server."""
