"""The turns of a thread as a client of the app server reads them again, and the permissions that were asked for.

What a turn consists of is opaque here: whoever puts an item in knows what its JSON means.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.core import Outcome
from backchannel.threads.encoding import encode_value

if TYPE_CHECKING:
    from backchannel.core import screen

__all__ = ["Approval", "Turn", "TurnItem", "TurnStatus", "error_of", "status_of"]


class TurnStatus(enum.Enum):
    """How far a turn has come."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    """Also where the process that ran it is gone."""
    FAILED = "failed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TurnItem:
    """A part of a turn."""

    item_id: str
    """Unique within the turn."""
    data: msgspec.Raw = dataclasses.field(repr=False)
    """JSON."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One piece of work of the agent."""

    turn_id: str
    """Unique within the thread."""
    status: TurnStatus = TurnStatus.IN_PROGRESS
    error: msgspec.Raw | None = dataclasses.field(default=None, repr=False)
    """JSON."""
    started_at_ms: int | None = None
    completed_at_ms: int | None = None
    items: tuple[TurnItem, ...] | None = dataclasses.field(default=None, repr=False)
    """In the order in which they were first put; None where they were not asked for."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A permission that the agent asked for."""

    approval_id: str
    """Unique within the thread."""
    turn_id: str
    action: str = dataclasses.field(repr=False)
    """What it wanted to do, as one could say it after "May I"."""
    asked_at_ms: int
    decision: screen.ApprovalDecision | None = None
    """None while it waits. That of a turn that is over is withdrawn."""
    settled_at_ms: int | None = None


_STATUS: Final = {
    Outcome.COMPLETED: TurnStatus.COMPLETED,
    Outcome.INTERRUPTED: TurnStatus.INTERRUPTED,
    Outcome.FAILED: TurnStatus.FAILED,
}


def status_of(outcome: Outcome) -> TurnStatus:
    """The status of a turn that ended so."""
    return _STATUS[outcome]


def error_of(message: str | None) -> msgspec.Raw | None:
    """What went wrong, in the form of the app server."""
    return None if message is None else msgspec.Raw(encode_value({"message": message}))
