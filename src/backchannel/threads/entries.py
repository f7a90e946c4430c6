"""What a thread consists of: what was asked, answered, done and said in it, one entry each, in the order it happened.

Times are milliseconds since the epoch.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

import msgspec

from backchannel.core import Outcome, screen

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
    branch: str | None = None
    """Of the repository in that folder, when it was last worked on."""
    first_ask: str | None = dataclasses.field(default=None, repr=False)
    """The first thing that was asked in it, as it was."""
    name: str | None = dataclasses.field(default=None, repr=False)
    archived: bool = False
    source: Source = "backchannel"
    """Whose thread it is: ours, or that of an agent that keeps its own."""


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
