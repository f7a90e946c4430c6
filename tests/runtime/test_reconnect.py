"""Conversations that lose their connection, change it, or make room for another one: over real sockets."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
from typing import TYPE_CHECKING, Any

import pytest

from backchannel import core
from backchannel.core import screen
from backchannel.errors import AuthError, ConnectError, ConnectionLost, LocalProtocolError
from backchannel.net import SystemClock
from backchannel.runtime import Conversation, OverExistingCall, OverWebRtc
from backchannel.testing import (
    AcceptAfter,
    AnswerOffer,
    Close,
    Drop,
    Expect,
    Refuse,
    Run,
    ScriptedConnection,
    ScriptedServer,
    Send,
    of_type,
)
from backchannel.wire.realtime import V1, SessionSettings
from tests.runtime.stage import DeskAgent, call, ended, message, on_stage, settings_for, until

if TYPE_CHECKING:
    from backchannel.runtime import Settings
    from backchannel.testing import ReceivedFrame, Step

CONFIGURED = Expect("session.update")
FRAME = "AAAA" * 320


def resilient(server: ScriptedServer, **options: Any) -> Settings:
    settings = settings_for(server.url)
    return dataclasses.replace(settings, options=core.Options(**{"quiet_ms": 20, **options}))


def texts(connection: ScriptedConnection) -> list[str]:
    """The messages of a connection that are texts, in order."""
    return [
        str(frame.field("item.content.0.text")) for frame in connection.received if frame.has("item.type", "message")
    ]


def answered_calls(connection: ScriptedConnection) -> list[object]:
    """The ids of the calls that were answered on a connection, in order."""
    return [
        frame.field("item.call_id") for frame in connection.received if frame.has("item.type", "function_call_output")
    ]


def types(connection: ScriptedConnection) -> list[str | None]:
    return [frame.type for frame in connection.received if frame.type != "input_audio_buffer.append"]


def says(text: str) -> Any:
    def is_said(frame: ReceivedFrame) -> bool:
        return frame.has("item.type", "message") and text in str(frame.field("item.content.0.text"))

    return is_said


HEARD = Send({"type": "conversation.item.input_audio_transcription.completed", "transcript": "hello there"})


@pytest.mark.parametrize("loss", [Drop(), Close(code=1011), Close(code=1001, reason="going away")])
async def test_a_lost_connection_is_made_again_and_the_voice_knows_what_was_said(loss: Step) -> None:
    async with (
        ScriptedServer([CONFIGURED, Drop()], [Refuse(status=503)], [AcceptAfter(delay_s=0.05)]) as server,
        on_stage(resilient(server)) as stage,
    ):
        await stage.sees(screen.ConversationReconnecting)
        await stage.conversation.type_text("run the tests")
        await until(lambda: len(stage.agent.requests) == 1, "the agent works without a connection")
        assert not stage.conversation.append_audio(FRAME)
        assert not stage.conversation.append_audio(FRAME)
        stage.agent.desk.put_nowait(message("turn_1", "All passed.", final=True))
        stage.agent.desk.put_nowait(ended("turn_1"))
        await stage.sees(screen.TaskEnded)
        await stage.sees(screen.ConversationReconnected)
        third = await server.wait_for_connection(2)
        await server.wait_for(of_type("response.create"))
        assert [text for text in texts(third) if text == "[USER] run the tests"] == ["[USER] run the tests"]
        assert "[BACKEND] All passed." in texts(third)
        said = "\n".join(text for text in texts(third) if not text.startswith("["))
        assert "user (typed): run the tests" not in said
        assert len(stage.all(screen.Warned)) == 1


async def test_a_delegation_outlives_the_session_that_made_it_and_its_call_is_void() -> None:
    async def delegate(connection: ScriptedConnection) -> None:
        await call(connection, "background_agent", "call_1", '{"prompt": "run the tests"}')

    async with (
        ScriptedServer([CONFIGURED, Run(delegate)], [CONFIGURED]) as server,
        on_stage(resilient(server)) as stage,
    ):
        await stage.sees(screen.TaskStarted)
        stage.conversation.break_connection()
        await stage.sees(screen.ConversationReconnected)
        await server.wait_for(says("A task was handed over before"))
        stage.agent.desk.put_nowait(message("turn_1", "All passed.", final=True))
        stage.agent.desk.put_nowait(ended("turn_1"))
        await server.wait_for(says("[BACKEND] All passed."))
        await server.wait_for(of_type("response.create"))
    second = await server.wait_for_connection(1)
    assert not any(frame.has("item.type", "function_call_output") for frame in second.received)


async def test_a_refusal_that_would_be_repeated_ends_the_conversation_once() -> None:
    async with (
        ScriptedServer([CONFIGURED, Drop()], [Refuse(status=401)]) as server,
        on_stage(resilient(server)) as stage,
    ):
        await stage.conversation.ended()
    assert len(stage.all(screen.ConversationFailed)) == 1
    assert [each.reason for each in stage.all(screen.ConversationClosed)] == [screen.CloseReason.ERROR]


async def test_an_outage_that_lasts_too_long_ends_the_conversation() -> None:
    refusals = [[Refuse(status=503)] for _ in range(8)]
    async with (
        ScriptedServer([CONFIGURED, Drop()], *refusals) as server,
        on_stage(resilient(server, give_up_after_s=0.5)) as stage,
    ):
        await stage.conversation.ended()
    assert "503" in stage.all(screen.ConversationFailed)[0].message


async def test_a_session_that_has_expired_is_followed_by_another() -> None:
    expired = Send({"type": "error", "error": {"code": "session_expired", "message": "60 minutes are over"}})
    async with (
        ScriptedServer([CONFIGURED, expired, Close(code=1000)], [CONFIGURED]) as server,
        on_stage(resilient(server)) as stage,
    ):
        await stage.sees(screen.ConversationReconnected)
        assert stage.all(screen.ConversationReconnecting)[0].message == "60 minutes are over"
    assert stage.all(screen.ConversationFailed) == []


async def test_a_goodbye_ends_the_conversation() -> None:
    async with ScriptedServer([CONFIGURED, Close(code=1000)]) as server, on_stage(resilient(server)) as stage:
        await stage.conversation.ended()
    assert [each.reason for each in stage.all(screen.ConversationClosed)] == [screen.CloseReason.TRANSPORT_CLOSED]


@pytest.mark.parametrize("answer", [[AcceptAfter(delay_s=5.0)], [Refuse(status=503)]])
async def test_stop_during_an_outage_ends_at_once(answer: list[Step]) -> None:
    async with ScriptedServer([CONFIGURED, Drop()], answer) as server, on_stage(resilient(server)) as stage:
        await stage.sees(screen.ConversationReconnecting)
        async with asyncio.timeout(2.0):
            await stage.conversation.stop()
    assert [each.reason for each in stage.all(screen.ConversationClosed)] == [screen.CloseReason.REQUESTED]


async def test_many_losses_leave_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    n_losses = 4
    async with (
        ScriptedServer(*[[] for _ in range(n_losses + 1)]) as server,
        on_stage(resilient(server)) as stage,
    ):
        n_tasks = len(asyncio.all_tasks())
        for number in range(1, n_losses + 1):
            stage.conversation.break_connection()
            await stage.sees(screen.ConversationReconnected, times=number)
        await until(lambda: len(asyncio.all_tasks()) <= n_tasks + 2, "the tasks of lost connections end")
    gc.collect()
    assert "Unclosed" not in caplog.text


# Rotation


async def test_a_session_is_rotated_in_a_moment_of_quiet_and_nobody_notices() -> None:
    async with (
        ScriptedServer([CONFIGURED, HEARD], [CONFIGURED]) as server,
        on_stage(resilient(server, rotate_after_s=0.3)) as stage,
    ):
        await stage.sees(screen.TranscriptDone)
        second = await server.wait_for_connection(1)
        first = await server.wait_closed(0)
        assert first.close_code == 1000
        await until(lambda: bool(texts(second)), "the account of the conversation")
        assert "user: hello there" in texts(second)[0]
        assert stage.conversation.append_audio(FRAME)
    assert stage.all(screen.ConversationReconnecting) == []
    assert stage.all(screen.ConversationReconnected) == []


# Over calls


async def test_the_session_of_a_call_is_joined_again_and_goes_on() -> None:
    settings = dataclasses.replace(
        settings_for("ws://unused"),
        dialect=V1(),
        session=SessionSettings(instructions="", voice=""),
        transport=OverExistingCall(call_id="rtc_1"),
        options=core.Options(),
    )
    async with ScriptedServer([], []) as server:
        settings = dataclasses.replace(settings, target=dataclasses.replace(settings.target, base_url=server.url))
        async with on_stage(settings) as stage:
            await server.wait_for_connection(0)
            stage.conversation.break_connection()
            await stage.sees(screen.ConversationReconnecting)
            await stage.conversation.append_text("by the way")
            await stage.sees(screen.ConversationReconnected)
            second = await server.wait_for_connection(1)
            await server.wait_for(says("by the way"))
            assert [frame.type for frame in second.received] == ["conversation.item.create"]


async def test_a_call_that_is_over_ends_the_conversation_without_an_error() -> None:
    answered = [AnswerOffer(sdp="v=1", location="/v1/realtime/calls/rtc_1")]
    settings = dataclasses.replace(settings_for("ws://unused"), transport=OverWebRtc(offer_sdp="v=0"))
    async with ScriptedServer(answered, [CONFIGURED, Drop()], [Refuse(status=404)]) as server:
        settings = dataclasses.replace(
            settings,
            target=dataclasses.replace(settings.target, base_url=server.url),
            options=core.Options(),
        )
        async with on_stage(settings) as stage:
            await stage.conversation.ended()
    assert stage.all(screen.ConversationFailed) == []
    assert [each.reason for each in stage.all(screen.ConversationClosed)] == [screen.CloseReason.TRANSPORT_CLOSED]


# Replacement


async def test_another_conversation_takes_the_place_when_it_is_open() -> None:
    async with (
        ScriptedServer([CONFIGURED], [CONFIGURED]) as server,
        on_stage(resilient(server)) as stage,
    ):
        session = SessionSettings(instructions="Be loud.", voice="cedar")
        await stage.conversation.replace(dataclasses.replace(stage.settings, session=session))
        second = await server.wait_for_connection(1)
        await until(lambda: bool(second.received), "the settings of the new session")
        assert second.received[0].field("session.instructions") == "Be loud."
        assert (await server.wait_closed(0)).close_code == 1000
        kinds = [type(event) for event in stage.shown]
        assert kinds == [screen.ConversationStarted, screen.ConversationClosed, screen.ConversationStarted]
        assert stage.all(screen.ConversationClosed)[0].replaced
        await stage.conversation.type_text("go on")
        await until(lambda: len(stage.agent.requests) == 1, "the agent works in the new one")
        stage.agent.desk.put_nowait(ended("turn_1"))
        assert stage.agent.requests[0].briefing[-1].text.startswith("<realtime_conversation>")
    assert not stage.all(screen.ConversationClosed)[1].replaced


@pytest.mark.parametrize(("status", "kind"), [(401, AuthError), (500, ConnectError)])
async def test_a_replacement_that_fails_leaves_the_conversation_as_it_was(
    status: int, kind: type[ConnectError]
) -> None:
    async with (
        ScriptedServer([CONFIGURED], [Refuse(status=status)]) as server,
        on_stage(resilient(server)) as stage,
    ):
        with pytest.raises(kind):
            await stage.conversation.replace(stage.settings)
        await stage.conversation.append_text("still here")
        first = await server.wait_for_connection(0)
        await until(lambda: "[USER] still here" in texts(first), "the old session goes on")
        (failed,) = stage.all(screen.ConversationFailed)
        assert failed.went_on
        assert stage.all(screen.ConversationClosed) == []


async def test_the_delegation_of_a_replaced_conversation_is_answered_before_it_closes() -> None:
    async def delegate(connection: ScriptedConnection) -> None:
        await call(connection, "background_agent", "call_1", '{"prompt": "run the tests"}')

    async with (
        ScriptedServer([CONFIGURED, Run(delegate)], [CONFIGURED]) as server,
        on_stage(resilient(server)) as stage,
    ):
        await stage.sees(screen.TaskStarted)
        await stage.conversation.replace(stage.settings)
        assert answered_calls(await server.wait_closed(0)) == ["call_1"]
        assert stage.conversation.task is not None
        stage.agent.desk.put_nowait(message("turn_1", "All passed.", final=True))
        stage.agent.desk.put_nowait(ended("turn_1"))
        await server.wait_for(says("[BACKEND] All passed."))


@pytest.mark.parametrize("status", [409, 429])
async def test_a_server_that_takes_one_session_at_a_time_is_left_before_the_next_is_opened(status: int) -> None:
    async def delegate(connection: ScriptedConnection) -> None:
        await call(connection, "background_agent", "call_1", '{"prompt": "run the tests"}')

    async with (
        ScriptedServer([CONFIGURED, Run(delegate)], [Refuse(status=status)], [CONFIGURED]) as server,
        on_stage(resilient(server)) as stage,
    ):
        await stage.sees(screen.TaskStarted)
        await stage.conversation.replace(stage.settings)
        first = await server.wait_closed(0)
        assert first.close_code == 1000
        assert answered_calls(first) == ["call_1"]
        assert [event.replaced for event in stage.all(screen.ConversationClosed)] == [True]
        stage.agent.desk.put_nowait(message("turn_1", "All passed.", final=True))
        stage.agent.desk.put_nowait(ended("turn_1"))
        await server.wait_for(says("[BACKEND] All passed."))


async def test_a_server_that_stays_busy_ends_the_conversation() -> None:
    async with (
        ScriptedServer([CONFIGURED], [Refuse(status=409)], [Refuse(status=409)]) as server,
        on_stage(resilient(server)) as stage,
    ):
        with pytest.raises(ConnectError, match="409"):
            await stage.conversation.replace(stage.settings)
        await stage.conversation.ended()
        assert [event.went_on for event in stage.all(screen.ConversationFailed)] == [False]
        assert len(stage.all(screen.ConversationClosed)) == 1


async def test_whoever_wants_to_see_it_may_break_the_connection() -> None:
    async with (
        ScriptedServer([CONFIGURED], [CONFIGURED]) as server,
        on_stage(resilient(server)) as stage,
    ):
        first = await server.wait_for_connection(0)
        await until(lambda: bool(first.received), "the settings of the session")
        stage.conversation.break_connection()
        stage.conversation.break_connection()
        await stage.sees(screen.ConversationReconnected)
        assert (await server.wait_closed(0)).close_code != 1000
        assert len(stage.all(screen.ConversationReconnecting)) == 1


async def test_the_newest_replacement_counts() -> None:
    async with (
        ScriptedServer([CONFIGURED], [AcceptAfter(delay_s=5.0)], [CONFIGURED]) as server,
        on_stage(resilient(server)) as stage,
        asyncio.TaskGroup() as tasks,
    ):
        first = tasks.create_task(replaced(stage.conversation, stage.settings))
        await until(lambda: len(server.handshakes) == 2, "the first replacement opens")
        await stage.conversation.replace(stage.settings)
        assert isinstance(await first, ConnectionLost)


async def replaced(conversation: Conversation, settings: Settings) -> Exception | None:
    try:
        await conversation.replace(settings)
    except ConnectionLost as exc:
        return exc
    return None


async def test_stop_while_a_replacement_opens_tells_whoever_waits_for_it() -> None:
    async with (
        ScriptedServer([CONFIGURED], [AcceptAfter(delay_s=5.0)]) as server,
        on_stage(resilient(server)) as stage,
        asyncio.TaskGroup() as tasks,
    ):
        waiting = tasks.create_task(replaced(stage.conversation, stage.settings))
        await until(lambda: len(server.handshakes) == 2, "the replacement opens")
        await stage.conversation.stop()
        assert isinstance(await waiting, ConnectionLost)


async def test_where_no_conversation_runs_none_is_replaced() -> None:
    conversation = Conversation(settings_for("ws://127.0.0.1:1"), agent=DeskAgent(), clock=SystemClock())
    with pytest.raises(LocalProtocolError):
        await conversation.replace(settings_for("ws://127.0.0.1:1"))
    await conversation.stop()


# What a person and a program can do besides


async def test_a_muted_microphone_sends_silence_and_then_nothing() -> None:
    async with ScriptedServer() as server, on_stage(resilient(server)) as stage:
        loud = "//8=" * 320
        assert stage.conversation.append_audio(loud)
        await server.wait_for(of_type("input_audio_buffer.append"))
        stage.conversation.mute(muted=True)
        assert stage.conversation.append_audio(loud)
        await server.wait_for(
            lambda frame: frame.has("audio", "AAA=" + "AAAA" * 0) or frame.type == "x" or is_silence(frame)
        )
        stage.conversation.mute(muted=False)
        assert [event.muted for event in [await stage.sees(screen.Muted, times=n) for n in (1, 2)]] == [True, False]


def is_silence(frame: ReceivedFrame) -> bool:
    return frame.type == "input_audio_buffer.append" and set(str(frame.field("audio"))) <= {"A", "="}


async def test_a_client_may_say_things_to_the_voice() -> None:
    async with ScriptedServer() as server, on_stage(resilient(server)) as stage:
        await stage.conversation.append_text("be careful", role="developer")
        await stage.conversation.append_speech("the build is done")
        await stage.conversation.change_instructions("Be loud.")
        await server.wait_for(of_type("response.create"))
        await server.wait_for(lambda frame: frame.has("session.instructions", "Be loud."))
        connection = await server.wait_for_connection(0)
        assert texts(connection) == ["be careful", "[BACKEND] the build is done"]


async def test_a_program_may_be_the_agent() -> None:
    async def delegate(connection: ScriptedConnection) -> None:
        await call(connection, "background_agent", "call_1", '{"prompt": "run the tests"}')

    async with ScriptedServer([CONFIGURED, Run(delegate)]) as server:
        conversation = Conversation(resilient(server), agent=None, clock=SystemClock())
        await conversation.start()
        async for event in conversation.events():
            if isinstance(event, screen.TaskStarted):
                assert event.request == "run the tests"
                await conversation.report(message(event.turn_id, "All passed.", final=True))
                await conversation.report(ended(event.turn_id))
            if isinstance(event, screen.TaskEnded):
                break
        await server.wait_for(says("[BACKEND] All passed."))
        await server.wait_for(lambda frame: frame.has("item.call_id", "call_1"))
        await conversation.stop()


async def test_an_answer_on_the_screen_reaches_the_agent() -> None:
    async with ScriptedServer() as server, on_stage(resilient(server)) as stage:
        await stage.conversation.type_text("deploy it")
        await until(lambda: bool(stage.agent.requests), "the agent")
        stage.agent.desk.put_nowait(
            core.AgentApprovalRequested(turn_id="turn_1", approval_id="a1", action="push", risks=(core.Risk.NETWORK,))
        )
        needed = await stage.sees(screen.ApprovalNeeded)
        assert needed.on_screen_only
        stage.conversation.answer_approval("a1", approved=True)
        stage.conversation.answer_approval("a1", approved=False)
        settled = await stage.sees(screen.ApprovalSettled)
        assert (settled.decision, settled.by) == (screen.ApprovalDecision.APPROVED, screen.AnsweredBy.HAND)
        await until(lambda: stage.agent.answers == [("a1", True)], "the answer")
        stage.agent.desk.put_nowait(ended("turn_1"))
        await stage.sees(screen.TaskEnded)


async def test_an_agent_that_breaks_down_on_an_answer_fails_its_task() -> None:
    async with ScriptedServer() as server, on_stage(resilient(server)) as stage:
        await stage.conversation.type_text("deploy it")
        await until(lambda: bool(stage.agent.requests), "the agent")
        stage.agent.desk.put_nowait(core.AgentApprovalRequested(turn_id="turn_1", approval_id="a1", action="push"))
        await stage.sees(screen.ApprovalNeeded)
        stage.agent.refuses_with = ValueError("boom")
        stage.conversation.answer_approval("a1", approved=True)
        done = await stage.sees(screen.TaskEnded)
        assert done.outcome is core.Outcome.FAILED
        assert "ValueError" in str(done.error)


async def test_the_level_of_updates_is_chosen_by_hand() -> None:
    async with ScriptedServer() as server, on_stage(resilient(server)) as stage:
        stage.conversation.set_updates(core.Speech.RESULTS)
        assert (await stage.sees(screen.UpdatesSet)).level == "results"
