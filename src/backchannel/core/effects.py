"""What the core wants done: the closed union of its outputs. The runtime does them in order."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from backchannel.core.screen import ScreenEvent
from backchannel.wire.realtime import intents

__all__ = [
    "AnswerApproval",
    "BriefAgent",
    "CancelTimer",
    "CloseTransport",
    "Configure",
    "Effect",
    "InterruptTurn",
    "OpenTransport",
    "PlayAudio",
    "Send",
    "SendAudio",
    "SendSilence",
    "SetTimer",
    "Show",
    "StartTurn",
    "SteerTurn",
    "StopPlayback",
    "TakeTransport",
]


class OpenTransport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="open_transport"):
    """Open another way to the realtime server, and say `TransportOpened` or `OpenFailed`.

    The one that is open, if any, stays in use until `TakeTransport`. An opening that is still under way is given up.
    """

    replaces: bool = False
    """Whether it is for the conversation that is to take the place of this one."""


class TakeTransport(msgspec.Struct, frozen=True, kw_only=True, tag="take_transport"):
    """From here on use the way that has just opened; the one before, if any, is closed when all is sent on it."""


class Configure(msgspec.Struct, frozen=True, kw_only=True, tag="configure"):
    """Give the realtime session its settings, which the shell holds: they are text that no recording should carry."""


class Send(msgspec.Struct, frozen=True, kw_only=True, tag="send"):
    """Say something to the realtime server."""

    intent: intents.Intent


class SendAudio(msgspec.Struct, frozen=True, kw_only=True, tag="send_audio"):
    """Send on the microphone's audio that is at hand."""


class SendSilence(msgspec.Struct, frozen=True, kw_only=True, tag="send_silence"):
    """Send silence as long as the microphone's audio that is at hand, in its place."""


class PlayAudio(msgspec.Struct, frozen=True, kw_only=True, tag="play_audio"):
    """Play the assistant's audio that is at hand."""

    item_id: str | None


class StopPlayback(msgspec.Struct, frozen=True, kw_only=True, tag="stop_playback"):
    """Fall silent at once; audio that has not been heard yet is dropped."""


class StartTurn(msgspec.Struct, frozen=True, kw_only=True, tag="start_turn"):
    """Give the agent a task."""

    turn_id: str
    text: str


class SteerTurn(msgspec.Struct, frozen=True, kw_only=True, tag="steer_turn"):
    """Give the running task a change."""

    turn_id: str
    text: str
    by_voice: bool


class InterruptTurn(msgspec.Struct, frozen=True, kw_only=True, tag="interrupt_turn"):
    """Stop the running task and all that it started."""

    turn_id: str


class AnswerApproval(msgspec.Struct, frozen=True, kw_only=True, tag="answer_approval"):
    """Tell the agent what the user decided."""

    turn_id: str
    approval_id: str
    approved: bool


class BriefAgent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="brief_agent"):
    """Let the agent know, with its next turn, that somebody now speaks to it through a voice, or does not any more.

    Source: realtime.md 7.3 and 8.1.
    """

    by_voice: bool
    tail: str | None = None
    """What was said at the end of the conversation and handed over to nobody, in its envelope; None: not to be told."""


class SetTimer(msgspec.Struct, frozen=True, kw_only=True, tag="set_timer"):
    """Tell us `TimerFired(name)` at a time; replaces the timer of that name."""

    name: str
    deadline: float
    """Seconds on the clock that `now` is read from."""


class CancelTimer(msgspec.Struct, frozen=True, kw_only=True, tag="cancel_timer"):
    """Forget a timer; it may already have fired."""

    name: str


class Show(msgspec.Struct, frozen=True, kw_only=True, tag="show"):
    """Show something to the person."""

    event: ScreenEvent


class CloseTransport(msgspec.Struct, frozen=True, kw_only=True, tag="close_transport"):
    """End the realtime session properly; nothing is sent after it."""


Effect: TypeAlias = (
    OpenTransport
    | TakeTransport
    | Configure
    | Send
    | SendAudio
    | SendSilence
    | PlayAudio
    | StopPlayback
    | StartTurn
    | SteerTurn
    | InterruptTurn
    | AnswerApproval
    | BriefAgent
    | SetTimer
    | CancelTimer
    | Show
    | CloseTransport
)
"""Everything the core may want done."""
