"""What the core is told: the closed union of its inputs.

They come from five places: the transport, the realtime server (`wire.realtime.events`), the user, the agent
(`reports.py`) and the clock.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from backchannel.core.reports import AgentReport
from backchannel.wire.realtime import events as server

__all__ = [
    "AudioCaptured",
    "AudioReceived",
    "Event",
    "OpenFailed",
    "Played",
    "SteerFailed",
    "SteerMissed",
    "StopRequested",
    "TaskStopRequested",
    "TextTyped",
    "TimerFired",
    "TransportClosed",
    "TransportFailed",
    "TransportOpened",
]


class TransportOpened(msgspec.Struct, frozen=True, kw_only=True, tag="transport_opened"):
    """The way to the realtime server is open."""


class OpenFailed(msgspec.Struct, frozen=True, kw_only=True, tag="open_failed"):
    """The way to the realtime server could not be opened."""

    message: str


class TransportClosed(msgspec.Struct, frozen=True, kw_only=True, tag="transport_closed"):
    """The realtime server ended the session."""

    message: str


class TransportFailed(msgspec.Struct, frozen=True, kw_only=True, tag="transport_failed"):
    """The way to the realtime server broke."""

    message: str


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
    | TextTyped
    | TaskStopRequested
    | StopRequested
    | SteerFailed
    | SteerMissed
    | TimerFired
    | server.ServerEvent
    | AgentReport
)
"""Everything the core may be told."""
