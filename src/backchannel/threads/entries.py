"""What a thread consists of: what was asked, answered, done and said in it, one entry each, in the order it happened.

Times are milliseconds since the epoch.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from backchannel.core import Outcome, screen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "AgentSaid",
    "ApprovalAsked",
    "ApprovalSettled",
    "Entry",
    "PeerSaid",
    "RanTests",
    "Source",
    "Spoken",
    "Thread",
    "TurnBegan",
    "TurnEnded",
    "UserAsked",
    "VoiceBegan",
    "VoiceEnded",
    "entries_before",
]

Source: TypeAlias = Literal["backchannel", "codex", "claude_code"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A line of work: where it happens, and what it is about."""

    thread_id: str
    cwd: str
    """The folder, absolute."""
    created_at_ms: int
    updated_at_ms: int
    asked_at_ms: int | None = None
    """When the user last asked for something in it."""
    branch: str | None = None
    """Of the repository in that folder, when it was last worked on."""
    git_sha: str | None = None
    """The commit that was checked out there."""
    git_origin_url: str | None = dataclasses.field(default=None, repr=False)
    """Where that repository comes from. It may hold a password."""
    first_ask: str | None = dataclasses.field(default=None, repr=False)
    """The first thing that was asked in it, as it was."""
    name: str | None = dataclasses.field(default=None, repr=False)
    archived: bool = False
    source: Source = "backchannel"
    """Whose thread it is: ours, or that of an agent that keeps its own."""
    client_kind: str = "cli"
    """What it was begun with, as the app server's protocol says it: `cli`, `vscode`, `exec`, `appServer`, or another
    word."""
    originator: str | None = None
    """The name of the client that began it."""
    model_provider: str | None = None
    model: str | None = None
    forked_from: str | None = None
    """The thread that it is a copy of, up to where it was copied."""

    @property
    def recency_at_ms(self) -> int:
        """When it was last asked for something, or else begun."""
        return self.created_at_ms if self.asked_at_ms is None else self.asked_at_ms

    def after(self, entry: Entry) -> Thread:
        """The same thread with one entry more."""
        first_ask, asked_at_ms = self.first_ask, self.asked_at_ms
        match entry:
            case UserAsked(at_ms=at_ms, text=text):
                first_ask = text if first_ask is None else first_ask
                asked_at_ms = _later(asked_at_ms, at_ms)
            case TurnBegan(at_ms=at_ms):
                asked_at_ms = _later(asked_at_ms, at_ms)
            case _:
                pass
        updated_at_ms = max(self.updated_at_ms, entry.at_ms)
        return dataclasses.replace(self, first_ask=first_ask, asked_at_ms=asked_at_ms, updated_at_ms=updated_at_ms)

    def after_turn(self, *, started_at_ms: int | None, completed_at_ms: int | None) -> Thread:
        """The same thread when a turn of it was begun or completed."""
        times = [at_ms for at_ms in (started_at_ms, completed_at_ms) if at_ms is not None]
        asked_at_ms = self.asked_at_ms if started_at_ms is None else _later(self.asked_at_ms, started_at_ms)
        updated_at_ms = max(self.updated_at_ms, *times) if times else self.updated_at_ms
        return dataclasses.replace(self, asked_at_ms=asked_at_ms, updated_at_ms=updated_at_ms)

    def copied_as(self, thread_id: str, *, at_ms: int) -> Thread:
        """The thread that a copy of this one is."""
        return dataclasses.replace(
            self,
            thread_id=thread_id,
            created_at_ms=at_ms,
            updated_at_ms=at_ms,
            archived=False,
            forked_from=self.thread_id,
        )

    def with_only(self, entries: Iterable[Entry]) -> Thread:
        """The thread that this one would be if nothing else had happened in it."""
        thread = dataclasses.replace(self, first_ask=None, asked_at_ms=None)
        for entry in entries:
            thread = thread.after(entry)
        return thread


def _later(before_ms: int | None, at_ms: int) -> int:
    return at_ms if before_ms is None else max(before_ms, at_ms)


class UserAsked(msgspec.Struct, frozen=True, kw_only=True, tag="user_asked"):
    """The user asked the agent for something, or for a change."""

    at_ms: int
    text: str
    by_voice: bool = False


class AgentSaid(msgspec.Struct, frozen=True, kw_only=True, tag="agent_said"):
    """The agent completed a message."""

    at_ms: int
    text: str
    is_final: bool = True
    """Whether it is the result of a turn."""


class PeerSaid(msgspec.Struct, frozen=True, kw_only=True, tag="peer_said"):
    """Another agent sent this one a message."""

    at_ms: int
    author: str
    text: str


class TurnBegan(msgspec.Struct, frozen=True, kw_only=True, tag="turn_began"):
    """The agent began to work."""

    at_ms: int
    turn_id: str
    request: str
    """In the words in which it was asked."""


class TurnEnded(msgspec.Struct, frozen=True, kw_only=True, tag="turn_ended"):
    """That work is over."""

    at_ms: int
    turn_id: str
    outcome: Outcome
    error: str | None = None


class ApprovalAsked(msgspec.Struct, frozen=True, kw_only=True, tag="approval_asked"):
    """The agent waits for the user's permission."""

    at_ms: int
    turn_id: str
    approval_id: str
    action: str
    """What it wants to do, as one could say it after "May I"."""


class ApprovalSettled(msgspec.Struct, frozen=True, kw_only=True, tag="approval_settled"):
    """It does not wait any more."""

    at_ms: int
    approval_id: str
    decision: screen.ApprovalDecision


class RanTests(msgspec.Struct, frozen=True, kw_only=True, tag="ran_tests"):
    """The agent ran tests to their end."""

    at_ms: int
    command: str
    passed: bool
    failures: tuple[str, ...] = ()
    """The names of the first tests that failed, where the output has them."""


class VoiceBegan(msgspec.Struct, frozen=True, kw_only=True, tag="voice_began"):
    """A conversation by voice began."""

    at_ms: int


class Spoken(msgspec.Struct, frozen=True, kw_only=True, tag="spoken"):
    """Somebody said something in it."""

    at_ms: int
    speaker: screen.Speaker
    text: str


class VoiceEnded(msgspec.Struct, frozen=True, kw_only=True, tag="voice_ended"):
    """It is over."""

    at_ms: int


Entry: TypeAlias = (
    UserAsked
    | AgentSaid
    | PeerSaid
    | TurnBegan
    | TurnEnded
    | ApprovalAsked
    | ApprovalSettled
    | RanTests
    | VoiceBegan
    | Spoken
    | VoiceEnded
)
"""Everything that a thread consists of."""


def entries_before(entries: Sequence[Entry], turn_id: str) -> Sequence[Entry]:
    """What had happened when a turn was asked for; everything where its beginning is not among it."""
    for place, entry in enumerate(entries):
        if isinstance(entry, TurnBegan) and entry.turn_id == turn_id:
            was_asked = place > 0 and isinstance(entries[place - 1], UserAsked)
            return entries[: place - was_asked]
    return entries
