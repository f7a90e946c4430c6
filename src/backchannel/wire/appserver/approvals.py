"""What the server asks a client: whether the agent may do something. Source: app-server.md 1.6, the public schema."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

__all__ = ["ApprovalAnswer", "CommandApprovalParams", "Decision", "FileChangeApprovalParams", "RequestResolved"]

Decision: TypeAlias = Literal["accept", "acceptForSession", "decline", "cancel"]


class CommandApprovalParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether a command may be run."""

    thread_id: str
    turn_id: str
    item_id: str
    started_at_ms: int
    approval_id: str | None = None
    reason: str | None = None
    command: str | None = None
    cwd: str | None = None
    kind: str = "command"
    environment_id: str | None = None
    available_decisions: tuple[Decision, ...] = ("accept", "decline", "cancel")


class FileChangeApprovalParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether files may be changed."""

    thread_id: str
    turn_id: str
    item_id: str
    started_at_ms: int
    reason: str | None = None
    grant_root: str | None = None


class ApprovalAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the user decided. Whatever is no plain yes declines."""

    decision: Decision | dict[str, object]


class RequestResolved(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A request of the server needs no answer any more."""

    thread_id: str
    request_id: int | str
