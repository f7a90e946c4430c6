"""The agent's side of a conversation: turns are run, changed and stopped, and what is reported becomes events.

An agent works on one turn at a time and clears up after each, so the next one waits for that, but not forever: an agent
that does not end is ended by force.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from backchannel import core
from backchannel.agents import TurnRequest
from backchannel.core import events as happened
from backchannel.errors import LocalProtocolError, SteerRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from backchannel.agents import Agent
    from backchannel.core import effects as do
    from backchannel.runtime.tasks import Tasks

__all__ = ["Turns"]

_log = logging.getLogger(__name__)

_CLEARING_UP_S: Final = 5.0
"""How long an agent may take to end a turn that was stopped, or to clear up after one; then it is ended by force."""


class Turns:
    """Runs one agent's turns.

    Args:
        agent: Who works. None: the program that embeds the conversation does; it sees the tasks among the events and
            reports by itself.
        briefing: What the agent is told about how it is spoken to.
        tasks: Own what runs here.
        feed: Takes the events.
        room: Waits until more can be reported.
    """

    def __init__(
        self,
        agent: Agent | None,
        *,
        briefing: core.Briefing,
        tasks: Tasks,
        feed: Callable[[happened.Event], None],
        room: Callable[[], Awaitable[None]],
    ) -> None:
        self._agent = agent
        self._briefing = briefing
        self._tasks = tasks
        self._feed = feed
        self._room = room
        self._steering = asyncio.Lock()
        self._working: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        """Whether the newest turn has begun, or will not begin any more."""
        self._running_turn: str | None = None
        self._stopped_turn: str | None = None

    def start(self, effect: do.StartTurn) -> None:
        """Begin a turn when the one before has cleared up."""
        if self._agent is None:
            return
        request = TurnRequest(turn_id=effect.turn_id, text=effect.text, briefing=self._briefing.take())
        self._begun = asyncio.Event()
        work = self._work(self._agent, request, begun=self._begun, after=self._working)
        self._working = self._tasks.start(f"agent {effect.turn_id}", work)

    def prepare(self) -> None:
        """Let the agent make ready what its first turn will need, while nothing is asked of it yet."""
        if self._agent is not None:
            self._tasks.start("agent preparing", self._prepare(self._agent))

    def steer(self, effect: do.SteerTurn) -> None:
        """Change the running turn."""
        if self._agent is not None:
            self._tasks.start(f"steer {effect.turn_id}", self._steer(self._agent, effect, begun=self._begun))

    def interrupt(self, effect: do.InterruptTurn) -> None:
        """Stop the running turn."""
        if self._agent is not None:
            self._stopped_turn = effect.turn_id
            # Whose work it is is settled now: when this is done, the next turn may have begun.
            interrupt = self._interrupt(self._agent, effect.turn_id, work=self._working)
            self._tasks.start(f"interrupt {effect.turn_id}", interrupt)

    def answer_approval(self, effect: do.AnswerApproval) -> None:
        """Tell the agent what the user decided."""
        if self._agent is not None:
            self._tasks.start(f"approval {effect.approval_id}", self._answer(self._agent, effect))

    async def _prepare(self, agent: Agent) -> None:
        try:
            await agent.prepare()
        except Exception:
            # The boundary to the agent, as in `_work`. What is missing then shows in the turn.
            _log.exception("! agent %s failed to prepare", agent.name)

    async def _work(
        self, agent: Agent, request: TurnRequest, *, begun: asyncio.Event, after: asyncio.Task[None] | None
    ) -> None:
        try:
            await _finished(after)
        finally:
            begun.set()
        if self._stopped_turn == request.turn_id:
            # Before it began.
            self._feed(core.AgentTurnEnded(turn_id=request.turn_id, outcome=core.Outcome.INTERRUPTED))
            return
        ended = False
        self._running_turn = request.turn_id
        try:
            async with contextlib.aclosing(agent.run(request)) as reports:
                async for report in reports:
                    await self._room()
                    if isinstance(report, core.AgentTurnEnded):
                        ended = True
                        self._running_turn = None
                    self._feed(report)
        except Exception as exc:
            # The task boundary: whatever goes wrong in an agent fails its turn and nothing else.
            _log.exception("! agent %s failed", agent.name)
            self._feed(_failed(request, f"the agent {agent.name} broke down: {type(exc).__name__}"))
        else:
            if not ended:
                self._feed(_failed(request, f"the agent {agent.name} stopped without saying how it ended"))
        finally:
            self._running_turn = None

    async def _steer(self, agent: Agent, effect: do.SteerTurn, *, begun: asyncio.Event) -> None:
        missed = happened.SteerMissed(turn_id=effect.turn_id, text=effect.text, by_voice=effect.by_voice)
        async with self._steering:
            await begun.wait()
            if effect.turn_id != self._running_turn:
                # The turn ended while the change was on its way; the next turn is another's.
                self._feed(missed)
                return
            try:
                await agent.steer(effect.text)
            except SteerRefused as exc:
                self._feed(happened.SteerFailed(turn_id=effect.turn_id, reason=str(exc)))
            except LocalProtocolError:
                self._feed(missed)
            except Exception as exc:
                # The boundary to the agent, as in `_work`: the turn goes on as it was.
                _log.exception("! agent %s failed to take a change", agent.name)
                reason = f"The change could not be made: the agent {agent.name} broke down on it"
                self._feed(happened.SteerFailed(turn_id=effect.turn_id, reason=f"{reason} ({type(exc).__name__})."))

    async def _interrupt(self, agent: Agent, turn_id: str, *, work: asyncio.Task[None] | None) -> None:
        if self._running_turn == turn_id:
            try:
                await agent.interrupt()
            except Exception:
                # The boundary to the agent, as in `_work`.
                _log.exception("! agent %s failed to stop", agent.name)
        if not await _finished(work):
            error = f"the agent {agent.name} did not stop and was ended by force"
            self._feed(core.AgentTurnEnded(turn_id=turn_id, outcome=core.Outcome.FAILED, error=error))

    async def _answer(self, agent: Agent, effect: do.AnswerApproval) -> None:
        if effect.turn_id != self._running_turn:
            # It is over, and whoever asked with it.
            return
        try:
            await agent.answer_approval(effect.approval_id, approved=effect.approved)
        except Exception as exc:
            # The boundary to the agent, as in `_work`. An answer that is lost would leave it waiting forever.
            _log.exception("! agent %s failed to take an answer", agent.name)
            error = f"the agent {agent.name} broke down on an answer: {type(exc).__name__}"
            self._feed(core.AgentTurnEnded(turn_id=effect.turn_id, outcome=core.Outcome.FAILED, error=error))
            if self._working is not None:
                self._working.cancel()


async def _finished(work: asyncio.Task[None] | None) -> bool:
    """Wait until an agent has done with its turn: it works on one at a time, and clears up after each.

    Returns:
        Whether it did so by itself; otherwise it was ended by force.
    """
    if work is None or work.done():
        return True
    _, late = await asyncio.wait([work], timeout=_CLEARING_UP_S)
    if late:
        work.cancel()
        await asyncio.wait([work])
    return not late


def _failed(request: TurnRequest, error: str) -> core.AgentTurnEnded:
    return core.AgentTurnEnded(turn_id=request.turn_id, outcome=core.Outcome.FAILED, error=error)
