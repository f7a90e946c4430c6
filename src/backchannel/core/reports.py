"""What a background agent reports while it works on a turn.

These are events of the core (see `events.py`); they stand in a file of their own because every agent makes them.
"""

from __future__ import annotations

import enum
from typing import Literal, TypeAlias

import msgspec

__all__ = [
    "AgentApprovalRequested",
    "AgentApprovalWithdrawn",
    "AgentCommandEnded",
    "AgentCommandOutput",
    "AgentCommandStarted",
    "AgentMessage",
    "AgentMessageDelta",
    "AgentMessageDropped",
    "AgentReport",
    "AgentThought",
    "AgentThoughtDelta",
    "AgentTurnEnded",
    "FileChange",
    "Outcome",
    "Phase",
    "Risk",
    "TokensUsed",
]


class Phase(enum.Enum):
    """What a completed message of the agent is."""

    COMMENTARY = "commentary"
    """Said while working; the work goes on."""
    FINAL = "final"
    """The result of the turn."""
    UNMARKED = "unmarked"
    """Said while working, by an agent that did not say that it only comments on its work."""


class Outcome(enum.Enum):
    """How a turn ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Risk(enum.Enum):
    """What could go wrong with something that the agent asks permission for."""

    DELETE = "delete"
    """Something is lost that version control does not bring back."""
    FORCE_PUSH = "force_push"
    """What others may have is overwritten."""
    NETWORK = "network"
    """Something leaves this machine, or comes to it."""
    OUTSIDE_WORKSPACE = "outside_workspace"
    """Something outside the folder that the agent works in is changed."""


class AgentThoughtDelta(msgspec.Struct, frozen=True, kw_only=True, tag="agent_thought_delta"):
    """A piece of what the agent is thinking, in its own summary."""

    turn_id: str
    delta: str
    part: int = 0
    """Which part of the summary it belongs to; they are counted from 0."""


class AgentThought(msgspec.Struct, frozen=True, kw_only=True, tag="agent_thought"):
    """What the agent thought, in its own summary, complete."""

    turn_id: str
    parts: tuple[str, ...]
    """Each often begins with a title in bold type; may be empty where there is no summary."""


class AgentMessageDelta(msgspec.Struct, frozen=True, kw_only=True, tag="agent_message_delta"):
    """A piece of a message that is still being written."""

    turn_id: str
    delta: str


class AgentMessageDropped(msgspec.Struct, frozen=True, kw_only=True, tag="agent_message_dropped"):
    """The message or thought that was being written will not be finished, because of a change or a failure.

    The next piece begins another one.
    """

    turn_id: str


class AgentMessage(msgspec.Struct, frozen=True, kw_only=True, tag="agent_message"):
    """A message of the agent is complete.

    The first paragraph of `text` is what a voice would say of it (one or two sentences); what follows after a blank
    line is for the screen.
    """

    turn_id: str
    text: str
    phase: Phase


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one file."""

    path: str
    kind: Literal["add", "delete", "update"]
    diff: str
    """Of a changed file its changed places; of a new one its text; of one that goes nothing."""
    moved_to: str | None = None


class TokensUsed(msgspec.Struct, frozen=True, kw_only=True):
    """What requests to a language model cost."""

    input: int = 0
    cached_input: int = 0
    """Of the input."""
    output: int = 0
    reasoning_output: int = 0
    """Of the output."""

    @property
    def total(self) -> int:
        """All together."""
        return self.input + self.output

    def __add__(self, other: TokensUsed) -> TokensUsed:
        return TokensUsed(
            input=self.input + other.input,
            cached_input=self.cached_input + other.cached_input,
            output=self.output + other.output,
            reasoning_output=self.reasoning_output + other.reasoning_output,
        )


class AgentCommandStarted(msgspec.Struct, frozen=True, kw_only=True, tag="agent_command_started"):
    """The agent started a command."""

    turn_id: str
    command_id: str
    command: str
    """As a person would type it."""
    changes: tuple[FileChange, ...] | msgspec.UnsetType = msgspec.UNSET
    """Where it does nothing but change files: what becomes of each; for programs."""
    folder: str | msgspec.UnsetType = msgspec.UNSET
    """Where it runs, where that is not the workspace."""


class AgentCommandOutput(msgspec.Struct, frozen=True, kw_only=True, tag="agent_command_output"):
    """A command printed something (standard output and error together)."""

    turn_id: str
    command_id: str
    text: str


class AgentCommandEnded(msgspec.Struct, frozen=True, kw_only=True, tag="agent_command_ended"):
    """A command ended."""

    turn_id: str
    command_id: str
    exit_status: int | None
    """None when it was stopped or ran into its time limit."""
    elapsed_s: float


class AgentApprovalRequested(msgspec.Struct, frozen=True, kw_only=True, tag="agent_approval_requested"):
    """The agent wants to do something and waits for the user's permission."""

    turn_id: str
    approval_id: str
    """Used for this request and for no other."""
    action: str
    """What it wants to do, as one could say it after "May I": `run git push`."""
    detail: str = ""
    """The whole of it, for the screen: a command, a patch."""
    risks: tuple[Risk, ...] = ()
    command_id: str | msgspec.UnsetType = msgspec.UNSET
    """Of the command that is started when it may; for programs, as what follows."""
    changes: tuple[FileChange, ...] | msgspec.UnsetType = msgspec.UNSET
    """What becomes of each file, where it wants nothing but to change files."""
    folder: str | msgspec.UnsetType = msgspec.UNSET
    """Where a command would run, where that is not the workspace."""


class AgentApprovalWithdrawn(msgspec.Struct, frozen=True, kw_only=True, tag="agent_approval_withdrawn"):
    """The agent does not wait for an answer any more."""

    turn_id: str
    approval_id: str


class AgentTurnEnded(msgspec.Struct, frozen=True, kw_only=True, tag="agent_turn_ended"):
    """The turn is over; nothing more comes for its id."""

    turn_id: str
    outcome: Outcome
    error: str | None = None
    """Why it failed, as a sentence; None unless `outcome` is FAILED."""
    http_status: int | msgspec.UnsetType = msgspec.UNSET
    """Of the service that refused, where one did; for programs."""
    tokens: TokensUsed | msgspec.UnsetType = msgspec.UNSET
    """Of all requests to a language model, where that is known; for programs, as what follows."""
    last_tokens: TokensUsed | msgspec.UnsetType = msgspec.UNSET
    """Of the last one."""


AgentReport: TypeAlias = (
    AgentThoughtDelta
    | AgentThought
    | AgentMessageDelta
    | AgentMessageDropped
    | AgentMessage
    | AgentCommandStarted
    | AgentCommandOutput
    | AgentCommandEnded
    | AgentApprovalRequested
    | AgentApprovalWithdrawn
    | AgentTurnEnded
)
"""Everything an agent may report."""
