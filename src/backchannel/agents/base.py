"""What Backchannel asks of a background agent."""

from __future__ import annotations

import abc
import dataclasses
from typing import TYPE_CHECKING, Final

from backchannel.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from backchannel.config import Model
    from backchannel.core import AgentReport, Note

__all__ = ["EARLIER_ENTRIES", "Agent", "TurnRequest"]

EARLIER_ENTRIES: Final = 2000
"""So many of the newest entries of a thread are worth giving to the agent that goes on with it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TurnRequest:
    """One piece of work for an agent."""

    turn_id: str
    """Stands on every report of this turn."""
    text: str
    """What the agent is asked: typed text as it is, or a delegation in its envelope (`core.parse_delegation`)."""
    briefing: tuple[Note, ...] = ()
    """Messages that come before it: that somebody now speaks through a voice, or does not, or did at its end."""
    thread_id: str | None = None
    """The thread that it belongs to; None: the agent's only one."""
    session_id: str | None = None
    """The run of the program; None: as the thread."""
    origin: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Where the thread comes from, such as `forked_from_thread_id`, for agents that pass that on."""
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What the client wants to be passed on with what is sent for this turn."""
    settings: Model | None = None
    """How to work from this turn on, for agents with a language model; None: as before."""
    output_schema: bytes | None = None
    """The JSON schema that the final message has to follow, for agents with a language model; None: it is free."""


class Agent(abc.ABC):
    """A background agent: it works on one turn at a time and tells what it does.

    Ownership: whoever made the agent calls `close`; it is idempotent and leaves no process behind.
    """

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """How a person names this agent on the command line."""

    async def prepare(self) -> None:
        """Make ready what the first turn is going to need, such as a connection. What goes wrong shows in the turn."""
        return

    @abc.abstractmethod
    def run(self, request: TurnRequest) -> AsyncGenerator[AgentReport]:
        """Work on a turn and yield what happens, the last being `AgentTurnEnded`.

        Ordering: messages in the order they were completed; a command's output between its start and its end. A
        failure of the work is a report, never an exception. Closing the generator early ends the work and everything
        it started.

        Raises:
            LocalProtocolError: A turn is already running.
        """

    @abc.abstractmethod
    async def steer(
        self, text: str, *, metadata: Mapping[str, str] | None = None, briefing: tuple[Note, ...] = ()
    ) -> None:
        """Take a change into the running turn; `text` comes in the same forms as a request's.

        It returns as soon as the change is accepted; what comes of it is reported by the running turn.

        Args:
            text: The change.
            metadata: Takes the place of the request's; None keeps that.
            briefing: Messages that come after it, as those of a request: somebody may begin to speak during a turn.

        Raises:
            SteerRefused: The change cannot be taken; the turn goes on as it was.
            LocalProtocolError: No turn is running.
        """

    @abc.abstractmethod
    async def interrupt(self) -> None:
        """Stop the running turn, which then reports its end as `INTERRUPTED`; without a turn, do nothing."""

    async def answer_approval(self, approval_id: str, *, approved: bool, for_session: bool = False) -> None:
        """The user's answer to an `AgentApprovalRequested` of the running turn; each gets one, or is withdrawn.

        Args:
            approval_id: Of the request.
            approved: Whether it may.
            for_session: Whether it may do just this from now on, without asking; an agent may ask all the same.

        Raises:
            LocalProtocolError: This agent asks for no permission, or not for this.
        """
        raise LocalProtocolError(
            f"expected an answer to a request for permission, but {self.name} made none named {approval_id!r}"
            f" ({'granted' if approved else 'refused'})"
        )

    @abc.abstractmethod
    async def close(self) -> None:
        """End everything this agent started and wait for it. Idempotent."""
