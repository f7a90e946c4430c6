"""The commands of a turn: started, followed, left running and looked after, and all ended with it.

Ownership: whoever has a `Commands` calls `stop`, which ends everything that runs.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.agents.outputs import Excerpt, Printed
from backchannel.agents.processes import Child
from backchannel.agents.responses.tools import ToolError
from backchannel.core import AgentCommandEnded, AgentCommandOutput, AgentCommandStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backchannel.agents.responses.sandbox import Sandbox
    from backchannel.agents.responses.tools import ExecCommand, WriteStdin
    from backchannel.core import AgentReport

__all__ = ["LIMIT_S", "Commands"]

LIMIT_S: Final = 600.0
"""When a command is stopped that says nothing else."""
_LONGEST_S: Final = 3600.0
_MAX_RUNNING: Final = 8
_MAX_KEPT_CHARS: Final = 40_000
"""Some 10,000 tokens, head and tail in equal parts. (The reference returns at most 10,000.)"""
_SHOWN_HEAD_CHARS: Final = 4_000
_SHOWN_TAIL_CHARS: Final = 2_000


class _Running:
    """A command that runs, or has ended and was not told about."""

    def __init__(self, child: Child, bell: asyncio.Event, *, command_id: str, limit_s: float, max_chars: int) -> None:
        self.child = child
        self.bell = bell
        self.command_id = command_id
        self.started_s = asyncio.get_running_loop().time()
        self.limit_s = limit_s
        self.printed = Printed()
        self.shown = Excerpt(head_chars=_SHOWN_HEAD_CHARS, tail_chars=_SHOWN_TAIL_CHARS)
        self.max_chars = max_chars
        self.kept = self._excerpt()

    def take_kept(self) -> str:
        """What it printed since this was last asked."""
        text = self.kept.text
        self.kept = self._excerpt()
        return text

    def _excerpt(self) -> Excerpt:
        half = self.max_chars // 2
        return Excerpt(head_chars=half, tail_chars=max(1, self.max_chars - half))

    @property
    def elapsed_s(self) -> float:
        return asyncio.get_running_loop().time() - self.started_s


class Commands:
    """Runs the commands of one turn, one call at a time.

    Args:
        turn_id: Stands on the reports.
        root: The workspace.
        env: What commands find in their environment.
        report: Takes what happens.
    """

    def __init__(
        self, turn_id: str, *, root: Path, env: Mapping[str, str], report: Callable[[AgentReport], None]
    ) -> None:
        self._turn_id = turn_id
        self._root = root
        self._env = env
        self._report = report
        self._running: dict[int, _Running] = {}
        self._n_commands = 0
        self._hurried = False
        """Whether the call that waits is to return what there is."""

    def next_id(self) -> str:
        """An id for what is shown as a command."""
        self._n_commands += 1
        return f"{self._turn_id}-{self._n_commands}"

    def begin_call(self) -> None:
        """Another call begins: it need not hurry."""
        self._hurried = False

    def hurry(self) -> None:
        """Have the call that waits return what there is."""
        self._hurried = True
        for running in self._running.values():
            running.bell.set()

    async def run(
        self, use: ExecCommand, *, command_id: str, folder: str | None = None, sandbox: Sandbox | None
    ) -> str:
        """Run a command, under an id of `next_id`; what is told of it.

        Args:
            use: The command; its folder is given besides.
            command_id: Its id.
            folder: Where it runs, where that is not the workspace.
            sandbox: Runs it, if it is to be confined.

        Raises:
            ToolError: It cannot be started.
        """
        if len(self._running) >= _MAX_RUNNING:
            raise ToolError(f"{_MAX_RUNNING} commands are running already; stop or wait for one of them first.")
        self._report(
            AgentCommandStarted(
                turn_id=self._turn_id,
                command_id=command_id,
                command=use.shell,
                folder=msgspec.UNSET if folder is None else folder,
            )
        )
        try:
            cwd, argv = await asyncio.to_thread(self._place, use, folder, sandbox)
            bell = asyncio.Event()
            child = await Child.start(argv, cwd=cwd, env=self._env, bell=bell, thorough=True)
        except (OSError, ValueError) as exc:
            self._report(
                AgentCommandEnded(turn_id=self._turn_id, command_id=command_id, exit_status=None, elapsed_s=0.0)
            )
            reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
            raise ToolError(f"The command could not be started: {reason}.") from exc
        session_id = self._n_commands
        running = _Running(
            child,
            bell,
            command_id=command_id,
            limit_s=min(use.limit_s or LIMIT_S, _LONGEST_S),
            max_chars=min(_MAX_KEPT_CHARS, use.max_chars or _MAX_KEPT_CHARS),
        )
        self._running[session_id] = running
        return await self._follow(session_id, running, yield_s=use.yield_s)

    async def look_after(self, use: WriteStdin) -> str:
        """Wait for a command that was left running, or stop it.

        Raises:
            ToolError: There is none.
        """
        running = self._running.get(use.session_id)
        if running is None:
            raise ToolError(f"No command with the session id {use.session_id} is running.")
        if use.stops:
            return await self._end(use.session_id, running, why="It was stopped.")
        return await self._follow(use.session_id, running, yield_s=use.yield_s)

    async def stop(self) -> None:
        """End everything that runs. Idempotent."""
        for session_id, running in list(self._running.items()):
            await self._end(session_id, running, why="")

    # ---- one command ----

    async def _follow(self, session_id: int, running: _Running, *, yield_s: float | None) -> str:
        loop = asyncio.get_running_loop()
        limit_s = running.started_s + running.limit_s
        pause_s = limit_s if yield_s is None else min(limit_s, loop.time() + yield_s)
        while True:
            try:
                async with asyncio.timeout_at(pause_s):
                    await running.bell.wait()
            except TimeoutError:
                pass
            running.bell.clear()
            self._take(running)
            if running.child.ended:
                return await self._end(session_id, running, why=None)
            if loop.time() >= limit_s:
                return await self._end(session_id, running, why=f"It was stopped after {running.limit_s:g} s.")
            if self._hurried or loop.time() >= pause_s:
                told = (
                    f"The command is still running, for {running.elapsed_s:.1f} s now; its session id is {session_id}."
                )
                return _told(told, running.take_kept())
            # One that prints without end keeps the bell ringing; others want the loop too.
            await asyncio.sleep(0)

    async def _end(self, session_id: int, running: _Running, *, why: str | None) -> str:
        """End a command, whatever is left of it; what is told of it. `why` is None when it ended by itself."""
        del self._running[session_id]
        elapsed_s = running.elapsed_s
        try:
            await running.child.stop()
        finally:
            self._take(running)
            self._took(running, running.printed.feed(b"", last=True))
            if rest := running.shown.rest:
                self._show(running, rest)
            status = running.child.exit_status if why is None else None
            self._report(
                AgentCommandEnded(
                    turn_id=self._turn_id, command_id=running.command_id, exit_status=status, elapsed_s=elapsed_s
                )
            )
        return _told(why or f"Exit status {status} after {elapsed_s:.1f} s.", running.take_kept())

    def _take(self, running: _Running) -> None:
        self._took(running, running.printed.feed(running.child.take()))

    def _took(self, running: _Running, text: str) -> None:
        if not text:
            return
        running.kept.feed(text)
        if shown := running.shown.feed(text):
            self._show(running, shown)

    def _show(self, running: _Running, text: str) -> None:
        self._report(AgentCommandOutput(turn_id=self._turn_id, command_id=running.command_id, text=text))

    def _place(self, use: ExecCommand, folder: str | None, sandbox: Sandbox | None) -> tuple[Path, tuple[str, ...]]:
        """Where and what is run; it blocks."""
        cwd = Path(self._root if folder is None else folder)
        if not cwd.is_dir():
            raise ValueError(f"there is no folder {use.workdir}")
        argv = use.argv
        if argv is None:
            shell = shutil.which("bash", path=self._env.get("PATH")) or "/bin/sh"
            argv = (shell, "-c", use.shell)
        return cwd, argv if sandbox is None else sandbox.wrap(argv, cwd=cwd)


def _told(fact: str, output: str) -> str:
    return f"{fact}\n\n{output}" if output else f"{fact} It printed nothing."
