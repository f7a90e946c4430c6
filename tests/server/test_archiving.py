"""Archiving a thread beside everything else that may happen to it; the store is held up where it hurts."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from backchannel import core
from backchannel.errors import LocalProtocolError, SteerRefused, StoreError
from backchannel.server import app as module
from backchannel.server.asks import Ask
from backchannel.testing import ScriptedServer
from backchannel.threads import MemoryThreads, Thread
from tests.runtime.stage import ended, until
from tests.server.stage import House, house

if TYPE_CHECKING:
    from pathlib import Path

    from backchannel.core import AgentReport
    from backchannel.threads import Entry, Page, Turn, TurnQuery

THREAD = "01900000-0000-7000-8000-000000000001"
ONE = {"threadId": THREAD}
TEXT = [{"type": "text", "text": "fix it"}]
ARCHIVED = f"the thread {THREAD} is archived; take it out with thread/unarchive first"


class HeldThreads(MemoryThreads):
    """A store in which one operation of a kind can be held up."""

    def __init__(self, cwd: Path) -> None:
        super().__init__()
        self.held: dict[str, tuple[int, threading.Event]] = {}
        self.inside: set[str] = set()
        self.create(Thread(thread_id=THREAD, cwd=str(cwd), created_at_ms=1, updated_at_ms=1, client_kind="vscode"))

    def hold(self, name: str, *, after: int = 0) -> threading.Event:
        may = threading.Event()
        self.held[name] = after, may
        return may

    def _pass(self, name: str) -> None:
        n_before, may = self.held.pop(name, (0, None))
        if may is not None and n_before:
            self.held[name] = n_before - 1, may
        elif may is not None:
            self.inside.add(name)
            may.wait(8)

    def get(self, thread_id: str) -> Thread | None:
        found = super().get(thread_id)
        self._pass("get")
        return found

    def set_archived(self, thread_id: str, *, archived: bool) -> None:
        self._pass("set_archived")
        super().set_archived(thread_id, archived=archived)

    def turns(self, thread_id: str, query: TurnQuery) -> Page[Turn]:
        self._pass("turns")
        return super().turns(thread_id, query)

    def entries(self, thread_id: str, *, newest: int) -> tuple[Entry, ...]:
        self._pass("entries")
        return super().entries(thread_id, newest=newest)


def is_archived(store: HeldThreads, thread_id: str = THREAD) -> bool:
    thread = store.get(thread_id)
    return thread is not None and thread.archived


async def others_have_had_their_turn(staged: House) -> None:
    """What nothing holds up is done by now: a client has been answered again and again."""
    client = await staged.client()
    for _ in range(10):
        await client.ask("thread/read", ONE)


async def test_who_resumes_meanwhile_is_told_that_it_is_archived(tmp_path: Path) -> None:
    store = HeldThreads(tmp_path)
    async with house(tmp_path, store=store) as staged:
        client, other = await staged.client(), await staged.client()
        await client.ask("thread/resume", ONE)
        may = store.hold("set_archived")
        archive = client.send("thread/archive", ONE)
        await until(lambda: "set_archived" in store.inside, "the archiving")
        resume, fork = other.send("thread/resume", ONE), other.send("thread/fork", ONE)
        await others_have_had_their_turn(staged)
        may.set()
        assert (await client.answer_to(archive))["result"] == {}
        for answer in (resume, fork):
            assert (await other.answer_to(answer))["error"]["message"] == ARCHIVED
        assert staged.app.threads == {}


@pytest.mark.parametrize(("is_loaded", "where"), [(False, "entries"), (True, "turns")])
async def test_who_was_resuming_before_is_joined_and_then_it_is_archived(
    tmp_path: Path, where: str, *, is_loaded: bool
) -> None:
    store = HeldThreads(tmp_path)
    async with house(tmp_path, store=store) as staged:
        client, other = await staged.client(), await staged.client()
        if is_loaded:
            await client.ask("thread/resume", ONE)
        may = store.hold(where)
        resume = other.send("thread/resume", ONE)
        await until(lambda: where in store.inside, "the resuming")
        archive = client.send("thread/archive", ONE)
        await others_have_had_their_turn(staged)
        may.set()
        assert (await other.answer_to(resume))["result"]["thread"]["id"] == THREAD
        assert (await client.answer_to(archive))["result"] == {}
        assert is_archived(store)
        assert staged.app.threads == {}
        assert other.peer.threads == set()
        assert staged.agents_closed == 1


async def test_it_is_archived_also_when_the_client_leaves(tmp_path: Path) -> None:
    store = HeldThreads(tmp_path)
    async with house(tmp_path, store=store) as staged:
        client, other = await staged.client(), await staged.client()
        for each in (client, other):
            await each.ask("thread/resume", ONE)
        may = store.hold("set_archived")
        client.send("thread/archive", ONE)
        await until(lambda: "set_archived" in store.inside, "the archiving")
        staged.leaves(client)
        may.set()
        assert await other.sees("thread/archived") == ONE
        assert is_archived(store)


async def test_it_is_taken_out_also_when_the_client_leaves(tmp_path: Path) -> None:
    store = HeldThreads(tmp_path)
    async with house(tmp_path, store=store) as staged:
        client, other = await staged.client(), await staged.client()
        await client.ask("thread/archive", ONE)
        may = store.hold("set_archived")
        client.send("thread/unarchive", ONE)
        await until(lambda: "set_archived" in store.inside, "the taking out")
        staged.leaves(client)
        archive = other.send("thread/archive", ONE)
        await others_have_had_their_turn(staged)
        may.set()
        # As was asked last.
        assert (await other.answer_to(archive))["result"] == {}
        assert is_archived(store)


async def test_an_agent_that_is_made_for_a_client_that_left_is_closed(tmp_path: Path) -> None:
    store = HeldThreads(tmp_path)
    async with house(tmp_path, store=store) as staged:
        client = await staged.client()
        may = store.hold("entries")
        client.send("thread/resume", ONE)
        await until(lambda: "entries" in store.inside, "the resuming")
        staged.leaves(client)
        may.set()
        await until(lambda: staged.agents_closed == 1, "the agent's end")
        assert staged.app.threads == {}


async def test_a_first_turn_does_not_begin_while_it_is_archived(tmp_path: Path) -> None:
    store = HeldThreads(tmp_path)
    async with house(tmp_path, store=store) as staged:
        client, other = await staged.client(), await staged.client()
        new = {"threadId": (await client.ask("thread/start", {}))["thread"]["id"]}
        may = store.hold("get", after=1)
        archive = client.send("thread/archive", new)
        await until(lambda: "get" in store.inside, "the archiving")
        assert "thread not found" in await other.refused("turn/start", {**new, "input": TEXT})
        may.set()
        assert (await client.answer_to(archive))["result"] == {}
        assert store.get(new["threadId"]) is None


async def test_an_agent_that_breaks_down_does_not_keep_it_from_being_archived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path, store=HeldThreads(tmp_path)) as staged:
        client = await staged.client()
        await client.ask("thread/resume", ONE)

        async def close() -> None:
            raise RuntimeError("planted")

        monkeypatch.setattr(staged.agent(THREAD), "close", close)
        assert await client.ask("thread/archive", ONE) == {}
        assert client.peer.threads == set()
        await client.ask("thread/unarchive", ONE)
        await client.ask("thread/resume", ONE)


async def test_a_thread_whose_turn_does_not_end_is_not_worked_in_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PUTTING_AWAY_S", 0.1)
    store = HeldThreads(tmp_path)
    async with house(tmp_path, store=store) as staged:
        client = await staged.client()
        new = {"threadId": (await client.ask("thread/start", {"ephemeral": True}))["thread"]["id"]}
        await client.ask("thread/resume", ONE)
        for thread in (new, ONE):
            await client.ask("turn/start", {**thread, "input": TEXT})
            await until(lambda: staged.agent(thread["threadId"]).running, "the turn")  # noqa: B023 (it is over by then)
            assert await client.ask("thread/archive", thread) == {}
        await client.ask("thread/unarchive", ONE)
        assert "has not ended yet" in await client.refused("thread/resume", ONE)
        for thread in (new, ONE):
            staged.agent(thread["threadId"]).desk.put_nowait(
                core.AgentMessage(turn_id="t", text="Late.", phase=core.Phase.FINAL)
            )
            staged.agent(thread["threadId"]).desk.put_nowait(ended("t"))
        await until(lambda: staged.agents_closed == 2, "the end of both")
        await client.ask("thread/resume", ONE)
        assert store.get(new["threadId"]) is None


async def test_a_conversation_that_does_not_end_is_not_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedServer([]) as server, house(tmp_path, url=server.url, store=HeldThreads(tmp_path)) as staged:
        client = await staged.client()
        await client.ask("thread/resume", ONE)
        await client.ask("thread/realtime/start", {**ONE, "outputModality": "audio"})
        await client.sees("thread/realtime/started")
        voice = staged.app.voices[THREAD]

        async def stop() -> None:
            raise RuntimeError("planted")

        with monkeypatch.context() as patched:
            patched.setattr(voice, "stop", stop)
            assert await client.ask("thread/archive", ONE) == {}
        assert staged.app.voices == {}
        await voice.stop()


@pytest.mark.parametrize("breaks", ["get", "set_archived"])
async def test_who_archives_is_told_when_the_store_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: str
) -> None:
    store = HeldThreads(tmp_path)
    async with house(tmp_path, store=store) as staged:
        client = await staged.client()
        await client.ask("thread/resume", ONE)

        def fail(*_: object, **__: object) -> None:
            raise (
                StoreError(problem="busy", path="x", reason="it is busy", remedy="wait") if breaks == "get" else OSError
            )

        with monkeypatch.context() as patched:
            patched.setattr(store, breaks, fail)
            refused = (await client.answer_to(client.send("thread/archive", ONE)))["error"]["message"]
        assert ("busy" if breaks == "get" else "OSError") in refused
        assert client.all("thread/archived") == []
        assert not is_archived(store)
        # What cannot be archived goes on, as far as that is known beforehand.
        assert (THREAD in staged.app.threads) is (breaks == "get")


async def test_a_fork_is_loaded_once(tmp_path: Path) -> None:
    store = HeldThreads(tmp_path)
    async with house(tmp_path, store=store) as staged:
        client, other = await staged.client(), await staged.client()
        may = store.hold("entries")
        fork = client.send("thread/fork", ONE)
        await until(lambda: "entries" in store.inside, "the loading")
        (new,) = {each["id"] for each in (await other.ask("thread/list", {}))["data"]} - {THREAD}
        resume = other.send("thread/resume", {"threadId": new})
        await others_have_had_their_turn(staged)
        may.set()
        assert (await client.answer_to(fork))["result"]["thread"]["id"] == new
        assert (await other.answer_to(resume))["result"]["thread"]["id"] == new
        assert len(staged.agents) == 1
        assert staged.agents_closed == 0


@pytest.mark.parametrize("how", ["refused", "broken", "too late"])
async def test_what_a_change_was_to_tell_is_told_with_the_next_turn(tmp_path: Path, how: str) -> None:
    async with house(tmp_path, store=HeldThreads(tmp_path)) as staged:
        client = await staged.client()
        await client.ask("thread/resume", ONE)
        live, agent = staged.app.threads[THREAD], staged.agent(THREAD)
        asked: dict[str, Any] = {**ONE, "input": TEXT}
        await client.ask("turn/start", asked)
        await until(lambda: agent.running, "the turn")
        live.briefing.begins()
        notes = live.briefing.take()
        if how != "too late":
            agent.refuses_with = SteerRefused("no") if how == "refused" else RuntimeError("planted")
        else:
            may = agent.accepts_steer = asyncio.Event()
        live.submit(Ask(text="and that", briefing=notes, by_voice=True))
        if how == "too late":
            await asyncio.sleep(0)
            turn = live.turn
            assert turn is not None
            client.send("turn/interrupt", {**ONE, "turnId": turn.turn_id})
            await until(lambda: agent.interrupts == 1, "the interruption")
            agent.desk.put_nowait(ended("t", core.Outcome.INTERRUPTED))
            await client.sees("turn/completed")
            agent.refuses_with = LocalProtocolError("no turn is running")
            may.set()
        await client.sees("error")
        agent.refuses_with = agent.accepts_steer = None
        if how != "too late":
            agent.desk.put_nowait(ended("t"))
            await client.sees("turn/completed")
        await client.ask("turn/start", asked)
        await until(lambda: len(agent.requests) == 2, "the next turn")
        assert agent.requests[1].briefing == notes
        agent.desk.put_nowait(ended("t"))
        await client.sees("turn/completed", times=2)


async def test_what_a_turn_that_never_began_was_to_tell_is_told_with_the_next(tmp_path: Path) -> None:
    async with house(tmp_path, store=HeldThreads(tmp_path)) as staged:
        client = await staged.client()
        await client.ask("thread/resume", ONE)
        live, agent = staged.app.threads[THREAD], staged.agent(THREAD)
        live.briefing.begins()
        happens: tuple[AgentReport | Exception, ...] = (RuntimeError("planted"), ended("t"), ended("t"))
        for n, what in enumerate(happens, 1):
            await client.ask("turn/start", {**ONE, "input": TEXT})
            agent.desk.put_nowait(what)
            await client.sees("turn/completed", times=n)
        first, second, third = (request.briefing for request in agent.requests)
        assert first
        assert (second, third) == (first, ())
