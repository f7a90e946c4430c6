"""What begins, ends and is given up at the same moment, and how each thing keeps to itself: over real sockets."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
from typing import TYPE_CHECKING, NoReturn

import pytest

from backchannel import core
from backchannel.core import effects, events, recording, screen
from backchannel.errors import AuthError, ConnectionLost
from backchannel.net import SystemClock
from backchannel.runtime import Conversation, OverWebRtc, Recorder, turns
from backchannel.testing import AcceptAfter, AnswerOffer, Expect, Refuse, ScriptedServer
from backchannel.wire.realtime import V3, SessionSettings
from tests.net.peers import tcp_server
from tests.runtime.stage import DEADLINE_S, DeskAgent, ended, on_stage, settings_for, until
from tests.runtime.test_conversation import _shake_hands
from tests.runtime.test_reconnect import replaced

if TYPE_CHECKING:
    from pathlib import Path

    from backchannel.wire.realtime import intents

CONFIGURED = Expect("session.update")


# Effects of one event, in the middle of which the way is given up


@pytest.mark.parametrize("n_before", [0, 1])
async def test_what_one_event_brings_about_is_whole_when_the_server_is_given_up(tmp_path: Path, n_before: int) -> None:
    asked = asyncio.Event()

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _shake_hands(reader, writer)
        await asked.wait()
        for n in range(n_before):
            await _push(writer, _called("remain_silent", f"silent_{n}"))
        for n in range(700):
            # Each is answered, and a response is asked for: two messages of one event.
            await _push(writer, _called("agent_status", f"call_{n}"))
            await _push(writer, {"type": "response.done"})
        await asyncio.Event().wait()

    path = tmp_path / "recording.jsonl"
    async with (
        Recorder(path) as recorder,
        tcp_server(ask) as port,
        on_stage(f"ws://127.0.0.1:{port}", recorder=recorder) as stage,
    ):
        for _ in range(250):
            stage.conversation.append_audio("A" * 100_000)
        asked.set()
        await stage.sees(screen.ConversationFailed)
    with path.open("rb") as lines:
        _, records = recording.read(lines)
        said: list[intents.Intent] = []
        for record in records:
            if isinstance(record.event, events.TransportFailed):
                assert record.event.unsent[-1] == said[-1]
                break
            if isinstance(record.effect, effects.Send):
                said.append(record.effect.intent)
        else:
            pytest.fail("the server was not given up")


def _called(name: str, call_id: str) -> object:
    item = {"type": "function_call", "id": f"item_{call_id}", "call_id": call_id, "name": name}
    return {"type": "conversation.item.done", "item": item}


async def _push(writer: asyncio.StreamWriter, message: object) -> None:
    text = json.dumps(message).ljust(126).encode()
    writer.write(bytes([0x81, 126]) + len(text).to_bytes(2, "big") + text)
    await writer.drain()


# Openings


class BrokenWriter(V3):
    """A dialect that cannot write what it should: a bug of ours."""

    def encode(self, intent: intents.Intent) -> NoReturn:
        raise ZeroDivisionError(intent)


async def test_a_bug_in_the_opening_of_a_replacement_leaves_the_conversation_as_it_was() -> None:
    async with ScriptedServer([CONFIGURED], []) as server, on_stage(server.url) as stage:
        broken = dataclasses.replace(
            stage.settings, dialect=BrokenWriter(), session=SessionSettings(instructions="", voice="cove")
        )
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(ZeroDivisionError):
                await stage.conversation.replace(broken)
        await stage.conversation.append_text("still here")
        await server.wait_for(lambda frame: frame.has("item.content.0.text", "[USER] still here"))
        (failed,) = stage.all(screen.ConversationFailed)
        assert failed.went_on


async def test_a_replacement_that_fails_leaves_the_sideband_that_is_being_joined() -> None:
    answered = [AnswerOffer(sdp="v=1", location="/v1/realtime/calls/rtc_1")]
    async with ScriptedServer(answered, [AcceptAfter(delay_s=0.4)], [Refuse(status=401)]) as server:
        by_websocket = settings_for(server.url)
        async with on_stage(dataclasses.replace(by_websocket, transport=OverWebRtc(offer_sdp="v=0"))) as stage:
            await until(lambda: len(server.handshakes) == 2, "the sideband is being joined")
            with pytest.raises(AuthError):
                await stage.conversation.replace(by_websocket)
            await stage.conversation.append_text("still here")
            await server.wait_for(lambda frame: frame.has("item.content.0.text", "[USER] still here"))


async def test_a_replacement_gives_up_the_sideband_of_the_conversation_before() -> None:
    answered = [AnswerOffer(sdp="v=1", location="/v1/realtime/calls/rtc_1")]
    async with ScriptedServer(answered, [AcceptAfter(delay_s=0.3)], [CONFIGURED]) as server:
        by_websocket = settings_for(server.url)
        async with on_stage(dataclasses.replace(by_websocket, transport=OverWebRtc(offer_sdp="v=0"))) as stage:
            await until(lambda: len(server.handshakes) == 2, "the sideband is being joined")
            await stage.conversation.replace(by_websocket)
            await stage.sees(screen.ConversationStarted, times=2)
            await asyncio.sleep(0.4)
            await stage.conversation.append_text("over here")
            await server.wait_for(lambda frame: frame.has("item.content.0.text", "[USER] over here"))
    assert stage.all(screen.ConversationFailed) == []


async def test_a_replacement_that_is_stopped_before_it_could_begin_leaves_no_trace() -> None:
    async with ScriptedServer([CONFIGURED]) as server, asyncio.TaskGroup() as tasks:
        conversation = Conversation(settings_for(server.url), agent=DeskAgent(), clock=SystemClock())
        await conversation.start()
        replacing = tasks.create_task(replaced(conversation, settings_for(server.url)))
        await asyncio.sleep(0)
        # The opening has been started and has not had its turn yet.
        await conversation.stop()
        assert isinstance(await replacing, ConnectionLost)
        gc.collect()  # a coroutine that was never awaited would warn, which is an error here


# The agent's turns


async def test_a_stop_that_comes_late_ends_no_other_task_than_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_CLEARING_UP_S", 0.1)
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        agent = stage.agent
        await stage.conversation.type_text("one")
        await until(lambda: agent.running, "the task")
        # All in one moment: the stop, the end of its task, and the next task.
        agent.desk.put_nowait(ended("turn_1", core.Outcome.INTERRUPTED))
        await stage.conversation.stop_task()
        await stage.conversation.report(ended("turn_1", core.Outcome.INTERRUPTED))
        await stage.conversation.type_text("two")
        await until(lambda: len(agent.requests) == 2, "the second task")
        await asyncio.sleep(0.3)
        assert agent.running
        agent.desk.put_nowait(ended("turn_2"))
        ending = await stage.sees(screen.TaskEnded, times=2)
        assert ending.outcome is core.Outcome.COMPLETED


async def test_a_change_to_a_task_that_has_not_begun_waits_for_its_beginning() -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        agent = stage.agent
        agent.clears_up = asyncio.Event()
        await stage.conversation.type_text("one")
        agent.desk.put_nowait(ended("turn_1"))
        await stage.sees(screen.TaskEnded)
        await stage.conversation.type_text("two")
        await stage.conversation.type_text("two, loudly")
        await stage.sees(screen.TaskSteered)
        await asyncio.sleep(0.02)
        agent.clears_up.set()
        await until(lambda: bool(agent.steered), "the change")
        assert agent.steered == ["two, loudly"]
        assert [request.text for request in agent.requests] == ["one", "two"]
        agent.desk.put_nowait(ended("turn_2"))
        await stage.sees(screen.TaskEnded, times=2)
        assert stage.conversation.task is None
