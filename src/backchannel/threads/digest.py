"""What can be read from a thread's entries. Pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from backchannel.threads.entries import (
    AgentSaid,
    ApprovalAsked,
    ApprovalSettled,
    RanTests,
    Spoken,
    TurnBegan,
    TurnEnded,
    UserAsked,
    VoiceBegan,
    VoiceEnded,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backchannel.threads.entries import Entry

__all__ = ["OpenTask", "PastConversation", "last_tests", "open_tasks", "past_conversation"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenTask:
    """A turn that has begun and not ended."""

    turn_id: str
    request: str
    began_at_ms: int
    waits_for: str | None = None
    """What the agent wants to do and has not been allowed yet, as one could say it after "May I"."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PastConversation:
    """The last conversation by voice, and what came after it."""

    began_at_ms: int
    ended_at_ms: int
    said: tuple[Spoken, ...]
    """What was spoken, and what the user typed meanwhile."""
    since: tuple[UserAsked | AgentSaid | TurnEnded, ...]
    """What was asked and done when it was over."""


def open_tasks(entries: Sequence[Entry]) -> tuple[OpenTask, ...]:
    """The work that goes on, oldest first."""
    tasks: dict[str, OpenTask] = {}
    waiting: dict[str, str] = {}
    """The turn of each request for permission."""
    for entry in entries:
        match entry:
            case TurnBegan(turn_id=turn_id, request=request, at_ms=at_ms):
                tasks[turn_id] = OpenTask(turn_id=turn_id, request=request, began_at_ms=at_ms)
            case TurnEnded(turn_id=turn_id):
                tasks.pop(turn_id, None)
            case ApprovalAsked(turn_id=turn_id, approval_id=approval_id, action=action) if turn_id in tasks:
                waiting[approval_id] = turn_id
                tasks[turn_id] = dataclasses.replace(tasks[turn_id], waits_for=action)
            case ApprovalSettled(approval_id=approval_id):
                turn_id = waiting.pop(approval_id, "")
                if turn_id in tasks and turn_id not in waiting.values():
                    tasks[turn_id] = dataclasses.replace(tasks[turn_id], waits_for=None)
            case _:
                pass
    return tuple(tasks.values())


def last_tests(entries: Sequence[Entry]) -> RanTests | None:
    """The last run of tests; None where there was none."""
    return next((entry for entry in reversed(entries) if isinstance(entry, RanTests)), None)


def past_conversation(entries: Sequence[Entry]) -> PastConversation | None:
    """The last conversation in which something was said; None where there was none."""
    began = next((index for index in _backwards(entries) if _was_spoken_in(entries, index)), None)
    if began is None:
        return None
    said: list[Spoken] = []
    since: list[UserAsked | AgentSaid | TurnEnded] = []
    ended_at_ms: int | None = None
    for entry in entries[began + 1 :]:
        match entry:
            case Spoken() if ended_at_ms is None:
                said.append(entry)
            case UserAsked(by_voice=False, text=text, at_ms=at_ms) if ended_at_ms is None:
                said.append(Spoken(at_ms=at_ms, speaker="user", text=text))
            case VoiceEnded() | VoiceBegan() if ended_at_ms is None:
                ended_at_ms = entry.at_ms
            case UserAsked() | AgentSaid(is_final=True) | TurnEnded() if ended_at_ms is not None:
                since.append(entry)
            case _:
                pass
    return PastConversation(
        began_at_ms=entries[began].at_ms,
        # One whose process died was not ended: then its last words count.
        ended_at_ms=said[-1].at_ms if ended_at_ms is None else ended_at_ms,
        said=tuple(said),
        since=tuple(since),
    )


def _backwards(entries: Sequence[Entry]) -> list[int]:
    """Where conversations begin, the last first."""
    return [index for index in reversed(range(len(entries))) if isinstance(entries[index], VoiceBegan)]


def _was_spoken_in(entries: Sequence[Entry], began: int) -> bool:
    for entry in entries[began + 1 :]:
        match entry:
            case Spoken() | UserAsked(by_voice=False):
                return True
            case VoiceBegan() | VoiceEnded():
                return False
            case _:
                pass
    return False
