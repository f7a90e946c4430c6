"""A loaded thread: its agent, the turn that runs, and who hears of it.

There is at most one turn. Whatever is asked while it runs changes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel import core
from backchannel.agents import TurnRequest
from backchannel.errors import LocalProtocolError, SteerRefused
from backchannel.server.running_turn import RunningTurn
from backchannel.wire import appserver

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.agents import Agent
    from backchannel.config import Model
    from backchannel.core import AgentReport
    from backchannel.server.asks import Ask
    from backchannel.server.questions import Decision
    from backchannel.server.services import Services
    from backchannel.threads import Thread

__all__ = ["LiveThread"]

_log = logging.getLogger(__name__)

_YES: Final[tuple[Decision, ...]] = ("approved", "approved for good")
_CLEARING_UP_S: Final = 5.0
"""How long an agent may take to end a turn that was stopped; then it is ended by force."""


class LiveThread:
    """A loaded thread.

    Ownership: whoever loaded it calls `close`, which ends its turn and its agent.

    Args:
        thread: What is known of it.
        agent: Does its work.
        settings: How the agent works.
        services: The server around it.
    """

    def __init__(self, thread: Thread, *, agent: Agent, settings: Model, services: Services) -> None:
        self.thread = thread
        self.settings = settings
        """Those of the next turn."""
        self.turn: RunningTurn | None = None
        self.briefing = core.Briefing()
        """What the agent is still to be told of the voice."""
        self.on_report: Callable[[AgentReport], None] | None = None
        """Is told of the turns that nobody asked for by voice; the voice, while there is one."""
        self.on_ask: Callable[[str], None] | None = None
        """Is told what a client asks; likewise."""
        self.last_used_at = asyncio.get_running_loop().time()
        """When it was last asked for something or a turn of it ended, in the loop's time."""
        self._agent = agent
        self._services = services
        self._work: asyncio.Task[None] | None = None
        self._next: RunningTurn | None = None
        """The turn that begins when the one that is being stopped has ended."""
        self._is_closed = False
        self._has_failed = False
        self._tokens = core.TokensUsed()

    @property
    def thread_id(self) -> str:
        """Its id."""
        return self.thread.thread_id

    @property
    def status(self) -> appserver.ThreadStatus:
        """How it stands."""
        if self.turn is not None:
            return appserver.ActiveStatus(active_flags=("waitingOnApproval",) if self.turn.is_waiting else ())
        return appserver.SystemErrorStatus() if self._has_failed else appserver.IdleStatus()

    def submit(self, ask: Ask, *, listener: Callable[[AgentReport], None] | None = None) -> RunningTurn:
        """Ask the agent for something: a new turn, or a change to the one that runs, which is given back.

        What is asked while a turn is being stopped is the next turn.
        """
        self.last_used_at = asyncio.get_running_loop().time()
        before = self.turn
        turn = self._next or before
        if turn is not None and not turn.is_stopped:
            if listener is not None:
                turn.listeners.append(listener)
            self._services.start("steer", self._steer(turn, ask))
            return turn
        turn = RunningTurn(
            self.thread,
            metadata=ask.metadata_after({}),
            services=self._services,
            on_status=self._status_changed,
            on_answer=self._answered,
        )
        if listener is not None:
            turn.listeners.append(listener)
        if before is None:
            self._begin(turn, ask)
        else:
            self._next = turn
            self._services.start("next turn", self._begin_next(turn, ask))
        return turn

    def _begin(self, turn: RunningTurn, ask: Ask) -> None:
        self.turn = turn
        self._has_failed = False
        self._work = self._services.start("turn", self._run(turn, ask))

    async def _begin_next(self, turn: RunningTurn, ask: Ask) -> None:
        await self._ended()
        self._next = None
        if not self._is_closed:
            self._begin(turn, ask)

    async def _ended(self) -> None:
        """Wait until the turn that runs is over."""
        if self._work is not None:
            await asyncio.wait([self._work])

    async def prepare(self) -> None:
        """Make ready what the next turn is going to need."""
        if self.turn is None:
            await self._agent.prepare()

    async def interrupt(self) -> None:
        """Stop the turn that runs, if there is one."""
        work = self._work
        if self.turn is None or work is None:
            return
        self.turn.is_stopped = True
        self.turn.take_back_questions()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _CLEARING_UP_S
        try:
            async with asyncio.timeout_at(deadline):
                await self._agent.interrupt()
        except (LocalProtocolError, TimeoutError):
            # Its turn has ended; or it does not answer, and is ended by force.
            _log.debug("! agent %s was not stopped", self._agent.name, exc_info=True)
        except Exception:
            # The boundary to the agent.
            _log.exception("! agent %s failed to stop", self._agent.name)
        _, late = await asyncio.wait([work], timeout=max(0.0, deadline - loop.time()))
        if late:
            work.cancel()

    async def decide(self, approval_id: str, *, approved: bool) -> bool:
        """A request for permission is answered; by whom does not matter, the first answer counts.

        Returns:
            Whether this was the first.
        """
        if self.turn is None or not self.turn.answered(approval_id, approved=approved):
            return False
        with contextlib.suppress(LocalProtocolError):
            # It is over, or does not wait any more.
            await self._agent.answer_approval(approval_id, approved=approved)
        return True

    def voice_ended(self) -> None:
        """The voice does not hear of this thread any more, and asks nothing."""
        self.on_report = self.on_ask = None
        if self.turn is not None:
            self.turn.reconsider_questions()

    def failed(self, message: str) -> None:
        """Something that was asked of the thread could not be done."""
        self._has_failed = True
        error = appserver.TurnError(message=message, codex_error_info="badRequest")
        told = appserver.ErrorNotification(
            error=error, will_retry=False, thread_id=self.thread_id, turn_id=self._services.new_id()
        )
        self._services.tell(self.thread_id, "error", told)
        self._status_changed()

    async def close(self) -> None:
        """End its turn and its agent. Idempotent."""
        self._is_closed = True
        try:
            await self.interrupt()
            await self._ended()
        finally:
            await self._agent.close()

    # The turn

    async def _run(self, turn: RunningTurn, ask: Ask) -> None:
        request = TurnRequest(
            turn_id=turn.turn_id,
            text=ask.text,
            briefing=self.briefing.after_returned(ask.briefing) if ask.briefing else self.briefing.take(),
            thread_id=self.thread_id,
            session_id=self.thread_id,
            origin={} if self.thread.forked_from is None else {"forked_from_thread_id": self.thread.forked_from},
            metadata=turn.metadata,
            settings=self.settings,
            output_schema=ask.output_schema,
        )
        end: core.AgentTurnEnded | None = None
        has_begun = False
        try:
            self._status_changed()
            turn.begin(ask)
            self._pass_on_ask(ask)
            async with contextlib.aclosing(self._agent.run(request)) as reports:
                async for report in reports:
                    has_begun = True
                    if isinstance(report, core.AgentTurnEnded):
                        end = report
                    else:
                        turn.reported(report)
                        self._pass_on(turn, report)
        except asyncio.CancelledError:
            error = f"the agent {self._agent.name} did not stop and was ended by force"
            end = core.AgentTurnEnded(turn_id=turn.turn_id, outcome=core.Outcome.FAILED, error=error)
        except Exception as exc:
            # The boundary to the agent: whatever goes wrong in it fails its turn and nothing else.
            _log.exception("! agent %s failed", self._agent.name)
            if not has_begun:
                self.briefing.put_back(request.briefing)
            error = f"the agent {self._agent.name} broke down: {type(exc).__name__}"
            end = core.AgentTurnEnded(turn_id=turn.turn_id, outcome=core.Outcome.FAILED, error=error)
        if end is None:
            error = f"the agent {self._agent.name} stopped without saying how it ended"
            end = core.AgentTurnEnded(turn_id=turn.turn_id, outcome=core.Outcome.FAILED, error=error)
        self.turn = None
        self.last_used_at = asyncio.get_running_loop().time()
        if not isinstance(end.tokens, msgspec.UnsetType):
            self._tokens += end.tokens
        turn.end(end, tokens=self._tokens)
        self._pass_on(turn, end)

    async def _steer(self, turn: RunningTurn, ask: Ask) -> None:
        if self._next is turn:
            await self._ended()
        # A turn that has only just been asked for has to begin first.
        await asyncio.sleep(0)
        metadata = ask.metadata_after(turn.metadata)
        try:
            await self._agent.steer(ask.text, metadata=metadata, briefing=ask.briefing)
        except SteerRefused as exc:
            self._not_taken(ask, str(exc))
        except LocalProtocolError:
            await self._too_late(turn, ask)
        except Exception as exc:
            # The boundary to the agent, as in `_run`.
            _log.exception("! agent %s failed", self._agent.name)
            self._not_taken(ask, f"the agent {self._agent.name} broke down: {type(exc).__name__}")
        else:
            turn.metadata = metadata
            turn.changed(ask)
            self._pass_on_ask(ask)

    async def _too_late(self, turn: RunningTurn, ask: Ask) -> None:
        """The turn ended while the change was on its way: it is the next one, unless somebody said stop after it."""
        if turn.is_stopped:
            self._not_taken(ask, "the turn was stopped before it could take this")
            return
        if self.turn is turn:
            await self._ended()
        if not self._is_closed:
            self.submit(ask)

    def _not_taken(self, ask: Ask, why: str) -> None:
        self.briefing.put_back(ask.briefing)
        self.failed(f"failed to submit turn input: {why}")

    def _answered(self, turn: RunningTurn, approval_id: str, decision: Decision) -> None:
        if decision == "unanswered" and self.on_report is not None:
            # The voice asks too.
            return
        # At once: the agent may ask anew, with the same id.
        if self.turn is not turn or not turn.answered(approval_id, approved=decision in _YES):
            return
        # The voice need not ask any more.
        self._pass_on(turn, core.AgentApprovalWithdrawn(turn_id=turn.turn_id, approval_id=approval_id))
        self._services.start("approval", self._do_as_decided(turn, approval_id, decision))

    async def _do_as_decided(self, turn: RunningTurn, approval_id: str, decision: Decision) -> None:
        if self.turn is not turn:
            # The next turn may have a request of the same id.
            return
        with contextlib.suppress(LocalProtocolError):
            await self._agent.answer_approval(
                approval_id, approved=decision in _YES, for_session=decision == "approved for good"
            )
        if decision == "cancelled" and self.turn is turn:
            await self.interrupt()

    # Who hears of it

    def _pass_on_ask(self, ask: Ask) -> None:
        if ask.content and self.on_ask is not None:
            self.on_ask(ask.text)

    def _pass_on(self, turn: RunningTurn, report: AgentReport) -> None:
        for listener in turn.listeners:
            listener(report)
        if not turn.listeners and self.on_report is not None:
            self.on_report(report)

    def _status_changed(self) -> None:
        told = appserver.ThreadStatusChangedNotification(thread_id=self.thread_id, status=self.status)
        self._services.tell(self.thread_id, "thread/status/changed", told)
