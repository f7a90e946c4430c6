"""One turn of the agent: the loop's actions are carried out here, and what comes of them goes back into it.

Everything that happens is handled at once, where it happens; only the request to the model and the call of a tool run
by themselves, each in a task of its own, one at a time. Reports wait in `outbox`. While too many wait there, nothing
more is read from the model.

Ownership: whoever has a `Turn` calls `shut`, which ends everything it started.

The file is long because what is asked permission for and what is then done can only be judged side by side.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import functools
import logging
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from backchannel.agents.responses import loop as do
from backchannel.agents.responses.commands import Commands
from backchannel.agents.responses.failures import Cause, Failure, ModelFailed
from backchannel.agents.responses.patch import PatchError, changes_of
from backchannel.agents.responses.patching import apply_patch
from backchannel.agents.responses.permission import Deed, Ruling, deeds_of, risks_of
from backchannel.agents.responses.tools import ApplyPatch, ExecCommand, ToolError, WriteStdin, read_call
from backchannel.agents.responses.where import Where
from backchannel.core import (
    AgentApprovalRequested,
    AgentApprovalWithdrawn,
    AgentCommandEnded,
    AgentCommandOutput,
    AgentCommandStarted,
    AgentTurnEnded,
    Risk,
)
from backchannel.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
    from pathlib import Path

    from backchannel.agents.responses.events import StreamEvent
    from backchannel.agents.responses.items import Call, Item
    from backchannel.agents.responses.sandbox import Confinement
    from backchannel.core import AgentReport, FileChange

__all__ = ["Turn"]

_MANY: Final = 256
_DECLINED: Final = "The user declined this. Do without it."
_NOBODY_ASKED: Final = "This was declined: it needs a permission, and nobody may be asked. Do without it."
_LEADS_ELSEWHERE: Final = "Not done: what this names is another file or folder by now than the one that was permitted."
_SAID_SOMETHING_ELSE: Final = "Not done: the user was asked for permission and said something else."

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What the model wants to do."""

    action: str
    detail: str
    risks: tuple[Risk, ...]
    command_id: str
    deeds: frozenset[Deed] = frozenset()
    folder: str | None = None
    """Where it would run, other than the workspace."""
    changes: tuple[FileChange, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Waiting:
    """A request for permission that waits for an answer."""

    id: str
    answer: asyncio.Future[bool | None]
    deeds: frozenset[Deed]


class Turn:
    """A turn that runs.

    Args:
        turn_id: Stands on its reports.
        loop: Decides.
        ask: Sends a request with these items to the model.
        go_over_http: Gives the websocket up.
        notify: Takes what a person should be told.
        new_approval_id: Gives an id that was never used.
        confine: Says what needs permission, and in which sandbox commands run.
        granted: What the user has permitted for good; more is added here.
        root: The workspace.
        env: What commands find in their environment.
    """

    def __init__(
        self,
        turn_id: str,
        *,
        loop: do.Loop,
        ask: Callable[[tuple[Item, ...]], AsyncGenerator[StreamEvent]],
        go_over_http: Callable[[], None],
        notify: Callable[[str], None],
        new_approval_id: Callable[[], str],
        confine: Callable[[], Awaitable[Confinement]],
        granted: set[Deed],
        root: Path,
        env: Mapping[str, str],
    ) -> None:
        self.turn_id = turn_id
        self.outbox: collections.deque[AgentReport] = collections.deque()
        self._loop = loop
        self._ask = ask
        self._go_over_http = go_over_http
        self._notify = notify
        self._new_approval_id = new_approval_id
        self._confine = confine
        self._granted = granted
        self._root = root
        self._commands = Commands(turn_id, root=root, env=env, report=self._tell)
        self._bell = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._asking: asyncio.Task[None] | None = None
        self._acting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._approval: _Waiting | None = None
        self._hurried = False
        """Whether the user said something else since the call began."""
        self._shutting = asyncio.Lock()

    @property
    def runs(self) -> bool:
        """Whether what is said to it can still make a difference."""
        return self._loop.state in {do.State.ASKING, do.State.ACTING}

    def handle(self, event: do.Event) -> None:
        """Let something happen.

        Raises:
            LocalProtocolError: The turn does not run (any more).
        """
        for action in self._loop.handle(event):
            self._perform(action)

    async def next_reports(self) -> list[AgentReport]:
        """What is to be reported next; empty when nothing more comes."""
        while not self.outbox:
            if not self.runs:
                return []
            self._bell.clear()
            await self._bell.wait()
        reports = list(self.outbox)
        self.outbox.clear()
        self._room.set()
        ended = [report for report in reports if isinstance(report, AgentTurnEnded)]
        if not ended:
            return reports
        # What it left running ends before the turn does.
        await self.shut()
        reports += self.outbox
        self.outbox.clear()
        return [*(report for report in reports if not isinstance(report, AgentTurnEnded)), *ended]

    async def shut(self) -> None:
        """End everything that it started. Idempotent; an end that is not told yet is that of an interrupted turn."""
        if self.runs:
            self.handle(do.Interrupted())
        async with self._shutting:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)
            await self._commands.stop()

    def answer(self, approval_id: str, *, approved: bool, for_session: bool) -> None:
        """The user's answer to a request for permission.

        Raises:
            LocalProtocolError: None of this name waits.
        """
        waiting = self._approval
        if waiting is None or waiting.id != approval_id or waiting.answer.done():
            raise LocalProtocolError(f"no request for permission named {approval_id!r} is waiting")
        if approved and for_session:
            self._granted |= waiting.deeds
        waiting.answer.set_result(approved)

    # ---- actions ----

    def _perform(self, action: do.Action) -> None:
        match action:
            case do.Ask():
                work = self._request(action, after=self._asking)
                self._asking = self._start(f"model {self.turn_id}", work)
            case do.Abort():
                _cancel(self._asking)
            case do.RunCall(call=call):
                self._hurried = False
                self._commands.begin_call()
                self._acting = self._start(f"tool {call.name}", self._call(call))
            case do.Hurry():
                self._hurried = True
                self._commands.hurry()
                if self._approval is not None and not self._approval.answer.done():
                    self._approval.answer.set_result(None)
            case do.StopCall():
                _cancel(self._acting)
            case do.GoOverHttp():
                self._go_over_http()
            case do.Notify(notice=notice):
                self._notify(notice)
            case do.Report(report=report):
                self._tell(report)
            case _ as unreachable:
                assert_never(unreachable)

    def _start(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # One that is cancelled before its first step never gets to the coroutine, which Python complains of.
        task.add_done_callback(lambda _: work.close())
        return task

    def _tell(self, report: AgentReport) -> None:
        self.outbox.append(report)
        self._bell.set()
        if len(self.outbox) >= _MANY:
            self._room.clear()

    # ---- the model ----

    async def _request(self, ask: do.Ask, *, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            # One connection serves one request at a time; what is dropped is gone in a moment.
            await asyncio.wait([after])
        await asyncio.sleep(ask.delay_s)
        try:
            async with contextlib.aclosing(self._ask(ask.items)) as events:
                async for event in events:
                    self.handle(do.Answered(ask.request, event))
                    await self._room.wait()
        except ModelFailed as exc:
            self.handle(do.Answered(ask.request, exc.failure))
        except Exception as exc:
            # The task boundary: whatever goes wrong on the way to the model fails the turn and nothing else.
            _log.exception("! a request to the model failed")
            reason = f"the request to the model broke down: {type(exc).__name__}"
            self.handle(do.Answered(ask.request, Failure(Cause.SETTLED, reason)))

    # ---- the tools ----

    async def _call(self, call: Call) -> None:
        try:
            output = await self._use(call)
        except (ToolError, PatchError) as exc:
            output = str(exc)
        except Exception as exc:
            # The task boundary: a tool that breaks down is something that the model can live with.
            _log.exception("! the tool %s failed", call.name)
            output = f"The tool broke down: {type(exc).__name__}."
        self.handle(do.CallEnded(call.call_id, output))

    async def _use(self, call: Call) -> str:
        use = read_call(call)
        match use:
            case ExecCommand():
                return await self._execute(use)
            case WriteStdin():
                return await self._commands.look_after(use)
            case ApplyPatch(patch=patch):
                return await self._patch(patch)
            case _ as unreachable:
                assert_never(unreachable)

    async def _execute(self, use: ExecCommand) -> str:
        confinement = await self._confine()
        command_id = self._commands.next_id()
        where = self._where(use)
        # Who is asked has to see all that the answer is about.
        elsewhere = "" if where.is_root else f" in {where.shown}"
        folder = None if where.is_root else where.folder
        outside = " without the sandbox" if use.escalated and confinement.rules.sandboxed else ""
        risks = {*risks_of(use.shell), *(() if where.is_inside else (Risk.OUTSIDE_WORKSPACE,))}
        refused = await self._permission(
            confinement.rules.command(use.shell, where=where, escalated=use.escalated),
            _Wanted(
                action=f"run {' '.join(use.shell.split())}{elsewhere}{outside}",
                detail="\n".join(part for part in (use.shell, use.reason) if part),
                risks=tuple(risk for risk in Risk if risk in risks),
                command_id=command_id,
                deeds=frozenset({Deed("run", use.shell, where.folder, is_escalated=use.escalated)}),
                folder=folder,
            ),
        )
        if refused is not None:
            return refused
        if self._where(use) != where:
            return _LEADS_ELSEWHERE
        return await self._commands.run(
            use, command_id=command_id, folder=folder, sandbox=None if use.escalated else confinement.sandbox
        )

    async def _patch(self, patch: str) -> str:
        names = [
            line.partition(": ")[2].strip() for line in patch.splitlines() if line.startswith("*** ") and ": " in line
        ]
        deletes = any(line.startswith("*** Delete File: ") for line in patch.splitlines())
        what = ", ".join(dict.fromkeys(names)) or "files"
        changes = changes_of(patch)
        deeds = deeds_of(changes, real=self._real)
        command_id = self._commands.next_id()
        refused = await self._permission(
            (await self._confine()).rules.patch(),
            _Wanted(
                action=f"change {what}",
                detail=patch,
                risks=(Risk.DELETE,) if deletes else (),
                command_id=command_id,
                deeds=deeds,
                changes=changes,
            ),
        )
        if refused is not None:
            return refused
        if deeds_of(changes, real=self._real) != deeds:
            return _LEADS_ELSEWHERE
        started_s = asyncio.get_running_loop().time()
        self._tell(
            AgentCommandStarted(
                turn_id=self.turn_id,
                command_id=command_id,
                command=f"apply_patch {what}",
                changes=changes or msgspec.UNSET,
            )
        )
        done = False
        work = asyncio.get_running_loop().run_in_executor(None, functools.partial(apply_patch, patch, root=self._root))
        try:
            told = await asyncio.shield(work)
            done = True
        except asyncio.CancelledError:
            # A thread cannot be ended; what began is brought to its end, which is near.
            await asyncio.wait([work])
            raise
        except PatchError as exc:
            self._tell(AgentCommandOutput(turn_id=self.turn_id, command_id=command_id, text=f"{exc}\n"))
            raise
        finally:
            elapsed_s = asyncio.get_running_loop().time() - started_s
            self._tell(
                AgentCommandEnded(
                    turn_id=self.turn_id, command_id=command_id, exit_status=0 if done else 1, elapsed_s=elapsed_s
                )
            )
        return told

    def _where(self, use: ExecCommand) -> Where:
        return Where.of(self._root, use.workdir or "")

    def _real(self, name: str) -> str:
        return Where.of(self._root, name).folder

    async def _permission(self, ruling: Ruling, wanted: _Wanted) -> str | None:
        """None when it may be done; else what the model is told."""
        match ruling:
            case _ if self._hurried:
                # Before it had begun.
                return do.NOT_BEGUN
            case Ruling.GO:
                return None
            case Ruling.DECLINE:
                return _NOBODY_ASKED
            case Ruling.ASK if wanted.deeds and wanted.deeds <= self._granted:
                return None
            case Ruling.ASK:
                approved = await self._user_permits(wanted)
                return {True: None, False: _DECLINED, None: _SAID_SOMETHING_ELSE}[approved]
            case _ as unreachable:
                assert_never(unreachable)

    async def _user_permits(self, wanted: _Wanted) -> bool | None:
        """The user's answer; None when something else was said."""
        approval_id = self._new_approval_id()
        answer: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        self._approval = _Waiting(approval_id, answer, wanted.deeds)
        self._tell(
            AgentApprovalRequested(
                turn_id=self.turn_id,
                approval_id=approval_id,
                action=wanted.action,
                detail=wanted.detail,
                risks=wanted.risks,
                command_id=wanted.command_id,
                changes=wanted.changes or msgspec.UNSET,
                folder=msgspec.UNSET if wanted.folder is None else wanted.folder,
            )
        )
        approved: bool | None = None
        try:
            approved = await answer
        finally:
            self._approval = None
            if approved is None:
                self._tell(AgentApprovalWithdrawn(turn_id=self.turn_id, approval_id=approval_id))
        return approved


def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
