"""What we have and keep, in the protocol's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.threads import TurnStatus
from backchannel.wire import appserver

if TYPE_CHECKING:
    from backchannel import core
    from backchannel.threads import Turn

__all__ = ["kind_of_failure", "seen_change", "seen_source", "seen_tokens", "seen_turn"]

_STATUSES: Final[dict[TurnStatus, appserver.TurnStatus]] = {
    TurnStatus.IN_PROGRESS: "inProgress",
    TurnStatus.COMPLETED: "completed",
    TurnStatus.INTERRUPTED: "interrupted",
    TurnStatus.FAILED: "failed",
}
_KINDS: Final[dict[int, appserver.CodexErrorInfo]] = {
    400: "badRequest",
    401: "unauthorized",
    403: "unauthorized",
    429: "rateLimitExceeded",
    503: "serverOverloaded",
}
_KINDS_OF_CHANGE: Final[dict[str, appserver.PatchChangeKind]] = {
    "add": appserver.PatchAdd(),
    "delete": appserver.PatchDelete(),
}


def kind_of_failure(end: core.AgentTurnEnded) -> appserver.CodexErrorInfo:
    """What clients call what went wrong."""
    if isinstance(end.http_status, msgspec.UnsetType):
        return "other"
    return _KINDS.get(end.http_status, "internalServerError" if end.http_status >= 500 else "other")


def seen_change(change: core.FileChange) -> appserver.FileUpdateChange:
    """What becomes of a file."""
    kind = _KINDS_OF_CHANGE.get(change.kind) or appserver.PatchUpdate(move_path=change.moved_to)
    return appserver.FileUpdateChange(path=change.path, kind=kind, diff=change.diff)


def seen_tokens(tokens: core.TokensUsed) -> appserver.TokenUsageBreakdown:
    """What requests to a model cost."""
    return appserver.TokenUsageBreakdown(
        total_tokens=tokens.total,
        input_tokens=tokens.input,
        cached_input_tokens=tokens.cached_input,
        output_tokens=tokens.output,
        reasoning_output_tokens=tokens.reasoning_output,
    )


def seen_source(client_kind: str) -> appserver.SessionSource:
    """The program that began a thread."""
    match client_kind:
        case "cli" | "vscode" | "exec" | "appServer" | "unknown":
            return client_kind
        case _:
            return appserver.SourceDetail(custom=client_kind)


def seen_turn(turn: Turn) -> appserver.Turn:
    """A turn that is kept, whole."""
    started, completed = turn.started_at_ms, turn.completed_at_ms
    items = []
    for item in turn.items or ():
        try:
            items.append(msgspec.json.decode(item.data, type=appserver.ThreadItem))
        except (msgspec.MsgspecError, UnicodeError):
            # Another version wrote it.
            continue
    return appserver.Turn(
        id=turn.turn_id,
        status=_STATUSES[turn.status],
        items=tuple(items),
        items_view="full",
        error=None if turn.error is None else _error(turn.error),
        started_at=None if started is None else started // 1000,
        completed_at=None if completed is None else completed // 1000,
        duration_ms=None if started is None or completed is None else completed - started,
        root_turn_id=turn.turn_id,
    )


def _error(data: msgspec.Raw) -> appserver.TurnError | None:
    try:
        return msgspec.json.decode(data, type=appserver.TurnError)
    except (msgspec.MsgspecError, UnicodeError):
        return None
