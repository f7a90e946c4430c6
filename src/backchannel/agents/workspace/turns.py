"""One turn of the workspace agent: it performs a job's steps and takes in what is said meanwhile.

Theory of operation. `advance` does the next piece of work and puts what came of it into `outbox`; whoever runs the turn
calls it again and again, and nothing runs by itself. There is one place to wait, an event (`bell`) that is set when the
command prints or ends, when a call in a thread returns, and when somebody steers or interrupts. What was said stands in
plain attributes until `advance` comes to it, in this order: an interrupt, a replacement of the request, the work.

Ownership: the turn owns its child process and its call. `shut` ends both; it is idempotent, bounded in time, and may
run beside `advance`.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Final

from backchannel.agents.outputs import Excerpt, Printed
from backchannel.agents.processes import Child
from backchannel.agents.workspace.steps import Answer, Call, Finished, Run, Say
from backchannel.core import (
    AgentCommandEnded,
    AgentCommandOutput,
    AgentCommandStarted,
    AgentMessage,
    AgentReport,
    AgentTurnEnded,
    Outcome,
    Phase,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from backchannel.agents.workspace.requests import Request
    from backchannel.agents.workspace.steps import Job

__all__ = ["Turn"]

_log = logging.getLogger(__name__)

_SHOWN_HEAD_CHARS: Final = 65_536
_SHOWN_TAIL_CHARS: Final = 16_384
_KEPT_HEAD_CHARS: Final = 2_000_000
_KEPT_TAIL_CHARS: Final = 65_536
_CALL_ENDS_S: Final = 2.0
_MAX_UNTAKEN: Final = 64


class _Running:
    """A command that runs, with what it printed so far.

    Bounded: what is shown and what is kept for the job are heads and tails.
    """

    def __init__(self, step: Run, child: Child, *, command_id: str, started_s: float) -> None:
        self.step = step
        self.child = child
        self.command_id = command_id
        self.started_s = started_s
        self.printed = Printed()
        self.shown = Excerpt(head_chars=_SHOWN_HEAD_CHARS, tail_chars=_SHOWN_TAIL_CHARS)
        self.kept = Excerpt(head_chars=_KEPT_HEAD_CHARS, tail_chars=_KEPT_TAIL_CHARS)
        self.told_s = started_s
        """When something was last said about it."""
        self.told = ""


class Turn:
    """A turn that runs. Reports come out of `outbox` after each `advance`."""

    def __init__(
        self,
        turn_id: str,
        request: Request,
        *,
        make_job: Callable[[Request], Job],
        cwd: Path,
        env: Mapping[str, str],
        progress_interval_s: float,
        max_waiting: int,
    ) -> None:
        self.turn_id = turn_id
        self.request = request
        """What is worked on."""
        self.outbox: collections.deque[AgentReport] = collections.deque()
        self.ended = False
        """Whether the last report is in the outbox or was taken from it."""
        self._make_job = make_job
        self._cwd = cwd
        self._env = env
        self._progress_interval_s = progress_interval_s
        self._max_waiting = max_waiting
        self._waiting: collections.deque[Request] = collections.deque()
        self._bell = asyncio.Event()
        self._interrupted = False
        self._replacement: str | None = None
        self._job: Job | None = None
        self._running: _Running | None = None
        self._call: asyncio.Future[None] | None = None
        self._cancelled = threading.Event()
        self._starting = asyncio.Lock()
        self._n_commands = 0

    # ---- what is said to it ----

    @property
    def steerable(self) -> bool:
        """Whether what is said to it can still make a difference."""
        return not self.ended and not self._interrupted

    def interrupt(self) -> None:
        """Have the turn end as interrupted; `shut` ends what it started at once."""
        self._interrupted = True
        self._cancelled.set()
        self._bell.set()

    def replace(self, request: Request, said: str) -> None:
        """Drop the work on the request and work on this one; `said` is told when that happens."""
        self.request = request
        self._replacement = said
        self._cancelled.set()
        self._bell.set()

    def add(self, request: Request) -> bool:
        """Work on this after everything else; False when too much waits already."""
        if len(self._waiting) >= self._max_waiting:
            return False
        self._waiting.append(request)
        return True

    def say(self, text: str) -> None:
        """Tell something while the work goes on; dropped when nobody took the last 64 reports."""
        if len(self.outbox) >= _MAX_UNTAKEN:
            return
        self.outbox.append(AgentMessage(turn_id=self.turn_id, text=text, phase=Phase.COMMENTARY))
        self._bell.set()

    @property
    def progress(self) -> str | None:
        """How far the running command is, where it can be told."""
        running = self._running
        return None if running is None or running.step.watch is None else running.step.watch.progress()

    # ---- the work ----

    async def advance(self) -> None:
        """Do the next piece of work; afterwards there is something in the outbox, or the turn has ended."""
        while not self.outbox and not self.ended:
            try:
                await self._advance()
            except Exception:
                # The boundary of the turn: a mistake in a job ends its turn, not the conversation.
                _log.exception("the workspace agent's turn failed")
                await self._drop()
                self._end(Outcome.FAILED, error="Something went wrong inside the workspace agent; its log says what.")

    async def _advance(self) -> None:
        if self._interrupted:
            await self._drop()
            self._end(Outcome.INTERRUPTED)
        elif self._replacement is not None:
            said, self._replacement = self._replacement, None
            await self._drop()
            self._cancelled = threading.Event()
            if not self._interrupted:
                self.say(said)
        elif self._running is not None:
            await self._follow(self._running)
        elif self._call is not None:
            await self._wait_for(self._call)
        else:
            await self._resume()

    async def _wait_for(self, call: asyncio.Future[None]) -> None:
        await self._bell.wait()
        self._bell.clear()
        # `shut` may have taken the call away meanwhile.
        if call.done() and self._call is call:
            self._call = None
            call.result()
            await self._resume()

    async def _resume(self) -> None:
        """Let the job go on to its next step, or to its answer."""
        if self._job is None:
            self._job = self._make_job(self.request)
        try:
            step = next(self._job)
        except StopIteration as stop:
            self._job = None
            self._answered(stop.value)
            return
        if isinstance(step, Run):
            await self._start(step)
        elif isinstance(step, Say):
            self.say(step.text)
        else:
            self._start_call(step)

    def _answered(self, answer: Answer) -> None:
        if self._waiting:
            self.outbox.append(AgentMessage(turn_id=self.turn_id, text=answer.text, phase=Phase.COMMENTARY))
            self.request = self._waiting.popleft()
            return
        self.outbox.append(AgentMessage(turn_id=self.turn_id, text=answer.text, phase=Phase.FINAL))
        self._end(Outcome.COMPLETED)

    def _end(self, outcome: Outcome, *, error: str | None = None) -> None:
        if not self.ended:
            self.ended = True
            self.outbox.append(AgentTurnEnded(turn_id=self.turn_id, outcome=outcome, error=error))

    def _start_call(self, step: Call[object]) -> None:
        loop = asyncio.get_running_loop()
        self._call = loop.run_in_executor(None, step.perform, self._cancelled)
        self._call.add_done_callback(lambda _call: self._bell.set())

    # ---- commands ----

    async def _start(self, step: Run) -> None:
        self._n_commands += 1
        command_id = f"{self.turn_id}-{self._n_commands}"
        started_s = asyncio.get_running_loop().time()
        async with self._starting:
            if self._interrupted:
                return
            self.outbox.append(AgentCommandStarted(turn_id=self.turn_id, command_id=command_id, command=step.shown))
            try:
                child = await Child.start(
                    step.argv,
                    cwd=self._cwd,
                    env={**self._env, **dict(step.env)},
                    bell=self._bell,
                    thorough=step.thorough,
                )
            except OSError as error:
                missing = error.strerror or str(error)
                step.finished = Finished(exit_status=None, text="", elapsed_s=0.0, missing=missing)
                self.outbox.append(
                    AgentCommandEnded(turn_id=self.turn_id, command_id=command_id, exit_status=None, elapsed_s=0.0)
                )
                return
            self._running = _Running(step, child, command_id=command_id, started_s=started_s)

    async def _follow(self, running: _Running) -> None:
        """Wait until the command prints, ends, or is due for a word; and take that in."""
        loop = asyncio.get_running_loop()
        limit_s = running.started_s + running.step.limit_s
        due_s = running.told_s + self._progress_interval_s if running.step.watch is not None else limit_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(min(limit_s, due_s)):
                await self._bell.wait()
        # A child that prints without end keeps the bell ringing; others want the loop too.
        await asyncio.sleep(0)
        self._bell.clear()
        self._take(running)
        if self._interrupted or self._replacement is not None:
            return
        if running.child.ended:
            await self._finish(running, exit_status=running.child.exit_status)
        elif loop.time() >= limit_s:
            await self._finish(running, exit_status=None)
        else:
            self._tell(running, now_s=loop.time())

    def _take(self, running: _Running) -> None:
        self._took(running, running.printed.feed(running.child.take()))

    def _took(self, running: _Running, text: str) -> None:
        if not text:
            return
        running.kept.feed(text)
        if running.step.watch is not None:
            running.step.watch.feed(text)
        if shown := running.shown.feed(text):
            self._output(running, shown)

    def _output(self, running: _Running, text: str) -> None:
        self.outbox.append(AgentCommandOutput(turn_id=self.turn_id, command_id=running.command_id, text=text))

    def _tell(self, running: _Running, *, now_s: float) -> None:
        watch = running.step.watch
        if watch is None:
            return
        told = watch.news()
        if told is None and now_s - running.told_s >= self._progress_interval_s:
            running.told_s = now_s
            told = watch.progress()
        if told is not None and told != running.told:
            running.told_s = now_s
            running.told = told
            self.say(told)

    async def _finish(self, running: _Running, *, exit_status: int | None) -> None:
        """End the command, whatever is left of it, and give the job its result."""
        await running.child.stop()
        elapsed_s = self._close_command(running, exit_status=None if self._interrupted else exit_status)
        running.step.finished = Finished(exit_status=exit_status, text=running.kept.text, elapsed_s=elapsed_s)

    def _close_command(self, running: _Running, *, exit_status: int | None) -> float:
        self._running = None
        elapsed_s = asyncio.get_running_loop().time() - running.started_s
        while data := running.child.take():
            self._took(running, running.printed.feed(data))
        self._took(running, running.printed.feed(b"", last=True))
        if rest := running.shown.rest:
            self._output(running, rest)
        self.outbox.append(
            AgentCommandEnded(
                turn_id=self.turn_id, command_id=running.command_id, exit_status=exit_status, elapsed_s=elapsed_s
            )
        )
        return elapsed_s

    # ---- ends ----

    async def _drop(self) -> None:
        """End the work on the request, without a result."""
        running = self._running
        await self._end_work()
        if running is not None and self._running is running:
            self._close_command(running, exit_status=None)
        self._close_job()

    async def shut(self) -> None:
        """End everything the turn started and wait for it."""
        self.interrupt()
        await self._end_work()

    async def _end_work(self) -> None:
        self._cancelled.set()
        async with self._starting:
            # A command that was just being started is there now, and none comes after it.
            running = self._running
        if running is not None:
            await running.child.stop()
        call, self._call = self._call, None
        if call is not None:
            await asyncio.wait([call], timeout=_CALL_ENDS_S)
            if call.done() and not call.cancelled():
                # Nobody wants the result; an error is looked at so that the loop does not complain of it.
                call.exception()

    def _close_job(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.close()
