"""Real projects in temporary folders, and agents that work in them."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import shutil
import subprocess
import textwrap
from typing import TYPE_CHECKING

import psutil

from backchannel.agents import TurnRequest, WorkspaceAgent, WorkspaceOptions
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
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

__all__ = ["NOW", "Heard", "agent_in", "ask", "environment", "git", "hear", "make_repository", "processes_in", "write"]

NOW = datetime.datetime(2026, 3, 12, 15, 30, tzinfo=datetime.UTC)
"""A Thursday."""


def environment(home: Path, **more: str) -> dict[str, str]:
    """An environment in which git and the runners know nothing of this machine's user."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "LANG": "C.UTF-8",
        **more,
    }


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write text files, dedented."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")


def git(root: Path, *arguments: str, when: datetime.datetime | None = None, author: str = "Ann") -> str:
    """Run git in a folder; its output."""
    dates = {} if when is None else {"GIT_AUTHOR_DATE": when.isoformat(), "GIT_COMMITTER_DATE": when.isoformat()}
    people = {
        "GIT_AUTHOR_NAME": author,
        "GIT_AUTHOR_EMAIL": f"{author.lower()}@example.com",
        "GIT_COMMITTER_NAME": author,
        "GIT_COMMITTER_EMAIL": f"{author.lower()}@example.com",
    }
    program = shutil.which("git")
    assert program is not None, "git is needed"
    done = subprocess.run(
        [program, *arguments],
        cwd=root,
        env=environment(root) | people | dates,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_repository(root: Path) -> Path:
    """A repository with three commits of two people: ten days, two days and an hour before `NOW`."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    steps = (
        (10 * 24, "Ann", "Begin", {"README.md": "# Parcel\n\nParcel sends letters to people far away.\n"}),
        (2 * 24, "Bob", "Add retries", {"core/retry.py": "TIMEOUT = 3\n", "core/parser.py": "def parse(): ...\n"}),
        (1, "Ann", "Write the guide", {"docs/guide.md": "# Guide\n\nSet the timeout first.\n"}),
    )
    for hours, author, subject, files in steps:
        write(root, files)
        when = NOW - datetime.timedelta(hours=hours)
        git(root, "add", "--all", author=author)
        git(root, "commit", "--quiet", "-m", subject, when=when, author=author)
    return root


@contextlib.asynccontextmanager
async def agent_in(
    root: Path,
    *,
    env: Mapping[str, str] | None = None,
    options: WorkspaceOptions | None = None,
    now: datetime.datetime = NOW,
) -> AsyncIterator[WorkspaceAgent]:
    """An agent in a folder, closed at the end."""
    agent = WorkspaceAgent(
        cwd=root, options=options, env=environment(root.parent) if env is None else env, now=lambda: now
    )
    try:
        yield agent
    finally:
        await agent.close()


@dataclasses.dataclass(slots=True)
class Heard:
    """The reports of one turn."""

    reports: list[AgentReport] = dataclasses.field(default_factory=list)

    @property
    def final(self) -> str:
        """The text of the one final message."""
        (text,) = [r.text for r in self.reports if isinstance(r, AgentMessage) and r.phase is Phase.FINAL]
        return text

    @property
    def spoken(self) -> str:
        """The first paragraph of the final message."""
        return self.final.partition("\n\n")[0]

    @property
    def details(self) -> str:
        """What follows the first paragraph."""
        return self.final.partition("\n\n")[2]

    @property
    def comments(self) -> list[str]:
        """The messages said on the way."""
        return [r.text for r in self.reports if isinstance(r, AgentMessage) and r.phase is Phase.COMMENTARY]

    @property
    def commands(self) -> list[str]:
        """The commands that were started."""
        return [r.command for r in self.reports if isinstance(r, AgentCommandStarted)]

    @property
    def output(self) -> str:
        """All that was printed."""
        return "".join(r.text for r in self.reports if isinstance(r, AgentCommandOutput))

    @property
    def outcome(self) -> Outcome:
        """How the turn ended."""
        last = self.reports[-1]
        assert isinstance(last, AgentTurnEnded)
        return last.outcome

    def check(self) -> None:
        """What holds for every turn: one end, at the end; output only between its command's start and end."""
        assert [type(r) for r in self.reports].count(AgentTurnEnded) == 1
        assert isinstance(self.reports[-1], AgentTurnEnded)
        running: set[str] = set()
        for report in self.reports:
            match report:
                case AgentCommandStarted(command_id=command_id):
                    assert command_id not in running
                    running.add(command_id)
                case AgentCommandOutput(command_id=command_id):
                    assert command_id in running
                case AgentCommandEnded(command_id=command_id):
                    running.remove(command_id)
                case AgentMessage(phase=Phase.FINAL, text=text):
                    first = text.partition("\n\n")[0]
                    assert "\n" not in first
                    assert 0 < len(first) <= 230
                case _:
                    pass
        assert not running


async def hear(agent: WorkspaceAgent, text: str, turn_id: str = "turn") -> AsyncIterator[tuple[AgentReport, Heard]]:
    """Run a turn; each report, with all so far."""
    heard = Heard()
    async with contextlib.aclosing(agent.run(TurnRequest(turn_id=turn_id, text=text))) as reports:
        async for report in reports:
            heard.reports.append(report)
            yield report, heard
    heard.check()


async def ask(agent: WorkspaceAgent, text: str) -> Heard:
    """Run a turn to its end."""
    last = Heard()
    async for _report, heard in hear(agent, text):
        last = heard
    return last


def processes_in(root: Path) -> list[psutil.Process]:
    """The living processes that work in a folder."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            inside = str(process.cwd()).startswith(str(root))
            if inside and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
