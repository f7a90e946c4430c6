from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from backchannel import core
from backchannel.core import screen
from backchannel.testing import Expect, ScriptedServer, Send
from backchannel.threads import (
    AgentSaid,
    ApprovalAsked,
    ApprovalSettled,
    MemoryThreads,
    RanTests,
    Spoken,
    SqliteThreads,
    Thread,
    TurnBegan,
    TurnEnded,
    UserAsked,
    VoiceBegan,
    VoiceEnded,
)
from tests.runtime.stage import ended, message, until
from tests.server.stage import Client, House, house

if TYPE_CHECKING:
    from pathlib import Path

    from backchannel.threads import Page, Turn, TurnQuery

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def worked(staged: House, client: Client, ask: str = "fix it", *, cwd: Path | None = None) -> str:
    """A thread in which something was done."""
    params = {} if cwd is None else {"cwd": str(cwd)}
    thread_id: str = (await client.ask("thread/start", params))["thread"]["id"]
    n_before = client.methods.count("turn/completed")
    await client.ask("turn/start", {"threadId": thread_id, "input": [{"type": "text", "text": ask}]})
    await until(lambda: staged.agent(thread_id).requests != [], "the turn")
    for report in (message("t", "Done.", final=True), ended("t")):
        staged.agent(thread_id).desk.put_nowait(report)
    await client.sees("turn/completed", times=n_before + 1)
    return thread_id


async def test_a_thread_says_how_it_works(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        result = await client.ask("thread/start", {"cwd": "sub", "model": "gpt-x"})
        thread = result["thread"]
        assert thread["cwd"] == result["cwd"] == str(tmp_path / "sub")
        assert (result["model"], thread["status"], thread["turns"]) == ("gpt-x", {"type": "idle"}, [])
        assert thread["originator"] == "stage"
        assert (await client.sees("thread/started"))["thread"]["id"] == thread["id"]
        assert await client.ask("thread/loaded/list", {}) == {"data": [thread["id"]], "nextCursor": None}


async def test_threads_are_found_again_after_the_server_has_ended(tmp_path: Path) -> None:
    store = SqliteThreads(tmp_path / "threads.sqlite3")
    async with house(tmp_path, store=store) as staged:
        client = await staged.client()
        first = await worked(staged, client, "fix the login")
        second = await worked(staged, client, "write tests", cwd=tmp_path / "other")
        empty = (await client.ask("thread/start", {}))["thread"]["id"]
    async with house(tmp_path, store=store) as staged:
        client = await staged.client()
        listed = await client.ask("thread/list", {"sortKey": "updated_at"})
        assert [thread["id"] for thread in listed["data"]] == [second, first]
        assert listed["data"][1]["preview"] == "fix the login"
        assert listed["data"][1]["status"] == {"type": "notLoaded"}
        page = await client.ask("thread/list", {"limit": 1, "sortDirection": "asc"})
        assert [thread["id"] for thread in page["data"]] == [first]
        rest = await client.ask("thread/list", {"limit": 1, "sortDirection": "asc", "cursor": page["nextCursor"]})
        assert [thread["id"] for thread in rest["data"]] == [second]
        here = await client.ask("thread/list", {"cwd": [str(tmp_path / "other")]})
        assert [thread["id"] for thread in here["data"]] == [second]
        found = await client.ask("thread/list", {"searchTerm": "login"})
        assert [thread["id"] for thread in found["data"]] == [first]
        read = (await client.ask("thread/read", {"threadId": first, "includeTurns": True}))["thread"]
        assert [turn["status"] for turn in read["turns"]] == ["completed"]
        assert [item["type"] for item in read["turns"][0]["items"]] == ["userMessage", "agentMessage"]
        assert (await client.ask("thread/read", {"threadId": first}))["thread"]["turns"] == []
        resumed = await client.ask("thread/resume", {"threadId": first})
        assert resumed["thread"]["turns"][0]["items"][1]["text"] == "Done."
        assert resumed["thread"]["status"] == {"type": "idle"}
        brief = await client.ask("thread/resume", {"threadId": first, "excludeTurns": True})
        assert brief["thread"]["turns"] == []
        assert await client.refused("thread/read", {"threadId": empty}) == f"thread not loaded: {empty}"
        assert await client.refused("thread/resume", {"threadId": empty}) == (f"no rollout found for thread id {empty}")
        assert "cursor" in await client.refused("thread/list", {"cursor": "nonsense"})
    store.close()


async def test_what_was_said_done_and_allowed_is_kept(tmp_path: Path) -> None:
    store = SqliteThreads(tmp_path / "threads.sqlite3")
    said = [
        Send({"type": "conversation.item.input_audio_transcription.completed", "item_id": "i", "transcript": "hi"}),
        Send({"type": "response.output_audio_transcript.delta", "item_id": "a", "delta": "good"}),
        Send({"type": "response.output_audio_transcript.done", "item_id": "a", "transcript": "good day"}),
    ]
    script = [Expect("session.update"), *said]
    async with ScriptedServer(script) as scripted, house(tmp_path, url=scripted.url, store=store) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        await client.ask("thread/realtime/start", {"threadId": thread_id, "outputModality": "audio", "prompt": "p"})
        await client.sees("thread/realtime/transcript/done", times=2)
        await client.ask("thread/realtime/stop", {"threadId": thread_id})
        await client.sees("thread/realtime/closed")
        await client.ask("turn/start", {"threadId": thread_id, "input": [{"type": "text", "text": "test it"}]})
        await until(lambda: staged.agent(thread_id).requests != [], "the turn")
        desk = staged.agent(thread_id).desk
        desk.put_nowait(core.AgentApprovalRequested(turn_id="t", approval_id="a", action="push", command_id="c"))
        await client.sees("item/commandExecution/requestApproval")
        client.answer("item/commandExecution/requestApproval", {"decision": "accept"})
        await client.sees("serverRequest/resolved")
        for report in (
            core.AgentCommandStarted(turn_id="t", command_id="d", command="pytest"),
            core.AgentCommandOutput(turn_id="t", command_id="d", text="FAILED tests/a.py::test_b - no\n"),
            core.AgentCommandEnded(turn_id="t", command_id="d", exit_status=1, elapsed_s=1.0),
            core.AgentApprovalRequested(turn_id="t", approval_id="b", action="pull"),
            message("t", "It fails.", final=True),
            ended("t"),
        ):
            desk.put_nowait(report)
        turn_id = (await client.sees("turn/completed"))["turn"]["id"]
    kept = store.entries(thread_id, newest=99)
    assert [type(entry) for entry in kept] == [
        VoiceBegan,
        Spoken,
        Spoken,
        VoiceEnded,
        UserAsked,
        TurnBegan,
        ApprovalAsked,
        ApprovalSettled,
        RanTests,
        ApprovalAsked,
        AgentSaid,
        ApprovalSettled,
        TurnEnded,
    ]
    assert [(entry.speaker, entry.text) for entry in kept if isinstance(entry, Spoken)] == [
        ("user", "hi"),
        ("assistant", "good day"),
    ]
    (tests,) = [entry for entry in kept if isinstance(entry, RanTests)]
    assert (tests.passed, tests.failures) == (False, ("tests/a.py::test_b",))
    assert [(each.approval_id, each.decision) for each in kept if isinstance(each, ApprovalSettled)] == [
        (f"{turn_id}.a", screen.ApprovalDecision.APPROVED),
        (f"{turn_id}.b", screen.ApprovalDecision.WITHDRAWN),
    ]
    store.close()


async def test_loaded_threads_come_a_page_at_a_time(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        ids = sorted([(await client.ask("thread/start", {}))["thread"]["id"] for _ in range(3)])
        first = await client.ask("thread/loaded/list", {"limit": 2})
        assert first == {"data": ids[:2], "nextCursor": ids[1]}
        second = await client.ask("thread/loaded/list", {"limit": 2, "cursor": first["nextCursor"]})
        assert second == {"data": ids[2:], "nextCursor": None}


async def test_threads_are_found_by_what_began_them_and_by_provider(tmp_path: Path) -> None:
    store = SqliteThreads(tmp_path / "threads.sqlite3")
    for number, (kind, provider) in enumerate([("vscode", "openai"), ("exec", "mine"), ("cli", "mine")]):
        store.create(
            Thread(
                thread_id=f"00000000-0000-7000-8000-00000000000{number}",
                cwd=str(tmp_path),
                created_at_ms=number,
                updated_at_ms=number,
                client_kind=kind,
                model_provider=provider,
            )
        )
    async with house(tmp_path, store=store) as staged:
        client = await staged.client()

        async def found(**params: object) -> list[str]:
            return [thread["source"] for thread in (await client.ask("thread/list", params))["data"]]

        assert await found() == await found(sourceKinds=[], modelProviders=[]) == ["cli", "vscode"]
        assert await found(sourceKinds=["exec"]) == ["exec"]
        assert await found(modelProviders=["mine"]) == ["cli"]
        assert await found(modelProviders=["mine"], sourceKinds=["cli", "exec"]) == ["cli", "exec"]
    store.close()


async def test_a_thread_that_nobody_uses_is_unloaded(tmp_path: Path) -> None:
    async with house(tmp_path, unload_after_s=0.02) as staged:
        first, second = await staged.client(), await staged.client()
        left = await worked(staged, first)
        stays = await worked(staged, second)
        busy = (await first.ask("thread/start", {}))["thread"]["id"]
        await first.ask("turn/start", {"threadId": busy, "input": [{"type": "text", "text": "x"}]})
        for thread_id in (left, busy):
            assert await first.ask("thread/unsubscribe", {"threadId": thread_id}) == {"status": "unsubscribed"}
        assert await second.sees("thread/closed") == {"threadId": left}
        assert set((await second.ask("thread/loaded/list", {}))["data"]) == {stays, busy}
        read = await second.ask("thread/read", {"threadId": left})
        assert read["thread"]["status"] == {"type": "notLoaded"}
        staged.agent(busy).desk.put_nowait(ended("t"))
        assert await second.sees("thread/closed", times=2) == {"threadId": busy}
        assert (await second.ask("thread/resume", {"threadId": left}))["thread"]["status"] == {"type": "idle"}
        assert staged.agents_closed == 2


class SlowThreads(MemoryThreads):
    """A store that holds up who reads turns, until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_read = threading.Event()

    def turns(self, thread_id: str, query: TurnQuery) -> Page[Turn]:
        self.may_read.wait(5)
        return super().turns(thread_id, query)


async def test_a_thread_that_is_about_to_be_used_is_not_unloaded(tmp_path: Path) -> None:
    store = SlowThreads()
    async with house(tmp_path, store=store, unload_after_s=0.02) as staged:
        client, other = await staged.client(), await staged.client()
        thread_id = await worked(staged, client)
        left = await worked(staged, other)
        await client.ask("thread/unsubscribe", {"threadId": thread_id})
        id_ = client.send("thread/resume", {"threadId": thread_id})
        # This one goes in the meantime.
        await other.ask("thread/unsubscribe", {"threadId": left})
        assert await other.sees("thread/closed") == {"threadId": left}
        store.may_read.set()
        assert (await client.answer_to(id_))["result"]["thread"]["status"] == {"type": "idle"}
        assert (await client.ask("thread/loaded/list", {}))["data"] == [thread_id]


async def test_a_thread_that_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        result = await client.ask("thread/start", {"ephemeral": True})
        thread_id = result["thread"]["id"]
        assert result["thread"]["ephemeral"] is True
        await client.ask("turn/start", {"threadId": thread_id, "input": [{"type": "text", "text": "x"}]})
        await until(lambda: staged.agent(thread_id).requests != [], "the turn")
        staged.agent(thread_id).desk.put_nowait(ended("t"))
        await client.sees("turn/completed")
        assert (await client.ask("thread/list", {}))["data"] == []
        assert (await client.ask("thread/read", {"threadId": thread_id}))["thread"]["id"] == thread_id


async def test_a_thread_can_be_named_put_away_and_taken_back(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id = await worked(staged, client)
        assert await client.ask("thread/name/set", {"threadId": thread_id, "name": " the login "}) == {}
        assert await client.sees("thread/name/updated") == {"threadId": thread_id, "threadName": "the login"}
        assert (await client.ask("thread/list", {}))["data"][0]["name"] == "the login"
        assert await client.ask("thread/archive", {"threadId": thread_id}) == {}
        await client.sees("thread/archived")
        assert (await client.ask("thread/list", {}))["data"] == []
        assert len((await client.ask("thread/list", {"archived": True}))["data"]) == 1
        for method in ("thread/archive", "thread/resume", "thread/fork"):
            said = await client.refused(method, {"threadId": thread_id})
            assert said == f"the thread {thread_id} is archived; take it out with thread/unarchive first"
        assert client.methods.count("thread/archived") == 1
        assert (await client.ask("thread/unarchive", {"threadId": thread_id}))["thread"]["id"] == thread_id
        assert len((await client.ask("thread/list", {}))["data"]) == 1
        for method, params, missing in (
            ("thread/name/set", {"name": "x"}, "rollout"),
            ("thread/archive", {}, "rollout"),
            ("thread/unarchive", {}, "archived rollout"),
            ("thread/fork", {}, "rollout"),
        ):
            said = await client.refused(method, {"threadId": UNKNOWN, **params})
            assert said == f"no {missing} found for thread id {UNKNOWN}"
        said = await client.refused("thread/unarchive", {"threadId": thread_id})
        assert said == f"no archived rollout found for thread id {thread_id}"
        assert "at least one character" in await client.refused("thread/name/set", {"threadId": thread_id, "name": " "})


async def test_a_thread_in_which_nothing_was_done_can_be_put_away_and_is_gone(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        assert await client.ask("thread/archive", {"threadId": thread_id}) == {}
        assert await client.sees("thread/archived") == {"threadId": thread_id}
        assert staged.agents_closed == 1
        assert (await client.ask("thread/list", {"archived": True}))["data"] == []
        assert "no rollout found" in await client.refused("thread/resume", {"threadId": thread_id})


async def test_a_thread_is_shown_as_it_is_by_now_to_who_joins_it(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client, other = await staged.client(), await staged.client()
        params = {"model": "m", "config": {"model_reasoning_effort": "high"}}
        thread_id = (await client.ask("thread/start", params))["thread"]["id"]
        await client.ask("turn/start", {"threadId": thread_id, "input": [{"type": "text", "text": "fix it"}]})
        staged.agent(thread_id).desk.put_nowait(ended("t"))
        await client.sees("turn/completed")
        await client.ask("thread/name/set", {"threadId": thread_id, "name": "the login"})
        joined = (await other.ask("thread/resume", {"threadId": thread_id}))["thread"]
        # It is loaded already, and has been begun by somebody else.
        assert other.all("thread/started") == other.all("thread/status/changed") == []
    seen = (joined["preview"], joined["name"], joined["model"], joined["reasoningEffort"], joined["status"])
    assert seen == ("fix it", "the login", "m", "high", {"type": "idle"})


async def test_a_list_leaves_out_what_is_not_wanted(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        one, two = [await worked(staged, client) for _ in range(2)]
        for params, expected in (
            ({"excludedThreadIds": [one]}, [two]),
            ({"originators": ["stage"]}, [two, one]),
            ({"originators": ["other"]}, []),
            ({"originators": [], "excludedThreadIds": []}, [two, one]),
        ):
            listed = (await client.ask("thread/list", params))["data"]
            assert [thread["id"] for thread in listed] == expected


async def test_a_fork_can_end_at_a_turn(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id = await worked(staged, client, "one")
        for number, text in ((2, "two"), (3, "three")):
            await client.ask("turn/start", {"threadId": thread_id, "input": [{"type": "text", "text": text}]})
            await until(lambda: len(staged.agent(thread_id).requests) == number, "the turn")  # noqa: B023 - waited for
            staged.agent(thread_id).desk.put_nowait(ended("t"))
            await client.sees("turn/completed", times=number)
        turns = (await client.ask("thread/read", {"threadId": thread_id, "includeTurns": True}))["thread"]["turns"]
        ids = [turn["id"] for turn in turns]
        for params, n_turns in (
            ({"lastTurnId": ids[0]}, 1),
            ({"beforeTurnId": ids[2]}, 2),
            ({"lastTurnId": ids[2]}, 3),
            ({"beforeTurnId": ids[0]}, 0),
            ({"lastTurnId": ids[1]}, 2),
        ):
            forked = (await client.ask("thread/fork", {"threadId": thread_id, **params}))["thread"]
            assert forked["turns"] == turns[:n_turns]
            assert forked["preview"] == ("one" if n_turns else "")
            earlier = [entry.text for entry in staged.assignments[forked["id"]].earlier if isinstance(entry, UserAsked)]
            assert earlier == ["one", "two", "three"][:n_turns]
        said = await client.refused("thread/fork", {"threadId": thread_id, "lastTurnId": "x"})
        assert said == f"expected the id of a turn of the thread {thread_id}, got x"
        both = {"threadId": thread_id, "lastTurnId": ids[0], "beforeTurnId": ids[1]}
        said = await client.refused("thread/fork", both)
        assert said == "expected one of lastTurnId and beforeTurnId, got both; leave one of them out"
        said = await client.refused("thread/fork", {"threadId": UNKNOWN, "lastTurnId": "x"})
        assert said == f"no rollout found for thread id {UNKNOWN}"


async def test_a_fork_goes_on_from_what_was_there(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id = await worked(staged, client)
        forked = (await client.ask("thread/fork", {"threadId": thread_id}))["thread"]
        assert forked["id"] != thread_id
        assert forked["forkedFromId"] == thread_id
        assert len(forked["turns"]) == 1
        await client.ask("turn/start", {"threadId": forked["id"], "input": [{"type": "text", "text": "more"}]})
        await until(lambda: staged.agent(forked["id"]).requests != [], "the turn")
        assert staged.agent(forked["id"]).requests[0].origin == {"forked_from_thread_id": thread_id}
        staged.agent(forked["id"]).desk.put_nowait(ended("t"))
        await client.sees("turn/completed", times=2)
        read = await client.ask("thread/read", {"threadId": thread_id, "includeTurns": True})
        assert len(read["thread"]["turns"]) == 1
