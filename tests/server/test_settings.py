from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from backchannel.config import Model
from backchannel.threads import AgentSaid, SqliteThreads, UserAsked
from tests.runtime.stage import ended, until
from tests.server.stage import Client, House, house
from tests.server.test_threads import worked

if TYPE_CHECKING:
    from pathlib import Path

    from backchannel.agents import TurnRequest

TEXT = [{"type": "text", "text": "fix it"}]


async def asked(staged: House, client: Client, thread_id: str, **params: Any) -> TurnRequest:
    """A whole turn; what the agent was asked."""
    agent, n_before = staged.agent(thread_id), client.methods.count("turn/completed")
    n_requests = len(agent.requests)
    await client.ask("turn/start", {"threadId": thread_id, "input": TEXT, **params})
    await until(lambda: len(agent.requests) > n_requests, "the turn")
    agent.desk.put_nowait(ended("t"))
    await client.sees("turn/completed", times=n_before + 1)
    return agent.requests[-1]


async def test_a_client_says_how_the_agent_of_its_thread_works(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        params = {
            "model": "gpt-x",
            "approvalPolicy": "untrusted",
            "sandbox": "read-only",
            "baseInstructions": "Be a poet.",
            "developerInstructions": "In rhymes.",
            "config": {"model_reasoning_effort": "high", "unknown_to_us": 1, "model": "passed over"},
        }
        result = await client.ask("thread/start", params)
        settings = staged.assignments[result["thread"]["id"]].settings
    assert settings == Model(
        model="gpt-x",
        model_reasoning_effort="high",
        approval_policy="untrusted",
        sandbox_mode="read-only",
        base_instructions="Be a poet.",
        developer_instructions="In rhymes.",
    )
    assert (result["model"], result["reasoningEffort"], result["approvalPolicy"]) == ("gpt-x", "high", "untrusted")
    assert result["sandbox"] == {"type": "readOnly", "networkAccess": False}


async def test_what_a_turn_changes_holds_for_those_after_it(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {"model": "one"}))["thread"]["id"]
        first = await asked(staged, client, thread_id)
        changes = {"model": "two", "effort": "low", "summary": "auto", "approvalPolicy": "never"}
        second = await asked(staged, client, thread_id, **changes, sandboxPolicy={"type": "dangerFullAccess"})
        third = await asked(staged, client, thread_id, cwd=str(tmp_path))
        elsewhere = {"threadId": thread_id, "input": TEXT, "cwd": str(tmp_path / "other")}
        assert "start another thread" in await client.refused("turn/start", elsewhere)
    assert first.settings == Model(model="one")
    expected = Model(
        model="two",
        model_reasoning_effort="low",
        model_reasoning_summary="auto",
        approval_policy="never",
        sandbox_mode="danger-full-access",
    )
    assert second.settings == third.settings == expected


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"config": {"model_reasoning_effort": "immense"}}, "cannot be used: Invalid enum value 'immense'"),
        ({"config": {"approval_policy": 1}}, "cannot be used"),
        ({"modelProvider": "other"}, "expected one of the model providers openai, got 'other'"),
        (
            {"approvalPolicy": {"granular": {"sandbox_approval": True, "rules": True, "mcp_elicitations": True}}},
            "granular",
        ),
    ],
)
async def test_settings_that_there_are_not_are_refused(tmp_path: Path, params: dict[str, Any], words: str) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        assert words in await client.refused("thread/start", params)
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        outside = {"threadId": thread_id, "input": TEXT, "sandboxPolicy": {"type": "externalSandbox"}}
        assert "got externalSandbox" in await client.refused("turn/start", outside)
        assert staged.agent(thread_id).requests == []


async def test_the_agent_of_a_resumed_thread_is_given_what_was_said_in_it(tmp_path: Path) -> None:
    store = SqliteThreads(tmp_path / "threads.sqlite3")
    async with house(tmp_path, store=store) as staged:
        client = await staged.client()
        thread_id = await worked(staged, client, "fix the login")
        assert staged.assignments[thread_id].earlier == ()
        forked = (await client.ask("thread/fork", {"threadId": thread_id}))["thread"]["id"]
        of_fork = staged.assignments[forked].earlier
    async with house(tmp_path, store=store) as staged:
        client = await staged.client()
        await client.ask("thread/resume", {"threadId": thread_id, "model": "other"})
        resumed = staged.assignments[thread_id]
    store.close()
    for earlier in (of_fork, resumed.earlier):
        said = [entry.text for entry in earlier if isinstance(entry, UserAsked | AgentSaid)]
        assert said == ["fix the login", "Done."]
    assert resumed.settings == Model(model="other")


async def test_metadata_of_a_client_is_replaced_and_added_to(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        first = await asked(
            staged,
            client,
            thread_id,
            responsesapiClientMetadata={"a": "1", "b": "1"},
            responsesapiClientMetadataPatch={"b": "2"},
        )
        second = await asked(staged, client, thread_id, clientMetadata={"old": "1"})
        third = await asked(staged, client, thread_id)
    assert [first.metadata, second.metadata, third.metadata] == [{"a": "1", "b": "2"}, {"old": "1"}, {}]


@pytest.mark.parametrize(
    ("params", "metadata"),
    [
        ({}, {"a": "1"}),
        ({"responsesapiClientMetadata": {}}, {}),
        ({"responsesapiClientMetadata": {"c": "3"}}, {"c": "3"}),
        ({"responsesapiClientMetadataPatch": {"c": "3"}}, {"a": "1", "c": "3"}),
    ],
)
async def test_steering_keeps_replaces_or_adds_to_metadata(
    tmp_path: Path, params: dict[str, Any], metadata: dict[str, str]
) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        begin = {"threadId": thread_id, "input": TEXT, "responsesapiClientMetadata": {"a": "1"}}
        turn_id = (await client.ask("turn/start", begin))["turn"]["id"]
        agent = staged.agent(thread_id)
        await until(lambda: agent.requests != [], "the turn")
        steer = {"threadId": thread_id, "input": TEXT, "expectedTurnId": turn_id, **params}
        assert await client.ask("turn/steer", steer) == {"turnId": turn_id}
        await until(lambda: agent.steered != [], "the change")
        assert agent.steered_metadata == [metadata]
        agent.desk.put_nowait(ended("t"))
        await client.sees("turn/completed")


async def test_two_clients_that_resume_a_thread_at_once_share_it(tmp_path: Path) -> None:
    store = SqliteThreads(tmp_path / "threads.sqlite3")
    async with house(tmp_path, store=store) as staged:
        thread_id = await worked(staged, await staged.client())
    async with house(tmp_path, store=store) as staged:
        clients = [await staged.client() for _ in range(3)]
        sent = [client.send("thread/resume", {"threadId": thread_id}) for client in clients]
        for client, number in zip(clients, sent, strict=True):
            assert (await client.answer_to(number))["result"]["thread"]["id"] == thread_id
        await until(lambda: any(client.methods for client in clients), "that it is loaded")
        told = [client.all("thread/status/changed") for client in clients]
        assert max(told, key=len) == [{"threadId": thread_id, "status": {"type": "idle"}}]
        assert len(staged.app.threads) == 1
        assert len(staged.agents) == 1
        assert staged.agents_closed == 0
    store.close()
