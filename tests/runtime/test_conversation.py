from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import json
import logging
import time
from typing import TYPE_CHECKING, NoReturn

import pytest

from backchannel import core
from backchannel.core import screen
from backchannel.errors import AuthError, ConnectError, LocalProtocolError, SteerRefused, UsageError
from backchannel.net import SystemClock
from backchannel.runtime import Conversation
from backchannel.testing import (
    AcceptAfter,
    Close,
    Drop,
    Expect,
    ReceivedFrame,
    Refuse,
    ScriptedConnection,
    ScriptedServer,
    Send,
    SendBinary,
    of_type,
)
from backchannel.wire.realtime import V2
from tests.net.peers import tcp_server
from tests.planted import API_KEY, planted_in
from tests.runtime.stage import DEADLINE_S, DeskAgent, call, ended, message, on_stage, settings_for, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.wire.realtime.events import AudioOut

FRAME = base64.b64encode(bytes(960)).decode()
MAX_WAITING_FRAMES = 256


def answer_to(call_id: str) -> Callable[[ReceivedFrame], bool]:
    def answers(frame: ReceivedFrame) -> bool:
        return frame.has("item.type", "function_call_output") and frame.has("item.call_id", call_id)

    return answers


def says(text: str) -> Callable[[ReceivedFrame], bool]:
    def is_said(frame: ReceivedFrame) -> bool:
        return frame.has("item.content.0.text", text)

    return is_said


def answers(connection: ScriptedConnection) -> list[object]:
    return [
        frame.field("item.call_id") for frame in connection.received if frame.has("item.type", "function_call_output")
    ]


# Opening


async def test_the_settings_of_the_session_are_the_first_thing_sent() -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        for _ in range(3):
            assert stage.conversation.append_audio(FRAME)
        await stage.conversation.type_text("hello")
        await server.wait_for(of_type("conversation.item.create"))
        first = server.frames[0]
        assert first.type == "session.update"
        assert first.field("session.instructions") == "Be brief."
        assert first.field("session.audio.output.voice") == "marin"
        assert first.field("session.tools.0.name") == "background_agent"
        assert isinstance(stage.shown[0], screen.ConversationStarted)
        stage.agent.desk.put_nowait(ended("turn_1"))


@pytest.mark.parametrize(("status", "kind"), [(401, AuthError), (403, AuthError), (404, ConnectError)])
async def test_a_refusal_is_raised_and_leaves_nothing(status: int, kind: type[ConnectError]) -> None:
    async with ScriptedServer([Refuse(status=status)]) as server:
        agent = DeskAgent()
        conversation = Conversation(settings_for(server.url), agent=agent, clock=SystemClock())
        with pytest.raises(kind) as caught:
            await conversation.start()
        assert caught.value.stage == "handshake"
        assert caught.value.status == status
        shown = [event async for event in conversation.events()]
        assert [type(event) for event in shown] == [screen.ConversationFailed]
        await conversation.ended()
        assert not conversation.append_audio(FRAME)
        await conversation.stop()


async def test_nothing_listening_is_raised_with_stage_and_remedy() -> None:
    async with tcp_server(_hang_up) as port:
        pass
    conversation = Conversation(settings_for(f"ws://127.0.0.1:{port}"), agent=DeskAgent(), clock=SystemClock())
    with pytest.raises(ConnectError) as caught:
        await conversation.start()
    assert caught.value.stage == "connect"
    assert caught.value.remedy


async def test_an_address_that_is_none_is_bad_use() -> None:
    conversation = Conversation(settings_for("gopher://example.com"), agent=DeskAgent(), clock=SystemClock())
    with pytest.raises(UsageError, match="gopher"):
        await conversation.start()
    await conversation.ended()


async def test_a_start_that_is_cancelled_leaves_nothing() -> None:
    async with ScriptedServer([AcceptAfter(delay_s=0.5)]) as server, asyncio.TaskGroup() as tasks:
        conversation = Conversation(settings_for(server.url), agent=DeskAgent(), clock=SystemClock())
        starting = tasks.create_task(conversation.start())
        await until(lambda: bool(server.handshakes), "the handshake")
        starting.cancel()
        async with asyncio.timeout(DEADLINE_S):
            assert [event async for event in conversation.events()] == []
        assert starting.cancelled() or starting.cancelling()


# Delegations


async def test_a_delegation_goes_to_the_agent_and_comes_back() -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        voice = await server.wait_for_connection()
        await voice.send(
            {"type": "conversation.item.input_audio_transcription.completed", "transcript": "please run the tests"}
        )
        await call(voice, "background_agent", "call_1", '{"prompt": "run the tests"}')
        started = await stage.sees(screen.TaskStarted)
        assert (started.turn_id, started.request, started.by_voice) == ("turn_1", "run the tests", True)
        (request,) = stage.agent.requests
        assert request.turn_id == "turn_1"
        assert request.text.startswith("<realtime_delegation>")
        assert "user: please run the tests" in request.text
        assert core.parse_delegation(request.text) == "run the tests"

        stage.agent.desk.put_nowait(message("turn_1", "Two of five are done."))
        progress = await server.wait_for(says("[BACKEND] Two of five are done."))
        create = await server.wait_for(of_type("response.create"), after=progress)
        await voice.send({"type": "response.created", "response": {"id": "resp_1"}})
        await voice.send({"type": "response.done", "response": {"id": "resp_1"}})
        assert answers(voice) == []

        stage.agent.desk.put_nowait(message("turn_1", "All tests pass.", final=True))
        stage.agent.desk.put_nowait(ended("turn_1"))
        result = await server.wait_for(says("[BACKEND] All tests pass."), after=create)
        answer = await server.wait_for(answer_to("call_1"), after=result)
        await server.wait_for(of_type("response.create"), after=answer)
        await stage.sees(screen.TaskEnded)
        await until(lambda: stage.agent.finished == 1, "the turn's end")
        kinds = [type(event) for event in stage.shown]
        assert kinds.index(core.AgentMessage) < kinds.index(screen.TaskEnded)
    assert answers(voice) == ["call_1"]


async def test_a_second_delegation_changes_the_running_task() -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        voice = await server.wait_for_connection()
        await call(voice, "background_agent", "call_1", '{"prompt": "run the tests"}')
        await call(voice, "background_agent", "call_2", '{"prompt": "only in core"}')
        acknowledged = await server.wait_for(answer_to("call_2"))
        await server.wait_for(of_type("response.create"), after=acknowledged)
        await until(lambda: len(stage.agent.steered) == 1, "the change")
        assert core.parse_delegation(stage.agent.steered[0]) == "only in core"
        assert len(stage.agent.requests) == 1
        stage.agent.desk.put_nowait(ended("turn_1"))
        await server.wait_for(answer_to("call_1"))
    assert answers(voice) == ["call_2", "call_1"]


async def test_a_change_that_the_agent_refuses_is_told_to_the_voice() -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        stage.agent.refuses_with = SteerRefused("This cannot be changed on the way.")
        await stage.conversation.type_text("run the tests")
        await stage.conversation.type_text("backwards")
        told = await server.wait_for(says("[BACKEND] This cannot be changed on the way."))
        await server.wait_for(of_type("response.create"), after=told)
        assert stage.agent.steered == []
        stage.agent.desk.put_nowait(ended("turn_1"))
        await stage.sees(screen.TaskEnded)


async def test_a_change_that_comes_too_late_is_the_next_task() -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        # The agent has ended its turn, but not yet said so.
        stage.agent.refuses_with = LocalProtocolError("no turn is running")
        await stage.conversation.type_text("run the tests")
        await stage.conversation.type_text("and search for TODO")
        await stage.sees(screen.TaskSteered)
        stage.agent.desk.put_nowait(ended("turn_1"))
        await until(lambda: len(stage.agent.requests) == 2, "the second task")
        assert stage.agent.requests[1].text == "and search for TODO"
        stage.agent.desk.put_nowait(ended("turn_2"))
        await stage.sees(screen.TaskEnded, times=2)


async def test_a_change_is_never_given_to_another_task_than_its_own() -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        agent = stage.agent
        agent.accepts_steer = asyncio.Event()
        await stage.conversation.type_text("one")
        await stage.conversation.type_text("one, slowly")
        await stage.conversation.type_text("one, loudly")
        await stage.sees(screen.TaskSteered, times=2)
        # Both are on their way, the second behind the first, when the task ends.
        agent.desk.put_nowait(ended("turn_1"))
        await stage.sees(screen.TaskEnded)
        agent.accepts_steer.set()
        await until(lambda: len(agent.requests) == 2, "the second task")
        assert agent.steered == ["one, slowly"]
        assert agent.requests[1].text == "one, loudly"
        agent.desk.put_nowait(ended("turn_2"))
        await stage.sees(screen.TaskEnded, times=2)


async def test_a_task_begins_only_when_the_one_before_has_cleared_up() -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        agent = stage.agent
        agent.clears_up = asyncio.Event()
        await stage.conversation.type_text("one")
        agent.desk.put_nowait(ended("turn_1"))
        await stage.sees(screen.TaskEnded)
        await stage.conversation.type_text("two")
        await stage.sees(screen.TaskStarted, times=2)
        await asyncio.sleep(0)
        assert len(agent.requests) == 1
        agent.clears_up.set()
        await until(lambda: len(agent.requests) == 2, "the second task")
        agent.desk.put_nowait(ended("turn_2"))
        ending = await stage.sees(screen.TaskEnded, times=2)
        assert ending.outcome is core.Outcome.COMPLETED


async def test_a_task_that_is_stopped_before_it_began_never_begins() -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        agent = stage.agent
        agent.clears_up = asyncio.Event()
        await stage.conversation.type_text("one")
        agent.desk.put_nowait(ended("turn_1"))
        await stage.sees(screen.TaskEnded)
        await stage.conversation.type_text("two")
        await stage.conversation.stop_task()
        agent.clears_up.set()
        ending = await stage.sees(screen.TaskEnded, times=2)
        assert ending.outcome is core.Outcome.INTERRUPTED
        assert len(agent.requests) == 1
        assert agent.interrupts == 0


async def test_an_agent_that_does_not_stop_is_ended_by_force() -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        agent = stage.agent
        await stage.conversation.type_text("run the tests")
        await until(lambda: agent.running, "the task")
        await stage.conversation.stop_task()
        await until(lambda: bool(stage.all(screen.TaskEnded)), "the end", timeout_s=10)
        ending = await stage.sees(screen.TaskEnded)
        assert ending.outcome is core.Outcome.FAILED
        assert "by force" in str(ending.error)
        assert agent.interrupts == 1
        assert not agent.running
        await stage.conversation.type_text("again")
        await until(lambda: len(agent.requests) == 2, "the next task")
        agent.desk.put_nowait(ended("turn_2"))
        await stage.sees(screen.TaskEnded, times=2)


@pytest.mark.parametrize("by_voice", [True, False])
async def test_a_task_is_stopped(*, by_voice: bool) -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        voice = await server.wait_for_connection()
        await call(voice, "background_agent", "call_1", '{"prompt": "run the tests"}')
        await stage.sees(screen.TaskStarted)
        if by_voice:
            await call(voice, "stop_agent", "call_2")
        else:
            await stage.conversation.stop_task()
        await stage.sees(screen.TaskStopping)
        await until(lambda: stage.agent.interrupts == 1, "the interrupt")
        stage.agent.desk.put_nowait(ended("turn_1", core.Outcome.INTERRUPTED))
        ending = await stage.sees(screen.TaskEnded)
        assert ending.outcome is core.Outcome.INTERRUPTED
        answered = await server.wait_for(answer_to("call_1"))
        await server.wait_for(of_type("response.create"), after=answered)
    assert sorted(map(str, answers(voice))) == (["call_1", "call_2"] if by_voice else ["call_1"])


async def test_an_agent_that_breaks_down_fails_its_task_only(caplog: pytest.LogCaptureFixture) -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        voice = await server.wait_for_connection()
        await call(voice, "background_agent", "call_1", '{"prompt": "run the tests"}')
        stage.agent.desk.put_nowait(RuntimeError("planted"))
        ending = await stage.sees(screen.TaskEnded)
        assert ending.outcome is core.Outcome.FAILED
        assert ending.error is not None
        assert "desk" in ending.error
        assert "RuntimeError" in ending.error
        answer = await server.wait_for(answer_to("call_1"))
        assert "RuntimeError" in str(answer.field("item.output"))
        await stage.conversation.type_text("again")
        await until(lambda: len(stage.agent.requests) == 2, "the next task")
        stage.agent.desk.put_nowait(ended("turn_2"))
        await stage.sees(screen.TaskEnded, times=2)
    assert answers(voice) == ["call_1"]
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == ["! agent desk failed"]


async def test_an_agent_that_ends_without_a_word_has_failed() -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        await stage.conversation.type_text("run the tests")
        stage.agent.desk.put_nowait(None)
        ending = await stage.sees(screen.TaskEnded)
        assert ending.outcome is core.Outcome.FAILED
        assert ending.error is not None
        assert "without saying" in ending.error


async def test_an_agent_that_breaks_down_on_a_change_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        stage.agent.refuses_with = RuntimeError("planted")
        await stage.conversation.type_text("run the tests")
        await stage.conversation.type_text("backwards")
        await server.wait_for(lambda frame: "broke down" in str(frame.payload) and "RuntimeError" in str(frame.payload))
        await stage.conversation.stop_task()
        await until(lambda: stage.agent.interrupts == 1, "the interrupt")
        stage.agent.desk.put_nowait(ended("turn_1", core.Outcome.INTERRUPTED))
        await stage.sees(screen.TaskEnded)
        assert stage.all(screen.ConversationFailed) == []
    assert sorted(record.message for record in caplog.records if record.levelno >= logging.ERROR) == [
        "! agent desk failed to stop",
        "! agent desk failed to take a change",
    ]


async def test_how_the_work_is_going() -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        assert stage.conversation.status().startswith("No task is running")
        assert stage.conversation.activity().at_rest
        await stage.conversation.type_text("run the tests")
        assert "run the tests" in stage.conversation.status()
        assert stage.conversation.activity().working
        stage.agent.desk.put_nowait(ended("turn_1"))
        await stage.sees(screen.TaskEnded)
        voice = await server.wait_for_connection()
        await call(voice, "agent_status", "call_1")
        await stage.sees(screen.StatusAnswered)
        await server.wait_for(answer_to("call_1"))


# Audio


class Loudspeaker:
    def __init__(self) -> None:
        self.heard: list[AudioOut | None] = []

    def play(self, audio: AudioOut) -> None:
        self.heard.append(audio)

    def stop(self) -> None:
        self.heard.append(None)


@pytest.mark.parametrize(
    "data",
    [FRAME, "", 'no base64, \u20ac, "quoted" and \\ and \x00', "A" * 200_001],
    ids=["frame", "none", "odd", "long"],
)
async def test_the_voice_of_the_user_is_sent_on_as_it_is(data: str) -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        assert stage.conversation.append_audio(data)
        frame = await server.wait_for(of_type("input_audio_buffer.append"))
        assert frame.field("audio") == data


async def test_half_a_surrogate_pair_in_the_audio_harms_nothing() -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        assert stage.conversation.append_audio("\ud800")
        assert stage.conversation.append_audio(FRAME)
        await server.wait_for(lambda frame: frame.has("audio", FRAME))


async def test_the_voice_of_the_assistant_is_played_as_it_is_and_cut_off() -> None:
    loudspeaker = Loudspeaker()
    async with ScriptedServer() as server, on_stage(server.url, player=loudspeaker) as stage:
        voice = await server.wait_for_connection()
        second = base64.b64encode(bytes(48_000)).decode()
        for delta in (second, "not base64!", second):
            await voice.send({"type": "response.output_audio.delta", "item_id": "item_1", "delta": delta})
        await until(lambda: len(loudspeaker.heard) == 3, "three pieces")
        assert [audio.data for audio in loudspeaker.heard if audio] == [second, "not base64!", second]
        stage.conversation.played("item_1", 700)
        await voice.send({"type": "input_audio_buffer.speech_started"})
        truncate = await server.wait_for(of_type("conversation.item.truncate"))
        assert truncate.field("item_id") == "item_1"
        assert truncate.field("audio_end_ms") == 700
        assert loudspeaker.heard.pop() is None
        await voice.send({"type": "response.output_audio.delta", "item_id": "item_1", "delta": second})
        await voice.send({"type": "response.output_audio.delta", "item_id": "item_2", "delta": "AAAA"})
        await until(lambda: len(loudspeaker.heard) == 4, "the next item")
        last = loudspeaker.heard[-1]
        assert last is not None
        assert last.item_id == "item_2"


async def test_a_server_may_say_itself_how_long_its_audio_is() -> None:
    loudspeaker = Loudspeaker()
    async with ScriptedServer() as server, on_stage(server.url, player=loudspeaker) as stage:
        voice = await server.wait_for_connection()
        delta = {
            "type": "response.output_audio.delta",
            "item_id": "item_1",
            "delta": "?",
            "samples_per_channel": 24_000,
        }
        await voice.send(delta)
        await until(lambda: len(loudspeaker.heard) == 1, "the piece")
        assert stage.conversation.activity().speaking
        stage.conversation.played("item_1", 5000)
        await until(lambda: not stage.conversation.activity().speaking, "silence")


async def test_of_the_microphone_the_newest_is_dropped_when_too_much_waits(caplog: pytest.LogCaptureFixture) -> None:
    async with ScriptedServer() as server, on_stage(server.url) as stage:
        await server.wait_for(of_type("session.update"))
        # Nothing else runs in between, so nothing is taken.
        taken = [stage.conversation.append_audio(f"{n:04}") for n in range(MAX_WAITING_FRAMES + 44)]
        assert taken == [True] * MAX_WAITING_FRAMES + [False] * 44
        await server.wait_for(lambda frame: frame.has("audio", f"{MAX_WAITING_FRAMES - 1:04}"))
        assert stage.conversation.append_audio("last")
        await server.wait_for(lambda frame: frame.has("audio", "last"))
        sent = [frame.field("audio") for frame in server.frames if frame.type == "input_audio_buffer.append"]
        assert sent == [*(f"{n:04}" for n in range(MAX_WAITING_FRAMES)), "last"]
    assert [record.message for record in caplog.records if "dropped" in record.message] == [
        "! the server does not take audio fast enough; microphone frames are dropped"
    ]


# Ends


@pytest.mark.parametrize(
    ("step", "detail"),
    [
        (Close(code=1000), "code 1000"),
        (Close(code=1011, reason="out of order"), "code 1011: out of order"),
    ],
    ids=["1000", "1011"],
)
async def test_a_server_that_ends_the_session_is_reported_once(step: Close, detail: str) -> None:
    async with ScriptedServer([Expect("session.update"), step]) as server, on_stage(server.url) as stage:
        await stage.conversation.ended()
        closed = await stage.sees(screen.ConversationClosed)
        assert closed.reason is screen.CloseReason.TRANSPORT_CLOSED
        assert closed.detail == detail
        assert not stage.conversation.append_audio(FRAME)
        await stage.conversation.type_text("too late")
        await stage.conversation.stop_task()
    assert [type(event) for event in stage.shown] == [screen.ConversationStarted, screen.ConversationClosed]


async def test_a_server_that_is_gone_without_a_goodbye_is_an_error() -> None:
    async with ScriptedServer([Expect("session.update"), Drop()]) as server, on_stage(server.url) as stage:
        await stage.conversation.ended()
    assert stage.shown == [
        screen.ConversationStarted(),
        screen.ConversationFailed(message="the connection was lost"),
        screen.ConversationClosed(reason=screen.CloseReason.ERROR),
    ]


async def test_a_task_that_runs_when_the_server_goes_is_ended() -> None:
    async with ScriptedServer([Expect("conversation.item.create"), Drop()]) as server, on_stage(server.url) as stage:
        await stage.conversation.type_text("run the tests")
        await stage.conversation.ended()
        assert stage.agent.running
        stage.agent.desk.put_nowait(message("turn_1", "still here"))
    assert stage.agent.finished == 1
    assert stage.all(screen.TaskEnded) == []


async def test_a_binary_message_ends_the_conversation() -> None:
    async with ScriptedServer([Expect("session.update"), SendBinary(b"\0")]) as server, on_stage(server.url) as stage:
        failed = await stage.sees(screen.ConversationFailed)
        assert "binary" in failed.message
        closed = await stage.sees(screen.ConversationClosed)
        assert closed.reason is screen.CloseReason.ERROR
        assert (await server.wait_closed()).close_code == 1000
    assert len(stage.shown) == 3


async def test_a_fatal_error_of_the_server_ends_the_conversation() -> None:
    error = {"type": "error", "error": {"code": "insufficient_quota", "message": "Nothing is left."}}
    async with ScriptedServer([Expect("session.update"), Send(error)]) as server, on_stage(server.url) as stage:
        await stage.conversation.ended()
        assert (await server.wait_closed()).close_code == 1000
    assert stage.shown[1:] == [
        screen.ConversationFailed(message="Nothing is left."),
        screen.ConversationClosed(reason=screen.CloseReason.ERROR),
    ]


async def test_malformed_messages_are_skipped_and_logged_without_what_they_hold(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    messages = [
        "{not json, planted",
        '{"type": "response.output_audio.delta", "delta": 5, "item_id": "planted"}',
        '{"type": "conversation.item.done", "item": "planted"}',
        '{"type": "rate_limits.updated", "limits": "planted"}',
        '["planted"]',
        "",
    ]
    last = {"type": "conversation.item.input_audio_transcription.completed", "transcript": "planted, too"}
    steps = [Expect("session.update"), *map(Send, messages), Send(last)]
    async with ScriptedServer(steps) as server, on_stage(server.url) as stage:
        done = await stage.sees(screen.TranscriptDone)
        assert done.text == "planted, too"
    assert [type(event) for event in stage.shown] == [
        screen.ConversationStarted,
        screen.TranscriptDone,
        screen.ConversationClosed,
    ]
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 5
    assert "response.output_audio.delta" in warnings[1]
    assert "planted" not in caplog.text


async def test_stop_says_goodbye_and_can_be_said_again() -> None:
    async with ScriptedServer() as server:
        async with on_stage(server.url) as stage:
            await server.wait_for(of_type("session.update"))
            for n in range(50):
                stage.conversation.append_audio(f"{n:04}")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(stage.conversation.stop())
                tasks.create_task(stage.conversation.stop())
            await stage.conversation.stop()
            closed = await server.wait_closed()
        assert closed.close_code == 1000
        # What was decided is still sent.
        assert closed.received[-1].has("audio", "0049")
    assert stage.shown[1:] == [screen.ConversationClosed(reason=screen.CloseReason.REQUESTED)]


async def test_stop_answers_what_still_waits_and_ends_the_task() -> None:
    async with ScriptedServer() as server:
        async with on_stage(server.url) as stage:
            voice = await server.wait_for_connection()
            await call(voice, "background_agent", "call_1", '{"prompt": "run the tests"}')
            await stage.sees(screen.TaskStarted)
        await server.wait_closed()
    assert answers(voice) == ["call_1"]
    assert voice.close_code == 1000
    assert stage.agent.finished == 1


async def test_stop_before_start_and_after_a_failed_start_is_nothing() -> None:
    conversation = Conversation(settings_for("ws://127.0.0.1:1"), agent=DeskAgent(), clock=SystemClock())
    await conversation.stop()
    assert [event async for event in conversation.events()] == []


async def test_a_task_and_the_conversation_can_be_stopped_when_the_server_has_stopped_reading() -> None:
    async with tcp_server(_never_read) as port, on_stage(f"ws://127.0.0.1:{port}") as stage:
        await stage.conversation.type_text("run the tests")
        await until(lambda: stage.agent.running, "the task")
        for _ in range(250):
            stage.conversation.append_audio("A" * 100_000)
        async with asyncio.timeout(1):
            await stage.conversation.stop_task()
        await until(lambda: stage.agent.interrupts == 1, "the interrupt")
        began = time.monotonic()
        await stage.conversation.stop()
        assert time.monotonic() - began < 7
    assert stage.shown[-1] == screen.ConversationClosed(reason=screen.CloseReason.REQUESTED)


async def test_a_server_that_asks_and_does_not_listen_is_given_up() -> None:
    asked = asyncio.Event()

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _shake_hands(reader, writer)
        await asked.wait()
        for n in range(1500):
            item = {"type": "function_call", "id": f"item_{n}", "call_id": f"call_{n}", "name": "agent_status"}
            text = json.dumps({"type": "conversation.item.done", "item": item}).encode()
            writer.write(bytes([0x81, 126]) + len(text).to_bytes(2, "big") + text)
        await writer.drain()
        await asyncio.Event().wait()

    async with tcp_server(ask) as port, on_stage(f"ws://127.0.0.1:{port}") as stage:
        for _ in range(250):
            stage.conversation.append_audio("A" * 100_000)
        asked.set()
        failed = await stage.sees(screen.ConversationFailed)
        assert failed.message == "the server has stopped reading what it is sent"
        closed = await stage.sees(screen.ConversationClosed)
        assert closed.reason is screen.CloseReason.ERROR
    assert len(stage.all(screen.ConversationFailed)) == 1


class BrokenDialect(V2):
    """One that cannot read what it should: a bug of ours."""

    def decode(self, message: str | bytes) -> NoReturn:
        raise ZeroDivisionError(message)


async def test_a_bug_of_ours_ends_the_conversation_instead_of_leaving_it_hanging(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with ScriptedServer([Expect("session.update"), Send({"type": "session.updated"})]) as server:
        settings = dataclasses.replace(settings_for(server.url), dialect=BrokenDialect())
        conversation = Conversation(settings, agent=DeskAgent(), clock=SystemClock())
        await conversation.start()
        async with asyncio.timeout(DEADLINE_S):
            shown = [event async for event in conversation.events()]
            await conversation.ended()
        await conversation.stop()
        assert (await server.wait_closed()).close_code == 1000
    failed = shown[1]
    assert isinstance(failed, screen.ConversationFailed)
    assert "reader failed: ZeroDivisionError" in failed.message
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == ["! task reader failed"]


async def test_stop_without_anybody_reading_the_events() -> None:
    transcript = {"type": "conversation.item.input_audio_transcription.delta", "delta": "word "}
    async with ScriptedServer([Expect("session.update"), *(Send(transcript) for _ in range(400))]) as server:
        conversation = Conversation(settings_for(server.url), agent=DeskAgent(), clock=SystemClock())
        await conversation.start()
        await server.wait_for(of_type("session.update"))
        async with asyncio.timeout(DEADLINE_S):
            await conversation.stop()
        shown = [event async for event in conversation.events()]
        assert isinstance(shown[-1], screen.ConversationClosed)
        # The reader waited while 256 were not taken.
        assert len(shown) <= 258


async def test_a_screen_that_is_not_read_delays_no_send() -> None:
    transcript = {"type": "conversation.item.input_audio_transcription.delta", "delta": "word " * 200}
    n_sent = 0

    async def flood(connection: ScriptedConnection) -> None:
        nonlocal n_sent
        await connection.expect(Expect("session.update"))
        for _ in range(20_000):  # 20 MiB
            await connection.send(transcript)
            n_sent += 1

    async def until_it_stands_still() -> None:
        while True:
            before = n_sent
            await asyncio.sleep(0.2)
            if before and n_sent == before:
                return

    async with ScriptedServer(flood) as server:
        conversation = Conversation(settings_for(server.url), agent=DeskAgent(), clock=SystemClock())
        await conversation.start()
        async with asyncio.timeout(10):
            await until_it_stands_still()
        for n in range(50):
            began = time.monotonic()
            assert conversation.append_audio(f"{n:04}")
            frame = await server.wait_for(lambda frame, n=n: frame.has("audio", f"{n:04}"))  # type: ignore[misc]
            assert frame.at_s - began < 0.2
        async with asyncio.timeout(DEADLINE_S):
            await conversation.stop()
        shown = [event async for event in conversation.events()]
        assert 250 < len(shown) <= 258


async def test_the_key_is_sent_as_a_header_and_appears_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ScriptedServer() as server, on_stage(server.url, api_key=API_KEY) as stage:
        await server.wait_for(of_type("session.update"))
        assert server.handshakes[0].headers["authorization"] == f"Bearer {API_KEY}"
        settings = settings_for(server.url, api_key=API_KEY)
        assert planted_in(repr(settings)) == []
    assert planted_in(caplog.text + repr(stage.shown)) == []
    assert API_KEY not in json.dumps([str(frame.payload) for frame in server.frames])


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader, writer


async def _never_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept a websocket and then go to sleep."""
    await _shake_hands(reader, writer)
    await asyncio.Event().wait()


async def _shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    accept = base64.b64encode(
        hashlib.sha1(key.partition(b":")[2].strip() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    )
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    await writer.drain()
