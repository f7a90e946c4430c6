"""What clients are told when something around the server goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backchannel.threads import SqliteThreads
from tests.runtime.stage import ended, message, until
from tests.server.stage import house
from tests.server.test_threads import worked

if TYPE_CHECKING:
    from pathlib import Path

TEXT = [{"type": "text", "text": "fix it"}]


async def test_work_goes_on_when_nothing_can_be_kept(tmp_path: Path) -> None:
    store = SqliteThreads(tmp_path / "threads.sqlite3", max_bytes=400_000)
    async with house(tmp_path, store=store) as staged:
        client, other = await staged.client(), await staged.client()
        thread_id = await worked(staged, client, "fix the login")
        await client.ask("thread/list", {})
        await client.ask("turn/start", {"threadId": thread_id, "input": TEXT})
        agent = staged.agent(thread_id)
        await until(lambda: len(agent.requests) == 2, "the second turn")
        long = "Done. " * 60_000
        for report in (message("t", long, final=True), ended("t")):
            agent.desk.put_nowait(report)
        turn = (await client.sees("turn/completed", times=2))["turn"]
        assert (turn["status"], turn["items"][0]["text"]) == ("completed", long)
        for each in (client, other):
            told = (await each.sees("warning"))["message"]
            assert told.startswith("not everything is kept: ")
            assert "free some space" in told
        assert [thread["preview"] for thread in (await client.ask("thread/list", {}))["data"]] == ["fix the login"]
    store.close()


async def test_two_servers_of_one_home_see_each_others_threads(tmp_path: Path) -> None:
    path = tmp_path / "threads.sqlite3"
    one, two = SqliteThreads(path), SqliteThreads(path)
    async with house(tmp_path, store=one) as first, house(tmp_path, store=two) as second:
        here, there = await first.client(), await second.client()
        thread_id = await worked(first, here, "fix the login")
        assert [thread["id"] for thread in (await there.ask("thread/list", {}))["data"]] == [thread_id]
        resumed = await there.ask("thread/resume", {"threadId": thread_id})
        assert [turn["status"] for turn in resumed["thread"]["turns"]] == ["completed"]
        await there.ask("turn/start", {"threadId": thread_id, "input": TEXT})
        await until(lambda: second.agent(thread_id).requests != [], "the turn")
        for report in (message("t", "There.", final=True), ended("t")):
            second.agent(thread_id).desk.put_nowait(report)
        await there.sees("turn/completed")
        await there.ask("thread/name/set", {"threadId": thread_id, "name": "the login"})
        read = (await here.ask("thread/read", {"threadId": thread_id, "includeTurns": True}))["thread"]
        assert (read["name"], [turn["items"][-1]["text"] for turn in read["turns"]]) == (
            "the login",
            ["Done.", "There."],
        )
    one.close()
    two.close()
