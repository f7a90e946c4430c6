"""What can be said to running work, and that nothing of it is left when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from backchannel.agents import TurnRequest, WorkspaceOptions
from backchannel.core import AgentCommandEnded, AgentCommandOutput, AgentMessage, Outcome, Phase, render_delegation
from backchannel.errors import SteerRefused
from tests.agents.projects import agent_in, ask, environment, hear, make_repository, processes_in, write

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    import psutil

    from backchannel.agents import WorkspaceAgent
    from backchannel.core import AgentReport
    from tests.agents.projects import Heard

QUICK = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
DEADLINE_S = 10.0

LASTING = "::test_lasts "
"""What is printed when the test begins that does not end in time."""

SLOW = {
    "core/timeouts.py": "TIMEOUT = 3\n",
    "tests/core/test_core.py": "def test_core():\n    assert True\n",
    "tests/docs/test_docs.py": "import time\ndef test_lasts():\n    time.sleep(60)\n",
}
"""One test that is quick, and one that never ends in time."""

SPAWNING = {
    "test_a.py": """
        import subprocess, sys, time

        SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]
        PARENT = f"import subprocess, time; subprocess.Popen({SLEEP!r}); time.sleep(300)"

        def test_spawns(capfd):
            subprocess.Popen(SLEEP)
            subprocess.Popen(SLEEP, start_new_session=True)
            subprocess.Popen([sys.executable, "-c", PARENT])
            time.sleep(0.3)

        def test_lasts():
            time.sleep(60)
    """,
}
"""Tests that start processes and leave them: a child, one in a session of its own, and one with a child of its own."""

STUBBORN = {
    "test_a.py": """
        import subprocess, sys, time

        DEAF = (
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
            "print('deaf', flush=True); time.sleep(300)"
        )

        def test_spawns(capfd):
            for apart in (False, True):
                deaf = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, start_new_session=apart)
                assert deaf.stdout.readline() == b"deaf\\n"

        def test_lasts():
            time.sleep(60)
    """,
}
"""The same with processes that do not listen to SIGTERM."""


def repository(root: Path) -> Path:
    make_repository(root)
    write(root, SLOW)
    return root


async def gone(root: Path) -> bool:
    """Whether all processes in a folder end before the deadline."""
    deadline_s = time.monotonic() + DEADLINE_S
    while await asyncio.to_thread(processes_in, root):
        if time.monotonic() > deadline_s:
            return False
        await asyncio.sleep(0.05)
    return True


async def steered(agent: WorkspaceAgent, text: str, *steers: str, after: str = LASTING) -> Heard:
    """Run a turn and say things to it once a text was printed."""
    waiting = list(steers)
    async for _report, heard in hear(agent, text):
        while waiting and after in heard.output:
            await agent.steer(waiting.pop(0))
        last = heard
    assert not waiting
    return last


def in_repository(
    root: Path, *, options: WorkspaceOptions | None = None
) -> contextlib.AbstractAsyncContextManager[WorkspaceAgent]:
    return agent_in(root, env=environment(root.parent, **QUICK), options=options)


# ---- steering -------------------------------------------------------------------------------------------------


async def test_a_run_is_narrowed(tmp_path: Path) -> None:
    async with in_repository(repository(tmp_path / "parcel")) as agent:
        heard = await steered(agent, "run the tests", "only the core tests")
    assert heard.commands == ["pytest", "pytest tests/core"]
    assert heard.comments == ["Now I run the core tests only."]
    assert heard.spoken.startswith("The core tests: the test passed")
    first, second = (r for r in heard.reports if isinstance(r, AgentCommandEnded))
    assert first.exit_status is None
    assert second.exit_status == 0
    assert await gone(tmp_path)


async def test_a_delegation_steers_as_well(tmp_path: Path) -> None:
    async with in_repository(repository(tmp_path / "parcel")) as agent:
        heard = await steered(agent, "run the tests", render_delegation("only core", "user: only core"))
    assert heard.spoken.startswith("The core tests")


async def test_a_run_is_hurried_and_narrowed_at_once(tmp_path: Path) -> None:
    async with in_repository(repository(tmp_path / "parcel")) as agent:
        heard = await steered(agent, "run the tests", "faster", "only the core tests")
    assert heard.commands[-1] == "pytest -x tests/core"
    assert heard.spoken.startswith("The core tests: the test passed")


async def test_work_is_replaced(tmp_path: Path) -> None:
    async with in_repository(repository(tmp_path / "parcel")) as agent:
        heard = await steered(agent, "run the tests", "instead search for timeout")
        assert heard.comments == ["I stop that and search for timeout instead."]
        assert heard.spoken.startswith("Timeout is on")
        stopped = await ask(agent, "how is it going")
        assert "The last test run was stopped after 1 of 2 tests; one passed." in stopped.final
    assert await gone(tmp_path)


async def test_a_further_request_waits_for_its_turn(tmp_path: Path) -> None:
    root = repository(tmp_path / "parcel")
    async with in_repository(root) as agent:
        heard = await steered(agent, "run the tests", "what changed this week", "only the core tests")
    assert heard.comments[0] == "I look up what changed after this."
    assert heard.comments[1] == "Now I run the core tests only."
    assert heard.comments[2].startswith("The core tests: the test passed")
    assert heard.spoken.startswith("Two commits this week")


async def test_progress_is_asked_for(tmp_path: Path) -> None:
    async with in_repository(repository(tmp_path / "parcel")) as agent:
        heard = await steered(agent, "run the tests", "how is it going", "what can you do", "stop")
    assert heard.comments[0] == "One of two tests done, all good so far."
    assert heard.comments[1].startswith("You can say, for example:")
    assert heard.outcome is Outcome.INTERRUPTED


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("banana", 'I did not understand "banana". While I work you can say: only the core tests'),
        ("only the moon tests", "I found no tests called moon."),
    ],
)
async def test_what_cannot_be_taken_is_refused_in_words(tmp_path: Path, text: str, reason: str) -> None:
    refused = ""
    async with in_repository(repository(tmp_path / "parcel")) as agent:
        async for _report, heard in hear(agent, "run the tests"):
            if LASTING in heard.output and not refused:
                with pytest.raises(SteerRefused) as caught:
                    await agent.steer(text)
                refused = str(caught.value)
                # The turn goes on as it was.
                assert len(heard.commands) == 1
                await agent.steer("only core")
    assert refused.startswith(reason)
    assert heard.spoken.startswith("The core tests")


async def test_only_so_many_requests_wait(tmp_path: Path) -> None:
    root = repository(tmp_path / "parcel")
    async with in_repository(root, options=WorkspaceOptions(max_waiting=1)) as agent:
        with pytest.raises(SteerRefused, match="Too much is waiting"):
            await steered(agent, "run the tests", "git status", "git log")
    assert await gone(tmp_path)


async def test_what_is_said_to_ended_work_is_refused(tmp_path: Path) -> None:
    async with in_repository(make_repository(tmp_path / "parcel")) as agent:
        async for report, _heard in hear(agent, "search for timeout"):
            if isinstance(report, AgentMessage) and report.phase is Phase.FINAL:
                with pytest.raises(SteerRefused, match="just ended"):
                    await agent.steer("only in core")
                await agent.interrupt()


async def test_what_has_no_parts_cannot_be_narrowed(tmp_path: Path) -> None:
    async with in_repository(make_repository(tmp_path / "parcel")) as agent:
        async for report, heard in hear(agent, "git status"):
            if report is heard.reports[0]:
                for text in ("only in core", "faster"):
                    with pytest.raises(SteerRefused, match="I look at what is not committed"):
                        await agent.steer(text)


# ---- ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "word", "n_processes"),
    [(SPAWNING, "stop", 5), (STUBBORN, "interrupt", 3)],
    ids=["stop", "interrupt"],
)
async def test_nothing_is_left_of_interrupted_work(
    tmp_path: Path, files: dict[str, str], word: str, n_processes: int
) -> None:
    write(tmp_path, files)
    before: list[psutil.Process] = []
    async with in_repository(tmp_path) as agent:
        async for _report, heard in hear(agent, "run the tests"):
            if LASTING in heard.output and not before:
                before = await asyncio.to_thread(processes_in, tmp_path)
                if word == "stop":
                    await agent.steer("stop it please")
                else:
                    await asyncio.gather(agent.interrupt(), agent.interrupt())
                # Everything is gone when this returns, not some time after.
                assert await asyncio.to_thread(processes_in, tmp_path) == []
        assert len(before) == n_processes
        assert heard.outcome is Outcome.INTERRUPTED
        assert not [r for r in heard.reports if isinstance(r, AgentMessage) and r.phase is Phase.FINAL]
        assert (await ask(agent, "git status")).outcome is Outcome.COMPLETED


async def test_nothing_is_left_when_the_turn_is_abandoned(tmp_path: Path) -> None:
    write(tmp_path, SPAWNING)
    async with in_repository(tmp_path) as agent:
        output = ""
        async with contextlib.aclosing(agent.run(TurnRequest(turn_id="turn", text="run the tests"))) as reports:
            async for report in reports:
                output += report.text if isinstance(report, AgentCommandOutput) else ""
                if LASTING in output:
                    break
        assert await asyncio.to_thread(processes_in, tmp_path) == []


async def test_nothing_is_left_when_the_agent_is_closed(tmp_path: Path) -> None:
    write(tmp_path, SPAWNING)
    async with in_repository(tmp_path) as agent:
        async for _report, heard in hear(agent, "run the tests"):
            if LASTING in heard.output:
                await agent.close()
                assert await asyncio.to_thread(processes_in, tmp_path) == []
        assert heard.outcome is Outcome.INTERRUPTED


async def test_nothing_is_left_when_the_task_is_cancelled(tmp_path: Path) -> None:
    write(tmp_path, SPAWNING)
    seen = asyncio.Event()

    async def turn(agent: WorkspaceAgent) -> None:
        async for _report, heard in hear(agent, "run the tests"):
            if LASTING in heard.output:
                seen.set()

    async with in_repository(tmp_path) as agent:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(turn(agent))
            async with asyncio.timeout(DEADLINE_S):
                await seen.wait()
            task.cancel()
        assert await asyncio.to_thread(processes_in, tmp_path) == []


async def test_what_a_finished_run_left_running_is_ended(tmp_path: Path) -> None:
    write(tmp_path, {"test_a.py": SPAWNING["test_a.py"].replace("time.sleep(60)", "pass")})
    async with in_repository(tmp_path) as agent:
        heard = await ask(agent, "run the tests")
        assert heard.spoken.startswith("All two tests passed")
        assert await asyncio.to_thread(processes_in, tmp_path) == []


async def _first(turn: AsyncGenerator[AgentReport]) -> AgentReport:
    return await anext(turn)


async def test_an_interrupt_comes_through_at_any_moment(tmp_path: Path) -> None:
    root = repository(tmp_path / "parcel")
    write(root, {"tests/docs/test_docs.py": "def test_docs(): ...\n"})
    async with in_repository(root) as agent:
        n_reports = len((await ask(agent, "what changed this week")).reports)
        for at in range(n_reports):
            async for report, heard in hear(agent, "what changed this week"):
                if report is heard.reports[-1] and len(heard.reports) == at + 1:
                    await agent.interrupt()
            assert heard.outcome in (Outcome.INTERRUPTED, Outcome.COMPLETED)
        async with asyncio.TaskGroup() as group:
            for delay_s in (0.0, 0.001, 0.003, 0.01, 0.03):
                turn = agent.run(TurnRequest(turn_id="turn", text="what changed this week"))
                first = group.create_task(_first(turn))
                await asyncio.sleep(delay_s)
                await agent.interrupt()
                await first
                await turn.aclose()
    assert await gone(tmp_path)
