"""What an agent is asked besides its turns, and a model at work behind a voice."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from backchannel.agents import ResponsesAgent, ResponsesOptions
from backchannel.config import Model, Provider
from backchannel.core import screen
from backchannel.net import SystemClock
from backchannel.runtime import Conversation
from backchannel.testing import (
    Expect,
    Gate,
    Run,
    ScriptedConnection,
    ScriptedResponses,
    ScriptedServer,
    Send,
    calls,
    completed,
    created,
    message,
    says,
    text_delta,
)
from tests.agents.projects import environment
from tests.runtime.stage import DeskAgent, call, on_stage, settings_for, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

    from backchannel.testing import ResponseScript

OPENED = [Expect("session.update"), Send({"type": "session.updated", "session": {"id": "sess_1"}})]


async def test_the_agent_is_prepared_when_the_conversation_is_open() -> None:
    async with ScriptedServer(OPENED) as server, on_stage(server.url) as stage:
        await until(lambda: stage.agent.prepared == 1, "the preparation")


async def test_an_agent_that_cannot_be_prepared_can_still_work(caplog: pytest.LogCaptureFixture) -> None:
    agent = DeskAgent()
    agent.fails_to_prepare = RuntimeError("planted")
    async with ScriptedServer(OPENED) as server, on_stage(server.url, agent=agent) as stage:
        await until(lambda: "failed to prepare" in caplog.text, "a word in the log")
        await stage.conversation.type_text("do it")
        await stage.sees(screen.TaskStarted)


# ---- a model behind a voice -------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def model_at_work(root: Path, models: ScriptedResponses, url: str) -> AsyncIterator[Conversation]:
    provider = Provider(id="mock", base_url=models.url, request_max_retries=0, stream_max_retries=0)
    free = Model(model="mock-model", approval_policy="never", sandbox_mode="danger-full-access")
    options = ResponsesOptions(provider=provider, model=free)
    agent = ResponsesAgent(cwd=root, options=options, env=environment(root))
    conversation = Conversation(settings_for(url), agent=agent, clock=SystemClock())
    try:
        await conversation.start()
        yield conversation
    finally:
        await conversation.stop()
        await agent.close()


async def test_a_delegated_turn_runs_a_command_and_its_call_is_answered(tmp_path: Path) -> None:
    async def hands_over(connection: ScriptedConnection) -> None:
        await call(connection, "background_agent", "call_shell", '{"prompt": "run the command"}')

    scripts = (calls("exec_command", {"cmd": "printf tool-ok"}, call_id="sh_1"), says("shell finished"))
    async with ScriptedResponses(*scripts) as models, ScriptedServer([*OPENED, Run(hands_over)]) as server:
        async with model_at_work(tmp_path, models, server.url):
            answered = await server.wait_for(lambda frame: frame.has("item.call_id", "call_shell"))
        first, second = models.requests

    assert answered.field("item.type") == "function_call_output"
    assert first.texts[-2][0] == "developer"
    assert first.texts[-2][1].startswith("<realtime_conversation>\nRealtime conversation started.")
    assert first.texts[-1][0] == "user"
    assert first.texts[-1][1].startswith("<realtime_delegation>\n  <input>run the command</input>\n")
    assert json.loads(first.headers["x-codex-turn-metadata"])["turn_trigger"] == "realtime"
    (output,) = [item for item in second.input if item["type"] == "function_call_output"]
    assert output["call_id"] == "sh_1"
    assert output["output"].endswith("tool-ok")
    assert second.texts == first.texts


async def test_a_second_delegation_is_in_the_next_request_of_the_same_turn(tmp_path: Path) -> None:
    script: ResponseScript = [created(), text_delta("first"), Gate(), message("first part"), completed()]
    async with ScriptedResponses(script, says("steered result")) as models:

        async def hands_over_twice(connection: ScriptedConnection) -> None:
            await call(connection, "background_agent", "call_1", '{"prompt": "start the work"}')
            await models.wait_for_request()
            await call(connection, "background_agent", "call_2", '{"prompt": "also do this"}')

        async with (
            ScriptedServer([*OPENED, Run(hands_over_twice)]) as server,
            model_at_work(tmp_path, models, server.url),
        ):
            second = await models.wait_for_request(1)
            models.open()
            await server.wait_for(lambda frame: frame.has("item.call_id", "call_1"))
            await server.wait_for(lambda frame: frame.has("item.call_id", "call_2"))
        sent = json.dumps([frame.message for frame in server.frames])
        first = models.requests[0]

    assert len(models.requests) == 2
    assert second.texts[:-1] == first.texts
    assert "<input>also do this</input>" in second.texts[-1][1]
    turns = [json.loads(each.headers["x-codex-turn-metadata"])["turn_id"] for each in models.requests]
    assert len(set(turns)) == 1
    assert "steered result" in sent
    assert "first part" not in sent
