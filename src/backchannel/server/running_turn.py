"""The turn that runs: what its agent reports becomes, in one place and in order, what is told and what is kept.

The file is long because the order of what is told can only be judged together.

Source: app-server.md 1.6 for the order of the notifications.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar, assert_never

import msgspec

from backchannel import core
from backchannel.core import screen
from backchannel.server.questions import decision_of
from backchannel.server.seen import kind_of_failure, seen_change, seen_tokens
from backchannel.threads import (
    ApprovalAsked,
    ApprovalSettled,
    Journal,
    TurnBegan,
    TurnEnded,
    TurnItem,
    UserAsked,
    status_of,
)
from backchannel.threads import Turn as KeptTurn
from backchannel.wire import appserver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backchannel.core import AgentReport
    from backchannel.server.asks import Ask
    from backchannel.server.questions import Decision, Question
    from backchannel.server.services import Services
    from backchannel.threads import Entry, Thread

__all__ = ["RunningTurn"]

_Item = TypeVar("_Item", bound=appserver.ThreadItem)
_Command: TypeAlias = appserver.CommandExecutionItem | appserver.FileChangeItem

_MAX_PARTS: Final = 100
"""So many parts of a thought are told apart; the last holds what would be in later ones."""
_MAY_RUN: Final = "item/commandExecution/requestApproval"
_MAY_CHANGE: Final = "item/fileChange/requestApproval"
_DECISIONS: Final = ("accept", "acceptForSession", "decline", "cancel")
_PHASES: Final[dict[core.Phase, Literal["commentary", "final_answer"] | None]] = {
    core.Phase.COMMENTARY: "commentary",
    core.Phase.FINAL: "final_answer",
    core.Phase.UNMARKED: None,
}
_STATUSES: Final[dict[core.Outcome, appserver.TurnStatus]] = {
    core.Outcome.COMPLETED: "completed",
    core.Outcome.FAILED: "failed",
    core.Outcome.INTERRUPTED: "interrupted",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """A request for permission that waits for an answer."""

    asked: Question
    command_id: str
    """Of what is done when it may."""


class RunningTurn:
    """A turn, from where it is asked for to its end.

    Args:
        thread: It belongs to.
        metadata: What the client wants to travel with the requests for a model.
        services: The server around it.
        on_status: Is told when it begins or ceases to wait for permission.
        on_answer: Is told a client's answer to a request for permission.
    """

    def __init__(
        self,
        thread: Thread,
        *,
        metadata: Mapping[str, str],
        services: Services,
        on_status: Callable[[], None],
        on_answer: Callable[[RunningTurn, str, Decision], None],
    ) -> None:
        self.turn_id = services.new_id()
        self.metadata = metadata
        self.is_stopped = False
        """Whether somebody wants it to end."""
        self.listeners: list[Callable[[AgentReport], None]] = []
        """Those who asked for it by voice; with none, the voice hears of it as of something that others asked for."""
        self._thread = thread
        self._services = services
        self._on_status = on_status
        self._on_answer = on_answer
        self._started_at_ms = services.now_ms()
        self._items_began: dict[str, int] = {}
        """When those that are not complete began."""
        self._message_id: str | None = None
        """Of the message that is being written."""
        self._written: list[str] = []
        """Of that."""
        self._thought_id: str | None = None
        """Of the thought that is being told."""
        self._told_parts: list[list[str]] = []
        """Of that, each in the pieces in which it came."""
        self._last_message: appserver.AgentMessageItem | None = None
        self._commands: dict[str, _Command] = {}
        """Those that run, or wait for permission."""
        self._printed: dict[str, list[str]] = {}
        """By them."""
        self._questions: dict[str, _Question] = {}
        self._journal = Journal(self._keep, now_ms=services.now_ms)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for permission."""
        return bool(self._questions)

    def begin(self, ask: Ask) -> None:
        """Say and keep that it has begun."""
        at_ms = self._started_at_ms
        self._tell("turn/started", appserver.TurnStartedNotification(thread_id=self._thread_id, turn=self._seen()))
        self._keep(UserAsked(at_ms=at_ms, text=ask.text, by_voice=ask.by_voice))
        self._keep(TurnBegan(at_ms=at_ms, turn_id=self.turn_id, request=ask.text))
        self._keep_turn(KeptTurn(turn_id=self.turn_id, started_at_ms=at_ms))
        self._show(ask)

    def changed(self, ask: Ask) -> None:
        """The agent has taken a change."""
        self._keep(UserAsked(at_ms=self._services.now_ms(), text=ask.text, by_voice=ask.by_voice))
        self._show(ask)

    def reported(self, report: AgentReport) -> None:
        """The agent has reported something, which is not the end."""
        self._journal.note(report)
        match report:
            case core.AgentThoughtDelta(delta=delta, part=part):
                self._thinks(delta, part)
            case core.AgentThought(parts=parts):
                self._thought(parts)
            case core.AgentMessageDelta(delta=delta):
                told = appserver.AgentMessageDeltaNotification(
                    thread_id=self._thread_id, turn_id=self.turn_id, item_id=self._open_message(), delta=delta
                )
                self._written.append(delta)
                self._tell("item/agentMessage/delta", told)
            case core.AgentMessageDropped():
                self._message_dropped()
            case core.AgentMessage(text=text, phase=phase):
                self._message(text, phase)
            case core.AgentCommandStarted(command_id=command_id, command=command):
                self._command_begins(command_id, command, report)
            case core.AgentCommandOutput(command_id=command_id, text=text):
                self._command_prints(command_id, text)
            case core.AgentCommandEnded(command_id=command_id):
                self._command_ended(command_id, report)
            case core.AgentApprovalRequested():
                self._permission_wanted(report)
            case core.AgentApprovalWithdrawn(approval_id=approval_id):
                self._settle(approval_id, screen.ApprovalDecision.WITHDRAWN, status="failed")
            case core.AgentTurnEnded():
                raise AssertionError("the end has a method of its own")
            case _:
                assert_never(report)

    def answered(self, approval_id: str, *, approved: bool) -> bool:
        """A request for permission is answered; False when nobody waits for that any more."""
        decision = screen.ApprovalDecision.APPROVED if approved else screen.ApprovalDecision.DECLINED
        return self._settle(approval_id, decision, status=None if approved else "declined")

    def reconsider_questions(self) -> None:
        """The voice does not ask any more."""
        for question in list(self._questions.values()):
            question.asked.reconsider()

    def take_back_questions(self) -> None:
        """No request for permission needs an answer any more."""
        for approval_id, question in self._questions.items():
            question.asked.withdraw()
            self._keep_decision(approval_id, screen.ApprovalDecision.WITHDRAWN)
        self._questions.clear()

    def end(self, end: core.AgentTurnEnded, *, tokens: core.TokensUsed) -> None:
        """Say and keep that it is over.

        Args:
            end: How.
            tokens: What the whole thread has cost.
        """
        at_ms = self._services.now_ms()
        self.take_back_questions()
        self._message_dropped()
        for command_id in list(self._commands):
            self._command_dropped(command_id, status="failed")
        error = None
        if end.error is not None:
            error = appserver.TurnError(message=end.error, codex_error_info=kind_of_failure(end))
        self._keep(TurnEnded(at_ms=at_ms, turn_id=self.turn_id, outcome=end.outcome, error=end.error))
        self._keep_turn(
            KeptTurn(
                turn_id=self.turn_id,
                status=status_of(end.outcome),
                error=None if error is None else msgspec.Raw(msgspec.json.encode(error)),
                started_at_ms=self._started_at_ms,
                completed_at_ms=at_ms,
            )
        )
        if error is not None:
            told = appserver.ErrorNotification(
                error=error, will_retry=False, thread_id=self._thread_id, turn_id=self.turn_id
            )
            self._tell("error", told)
        if not isinstance(end.last_tokens, msgspec.UnsetType):
            usage = appserver.ThreadTokenUsage(total=seen_tokens(tokens), last=seen_tokens(end.last_tokens))
            cost = appserver.ThreadTokenUsageUpdatedNotification(
                thread_id=self._thread_id, turn_id=self.turn_id, token_usage=usage
            )
            self._tell("thread/tokenUsage/updated", cost)
        self._on_status()
        seen = msgspec.structs.replace(
            self._seen(),
            status=_STATUSES[end.outcome],
            items=() if self._last_message is None else (self._last_message,),
            items_view="summary",
            error=error,
            completed_at=at_ms // 1000,
            duration_ms=at_ms - self._started_at_ms,
        )
        self._tell("turn/completed", appserver.TurnCompletedNotification(thread_id=self._thread_id, turn=seen))

    # What is said

    @property
    def _thread_id(self) -> str:
        return self._thread.thread_id

    def _seen(self) -> appserver.Turn:
        return appserver.Turn(
            id=self.turn_id,
            status="inProgress",
            items_view="notLoaded",
            started_at=self._started_at_ms // 1000,
            root_turn_id=self.turn_id,
        )

    def _show(self, ask: Ask) -> None:
        if not ask.content:
            return
        item = appserver.UserMessageItem(id=self._services.new_id(), content=ask.content, client_id=ask.client_id)
        self._item_started(item)
        self._item_completed(item)

    def _open_message(self) -> str:
        if self._message_id is None:
            self._thought_dropped()
            self._message_id = self._services.new_id()
            self._item_started(appserver.AgentMessageItem(id=self._message_id, text=""))
        return self._message_id

    def _message(self, text: str, phase: core.Phase) -> None:
        item_id = self._open_message()
        self._message_id = None
        self._written.clear()
        item = appserver.AgentMessageItem(id=item_id, text=text, phase=_PHASES[phase])
        self._last_message = self._item_completed(item)

    def _open_thought(self) -> str:
        if self._thought_id is None:
            self._thought_id = self._services.new_id()
            self._item_started(appserver.ReasoningItem(id=self._thought_id))
        return self._thought_id

    def _thinks(self, delta: str, part: int) -> None:
        ids = {"thread_id": self._thread_id, "turn_id": self.turn_id, "item_id": self._open_thought()}
        part = min(part, _MAX_PARTS - 1)
        while len(self._told_parts) <= part:
            began = appserver.ReasoningSummaryPartAddedNotification(**ids, summary_index=len(self._told_parts))
            self._tell("item/reasoning/summaryPartAdded", began)
            self._told_parts.append([])
        self._told_parts[part].append(delta)
        told = appserver.ReasoningSummaryTextDeltaNotification(**ids, summary_index=part, delta=delta)
        self._tell("item/reasoning/summaryTextDelta", told)

    def _thought(self, parts: tuple[str, ...]) -> None:
        item_id = self._open_thought()
        self._thought_id = None
        self._told_parts.clear()
        self._item_completed(appserver.ReasoningItem(id=item_id, summary=parts))

    def _thought_dropped(self) -> None:
        if self._thought_id is not None:
            self._thought(tuple("".join(pieces) for pieces in self._told_parts))

    def _message_dropped(self) -> None:
        """What has come of a message or a thought stands, and nothing more of it will come."""
        self._thought_dropped()
        if self._message_id is not None:
            self._item_completed(appserver.AgentMessageItem(id=self._message_id, text="".join(self._written)))
            self._message_id = None
            self._written.clear()

    # What is done

    def _command_begins(
        self, command_id: str, command: str, report: core.AgentCommandStarted | core.AgentApprovalRequested
    ) -> None:
        """It begins, or waits for permission to begin; the first of the two begins its item."""
        if command_id in self._commands:
            return
        item: _Command
        if isinstance(report.changes, msgspec.UnsetType):
            item = appserver.CommandExecutionItem(
                id=self._services.new_id(),
                command=command,
                cwd=self._folder(report),
                status="inProgress",
                command_actions=(appserver.UnknownAction(command=command),),
            )
        else:
            item = appserver.FileChangeItem(
                id=self._services.new_id(), changes=tuple(map(seen_change, report.changes)), status="inProgress"
            )
        self._commands[command_id] = item
        self._item_started(item)

    def _folder(self, report: core.AgentCommandStarted | core.AgentApprovalRequested) -> str:
        return self._thread.cwd if isinstance(report.folder, msgspec.UnsetType) else report.folder

    def _command_prints(self, command_id: str, text: str) -> None:
        running = self._commands.get(command_id)
        if not isinstance(running, appserver.CommandExecutionItem):
            return
        self._printed.setdefault(command_id, []).append(text)
        printed = appserver.CommandExecutionOutputDeltaNotification(
            thread_id=self._thread_id, turn_id=self.turn_id, item_id=running.id, delta=text
        )
        self._tell("item/commandExecution/outputDelta", printed)

    def _command_ended(self, command_id: str, report: core.AgentCommandEnded) -> None:
        item = self._commands.get(command_id)
        if isinstance(item, appserver.CommandExecutionItem):
            self._commands[command_id] = msgspec.structs.replace(
                item, exit_code=report.exit_status, duration_ms=round(report.elapsed_s * 1000)
            )
        self._command_dropped(command_id, status="completed" if report.exit_status == 0 else "failed")

    def _command_dropped(self, command_id: str, *, status: Literal["completed", "failed", "declined"]) -> None:
        item = self._commands.pop(command_id, None)
        if item is None:
            return
        item = msgspec.structs.replace(item, status=status)
        printed = self._printed.pop(command_id, None)
        if printed is not None:
            item = msgspec.structs.replace(item, aggregated_output="".join(printed))
        self._item_completed(item)

    # Permission

    def _permission_wanted(self, report: core.AgentApprovalRequested) -> None:
        approval_id = report.approval_id
        # Of one that is asked for twice, an answer to the first must not count for the second.
        self._settle(approval_id, screen.ApprovalDecision.WITHDRAWN, status=None)
        command_id = approval_id if isinstance(report.command_id, msgspec.UnsetType) else report.command_id
        self._command_begins(command_id, report.detail or report.action, report)
        item, at_ms = self._commands[command_id], self._services.now_ms()
        method = _MAY_RUN
        params: msgspec.Struct
        if isinstance(item, appserver.FileChangeItem):
            method = _MAY_CHANGE
            params = appserver.FileChangeRequestApprovalParams(
                thread_id=self._thread_id,
                turn_id=self.turn_id,
                item_id=item.id,
                started_at_ms=at_ms,
                reason=report.action,
            )
        else:
            params = appserver.CommandExecutionRequestApprovalParams(
                thread_id=self._thread_id,
                turn_id=self.turn_id,
                item_id=item.id,
                started_at_ms=at_ms,
                approval_id=approval_id,
                reason=report.action,
                command=report.detail or None,
                cwd=self._folder(report),
                available_decisions=_DECISIONS,
            )

        def answered(answer: msgspec.Raw | None) -> None:
            self._on_answer(self, approval_id, "unanswered" if answer is None else decision_of(method, answer))

        self._keep(
            ApprovalAsked(
                at_ms=at_ms, turn_id=self.turn_id, approval_id=self._kept_id(approval_id), action=report.action
            )
        )
        asked = self._services.ask(self._thread_id, method, params, answered)
        self._questions[approval_id] = _Question(asked=asked, command_id=command_id)
        self._on_status()

    def _settle(
        self, approval_id: str, decision: screen.ApprovalDecision, *, status: Literal["declined", "failed"] | None
    ) -> bool:
        """A question is over; what it was about too, unless it may go on."""
        question = self._questions.pop(approval_id, None)
        if question is None:
            return False
        question.asked.withdraw()
        self._keep_decision(approval_id, decision)
        self._on_status()
        if status is not None:
            self._command_dropped(question.command_id, status=status)
        return True

    def _keep_decision(self, approval_id: str, decision: screen.ApprovalDecision) -> None:
        at_ms = self._services.now_ms()
        self._keep(ApprovalSettled(at_ms=at_ms, approval_id=self._kept_id(approval_id), decision=decision))

    def _kept_id(self, approval_id: str) -> str:
        """Of a request for permission, in the thread; an agent counts its own."""
        return f"{self.turn_id}.{approval_id}"

    # Telling and keeping

    def _item_started(self, item: appserver.ThreadItem) -> None:
        at_ms = self._items_began[item.id] = self._services.now_ms()
        told = appserver.ItemStartedNotification(
            item=msgspec.structs.replace(item, started_at_ms=at_ms),
            thread_id=self._thread_id,
            turn_id=self.turn_id,
            started_at_ms=at_ms,
        )
        self._tell("item/started", told)

    def _item_completed(self, item: _Item) -> _Item:
        """Say and keep it; as it was said."""
        at_ms, thread_id = self._services.now_ms(), self._thread_id
        item = msgspec.structs.replace(item, started_at_ms=self._items_began.pop(item.id), completed_at_ms=at_ms)
        told = appserver.ItemCompletedNotification(
            item=item, thread_id=thread_id, turn_id=self.turn_id, completed_at_ms=at_ms
        )
        self._tell("item/completed", told)
        kept = TurnItem(item_id=item.id, data=msgspec.Raw(msgspec.json.encode(item)))
        self._services.keep(self._thread, lambda store: store.put_items(thread_id, self.turn_id, [kept], at_ms=at_ms))
        return item

    def _tell(self, method: str, params: msgspec.Struct) -> None:
        self._services.tell(self._thread_id, method, params)

    def _keep(self, entry: Entry) -> None:
        thread_id = self._thread_id
        self._services.keep(self._thread, lambda store: store.append(thread_id, [entry]))

    def _keep_turn(self, turn: KeptTurn) -> None:
        thread_id = self._thread_id
        self._services.keep(self._thread, lambda store: store.put_turn(thread_id, turn))
