"""What is told about threads, their turns and items while they go on.

What is told about the conversation in front of a thread stands in `realtime.py`.

Source: app-server.md 1.5 and 1.6; the reference's own schema.
"""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from backchannel.wire.appserver.items import ThreadItem
from backchannel.wire.appserver.shapes import U64, Int64, Shape
from backchannel.wire.appserver.threads import Thread, ThreadStatus
from backchannel.wire.appserver.turns import Turn, TurnError

__all__ = [
    "AgentMessageDeltaNotification",
    "CommandExecutionOutputDeltaNotification",
    "ErrorNotification",
    "ItemCompletedNotification",
    "ItemStartedNotification",
    "ReasoningSummaryPartAddedNotification",
    "ReasoningSummaryTextDeltaNotification",
    "ThreadArchivedNotification",
    "ThreadClosedNotification",
    "ThreadNameUpdatedNotification",
    "ThreadStartedNotification",
    "ThreadStatusChangedNotification",
    "ThreadTokenUsage",
    "ThreadTokenUsageUpdatedNotification",
    "ThreadUnarchivedNotification",
    "TokenUsageBreakdown",
    "TurnCompletedNotification",
    "TurnStartedNotification",
    "WarningNotification",
]


class ThreadStartedNotification(Shape, frozen=True, kw_only=True):
    """There is a new thread."""

    thread: Thread


class ThreadStatusChangedNotification(Shape, frozen=True, kw_only=True):
    """A thread does something else now."""

    thread_id: str
    status: ThreadStatus


class ThreadClosedNotification(Shape, frozen=True, kw_only=True):
    """A thread is no longer loaded."""

    thread_id: str


class ThreadArchivedNotification(Shape, frozen=True, kw_only=True):
    """A thread was put away."""

    thread_id: str


class ThreadUnarchivedNotification(Shape, frozen=True, kw_only=True):
    """A thread was taken out again."""

    thread_id: str


class ThreadNameUpdatedNotification(Shape, frozen=True, kw_only=True):
    """A thread has another name."""

    thread_id: str
    thread_name: str | UnsetType | None = UNSET


class TurnStartedNotification(Shape, frozen=True, kw_only=True):
    """The agent begins to work."""

    thread_id: str
    turn: Turn


class TurnCompletedNotification(Shape, frozen=True, kw_only=True):
    """The agent's work is over, whatever came of it."""

    thread_id: str
    turn: Turn


class ItemStartedNotification(Shape, frozen=True, kw_only=True):
    """An item of a turn begins."""

    item: ThreadItem
    thread_id: str
    turn_id: str
    started_at_ms: Int64


class ItemCompletedNotification(Shape, frozen=True, kw_only=True):
    """An item of a turn is complete."""

    item: ThreadItem
    thread_id: str
    turn_id: str
    content_token_count: U64 | None = None
    completed_at_ms: Int64


class AgentMessageDeltaNotification(Shape, frozen=True, kw_only=True):
    """A piece of what the agent says."""

    thread_id: str
    turn_id: str
    item_id: str
    delta: str


class ReasoningSummaryPartAddedNotification(Shape, frozen=True, kw_only=True):
    """Another part of what the agent tells of its thoughts begins."""

    thread_id: str
    turn_id: str
    item_id: str
    summary_index: Int64


class ReasoningSummaryTextDeltaNotification(Shape, frozen=True, kw_only=True):
    """A piece of what the agent tells of its thoughts."""

    thread_id: str
    turn_id: str
    item_id: str
    summary_index: Int64
    delta: str


class CommandExecutionOutputDeltaNotification(Shape, frozen=True, kw_only=True):
    """A piece of what a command prints."""

    thread_id: str
    turn_id: str
    item_id: str
    delta: str


class TokenUsageBreakdown(Shape, frozen=True, kw_only=True):
    """Tokens by what they were spent on."""

    total_tokens: Int64
    input_tokens: Int64
    cached_input_tokens: Int64
    cache_write_input_tokens: Int64 = 0
    output_tokens: Int64
    reasoning_output_tokens: Int64


class ThreadTokenUsage(Shape, frozen=True, kw_only=True):
    """The tokens of a thread."""

    total: TokenUsageBreakdown
    last: TokenUsageBreakdown
    """Those of the last model request."""
    model_context_window: Int64 | None = None


class ThreadTokenUsageUpdatedNotification(Shape, frozen=True, kw_only=True):
    """A model request has cost tokens."""

    thread_id: str
    turn_id: str
    token_usage: ThreadTokenUsage


class ErrorNotification(Shape, frozen=True, kw_only=True):
    """Something went wrong in a turn."""

    error: TurnError
    will_retry: bool
    """Whether it is tried again; if so, the turn goes on."""
    thread_id: str
    turn_id: str


class WarningNotification(Shape, frozen=True, kw_only=True):
    """Something a person should know."""

    thread_id: str | None = None
    message: str
