"""The agent whole: a scripted model on one side, real commands and files on the other."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from backchannel.agents import AGENT_NAMES, ResponsesAgent, ResponsesOptions, TurnRequest, make_agent
from backchannel.config import Config, Model, Provider
from backchannel.core import (
    AgentApprovalRequested,
    AgentApprovalWithdrawn,
    AgentCommandEnded,
    AgentCommandOutput,
    AgentCommandStarted,
    AgentMessage,
    AgentMessageDelta,
    AgentReport,
    AgentTurnEnded,
    FileChange,
    Note,
    Outcome,
    Phase,
    Risk,
    TokensUsed,
    render_delegation,
)
from backchannel.errors import LocalProtocolError, UsageError
from backchannel.testing import (
    BreakOff,
    Gate,
    ModelRequest,
    ScriptedResponses,
    Status,
    calls,
    completed,
    created,
    function_call,
    message,
    says,
    text_delta,
)
from backchannel.threads import AgentSaid, TurnBegan, UserAsked
from tests.agents.projects import environment, processes_in
from tests.agents.responses.test_patch import patch
from tests.agents.responses.test_sandbox import stand_in
from tests.planted import API_KEY, planted_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from backchannel.threads import Entry

FREE = Model(model="mock-model", approval_policy="never", sandbox_mode="danger-full-access")
ASKING = Model(model="mock-model", approval_policy="on-request", sandbox_mode="workspace-write")
DEADLINE_S = 10.0


@dataclasses.dataclass
class Desk:
    """An agent at work, and what it tells."""

    agent: ResponsesAgent
    server: ScriptedResponses
    root: Path
    notices: list[str]
    reports: list[AgentReport] = dataclasses.field(default_factory=list)
    heard: asyncio.Condition = dataclasses.field(default_factory=asyncio.Condition)

    async def work(self, text: str = "do it", turn_id: str = "turn-1", **more: Any) -> list[AgentReport]:
        """Have a turn; its reports."""
        before = len(self.reports)
        async with contextlib.aclosing(self.agent.run(TurnRequest(turn_id=turn_id, text=text, **more))) as reports:
            async for report in reports:
                async with self.heard:
                    self.reports.append(report)
                    self.heard.notify_all()
        return self.reports[before:]

    @contextlib.asynccontextmanager
    async def working(self, text: str = "do it", **more: Any) -> AsyncIterator[None]:
        """Have a turn while something else is done."""
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            group.create_task(self.work(text, **more))
            yield

    async def hears(self, condition: Callable[[AgentReport], bool]) -> AgentReport:
        """Wait for a report."""

        def found() -> AgentReport | None:
            return next((report for report in self.reports if condition(report)), None)

        async with asyncio.timeout(DEADLINE_S), self.heard:
            await self.heard.wait_for(lambda: found() is not None)
        report = found()
        assert report is not None
        return report

    async def prints(self, text: str) -> None:
        """Wait until a command has printed something."""
        await self.hears(lambda report: isinstance(report, AgentCommandOutput) and text in report.text)

    async def asks(self, *, times: int = 1) -> AgentApprovalRequested:
        """Wait until the agent asks for permission for the n-th time."""

        def asked() -> list[AgentApprovalRequested]:
            return [report for report in self.reports if isinstance(report, AgentApprovalRequested)]

        await self.hears(lambda _: len(asked()) >= times)
        return asked()[times - 1]

    @property
    def end(self) -> AgentTurnEnded:
        last = self.reports[-1]
        assert isinstance(last, AgentTurnEnded)
        return last

    @property
    def result(self) -> str:
        (final,) = [each.text for each in self.reports if isinstance(each, AgentMessage) and each.phase is Phase.FINAL]
        return final

    @property
    def shown(self) -> str:
        return "".join(each.text for each in self.reports if isinstance(each, AgentCommandOutput))

    def outputs(self, number: int = -1) -> list[str]:
        """What the model was told of its calls, in a request."""
        return [item["output"] for item in self.server.requests[number].input if item["type"].endswith("_output")]


@contextlib.asynccontextmanager
async def desk(
    root: Path,
    *scripts: Any,
    model: Model = FREE,
    over: str = "http",
    env: Mapping[str, str] | None = None,
    thread_id: str | None = None,
    earlier: tuple[Entry, ...] = (),
    **provider: Any,
) -> AsyncIterator[Desk]:
    websocket = over == "websocket"
    async with ScriptedResponses(*scripts, websocket=True if websocket else 404) as server:
        notices: list[str] = []
        settings: dict[str, Any] = {
            "request_max_retries": 0,
            "stream_max_retries": 0,
            **provider,
            "supports_websockets": websocket,
        }
        agent = ResponsesAgent(
            cwd=root,
            options=ResponsesOptions(
                provider=Provider(id="mock", base_url=server.url, **settings), model=model, api_key=API_KEY
            ),
            env=environment(root.parent) if env is None else env,
            thread_id=thread_id,
            earlier=earlier,
            on_notice=notices.append,
            random=lambda: 0.0,
            unix_time=lambda: 1_700_000_000.5,
        )
        try:
            yield Desk(agent, server, root, notices)
        finally:
            await agent.close()
    assert processes_in(root) == []


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    return root


def no_sandbox(tmp_path: Path) -> dict[str, str]:
    return stand_in(tmp_path / "bin", "exit 1")


# ---- a turn -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", ["http", "websocket"])
async def test_a_turn_with_a_command_and_a_patch(root: Path, over: str) -> None:
    (root / "a.txt").write_text("one\n", encoding="utf-8")
    scripts = (
        [created(), message("I look at it."), function_call("exec_command", {"cmd": "cat a.txt"}), completed("r1")],
        calls("apply_patch", {"input": patch("*** Update File: a.txt", "-one", "+uno")}, call_id="c2"),
        says("It says uno now."),
    )
    async with desk(root, *scripts, over=over) as at:
        reports = await at.work()

        assert [type(report).__name__ for report in reports] == [
            "AgentMessage",
            "AgentCommandStarted",
            "AgentCommandOutput",
            "AgentCommandEnded",
            "AgentCommandStarted",
            "AgentCommandEnded",
            "AgentMessageDelta",
            "AgentMessage",
            "AgentTurnEnded",
        ]
        assert reports[0] == AgentMessage(turn_id="turn-1", text="I look at it.", phase=Phase.UNMARKED)
        assert reports[1] == AgentCommandStarted(turn_id="turn-1", command_id="turn-1-1", command="cat a.txt")
        assert isinstance(reports[4], AgentCommandStarted)
        assert reports[4].command == "apply_patch a.txt"
        assert at.result == "It says uno now."
        assert at.end == AgentTurnEnded(turn_id="turn-1", outcome=Outcome.COMPLETED)
        assert (root / "a.txt").read_text(encoding="utf-8") == "uno\n"
        if over == "http":
            cat, patched = at.outputs()
            assert cat.startswith("Exit status 0 after ")
            assert cat.endswith("\n\none\n")
            assert patched == "Done:\nM a.txt"
        assert at.notices == []


async def test_the_model_is_told_where_it_works_and_what_was_said(root: Path) -> None:
    async with desk(root, says("One."), says("Two.")) as at:
        await at.work("first", briefing=(Note("user", "<a>"), Note("developer", "<b>")))
        delegation = render_delegation("second", "user: second")
        await at.work(delegation, turn_id="turn-2")
        one, two = at.server.requests

    assert one.texts[0][0] == "developer"
    assert str(root) in one.texts[0][1]
    assert one.texts[1:] == [("user", "<a>"), ("developer", "<b>"), ("user", "first")]
    assert two.texts == [*one.texts, ("assistant", "One."), ("user", delegation)]
    assert one.headers["authorization"] == f"Bearer {API_KEY}"
    assert planted_in(json.dumps(one.body)) == []


async def test_what_is_kept_of_a_thread_is_told_again(root: Path) -> None:
    earlier = (
        UserAsked(at_ms=1, text="fix it"),
        TurnBegan(at_ms=1, turn_id="t", request="fix it"),
        AgentSaid(at_ms=2, text="Looking.", is_final=False),
        AgentSaid(at_ms=3, text="Fixed.", is_final=True),
        UserAsked(at_ms=4, text=""),
    )
    async with desk(root, thread_id="A", earlier=earlier) as at:
        await at.work("thanks", thread_id="A")
        await at.work("hello", thread_id="B")
        here, other = at.server.requests
    assert here.texts[1:] == [
        ("user", "fix it"),
        ("assistant", "Looking."),
        ("assistant", "Fixed."),
        ("user", "thanks"),
    ]
    assert [item.get("phase") for item in here.input if item.get("role") == "assistant"] == [
        "commentary",
        "final_answer",
    ]
    assert other.texts[1:] == [("user", "hello")]


async def test_how_it_works_can_change_from_turn_to_turn(root: Path) -> None:
    poet = msgspec.structs.replace(
        FREE,
        model="other",
        model_reasoning_effort="low",
        model_reasoning_summary="detailed",
        base_instructions="Be a poet.",
        developer_instructions="Rhyme.",
    )
    writes = [created(), function_call("exec_command", {"cmd": "touch made"}), completed("r1")]
    async with desk(root, says("One."), says("Two."), writes, says("Three.")) as at:
        await at.work("first")
        await at.work("second", settings=poet)
        await at.work(
            "third", settings=msgspec.structs.replace(poet, sandbox_mode="read-only", approval_policy="never")
        )
        first, second, *_ = at.server.requests
        declined = at.outputs()

    assert [first.body["model"], second.body["model"]] == ["mock-model", "other"]
    assert [first.body["instructions"] == "Be a poet.", second.body["instructions"]] == [False, "Be a poet."]
    assert second.body["reasoning"] == {"effort": "low", "summary": "detailed"}
    assert second.texts[1] == ("developer", "Rhyme.")
    assert len(declined) == 1
    assert not (root / "made").exists()


async def test_each_thread_has_its_own_history(root: Path) -> None:
    async with desk(root) as at:
        await at.work("a", thread_id="A")
        await at.work("b", thread_id="B")
        await at.work("c", thread_id="A")
        told = [[text for role, text in each.texts if role == "user"] for each in at.server.requests]

    assert told == [["a"], ["b"], ["a", "c"]]


async def test_what_a_turn_cost_is_told_with_its_end(root: Path) -> None:
    looks = [created(), function_call("exec_command", {"cmd": "true"}), completed("r1", tokens=(5, 2))]
    async with desk(root, looks, [created(), message("Done."), completed("r2", tokens=(9, 1))], says("Again.")) as at:
        await at.work()
        first = at.end
        await at.work(turn_id="turn-2")
    assert (first.tokens, first.last_tokens) == (TokensUsed(input=14, output=3), TokensUsed(input=9, output=1))
    assert at.end.tokens is msgspec.UNSET


async def test_a_model_that_says_nothing_is_done(root: Path) -> None:
    async with desk(root, [created(), completed()]) as at:
        assert await at.work() == [AgentTurnEnded(turn_id="turn-1", outcome=Outcome.COMPLETED)]


async def test_an_unknown_tool_is_no_failure(root: Path) -> None:
    async with desk(root, calls("dance", {}), says("Sorry.")) as at:
        await at.work()

        assert at.outputs() == ["There is no tool 'dance'; there are exec_command, write_stdin and apply_patch."]
        assert at.end.outcome is Outcome.COMPLETED


async def test_one_turn_at_a_time(root: Path) -> None:
    async with desk(root, [created(), Gate()]) as at:
        async with at.working():
            await at.server.wait_for_request()
            with pytest.raises(LocalProtocolError, match="turn-1 is still running"):
                await anext(at.agent.run(TurnRequest(turn_id="turn-2", text="x")))
            await at.agent.interrupt()
        await at.agent.close()
        with pytest.raises(LocalProtocolError, match="is closed"):
            await at.work()


async def test_without_a_turn_there_is_nothing_to_say_to(root: Path) -> None:
    async with desk(root) as at:
        await at.agent.interrupt()
        with pytest.raises(LocalProtocolError, match="no turn is running"):
            await at.agent.steer("x")
        with pytest.raises(LocalProtocolError, match="no turn is running"):
            await at.agent.answer_approval("x", approved=True)


# ---- changes and ends -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", ["http", "websocket"])
async def test_a_change_aborts_the_running_request(root: Path, over: str) -> None:
    scripts = ([created(), text_delta("Half"), Gate(), message("Half a message."), completed()], says("Changed."))
    async with desk(root, *scripts, over=over) as at:
        async with at.working():
            await at.hears(lambda report: isinstance(report, AgentMessageDelta))
            await at.agent.steer("also do this")
            await at.server.wait_for_request(1)
            at.server.open()
        one, two = at.server.requests

    assert at.result == "Changed."
    assert not [each for each in at.reports if isinstance(each, AgentMessage) and "Half" in each.text]
    assert two.texts == [*one.texts, ("user", "also do this")]


async def test_a_change_while_a_command_runs_lets_it_run_on(root: Path) -> None:
    scripts = (
        calls("exec_command", {"cmd": "echo begun; sleep 60"}),
        calls("write_stdin", {"session_id": 1, "chars": "\x03"}, call_id="call_2"),
        says("Stopped."),
    )
    async with desk(root, *scripts) as at:
        async with at.working():
            await at.prints("begun")
            await at.agent.steer("rather stop it")
        first, second = at.outputs()

    assert first.startswith("The command is still running, for ")
    assert first.endswith("its session id is 1.\n\nbegun\n")
    assert at.server.requests[1].texts[-1] == ("user", "rather stop it")
    assert second == "It was stopped. It printed nothing."
    (ended,) = [report for report in at.reports if isinstance(report, AgentCommandEnded)]
    assert ended.exit_status is None


async def test_interrupted_while_the_model_answers(root: Path) -> None:
    async with desk(root, [created(), text_delta("Half"), Gate()], says("Next.")) as at:
        async with at.working():
            await at.hears(lambda report: isinstance(report, AgentMessageDelta))
            await at.agent.interrupt()
        assert at.end.outcome is Outcome.INTERRUPTED
        await at.work("next", turn_id="turn-2")
        assert [text for role, text in at.server.requests[1].texts if role == "user"] == ["do it", "next"]


async def test_interrupted_while_a_command_runs_nothing_of_it_is_left(root: Path) -> None:
    spawning = "sleep 61 & (setsid sleep 62 &) ; echo begun; wait"
    async with desk(root, calls("exec_command", {"cmd": spawning}), says("Next.")) as at:
        async with at.working():
            await at.prints("begun")
            await at.agent.interrupt()
            assert processes_in(root) == []
        assert [type(report) for report in at.reports[-2:]] == [AgentCommandEnded, AgentTurnEnded]
        await at.work("next", turn_id="turn-2")
        assert at.outputs() == ["Stopped by the user."]


async def test_leaving_a_turn_ends_its_work(root: Path) -> None:
    async with desk(root, calls("exec_command", {"cmd": "echo begun; sleep 60"})) as at:
        reports = at.agent.run(TurnRequest(turn_id="turn-1", text="x"))
        while not isinstance(await anext(reports), AgentCommandOutput):
            pass
        await reports.aclose()
        assert processes_in(root) == []


async def test_closing_the_agent_ends_its_work(root: Path) -> None:
    async with desk(root, calls("exec_command", {"cmd": "echo begun; sleep 60"})) as at:
        async with at.working():
            await at.prints("begun")
            await at.agent.close()
        assert at.end.outcome is Outcome.INTERRUPTED


async def test_what_a_turn_left_running_ends_with_it(root: Path) -> None:
    scripts = (calls("exec_command", {"cmd": "echo begun; sleep 60", "yield_time_ms": 200}), says("It runs."))
    async with desk(root, *scripts) as at:
        await at.work()
        assert processes_in(root) == []
        assert at.outputs()[0].startswith("The command is still running")
        assert [type(each) for each in at.reports[-2:]] == [AgentCommandEnded, AgentTurnEnded]


# ---- commands ---------------------------------------------------------------------------------------------------


async def executed(root: Path, arguments: Mapping[str, object], **more: Any) -> tuple[Desk, str]:
    async with desk(root, calls("exec_command", arguments), says("Done."), **more) as at:
        await at.work()
        (output,) = at.outputs()
    return at, output


async def test_a_failed_command_is_told_with_its_status(root: Path) -> None:
    at, output = await executed(root, {"cmd": "echo oops >&2; exit 3"})

    assert output.startswith("Exit status 3 after ")
    assert output.endswith("oops\n")
    assert [each.exit_status for each in at.reports if isinstance(each, AgentCommandEnded)] == [3]


async def test_a_command_without_a_shell_and_in_a_folder(root: Path) -> None:
    (root / "sub").mkdir()
    at, output = await executed(root, {"cmd": ["python3", "-c", "import os; print(os.getcwd())"], "workdir": "sub"})

    assert output.endswith(f"{root}/sub\n")
    assert at.reports[0] == AgentCommandStarted(
        turn_id="turn-1",
        command_id="turn-1-1",
        command="python3 -c 'import os; print(os.getcwd())'",
        folder=str((root / "sub").resolve()),
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"cmd": ["no-such-program"]}, "The command could not be started: No such file or directory."),
        ({"cmd": "ls", "workdir": "nowhere"}, "The command could not be started: there is no folder nowhere."),
    ],
)
async def test_a_command_that_cannot_be_started_is_told(root: Path, arguments: Mapping[str, object], said: str) -> None:
    at, output = await executed(root, arguments)

    assert output == said
    assert at.end.outcome is Outcome.COMPLETED


async def test_a_command_is_stopped_after_its_time(root: Path) -> None:
    _, output = await executed(root, {"cmd": "echo begun; sleep 60", "timeout_ms": 300})

    assert output == "It was stopped after 0.3 s.\n\nbegun\n"


async def test_of_a_huge_output_head_and_tail_are_kept(root: Path) -> None:
    at, output = await executed(root, {"cmd": "seq 1 200000"})

    assert len(output) < 42_000
    assert "\n1\n2\n3\n" in output
    assert output.endswith("199999\n200000\n")
    assert "characters left out]" in output
    assert len(at.shown) < 7_000
    assert at.shown.endswith("200000\n")

    _, short = await executed(root, {"cmd": "seq 1 200000", "max_output_tokens": 20})
    assert len(short) < 200


async def test_commands_find_no_key_in_their_environment(root: Path) -> None:
    env = environment(root.parent) | {"OPENAI_API_KEY": API_KEY, "BACKCHANNEL_API_KEY": API_KEY, "MINE": API_KEY}
    _, output = await executed(root, {"cmd": "env"}, env={**env, "KEPT": "kept"}, env_http_headers={"X-Key": "MINE"})

    assert planted_in(output) == []
    assert "KEPT=kept" in output


async def test_looking_after_what_is_not_running(root: Path) -> None:
    async with desk(root, calls("write_stdin", {"session_id": 7}), says("Sorry.")) as at:
        await at.work()
        assert at.outputs() == ["No command with the session id 7 is running."]


async def test_a_patch_that_does_not_fit_is_told(root: Path) -> None:
    async with desk(root, calls("apply_patch", {"input": patch("*** Delete File: a")}), says("Sorry.")) as at:
        await at.work()
        assert at.outputs() == ["there is no file a; a new one is made with Add File"]
        assert [each.exit_status for each in at.reports if isinstance(each, AgentCommandEnded)] == [1]


# ---- permission -------------------------------------------------------------------------------------------------


async def test_where_no_sandbox_works_commands_are_asked_for_and_that_is_said_once(root: Path, tmp_path: Path) -> None:
    command = {"cmd": "echo made > made.txt; git push", "justification": "To make it."}
    scripts = (calls("exec_command", command), says("Done."), calls("exec_command", {"cmd": "ls"}), says("Done."))
    async with desk(root, *scripts, model=ASKING, env=no_sandbox(tmp_path)) as at:
        async with at.working():
            asked = await at.asks()
            assert not (root / "made.txt").exists()
            with pytest.raises(LocalProtocolError, match="no request for permission named 'x'"):
                await at.agent.answer_approval("x", approved=True)
            await at.agent.answer_approval(asked.approval_id, approved=True)
        assert asked.action == "run echo made > made.txt; git push"
        assert asked.detail == "echo made > made.txt; git push\nTo make it."
        assert asked.risks == (Risk.NETWORK,)
        assert (root / "made.txt").exists()
        assert len(at.notices) == 1
        assert at.notices[0].startswith("no sandbox works here")
        assert at.notices[0].endswith("need your permission")

        # What only reads is not asked for, and nothing is said a second time.
        await at.work("again", turn_id="turn-2")
        assert len([each for each in at.reports if isinstance(each, AgentApprovalRequested)]) == 1
        assert len(at.notices) == 1


async def test_what_is_permitted_for_good_is_not_asked_for_again(root: Path, tmp_path: Path) -> None:
    made = {"cmd": "echo made >> made.txt"}
    (root / "d").mkdir()
    other = [made | {"workdir": "d"}, made | {"sandbox_permissions": "require_escalated"}, {"cmd": "touch made.txt"}]
    scripts = [calls("exec_command", each, call_id=f"call_{n}") for n, each in enumerate((made, made, *other))]
    untrusting = msgspec.structs.replace(ASKING, approval_policy="untrusted")
    async with desk(
        root,
        *scripts,
        says("Done."),
        calls("exec_command", made, call_id="call_5"),
        says("Done."),
        model=ASKING,
        env=no_sandbox(tmp_path),
    ) as at:
        async with at.working():
            first = await at.asks()
            await at.agent.answer_approval(first.approval_id, approved=True, for_session=True)
            for n in range(2, 5):
                # The same command is not asked for; one that differs in anything is.
                asked = await at.asks(times=n)
                await at.agent.answer_approval(asked.approval_id, approved=False)
        assert (root / "made.txt").read_text() == "made\nmade\n"
        # Who wants to be asked more often has not permitted it for good.
        async with at.working("again", turn_id="turn-2", settings=untrusting):
            asked = await at.asks(times=5)
            await at.agent.answer_approval(asked.approval_id, approved=False)


async def test_who_is_asked_sees_where_a_command_runs(root: Path, tmp_path: Path) -> None:
    (root / "d").mkdir()
    scripts = [calls("exec_command", {"cmd": "touch x", "workdir": "d"}), says("Done.")]
    async with desk(root, *scripts, model=ASKING, env=no_sandbox(tmp_path)) as at, at.working():
        asked = await at.asks()
        await at.agent.answer_approval(asked.approval_id, approved=False)
    assert (asked.action, asked.folder) == ("run touch x in d", str((root / "d").resolve()))
    assert asked.risks == ()


async def test_who_is_asked_sees_where_a_link_leads(root: Path, tmp_path: Path) -> None:
    (root / "docs").symlink_to(tmp_path)
    scripts = [calls("exec_command", {"cmd": "touch x", "workdir": "docs"}), says("Done.")]
    async with desk(root, *scripts, model=ASKING, env=no_sandbox(tmp_path)) as at, at.working():
        asked = await at.asks()
        await at.agent.answer_approval(asked.approval_id, approved=False)
    assert asked.action == "run touch x in " + str((root / "docs").resolve())
    assert asked.risks == (Risk.OUTSIDE_WORKSPACE,)


async def test_what_leads_elsewhere_after_it_was_permitted_is_not_done(root: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (root / folder).mkdir()
        (root / folder / "f").write_text("1\n")
    (root / "d").symlink_to("a")
    steps = [
        ("exec_command", {"cmd": "rm f", "workdir": "d"}),
        ("apply_patch", {"input": patch("*** Delete File: d/f")}),
    ]
    scripts = [calls(name, what, call_id=f"call_{n}") for n, (name, what) in enumerate(steps)]
    model = msgspec.structs.replace(ASKING, sandbox_mode="read-only")
    async with desk(root, *scripts, says("Done."), model=model, env=no_sandbox(tmp_path)) as at:
        async with at.working():
            for n, leads_to in ((1, "b"), (2, "a")):
                asked = await at.asks(times=n)
                (root / "d").unlink()
                (root / "d").symlink_to(leads_to)
                await at.agent.answer_approval(asked.approval_id, approved=True)
        assert [output.partition(":")[0] for output in at.outputs()] == ["Not done", "Not done"]
    assert (root / "a" / "f").exists()
    assert (root / "b" / "f").exists()


async def test_a_permission_is_for_the_file_and_not_for_its_name(root: Path, tmp_path: Path) -> None:
    (root / "notes").write_text("1\n")
    (root / "secret").write_text("1\n")
    change = patch("*** Update File: notes\n@@\n-1\n+1")
    (root / "x").mkdir()
    (root / "y").mkdir()
    (root / "d").symlink_to("x")
    made = {"cmd": "echo made >> made", "workdir": "d"}
    steps = [("apply_patch", {"input": change}), ("exec_command", made)] * 2
    scripts = [calls(name, what, call_id=f"call_{n}") for n, (name, what) in enumerate(steps)]
    model = msgspec.structs.replace(ASKING, sandbox_mode="read-only")
    async with desk(root, *scripts, says("Done."), model=model, env=no_sandbox(tmp_path)) as at, at.working():
        for n in (1, 2):
            asked = await at.asks(times=n)
            if n == 2:
                # Before it runs: what follows finds other files under the same names.
                (root / "notes").unlink()
                (root / "notes").symlink_to("secret")
            await at.agent.answer_approval(asked.approval_id, approved=True, for_session=True)
        asked = await at.asks(times=3)
        assert asked.action == "change notes"
        (root / "d").unlink()
        (root / "d").symlink_to("y")
        await at.agent.answer_approval(asked.approval_id, approved=False)
        asked = await at.asks(times=4)
        assert asked.folder == str((root / "y").resolve())
        await at.agent.answer_approval(asked.approval_id, approved=False)
    assert not (root / "y" / "made").exists()


async def test_a_file_may_be_changed_for_good_and_not_deleted(root: Path) -> None:
    patches = ("*** Add File: a\n+1", "*** Update File: a\n@@\n-1\n+2", "*** Delete File: a")
    scripts = [calls("apply_patch", {"input": patch(each)}, call_id=f"call_{n}") for n, each in enumerate(patches)]
    model = msgspec.structs.replace(ASKING, sandbox_mode="read-only")
    async with desk(root, *scripts, says("Done."), model=model) as at:
        async with at.working():
            await at.agent.answer_approval((await at.asks()).approval_id, approved=True, for_session=True)
            asked = await at.asks(times=2)
            assert asked.risks == (Risk.DELETE,)
            assert (root / "a").read_text() == "2\n"
            await at.agent.answer_approval(asked.approval_id, approved=False)
        assert (root / "a").exists()


async def test_what_is_declined_is_told_to_the_model_and_not_done(root: Path, tmp_path: Path) -> None:
    scripts = (calls("exec_command", {"cmd": "touch made.txt"}), says("Then not."))
    async with desk(root, *scripts, model=ASKING, env=no_sandbox(tmp_path)) as at:
        async with at.working():
            await at.agent.answer_approval((await at.asks()).approval_id, approved=False)
        assert at.outputs() == ["The user declined this. Do without it."]
        assert not (root / "made.txt").exists()
        assert not [each for each in at.reports if isinstance(each, AgentCommandStarted)]
        assert at.end.outcome is Outcome.COMPLETED


async def test_a_change_withdraws_the_question(root: Path, tmp_path: Path) -> None:
    scripts = (calls("exec_command", {"cmd": "touch made.txt"}), says("All right."))
    async with desk(root, *scripts, model=ASKING, env=no_sandbox(tmp_path)) as at:
        async with at.working():
            asked = await at.asks()
            await at.agent.steer("leave that")
        assert AgentApprovalWithdrawn(turn_id="turn-1", approval_id=asked.approval_id) in at.reports
        assert at.outputs() == ["Not done: the user was asked for permission and said something else."]
        assert at.server.requests[1].texts[-1] == ("user", "leave that")


async def test_an_interrupt_withdraws_the_question(root: Path, tmp_path: Path) -> None:
    async with desk(
        root, calls("exec_command", {"cmd": "touch made.txt"}), model=ASKING, env=no_sandbox(tmp_path)
    ) as at:
        async with at.working():
            asked = await at.asks()
            await at.agent.interrupt()
        assert at.reports[-2:] == [
            AgentApprovalWithdrawn(turn_id="turn-1", approval_id=asked.approval_id),
            AgentTurnEnded(turn_id="turn-1", outcome=Outcome.INTERRUPTED),
        ]


async def test_where_nobody_may_be_asked_it_is_declined(root: Path, tmp_path: Path) -> None:
    model = Model(model="m", approval_policy="never", sandbox_mode="workspace-write")
    scripts = (calls("exec_command", {"cmd": "touch made.txt"}), says("Then not."))
    async with desk(root, *scripts, model=model, env=no_sandbox(tmp_path)) as at:
        await at.work()
        assert at.outputs() == ["This was declined: it needs a permission, and nobody may be asked. Do without it."]
        assert not (root / "made.txt").exists()
        assert at.notices[0].endswith("are declined")


async def test_a_patch_may_be_asked_for(root: Path) -> None:
    (root / "a.txt").write_text("one\n", encoding="utf-8")
    text = patch("*** Delete File: a.txt")
    model = Model(model="m", approval_policy="untrusted", sandbox_mode="danger-full-access")
    async with desk(root, calls("apply_patch", {"input": text}), says("Done."), model=model) as at:
        async with at.working():
            asked = await at.asks()
            await at.agent.answer_approval(asked.approval_id, approved=True)
        assert (asked.action, asked.detail, asked.risks) == ("change a.txt", text, (Risk.DELETE,))
        assert asked.changes == (FileChange(path="a.txt", kind="delete", diff=""),)
        (started,) = [each for each in at.reports if isinstance(each, AgentCommandStarted)]
        assert (started.command_id, started.changes) == (asked.command_id, asked.changes)
        assert not (root / "a.txt").exists()


async def test_out_of_the_sandbox_is_asked_for(root: Path, tmp_path: Path) -> None:
    # The stand-in runs what is given to it, after `--`.
    env = stand_in(tmp_path / "bin", 'while [ "$1" != "--" ]; do shift; done; shift; SANDBOXED=yes exec "$@"')
    inside = {"cmd": "echo sandboxed: $SANDBOXED"}
    outside = {**inside, "sandbox_permissions": "require_escalated"}
    scripts = (calls("exec_command", inside), calls("exec_command", outside, call_id="c2"), says("Done."))
    async with desk(root, *scripts, model=ASKING, env=env) as at:
        async with at.working():
            await at.agent.answer_approval((await at.asks()).approval_id, approved=True)
        first, second = at.outputs()
        assert first.endswith("sandboxed: yes\n")
        assert second.endswith("sandboxed:\n")
        assert at.notices == []
        metadata = json.loads(at.server.requests[0].headers["x-codex-turn-metadata"])
        assert (metadata["sandbox"], metadata["sandbox_mode"]) == ("bubblewrap", "workspace-write")


# ---- metadata ---------------------------------------------------------------------------------------------------


def metadata_of(request: ModelRequest) -> dict[str, Any]:
    """What is said of the turn, the same in the body and in the header of a request over HTTP."""
    (text,) = request.body["client_metadata"].values()
    assert list(request.body["client_metadata"]) == ["x-codex-turn-metadata"]
    if request.over == "http":
        assert request.headers["x-codex-turn-metadata"] == text
    found: dict[str, Any] = json.loads(text)
    return found


async def test_metadata_of_the_client_goes_with_the_request(root: Path) -> None:
    client = {"fiber_run_id": "run-1", "client_key": "v1", "turn_id": "forged"}
    async with desk(root) as at:
        await at.work(thread_id="T", session_id="S", metadata=client)
        (request,) = at.server.requests

    assert metadata_of(request) == {
        "session_id": "S",
        "thread_id": "T",
        "turn_id": "turn-1",
        "request_kind": "turn",
        "sandbox": "none",
        "sandbox_mode": "danger-full-access",
        "model": "mock-model",
        "root_turn_id": "turn-1",
        "turn_started_at_unix_ms": 1_700_000_000_500,
        "fiber_run_id": "run-1",
        "client_key": "v1",
    }
    assert request.headers["session-id"] == "S"
    assert request.headers["thread-id"] == request.headers["x-client-request-id"] == "T"
    assert request.headers["originator"] == "backchannel"
    assert request.body["prompt_cache_key"] == "T"


@pytest.mark.parametrize(
    "origin",
    [{"forked_from_thread_id": "F"}, {"parent_thread_id": "P", "subagent_type": "thread_spawn"}],
)
async def test_metadata_says_where_a_thread_comes_from(root: Path, origin: dict[str, str]) -> None:
    async with desk(root) as at:
        await at.work(thread_id="T", origin=origin, metadata=dict.fromkeys(origin, "forged"))
        metadata = metadata_of(at.server.requests[0])

    lineage = {"forked_from_thread_id", "parent_thread_id", "subagent_type"}
    assert {name: metadata[name] for name in lineage & set(metadata)} == origin
    assert (metadata["thread_id"], metadata["turn_id"]) == ("T", "turn-1")


@pytest.mark.parametrize(
    ("steered", "expected"),
    [
        ({"client_key": "v2", "steer_key": "s"}, {"client_key": "v2", "steer_key": "s"}),
        (None, {"client_key": "v1"}),
        ({}, {}),
    ],
)
async def test_a_change_replaces_metadata_of_the_client(
    root: Path, steered: dict[str, str] | None, expected: dict[str, str]
) -> None:
    async with desk(root, [created(), Gate()], says("Done."), says("Next.")) as at:
        async with at.working(metadata={"client_key": "v1"}):
            await at.server.wait_for_request()
            await at.agent.steer("steer text", metadata=steered)
        await at.work("no metadata", turn_id="turn-2")
        start, follow_up, later = map(metadata_of, at.server.requests)

    keys = {"client_key", "steer_key"}
    assert {name: start[name] for name in keys & set(start)} == {"client_key": "v1"}
    assert {name: follow_up[name] for name in keys & set(follow_up)} == expected
    assert start["turn_id"] == follow_up["turn_id"] == "turn-1"
    assert not keys & set(later)


async def test_metadata_goes_with_requests_over_a_websocket(root: Path) -> None:
    async with desk(root, over="websocket", thread_id="T") as at:
        await at.agent.prepare()
        await at.work(thread_id="T", metadata={"fiber_run_id": "run-1"})
        (warm_up,) = at.server.warm_ups
        (request,) = at.server.requests

    assert warm_up.body["generate"] is False
    prewarm = metadata_of(warm_up)
    assert (prewarm["turn_id"], prewarm["request_kind"]) == ("", "prewarm")
    assert "root_turn_id" not in prewarm
    assert json.loads(at.server.handshakes[0]["x-codex-turn-metadata"]) == prewarm
    assert request.body["previous_response_id"] == "warm-1"
    turn = metadata_of(request)
    assert (turn["fiber_run_id"], turn["turn_id"], turn["request_kind"]) == ("run-1", "turn-1", "turn")
    assert turn["thread_id"] == prewarm["thread_id"] == "T"


async def test_what_is_prepared_later_says_nothing_of_the_turn_before(root: Path) -> None:
    async with desk(root, [created(), Gate()], over="websocket") as at:
        async with at.working(metadata={"client_key": "v1"}):
            await at.server.wait_for_request()
            await at.agent.interrupt()
        await at.agent.prepare()
        (warm_up,) = at.server.warm_ups
        metadata = metadata_of(warm_up)
        await at.agent.close()
        await at.agent.prepare()
        assert len(at.server.warm_ups) == 1

    assert (metadata["turn_id"], metadata["request_kind"]) == ("", "prewarm")
    assert "client_key" not in metadata


async def test_metadata_says_that_a_voice_handed_it_over(root: Path) -> None:
    async with desk(root) as at:
        await at.work(render_delegation("run the tests"))
        await at.work("typed", turn_id="turn-2")
        by_voice, typed = map(metadata_of, at.server.requests)

    assert by_voice["turn_trigger"] == "realtime"
    assert "turn_trigger" not in typed


# ---- failures ---------------------------------------------------------------------------------------------------


async def test_a_refused_key_fails_the_turn_with_a_sentence(root: Path) -> None:
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {API_KEY}."}})
    async with desk(root, [Status(401, body)]) as at:
        await at.work()

    assert at.end.outcome is Outcome.FAILED
    assert at.end.error is not None
    assert at.end.error.startswith(
        "the model's server answered 401 Unauthorized: Incorrect API key provided: [left out]"
    )
    assert planted_in(at.end.error) == []


async def test_a_websocket_that_fails_is_given_up_with_a_word(root: Path) -> None:
    broken = [created(), BreakOff()]
    async with desk(root, broken, broken, says("Done."), says("Next."), over="websocket", stream_max_retries=1) as at:
        await at.work()
        await at.work("next", turn_id="turn-2")

    assert [each.over for each in at.server.requests] == ["websocket", "websocket", "http", "http"]
    assert at.notices == [
        "the websocket to the model is given up for HTTP: the websocket closed before the model's answer was complete"
    ]


async def test_a_server_error_is_tried_again(root: Path) -> None:
    async with desk(root, [Status(500)], says("Done."), request_max_retries=1) as at:
        await at.work()

    assert at.result == "Done."
    assert at.notices == []


async def test_a_bundle_of_certificates_that_is_none_fails_the_turn(root: Path) -> None:
    missing = {**environment(root.parent), "BACKCHANNEL_CA_CERTIFICATE": str(root / "none.pem")}
    provider = Provider(id="mock", base_url="https://127.0.0.1:1/v1")
    agent = ResponsesAgent(cwd=root, options=ResponsesOptions(provider=provider, model=FREE), env=missing)

    await agent.prepare()
    reports = [report async for report in agent.run(TurnRequest(turn_id="t", text="x"))]
    await agent.close()

    (end,) = reports
    assert isinstance(end, AgentTurnEnded)
    assert end.error is not None
    assert "none.pem" in end.error


async def test_a_reader_that_is_slow_loses_nothing(root: Path) -> None:
    script = [created(), *(text_delta(f"{n} ") for n in range(2000)), message("Done."), completed()]
    async with desk(root, script) as at:
        reports: list[AgentReport] = []
        async for report in at.agent.run(TurnRequest(turn_id="turn-1", text="x")):
            if len(reports) < 3:
                await asyncio.sleep(0.05)
            reports.append(report)

    assert len(reports) == 2002
    assert isinstance(reports[-1], AgentTurnEnded)


# ---- by name ----------------------------------------------------------------------------------------------------


def config(text: str = "", **provider: Any) -> Config:
    providers = {"mine": Provider(id="mine", base_url="http://127.0.0.1:1/v1", **provider)}
    return Config(model=Model(model=text or None), model_provider="mine", providers=providers)


async def test_it_is_made_by_name(tmp_path: Path) -> None:
    assert "responses" in AGENT_NAMES
    for agent in (
        make_agent("responses", cwd=tmp_path, env={}, config=config("m")),
        make_agent("responses", cwd=tmp_path, env={}, stored_key=API_KEY),
        make_agent("responses", cwd=tmp_path, env={"OPENAI_API_KEY": API_KEY}),
    ):
        assert agent.name == "responses"
        assert planted_in(repr(agent)) == []
        await agent.close()


def test_what_is_missing_is_said_before_anything_begins(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no API key for the models of OpenAI: set BACKCHANNEL_API_KEY or OPENAI"):
        make_agent("responses", cwd=tmp_path, env={})
    with pytest.raises(UsageError, match=r"expected the model that the provider mine is to use.* -c model=NAME"):
        make_agent("responses", cwd=tmp_path, env={}, config=config())
    with pytest.raises(UsageError, match="takes its API key from MINE, which is not set"):
        make_agent("responses", cwd=tmp_path, env={}, config=config("m", env_key="MINE"))


def test_an_agent_speaks_of_nothing_secret() -> None:
    options = ResponsesOptions(api_key=API_KEY)
    assert planted_in(repr(options)) == []
    assert options.model_name


def test_the_libraries_for_reaching_a_model_are_not_loaded_with_the_agents() -> None:
    # In a process of its own, since the tests have loaded everything.
    script = "import sys; from backchannel.agents import {}; print(*sys.modules)"
    loaded: set[str] = set()
    for name in ("TurnRequest", "ResponsesAgent"):
        command = [sys.executable, "-c", script.format(name)]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        loaded = set(ran.stdout.split())
        assert ("backchannel.agents.responses" in loaded) is (name == "ResponsesAgent")
    assert {"aiohttp", "openai", "yarl"}.isdisjoint(loaded)
