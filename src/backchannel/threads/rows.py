"""Threads, turns and permissions as rows of tables, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from backchannel.core import screen
from backchannel.threads.encoding import from_column, to_column
from backchannel.threads.entries import Thread
from backchannel.threads.turns import Approval, Turn, TurnStatus

if TYPE_CHECKING:
    import sqlite3

    from backchannel.threads.entries import Source
    from backchannel.threads.turns import TurnItem

__all__ = ["Column", "approval_of", "columns_of", "raw", "thread_of", "turn_of"]

Column: TypeAlias = str | bytes | int | None

_SOURCES: Final[dict[str, Source]] = {"backchannel": "backchannel", "codex": "codex", "claude_code": "claude_code"}


def columns_of(thread: Thread) -> dict[str, Column]:
    """The columns of a thread."""
    return {
        "thread_id": to_column(thread.thread_id),
        "cwd": to_column(thread.cwd),
        "created_at_ms": thread.created_at_ms,
        "updated_at_ms": thread.updated_at_ms,
        "asked_at_ms": thread.asked_at_ms,
        "archived": thread.archived,
        "source": thread.source,
        "client_kind": to_column(thread.client_kind),
        "originator": to_column(thread.originator),
        "model_provider": to_column(thread.model_provider),
        "model": to_column(thread.model),
        "branch": to_column(thread.branch),
        "git_sha": to_column(thread.git_sha),
        "git_origin_url": to_column(thread.git_origin_url),
        "forked_from": to_column(thread.forked_from),
        "name": to_column(thread.name),
        "first_ask": to_column(thread.first_ask),
    }


def thread_of(row: sqlite3.Row) -> Thread:
    """The thread of a row."""
    return Thread(
        thread_id=from_column(row["thread_id"]),
        cwd=from_column(row["cwd"]),
        created_at_ms=row["created_at_ms"],
        updated_at_ms=row["updated_at_ms"],
        asked_at_ms=row["asked_at_ms"],
        archived=bool(row["archived"]),
        source=_SOURCES[row["source"]],
        client_kind=from_column(row["client_kind"]),
        originator=_given(row["originator"]),
        model_provider=_given(row["model_provider"]),
        model=_given(row["model"]),
        branch=_given(row["branch"]),
        git_sha=_given(row["git_sha"]),
        git_origin_url=_given(row["git_origin_url"]),
        forked_from=_given(row["forked_from"]),
        name=_given(row["name"]),
        first_ask=_given(row["first_ask"]),
    )


def turn_of(row: sqlite3.Row, items: tuple[TurnItem, ...] | None) -> Turn:
    """The turn of a row."""
    return Turn(
        turn_id=from_column(row["turn_id"]),
        status=TurnStatus(row["status"]),
        error=None if row["error"] is None else msgspec.Raw(row["error"]),
        started_at_ms=row["started_at_ms"],
        completed_at_ms=row["completed_at_ms"],
        items=items,
    )


def approval_of(row: sqlite3.Row) -> Approval:
    """The permission of a row."""
    return Approval(
        approval_id=from_column(row["approval_id"]),
        turn_id=from_column(row["turn_id"]),
        action=from_column(row["action"]),
        asked_at_ms=row["asked_at_ms"],
        decision=None if row["decision"] is None else screen.ApprovalDecision(row["decision"]),
        settled_at_ms=row["settled_at_ms"],
    )


def raw(data: msgspec.Raw | None) -> bytes | None:
    """JSON as it is stored."""
    return None if data is None else bytes(data)


def _given(stored: str | bytes | None) -> str | None:
    return None if stored is None else from_column(stored)
