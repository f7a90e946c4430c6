"""Turns: one piece of work of the agent each. Source: app-server.md 1.6."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from backchannel.wire.appserver.items import ThreadItem, UserInput

__all__ = [
    "AgentMessageDelta",
    "CommandOutputDelta",
    "ErrorTold",
    "ItemCompleted",
    "ItemStarted",
    "Turn",
    "TurnCompleted",
    "TurnError",
    "TurnInterruptParams",
    "TurnStartParams",
    "TurnStartResult",
    "TurnStarted",
    "TurnStatus",
    "TurnSteerParams",
    "TurnSteerResult",
    "WarningTold",
]

TurnStatus: TypeAlias = Literal["inProgress", "completed", "interrupted", "failed"]


class TurnError(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What went wrong in a turn."""

    message: str
    codex_error_info: str | dict[str, object] | None = None
    additional_details: str | None = None
    misalignment: None = None


class Turn(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One turn. Times are in seconds since the epoch."""

    id: str
    status: TurnStatus
    items: tuple[ThreadItem, ...] = ()
    items_view: Literal["notLoaded", "summary", "full"] = "notLoaded"
    error: TurnError | None = None
    started_at: int | None = None
    completed_at: int | None = None
    duration_ms: int | None = None
    root_turn_id: str | None = None


class TurnStartParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Start a turn, or change the one that runs."""

    thread_id: str
    input: tuple[UserInput, ...]
    responsesapi_client_metadata: dict[str, str] | None = None
    client_metadata: dict[str, str] | None = None
    """The older name of the one above."""
    client_user_message_id: str | None = None
    turn_trigger: str | None = None
    model: str | None = None


class TurnStartResult(msgspec.Struct, frozen=True, kw_only=True):
    """The turn that works on it."""

    turn: Turn


class TurnSteerParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Change the turn that runs."""

    thread_id: str
    input: tuple[UserInput, ...]
    expected_turn_id: str
    responsesapi_client_metadata: dict[str, str] | None = None
    client_metadata: dict[str, str] | None = None
    client_user_message_id: str | None = None


class TurnSteerResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The turn that was changed."""

    turn_id: str


class TurnInterruptParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Stop a turn."""

    thread_id: str
    turn_id: str


class TurnStarted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A turn has begun."""

    thread_id: str
    turn: Turn


class TurnCompleted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A turn is over, however it ended."""

    thread_id: str
    turn: Turn


class ItemStarted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An item has begun."""

    item: ThreadItem
    thread_id: str
    turn_id: str
    started_at_ms: int


class ItemCompleted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An item is whole."""

    item: ThreadItem
    thread_id: str
    turn_id: str
    completed_at_ms: int


class AgentMessageDelta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A piece of what the agent says."""

    thread_id: str
    turn_id: str
    item_id: str
    delta: str


class CommandOutputDelta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A piece of what a command prints."""

    thread_id: str
    turn_id: str
    item_id: str
    delta: str


class ErrorTold(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something went wrong, in a turn or beside one."""

    error: TurnError
    will_retry: bool
    thread_id: str
    turn_id: str


class WarningTold(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something a person should know."""

    message: str
    thread_id: str | None = None
