"""What the core is told: the closed union of its inputs.

They come from five places: the transport, the realtime server (`wire.realtime.events`), the user, the agent
(`reports.py`) and the clock.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from backchannel.core.floor import Speech
from backchannel.core.options import Options
from backchannel.core.reports import AgentReport
from backchannel.wire.realtime import events as server
from backchannel.wire.realtime import intents

__all__ = [
    "ApprovalAnswered",
    "AudioCaptured",
    "AudioReceived",
    "Event",
    "InstructionsChanged",
    "MuteChanged",
    "OpenFailed",
    "Played",
    "ReplacementRequested",
    "SpeechAppended",
    "SteerFailed",
    "SteerMissed",
    "StopRequested",
    "TaskStopRequested",
    "TextAppended",
    "TextTyped",
    "TimerFired",
    "TransportClosed",
    "TransportFailed",
    "TransportOpened",
    "UpdatesChosen",
]


class TransportOpened(msgspec.Struct, frozen=True, kw_only=True, tag="transport_opened"):
    """The way to the realtime server that was being opened is open."""


class OpenFailed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="open_failed"):
    """The way to the realtime server could not be opened."""

    message: str
    is_final: bool = False
    """Whether trying again would give the same: who we are is refused, or the configuration is wrong."""
    is_over: bool = False
    """Whether the call whose session was to be joined is over."""
    is_busy: bool = False
    """Whether the server takes no second session beside the one that there is."""
    chance: float = 0.5
    """From 0 up to 1, drawn by the shell: spreads the further tries of many clients."""


class TransportClosed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="transport_closed"):
    """The realtime server ended the session."""

    message: str
    code: int | None = None
    """Of the websocket's close frame; None when there was none."""
    unsent: tuple[intents.Intent, ...] = ()
    """What had been given to the shell to be sent and was not, in order; without audio."""
    chance: float = 0.5


class TransportFailed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="transport_failed"):
    """The way to the realtime server broke."""

    message: str
    is_final: bool = False
    """Whether going on makes no sense: the server broke the protocol, or we did."""
    unsent: tuple[intents.Intent, ...] = ()
    """As of `TransportClosed`."""
    chance: float = 0.5


class ReplacementRequested(msgspec.Struct, frozen=True, kw_only=True, tag="replacement_requested"):
    """Another conversation is to take the place of this one: with the same agent, in a session of its own."""

    options: Options


class AudioReceived(msgspec.Struct, frozen=True, kw_only=True, tag="audio_received"):
    """A piece of the assistant's voice arrived; the shell holds the audio itself until the effects are done."""

    item_id: str | None
    duration_ms: int


class AudioCaptured(msgspec.Struct, frozen=True, kw_only=True, tag="audio_captured"):
    """The microphone gave a piece of audio; the shell holds the audio itself until the effects are done."""

    duration_ms: int


class Played(msgspec.Struct, frozen=True, kw_only=True, tag="played"):
    """A player says how much of an item has been heard so far."""

    item_id: str
    total_ms: int


class TextTyped(msgspec.Struct, frozen=True, kw_only=True, tag="text_typed"):
    """The user typed something to the agent."""

    text: str


class TextAppended(msgspec.Struct, frozen=True, kw_only=True, tag="text_appended"):
    """A client adds a text to what the voice knows; nothing is asked by it, of the voice or of the agent."""

    text: str
    role: intents.Role = "user"


class SpeechAppended(msgspec.Struct, frozen=True, kw_only=True, tag="speech_appended"):
    """A client wants the voice to say something; a blank text is nothing."""

    text: str


class InstructionsChanged(msgspec.Struct, frozen=True, kw_only=True, tag="instructions_changed"):
    """A client gives the voice other instructions, in dialects that take them (`Abilities.instruction_change`)."""

    instructions: str


class MuteChanged(msgspec.Struct, frozen=True, kw_only=True, tag="mute_changed"):
    """The user switched the microphone off or on."""

    muted: bool


class UpdatesChosen(msgspec.Struct, frozen=True, kw_only=True, tag="updates_chosen"):
    """The user chose by hand how much the voice says unasked (by voice it is a tool call)."""

    level: Speech


class ApprovalAnswered(msgspec.Struct, frozen=True, kw_only=True, tag="approval_answered"):
    """The user answered a request for permission on the screen."""

    approval_id: str
    approved: bool


class TaskStopRequested(msgspec.Struct, frozen=True, kw_only=True, tag="task_stop_requested"):
    """The user wants the running task stopped (by key or command; by voice it is a tool call)."""


class StopRequested(msgspec.Struct, frozen=True, kw_only=True, tag="stop_requested"):
    """The user ends the conversation."""


class SteerFailed(msgspec.Struct, frozen=True, kw_only=True, tag="steer_failed"):
    """The agent could not take a change into its running turn."""

    turn_id: str
    reason: str
    """Fit to be spoken."""


class SteerMissed(msgspec.Struct, frozen=True, kw_only=True, tag="steer_missed"):
    """A change came too late: the agent had ended the turn before it knew of it. The text comes back, not lost."""

    turn_id: str
    text: str
    by_voice: bool


class TimerFired(msgspec.Struct, frozen=True, kw_only=True, tag="timer_fired"):
    """A timer set by an effect is due."""

    name: str


Event: TypeAlias = (
    TransportOpened
    | OpenFailed
    | TransportClosed
    | TransportFailed
    | AudioReceived
    | AudioCaptured
    | Played
    | ReplacementRequested
    | TextTyped
    | TextAppended
    | SpeechAppended
    | InstructionsChanged
    | MuteChanged
    | UpdatesChosen
    | ApprovalAnswered
    | TaskStopRequested
    | StopRequested
    | SteerFailed
    | SteerMissed
    | TimerFired
    | server.ServerEvent
    | AgentReport
)
"""Everything the core may be told."""
