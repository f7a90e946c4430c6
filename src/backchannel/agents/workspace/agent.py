"""The workspace agent: an honest offline agent that reads a project and runs its tests.

There is no language model: what it understands is in `requests.ABILITIES`, and to everything else it says that it did
not understand. It never writes or deletes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

from backchannel.agents.base import Agent, TurnRequest
from backchannel.agents.workspace.git import Git
from backchannel.agents.workspace.phrasing import listed, sentence, shortened
from backchannel.agents.workspace.project import describe, list_files, show_file
from backchannel.agents.workspace.requests import (
    ABILITIES,
    Also,
    DescribeProject,
    ExplainFailure,
    Faster,
    Help,
    Instead,
    ListCommits,
    ListFiles,
    Narrow,
    Request,
    RunTests,
    Search,
    ShowBranch,
    ShowFile,
    Status,
    Stop,
    WhatChanged,
    WhoChanged,
    WorkingTree,
)
from backchannel.agents.workspace.searching import search
from backchannel.agents.workspace.steps import Answer, Call
from backchannel.agents.workspace.testing import Tests
from backchannel.agents.workspace.tree import Tree
from backchannel.agents.workspace.turns import Turn
from backchannel.agents.workspace.understanding import understand, understand_steer, wants_writing
from backchannel.core import AgentMessage, AgentTurnEnded, Outcome, Phase, parse_delegation
from backchannel.errors import LocalProtocolError, SteerRefused

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from backchannel.agents.workspace.steps import Job
    from backchannel.core import AgentReport, Note

__all__ = ["WorkspaceAgent", "WorkspaceOptions"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceOptions:
    """How long the agent works and how often it speaks of it."""

    test_limit_s: float = 600.0
    """A test run is stopped after this."""
    command_limit_s: float = 30.0
    """Every other command is stopped after this."""
    progress_interval_s: float = 8.0
    """At least this long between two words on how far a test run is; a first failure is told at once."""
    max_waiting: int = 8
    """So many requests can wait behind the running one; more are refused."""

    def __post_init__(self) -> None:
        limits = {
            "test_limit_s": self.test_limit_s,
            "command_limit_s": self.command_limit_s,
            "progress_interval_s": self.progress_interval_s,
        }
        for name, value in limits.items():
            if not value > 0:
                raise ValueError(f"{name} must be more than 0, got {value}")
        if self.max_waiting < 0:
            raise ValueError(f"max_waiting must not be negative, got {self.max_waiting}")


_HELP_EXAMPLES: Final = 5
_GIT_POINTERS: Final = frozenset(
    {
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_EXTERNAL_DIFF",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_WORK_TREE",
    }
)
"""Variables that a git hook has set: with them git would look at another repository than the workspace's."""


class WorkspaceAgent(Agent):
    """Works in one folder, for one conversation.

    Ownership: `close` ends what runs and removes the agent's own temporary folder (pytest's cache is kept there, so
    that the workspace stays as it is).
    """

    def __init__(
        self,
        *,
        cwd: Path,
        options: WorkspaceOptions | None = None,
        env: Mapping[str, str] | None = None,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now().astimezone(),
    ) -> None:
        # Links are followed where it matters, in a thread; here nothing may wait for a disk.
        self._root = Path(os.path.abspath(cwd))
        self._options = options or WorkspaceOptions()
        given = os.environ if env is None else env
        self._env = {name: value for name, value in given.items() if name not in _GIT_POINTERS}
        self._tree = Tree(self._root)
        self._git = Git(self._tree, limit_s=self._options.command_limit_s, now=now)
        self._tests = Tests(self._tree, limit_s=self._options.test_limit_s, env=self._env, cache=self._make_cache)
        self._cache: Path | None = None
        self._turn: Turn | None = None
        self._closed = False

    @property
    def name(self) -> str:
        """How a person names this agent on the command line."""
        return "workspace"

    # ---- turns ----

    async def run(self, request: TurnRequest) -> AsyncGenerator[AgentReport]:
        """Work on a turn; see `Agent.run`."""
        if self._turn is not None:
            raise LocalProtocolError(f"turn {self._turn.turn_id} is still running")
        if self._closed:
            raise LocalProtocolError("the agent is closed")
        text = parse_delegation(request.text)
        understood = self._first_request(text)
        if isinstance(understood, str):
            yield AgentMessage(turn_id=request.turn_id, text=understood, phase=Phase.FINAL)
            yield AgentTurnEnded(turn_id=request.turn_id, outcome=Outcome.COMPLETED)
            return
        turn = Turn(
            request.turn_id,
            understood,
            make_job=self._job,
            cwd=self._root,
            env=self._env,
            progress_interval_s=self._options.progress_interval_s,
            max_waiting=self._options.max_waiting,
        )
        self._turn = turn
        try:
            while turn.outbox or not turn.ended:
                await turn.advance()
                while turn.outbox:
                    yield turn.outbox.popleft()
        finally:
            # Until it is shut the turn stays known, so that `close` can end it even if this is cancelled here.
            await turn.shut()
            self._turn = None

    async def steer(
        self, text: str, *, metadata: Mapping[str, str] | None = None, briefing: tuple[Note, ...] = ()
    ) -> None:
        """Take a change into the running turn; see `Agent.steer`."""
        turn = self._turn
        if turn is None:
            raise LocalProtocolError("no turn is running")
        self._check_running(turn)
        said = parse_delegation(text)
        match understand_steer(said):
            case None:
                raise SteerRefused(_not_understood_steer(said))
            case Stop():
                await self.interrupt()
            case Narrow(where=where):
                await self._narrow(turn, where)
            case Faster():
                self._hurry(turn)
            case Instead(request=request):
                turn.replace(request, sentence(f"I stop that and {_doing(request)} instead"))
            case Also(request=Status()):
                turn.say(self._status())
            case Also(request=Help()):
                turn.say(_help().text)
            case Also(request=request):
                if not turn.add(request):
                    raise SteerRefused("Too much is waiting already; ask me again when this is done.")
                turn.say(sentence(f"I {_doing(request)} after this"))
            case _ as unreachable:
                assert_never(unreachable)

    async def interrupt(self) -> None:
        """Stop the running turn; see `Agent.interrupt`."""
        turn = self._turn
        if turn is not None and not turn.ended:
            await turn.shut()

    async def close(self) -> None:
        """End everything this agent started and wait for it. Idempotent."""
        self._closed = True
        turn = self._turn
        if turn is not None:
            await turn.shut()
        cache, self._cache = self._cache, None
        if cache is not None:
            await asyncio.to_thread(shutil.rmtree, cache, ignore_errors=True)

    # ---- requests ----

    def _first_request(self, text: str) -> Request | str:
        """What a new turn is to do, or what is answered at once."""
        request = understand(text)
        if request is not None:
            return request
        match understand_steer(text):
            case Instead(request=request) | Also(request=request):
                return request
            case Stop():
                return "Nothing is running."
            case Narrow() | Faster():
                return "Nothing is running that I could change. Ask me to run the tests first."
            case None:
                pass
        return _not_understood(text)

    def _job(self, request: Request) -> Job:
        there = Call(lambda _cancelled: self._root.is_dir())
        yield there
        if not there.value:
            return Answer(spoken="The folder of this workspace is not there any more.")
        return (yield from self._job_in_place(request))

    def _job_in_place(self, request: Request) -> Job:
        match request:
            case WhatChanged():
                return self._git.what_changed(request)
            case ListCommits():
                return self._git.commits(request)
            case WhoChanged():
                return self._git.who(request)
            case WorkingTree():
                return self._git.working_tree()
            case ShowBranch():
                return self._git.branch()
            case RunTests():
                return self._tests.run(request)
            case ExplainFailure():
                return self._tests.explain()
            case Search():
                return search(request, tree=self._tree, limit_s=self._options.command_limit_s, env=self._env)
            case ShowFile():
                return show_file(request, tree=self._tree)
            case ListFiles():
                return list_files(request, tree=self._tree)
            case DescribeProject():
                return describe(tree=self._tree)
            case Status():
                return _at_once(Answer(spoken=self._idle_status()))
            case Help():
                return _at_once(_help())
            case _ as unreachable:
                assert_never(unreachable)

    # ---- steering ----

    def _check_running(self, turn: Turn) -> None:
        if not turn.steerable or self._turn is not turn:
            raise SteerRefused("That has just ended; ask me anew.")

    async def _narrow(self, turn: Turn, where: str) -> None:
        """Restrict the running work to a place, if the place is there.

        Raises:
            SteerRefused: It is not, or the work has no places.
        """
        while True:
            before = turn.request
            if not isinstance(before, RunTests | Search | WhatChanged | WhoChanged | ListFiles):
                raise SteerRefused(sentence(f"I cannot restrict that: I {_doing(before)}"))
            request = dataclasses.replace(before, where=where)
            reason = await asyncio.to_thread(self._place_refusal, request, where)
            self._check_running(turn)
            if reason is not None:
                raise SteerRefused(reason)
            if turn.request is before:
                break
        if request == before:
            raise SteerRefused(sentence(f"that is what I do: I {_doing(before)}"))
        turn.replace(request, sentence(f"now I {_doing(request)} only"))

    def _place_refusal(self, request: Request, where: str) -> str | None:
        if isinstance(request, RunTests):
            return self._tests.refusal(request)
        if self._tree.parts(where):
            return None
        return sentence(f"I found nothing called {shortened(where, 60)} in this workspace")

    def _hurry(self, turn: Turn) -> None:
        request = turn.request
        if not isinstance(request, RunTests):
            raise SteerRefused(sentence(f"I know no faster way: I {_doing(request)}"))
        if request.fail_fast and request.skip_slow:
            raise SteerRefused("I already stop at the first failure.")
        hurried = dataclasses.replace(request, fail_fast=True, skip_slow=True)
        turn.replace(hurried, "I start the tests again and stop at the first failure.")

    # ---- status ----

    def _status(self) -> str:
        turn = self._turn
        if turn is None:
            return self._idle_status()
        progress = turn.progress
        return progress or sentence(f"I {_doing(turn.request)}; there is no result yet")

    def _idle_status(self) -> str:
        last = self._tests.last_result
        return "Nothing is running." if last is None else f"Nothing is running. The last tests: {last}"

    def _make_cache(self) -> Path:
        """The agent's own temporary folder; runs in a thread, and only one job runs at a time."""
        if self._cache is None:
            self._cache = Path(tempfile.mkdtemp(prefix="backchannel-"))
        return self._cache


def _at_once(answer: Answer) -> Job:
    """A job without steps."""
    yield from ()
    return answer


def _doing(request: Request) -> str:
    """What is done, after `I`."""
    match request:
        case RunTests(where=where, only_failed=only_failed):
            return f"run the {'failed ' if only_failed else f'{where} ' if where else ''}tests"
        case Search(text=text, where=where):
            return f"search for {shortened(text, 40)}{f' in {where}' if where else ''}"
        case WhatChanged(where=where):
            return f"look up what changed{f' in {where}' if where else ''}"
        case WhoChanged(where=where):
            return f"look up who made changes{f' in {where}' if where else ''}"
        case ListCommits():
            return "list the commits"
        case ShowFile(name=name):
            return f"show {shortened(name, 40)}"
        case ExplainFailure():
            return "look at the failure"
        case DescribeProject():
            return "describe the project"
        case ListFiles(where=where):
            return f"list the files{f' in {where}' if where else ''}"
        case WorkingTree():
            return "look at what is not committed"
        case ShowBranch():
            return "look at the branch"
        case Status():
            return "tell how it is going"
        case Help():
            return "tell what I can do"
        case _ as unreachable:
            assert_never(unreachable)


def _help() -> Answer:
    examples = [ability.example for ability in ABILITIES[:_HELP_EXAMPLES]]
    lines = [f"{ability.example:32}  {ability.does}" for ability in ABILITIES]
    lines += ["", "While something runs: only the core tests, faster, instead ..., how is it going, stop."]
    lines += ["I only read and run tests; I never change or delete a file."]
    spoken = f"You can say, for example: {listed(examples, at_most=len(examples), join='or')}."
    return Answer(spoken=spoken, details="\n".join(lines))


def _not_understood(text: str) -> str:
    if wants_writing(text):
        told = "I did not understand that, and I cannot change anything: I only read and run tests."
        return f"{told}\n\n{_help().details}"
    said = f' "{shortened(text, 40)}"' if text.strip() else ""
    examples = [ABILITIES[0].example, ABILITIES[1].example, ABILITIES[-1].example]
    return f"I did not understand{said}. You can say, for example: {listed(examples, join='or')}.\n\n{_help().details}"


def _not_understood_steer(text: str) -> str:
    return (
        f'I did not understand "{shortened(text, 40)}". While I work you can say: only the core tests, faster, '
        "instead search for timeout, or stop."
    )
