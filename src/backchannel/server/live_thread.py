"""A loaded thread: its agent, the turn that runs, and who is told of it.

There is at most one turn. Whatever is asked while it runs changes it. Everything that the agent reports becomes, in one
place and in order: what clients are told, what is kept, and what the voice hears of it.

Source: app-server.md 1.6 for the order of the notifications.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from typing import TYPE_CHECKING, Final, Protocol, assert_never

import msgspec

from backchannel import core
from backchannel.agents import TurnRequest
from backchannel.errors import LocalProtocolError, SteerRefused
from backchannel.threads import AgentSaid, TurnBegan, TurnEnded, TurnItem, UserAsked, status_of
from backchannel.threads import Turn as KeptTurn
from backchannel.wire import appserver

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from backchannel.agents import Agent
    from backchannel.config import Model
    from backchannel.core import AgentReport
    from backchannel.threads import Entry, Thread, ThreadStore

__all__ = ["Ask", "LiveThread", "RunningTurn", "Services"]

_log = logging.getLogger(__name__)

_CLEARING_UP_S: Final = 5.0
"""How long an agent may take to end a turn that was stopped; then it is ended by force."""
_MAY_RUN: Final = "item/commandExecution/requestApproval"
_DECISIONS: Final = ("accept", "decline", "cancel")
_YES: Final = ("accept", "acceptForSession")
_STATUSES: Final[dict[core.Outcome, appserver.TurnStatus]] = {
    core.Outcome.COMPLETED: "completed",
    core.Outcome.FAILED: "failed",
    core.Outcome.INTERRUPTED: "interrupted",
}


class Services(Protocol):
    """What a thread needs of the server around it."""

    def tell(self, thread_id: str, method: str, params: msgspec.Struct) -> None:
        """Tell the clients that are subscribed to a thread."""

    def ask(
        self, thread_id: str, method: str, params: msgspec.Struct, answered: Callable[[msgspec.Raw | None], None]
    ) -> Callable[[], None]:
        """Ask the clients that are subscribed; the first answer counts, None when none will come.

        Returns:
            Takes the question back.
        """

    def keep(self, thread: Thread, write: Callable[[ThreadStore], object]) -> None:
        """Write something of a thread into the store, in order; the thread itself is made there first."""

    def start(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run something that belongs to the server."""

    def now_ms(self) -> int:
        """The time, in milliseconds since the epoch."""

    def new_id(self) -> str:
        """An id that nothing else has."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Something asked of the agent."""

    text: str
    content: tuple[appserver.UserInput, ...] = ()
    """As a client sent it; empty for a delegation, which clients do not see."""
    client_id: str | None = None
    metadata: Mapping[str, str] | None = None
    """What the client wants to travel with the requests for a model; None leaves it as it was."""
    metadata_patch: Mapping[str, str] | None = None
    """What it wants to travel besides."""
    briefing: tuple[str, ...] = ()
    by_voice: bool = False

    def metadata_after(self, before: Mapping[str, str]) -> Mapping[str, str]:
        """What travels from now on."""
        return {**(before if self.metadata is None else self.metadata), **(self.metadata_patch or {})}


@dataclasses.dataclass(slots=True, kw_only=True)
class RunningTurn:
    """The turn that runs."""

    turn_id: str
    started_at_ms: int
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What the client wants to travel with the requests for a model."""
    listeners: list[Callable[[AgentReport], None]] = dataclasses.field(default_factory=list)
    """Those who asked for it by voice; with none, the voice hears of it as of something that others asked for."""
    message_id: str | None = None
    """Of the message that is being written."""
    last_message: appserver.AgentMessageItem | None = None
    commands: dict[str, appserver.CommandExecutionItem] = dataclasses.field(default_factory=dict)
    waiting: dict[str, Callable[[], None]] = dataclasses.field(default_factory=dict)
    """The requests for permission that wait for an answer, and how the question is taken back."""
    error: appserver.TurnError | None = None

    def seen(self, *, status: appserver.TurnStatus = "inProgress", ended_at_ms: int | None = None) -> appserver.Turn:
        """As clients see it."""
        shown = () if ended_at_ms is None or self.last_message is None else (self.last_message,)
        return appserver.Turn(
            id=self.turn_id,
            status=status,
            items=shown,
            items_view="notLoaded" if ended_at_ms is None else "summary",
            error=self.error,
            started_at=self.started_at_ms // 1000,
            completed_at=None if ended_at_ms is None else ended_at_ms // 1000,
            duration_ms=None if ended_at_ms is None else ended_at_ms - self.started_at_ms,
            root_turn_id=self.turn_id,
        )


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
        self._agent = agent
        self._services = services
        self._work: asyncio.Task[None] | None = None
        self._has_failed = False

    @property
    def thread_id(self) -> str:
        """Its id."""
        return self.thread.thread_id

    @property
    def status(self) -> appserver.ThreadStatus:
        """How it stands."""
        if self.turn is not None:
            return appserver.ActiveStatus(active_flags=("waitingOnApproval",) if self.turn.waiting else ())
        return appserver.SystemErrorStatus() if self._has_failed else appserver.IdleStatus()

    def submit(self, ask: Ask, *, listener: Callable[[AgentReport], None] | None = None) -> RunningTurn:
        """Ask the agent for something: a new turn, or a change to the one that runs, which is given back."""
        if self.turn is not None:
            if listener is not None:
                self.turn.listeners.append(listener)
            self._services.start("steer", self._steer(self.turn, ask))
            return self.turn
        turn = self.turn = RunningTurn(
            turn_id=self._services.new_id(),
            started_at_ms=self._services.now_ms(),
            metadata=ask.metadata_after({}),
        )
        if listener is not None:
            turn.listeners.append(listener)
        self._has_failed = False
        self._work = self._services.start("turn", self._run(turn, ask))
        return turn

    async def interrupt(self) -> None:
        """Stop the turn that runs, if there is one."""
        work = self._work
        if self.turn is None or work is None:
            return
        for withdraw in self.turn.waiting.values():
            withdraw()
        self.turn.waiting.clear()
        with contextlib.suppress(LocalProtocolError):
            await self._agent.interrupt()
        _, late = await asyncio.wait([work], timeout=_CLEARING_UP_S)
        if late:
            work.cancel()

    async def decide(self, approval_id: str, *, approved: bool) -> None:
        """A request for permission is answered; by whom does not matter, the first answer counts."""
        turn = self.turn
        withdraw = None if turn is None else turn.waiting.pop(approval_id, None)
        if withdraw is None:
            return
        withdraw()
        self._status_changed()
        with contextlib.suppress(LocalProtocolError):
            # It is over, or does not wait any more.
            await self._agent.answer_approval(approval_id, approved=approved)

    def failed(self, message: str) -> None:
        """Something that was asked of the thread could not be done."""
        self._has_failed = True
        error = appserver.TurnError(message=message, codex_error_info="badRequest")
        told = appserver.ErrorNotification(
            error=error, will_retry=False, thread_id=self.thread_id, turn_id=self._services.new_id()
        )
        self._tell("error", told)
        self._status_changed()

    async def close(self) -> None:
        """End its turn and its agent. Idempotent."""
        await self.interrupt()
        if self._work is not None:
            await asyncio.wait([self._work])
        await self._agent.close()

    # The turn

    async def _run(self, turn: RunningTurn, ask: Ask) -> None:
        self._status_changed()
        self._tell("turn/started", appserver.TurnStartedNotification(thread_id=self.thread_id, turn=turn.seen()))
        self._keep(UserAsked(at_ms=turn.started_at_ms, text=ask.text, by_voice=ask.by_voice))
        self._keep(TurnBegan(at_ms=turn.started_at_ms, turn_id=turn.turn_id, request=ask.text))
        kept = KeptTurn(turn_id=turn.turn_id, started_at_ms=turn.started_at_ms)
        self._services.keep(self.thread, lambda store: store.put_turn(self.thread_id, kept))
        self._show_asked(turn, ask)
        request = TurnRequest(
            turn_id=turn.turn_id,
            text=ask.text,
            briefing=ask.briefing or self.briefing.take(),
            thread_id=self.thread_id,
            session_id=self.thread_id,
            origin={} if self.thread.forked_from is None else {"forked_from_thread_id": self.thread.forked_from},
            metadata=turn.metadata,
            settings=self.settings,
        )
        end: core.AgentTurnEnded | None = None
        try:
            async with contextlib.aclosing(self._agent.run(request)) as reports:
                async for report in reports:
                    if isinstance(report, core.AgentTurnEnded):
                        end = report
                    else:
                        self._reported(turn, report)
        except asyncio.CancelledError:
            error = f"the agent {self._agent.name} did not stop and was ended by force"
            end = core.AgentTurnEnded(turn_id=turn.turn_id, outcome=core.Outcome.FAILED, error=error)
        except Exception as exc:
            # The boundary to the agent: whatever goes wrong in it fails its turn and nothing else.
            _log.exception("! agent %s failed", self._agent.name)
            error = f"the agent {self._agent.name} broke down: {type(exc).__name__}"
            end = core.AgentTurnEnded(turn_id=turn.turn_id, outcome=core.Outcome.FAILED, error=error)
        if end is None:
            error = f"the agent {self._agent.name} stopped without saying how it ended"
            end = core.AgentTurnEnded(turn_id=turn.turn_id, outcome=core.Outcome.FAILED, error=error)
        self._ended(turn, end)

    async def _steer(self, turn: RunningTurn, ask: Ask) -> None:
        # A turn that has only just been asked for has to begin first.
        await asyncio.sleep(0)
        metadata = ask.metadata_after(turn.metadata)
        try:
            await self._agent.steer(ask.text, metadata=metadata)
        except SteerRefused as exc:
            self.failed(f"failed to submit turn input: {exc}")
        except LocalProtocolError:
            # It ended while the change was on its way: then it is a turn of its own.
            if self.turn is None or self.turn is turn:
                self.failed("failed to submit turn input: the turn has just ended")
            else:
                self._services.start("steer", self._steer(self.turn, ask))
        else:
            turn.metadata = metadata
            self._keep(UserAsked(at_ms=self._services.now_ms(), text=ask.text, by_voice=ask.by_voice))
            self._show_asked(turn, ask)

    def _show_asked(self, turn: RunningTurn, ask: Ask) -> None:
        if not ask.content:
            return
        item = appserver.UserMessageItem(id=self._services.new_id(), content=ask.content, client_id=ask.client_id)
        self._item_started(turn, item)
        self._item_completed(turn, item)
        if self.on_ask is not None:
            self.on_ask(ask.text)

    def _reported(self, turn: RunningTurn, report: AgentReport) -> None:
        match report:
            case core.AgentMessageDelta(delta=delta):
                item_id = self._open_message(turn)
                told = appserver.AgentMessageDeltaNotification(
                    thread_id=self.thread_id, turn_id=turn.turn_id, item_id=item_id, delta=delta
                )
                self._tell("item/agentMessage/delta", told)
            case core.AgentMessage(text=text, phase=phase):
                self._message(turn, text, phase)
            case core.AgentCommandStarted(command_id=command_id, command=command):
                item = appserver.CommandExecutionItem(
                    id=self._services.new_id(),
                    command=command,
                    cwd=self.thread.cwd,
                    status="inProgress",
                    command_actions=(appserver.UnknownAction(command=command),),
                )
                turn.commands[command_id] = item
                self._item_started(turn, item)
            case core.AgentCommandOutput(command_id=command_id, text=text) if command_id in turn.commands:
                running = turn.commands[command_id]
                output = (running.aggregated_output or "") + text
                turn.commands[command_id] = msgspec.structs.replace(running, aggregated_output=output)
                printed = appserver.CommandExecutionOutputDeltaNotification(
                    thread_id=self.thread_id, turn_id=turn.turn_id, item_id=running.id, delta=text
                )
                self._tell("item/commandExecution/outputDelta", printed)
            case core.AgentCommandEnded(command_id=command_id) if command_id in turn.commands:
                self._command_ended(turn, turn.commands.pop(command_id), report)
            case core.AgentApprovalRequested():
                self._approval_requested(turn, report)
            case core.AgentApprovalWithdrawn(approval_id=approval_id):
                if (withdraw := turn.waiting.pop(approval_id, None)) is not None:
                    withdraw()
                    self._status_changed()
            case core.AgentCommandOutput() | core.AgentCommandEnded() | core.AgentTurnEnded():
                pass
            case _:
                assert_never(report)
        self._pass_on(turn, report)

    def _open_message(self, turn: RunningTurn) -> str:
        if turn.message_id is None:
            turn.message_id = self._services.new_id()
            self._item_started(turn, appserver.AgentMessageItem(id=turn.message_id, text=""))
        return turn.message_id

    def _message(self, turn: RunningTurn, text: str, phase: core.Phase) -> None:
        item_id = self._open_message(turn)
        turn.message_id = None
        is_final = phase is core.Phase.FINAL
        item = appserver.AgentMessageItem(id=item_id, text=text, phase="final_answer" if is_final else "commentary")
        turn.last_message = item
        self._keep(AgentSaid(at_ms=self._services.now_ms(), text=text, is_final=is_final))
        self._item_completed(turn, item)

    def _command_ended(
        self, turn: RunningTurn, item: appserver.CommandExecutionItem, report: core.AgentCommandEnded
    ) -> None:
        whole = msgspec.structs.replace(
            item,
            status="completed" if report.exit_status == 0 else "failed",
            exit_code=report.exit_status,
            duration_ms=round(report.elapsed_s * 1000),
        )
        self._item_completed(turn, whole)

    def _approval_requested(self, turn: RunningTurn, report: core.AgentApprovalRequested) -> None:
        approval_id = report.approval_id
        params = appserver.CommandExecutionRequestApprovalParams(
            thread_id=self.thread_id,
            turn_id=turn.turn_id,
            item_id=approval_id,
            started_at_ms=self._services.now_ms(),
            approval_id=approval_id,
            reason=report.action,
            command=report.detail or None,
            cwd=self.thread.cwd,
            available_decisions=_DECISIONS,
        )

        def answered(answer: msgspec.Raw | None) -> None:
            if answer is not None:
                approved = _is_yes(answer)
                self._services.start("approval", self.decide(approval_id, approved=approved))

        turn.waiting[approval_id] = self._services.ask(self.thread_id, _MAY_RUN, params, answered)
        self._status_changed()

    def _ended(self, turn: RunningTurn, end: core.AgentTurnEnded) -> None:
        at_ms = self._services.now_ms()
        for withdraw in turn.waiting.values():
            withdraw()
        turn.waiting.clear()
        for item in turn.commands.values():
            self._item_completed(turn, msgspec.structs.replace(item, status="failed"))
        turn.commands.clear()
        if end.error is not None:
            turn.error = appserver.TurnError(message=end.error, codex_error_info=_kind_of(end))
        self.turn = None
        self._keep(TurnEnded(at_ms=at_ms, turn_id=turn.turn_id, outcome=end.outcome, error=end.error))
        kept = KeptTurn(
            turn_id=turn.turn_id,
            status=status_of(end.outcome),
            error=None if turn.error is None else msgspec.Raw(msgspec.json.encode(turn.error)),
            started_at_ms=turn.started_at_ms,
            completed_at_ms=at_ms,
        )
        self._services.keep(self.thread, lambda store: store.put_turn(self.thread_id, kept))
        if turn.error is not None:
            told = appserver.ErrorNotification(
                error=turn.error, will_retry=False, thread_id=self.thread_id, turn_id=turn.turn_id
            )
            self._tell("error", told)
        self._status_changed()
        seen = turn.seen(status=_STATUSES[end.outcome], ended_at_ms=at_ms)
        self._tell("turn/completed", appserver.TurnCompletedNotification(thread_id=self.thread_id, turn=seen))
        self._pass_on(turn, end)

    # Telling

    def _pass_on(self, turn: RunningTurn, report: AgentReport) -> None:
        for listener in turn.listeners:
            listener(report)
        if not turn.listeners and self.on_report is not None:
            self.on_report(report)

    def _item_started(self, turn: RunningTurn, item: appserver.ThreadItem) -> None:
        told = appserver.ItemStartedNotification(
            item=item, thread_id=self.thread_id, turn_id=turn.turn_id, started_at_ms=self._services.now_ms()
        )
        self._tell("item/started", told)

    def _item_completed(self, turn: RunningTurn, item: appserver.ThreadItem) -> None:
        at_ms = self._services.now_ms()
        told = appserver.ItemCompletedNotification(
            item=item, thread_id=self.thread_id, turn_id=turn.turn_id, completed_at_ms=at_ms
        )
        self._tell("item/completed", told)
        kept = TurnItem(item_id=item.id, data=msgspec.Raw(msgspec.json.encode(item)))
        self._services.keep(
            self.thread, lambda store: store.put_items(self.thread_id, turn.turn_id, [kept], at_ms=at_ms)
        )

    def _status_changed(self) -> None:
        told = appserver.ThreadStatusChangedNotification(thread_id=self.thread_id, status=self.status)
        self._tell("thread/status/changed", told)

    def _tell(self, method: str, params: msgspec.Struct) -> None:
        self._services.tell(self.thread_id, method, params)

    def _keep(self, entry: Entry) -> None:
        self._services.keep(self.thread, lambda store: store.append(self.thread_id, [entry]))


_KINDS: Final[dict[int, appserver.CodexErrorInfo]] = {
    400: "badRequest",
    401: "unauthorized",
    403: "unauthorized",
    429: "rateLimitExceeded",
    503: "serverOverloaded",
}


def _kind_of(end: core.AgentTurnEnded) -> appserver.CodexErrorInfo:
    """What clients call what went wrong."""
    if isinstance(end.http_status, msgspec.UnsetType):
        return "other"
    return _KINDS.get(end.http_status, "internalServerError" if end.http_status >= 500 else "other")


def _is_yes(answer: msgspec.Raw) -> bool:
    """Whatever is no plain yes declines."""
    read = appserver.decode_answer(_MAY_RUN, answer)
    return isinstance(read, appserver.CommandExecutionRequestApprovalResponse) and read.decision in _YES
