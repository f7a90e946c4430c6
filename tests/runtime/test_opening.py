from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from typing import TYPE_CHECKING

import pytest

from backchannel import core
from backchannel.core import events, screen
from backchannel.errors import AuthError, ConnectError, ConnectionLost, RemoteProtocolError, UsageError
from backchannel.net import Closed, SystemClock
from backchannel.runtime import (
    Conversation,
    Join,
    OverExistingCall,
    OverWebRtc,
    OverWebSocket,
    Recorder,
    Settings,
    Target,
    dial,
)
from backchannel.runtime.dial import await_session
from backchannel.runtime.opening import ending
from backchannel.testing import (
    AcceptAfter,
    AnswerOffer,
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
from backchannel.wire.realtime import DIALECTS, TOOLS, Modality, SessionSettings, intents
from tests.planted import ANSWER_SDP, API_KEY, OFFER_SDP, planted_in
from tests.runtime.stage import DEADLINE_S, DeskAgent, call, ended, on_stage, until

if TYPE_CHECKING:
    from pathlib import Path

    from backchannel.runtime import Transport

QUICK = Join(first_delay_s=0.01)
OFFERED = OverWebRtc(offer_sdp=OFFER_SDP, join=QUICK)
EXISTING = OverExistingCall(call_id="rtc_1", join=QUICK)
UPDATED = {"type": "session.updated", "session": {"id": "sess_1"}}
ANSWERED = AnswerOffer(sdp=ANSWER_SDP)
NOTHING = SessionSettings(instructions="", voice="")


def configured(frame: ReceivedFrame) -> bool:
    """Whether a frame has the settings of a session."""
    return frame.type in {"session.update", "session.start"}


CONFIRMED = [Expect(configured), Send(UPDATED)]


def settings(server: ScriptedServer, name: str, transport: Transport | None = None) -> Settings:
    dialect = DIALECTS[name]
    session = SessionSettings(
        instructions="Be brief.", voice=dialect.voices[0], tools=tuple(TOOLS.values()), session_id="session-1"
    )
    return Settings(
        target=Target(base_url=f"http://127.0.0.1:{server.port}/v1", api_key=API_KEY),
        dialect=dialect,
        session=NOTHING if isinstance(transport, OverExistingCall) else session,
        options=core.Options(quiet_ms=20, reconnect=False),
        transport=transport or OverWebSocket(),
    )


async def refused(made_of: Settings, kind: type[Exception] = ConnectError) -> Exception:
    """A start that fails: one error, nothing else, nothing left."""
    conversation = Conversation(made_of, agent=DeskAgent(), clock=SystemClock())
    with pytest.raises(kind) as caught:
        await conversation.start()
    assert [event async for event in conversation.events()] == [screen.ConversationFailed(message=str(caught.value))]
    await conversation.ended()
    await conversation.stop()
    assert isinstance(caught.value, Exception)
    return caught.value


# A call that is created here


@pytest.mark.parametrize("name", ["v1", "v2", "v3"])
async def test_a_conversation_over_webrtc(name: str) -> None:
    async with (
        ScriptedServer([ANSWERED], [AcceptAfter(delay_s=0.3)]) as server,
        on_stage(settings(server, name, OFFERED)) as stage,
    ):
        answered = await stage.sees(screen.CallAnswered)
        assert answered.sdp == ANSWER_SDP
        assert server.connections == []
        # What is said before the sideband is up is delivered when it is.
        assert stage.conversation.append_audio("AAAA")
        await stage.conversation.type_text("run the tests")
        assert stage.conversation.append_audio("BBBB")
        sideband = await server.wait_for_connection(1)
        await server.wait_for(lambda frame: frame.has("audio", "BBBB"))
        kinds = [frame.type for frame in sideband.received]
        assert ("session.update" in kinds) == DIALECTS[name].abilities.configures_sideband
        if "session.update" in kinds:
            assert kinds.index("session.update") == 0
        audio = [data for frame in sideband.received for data in ("AAAA", "BBBB") if frame.has("audio", data)]
        assert audio == ["AAAA", "BBBB"]
        assert any("run the tests" in str(frame.payload) for frame in sideband.received)
        created, joined = server.handshakes
        assert created.method == "POST"
        assert joined.headers["authorization"] == created.headers["authorization"] == f"Bearer {API_KEY}"
        assert joined.headers["x-session-id"] == created.headers["x-session-id"] == "session-1"
        assert "rtc_test" in joined.raw_path
        stage.agent.desk.put_nowait(ended("turn_1"))
        await stage.sees(screen.TaskEnded)
    assert [type(event) for event in stage.shown[:2]] == [screen.ConversationStarted, screen.CallAnswered]
    assert stage.shown[-1] == screen.ConversationClosed(reason=screen.CloseReason.REQUESTED)
    assert sideband.close_code == 1000


async def test_what_is_said_before_the_sideband_is_up_is_bounded_and_not_lost() -> None:
    async with (
        ScriptedServer([ANSWERED], [AcceptAfter(delay_s=0.3)]) as server,
        on_stage(settings(server, "v2", OFFERED)) as stage,
    ):
        taken = [stage.conversation.append_audio(f"{n:04}") for n in range(300)]
        assert taken == [True] * 256 + [False] * 44

        async def type_all() -> None:
            for n in range(100):
                await stage.conversation.type_text(f"word {n}.")

        async with asyncio.TaskGroup() as tasks:
            typing = tasks.create_task(type_all())
            await server.wait_for_connection(1)
            await typing
        await server.wait_for(lambda frame: "word 99." in str(frame.payload))
        said = [str(frame.payload) for frame in server.frames]
        assert [f"word {n}." for n in range(100) if not any(f"word {n}." in text for text in said)] == []
        assert len([frame for frame in server.frames if frame.type == "input_audio_buffer.append"]) == 256
        stage.agent.desk.put_nowait(ended("turn_1"))
        await stage.sees(screen.TaskEnded)


async def test_a_delegation_over_the_sideband() -> None:
    async with ScriptedServer([ANSWERED]) as server, on_stage(settings(server, "v2", OFFERED)) as stage:
        sideband = await server.wait_for_connection(1)
        await call(sideband, "background_agent", "call_1", '{"prompt": "run the tests"}')
        await stage.sees(screen.TaskStarted)
        stage.agent.desk.put_nowait(ended("turn_1"))
        await server.wait_for(lambda frame: frame.has("item.call_id", "call_1"))


@pytest.mark.parametrize(
    ("script", "kind", "says"),
    [
        ([Refuse(status=401)], AuthError, "request failed"),
        ([Refuse(status=400)], ConnectError, "400 Bad Request"),
        ([AnswerOffer(sdp=ANSWER_SDP, location=None)], RemoteProtocolError, "Location"),
    ],
    ids=["401", "400", "no location"],
)
async def test_a_call_that_cannot_be_created(
    script: list[Refuse | AnswerOffer], kind: type[Exception], says: str
) -> None:
    async with ScriptedServer(script) as server:
        error = await refused(settings(server, "v1", OFFERED), kind)
        assert len(server.handshakes) == 1
    assert says in str(error)


@pytest.mark.parametrize("status", [404, 500])
async def test_a_sideband_that_cannot_be_joined_ends_the_conversation_once(status: int) -> None:
    scripts = [[Refuse(status=status)] for _ in range(5)]
    async with (
        ScriptedServer([ANSWERED], *scripts) as server,
        on_stage(settings(server, "v1", OFFERED)) as stage,
    ):
        await stage.conversation.ended()
        closed = await stage.sees(screen.ConversationClosed)
        assert not stage.conversation.append_audio("AAAA")
        await stage.conversation.type_text("too late")
        assert len(server.handshakes) == (2 if status == 404 else 6)
    assert closed.reason is screen.CloseReason.ERROR
    assert [type(event) for event in stage.shown] == [
        screen.ConversationStarted,
        screen.CallAnswered,
        screen.ConversationFailed,
        screen.ConversationClosed,
    ]
    assert stage.all(screen.ConversationFailed)[0].message.startswith("sideband failed for ")


async def test_a_sideband_that_does_not_come_in_time_ends_the_conversation() -> None:
    offered = OverWebRtc(offer_sdp=OFFER_SDP, join=Join(deadline_s=0.3))
    async with (
        ScriptedServer([ANSWERED], [AcceptAfter(delay_s=60)]) as server,
        on_stage(settings(server, "v3", offered)) as stage,
    ):
        failed = await stage.sees(screen.ConversationFailed)
        await stage.conversation.ended()
    assert "sideband failed" in failed.message
    assert "within 0.3 s" in failed.message
    assert len(stage.all(screen.ConversationClosed)) == 1


@pytest.mark.parametrize("waiting", [[AcceptAfter(delay_s=60)], [Refuse(status=500)]], ids=["handshake", "pause"])
async def test_stop_while_the_sideband_is_being_joined(waiting: list[AcceptAfter | Refuse]) -> None:
    patient = OverWebRtc(offer_sdp=OFFER_SDP, join=Join(first_delay_s=60))
    async with ScriptedServer([ANSWERED], waiting) as server, on_stage(settings(server, "v1", patient)) as stage:
        await until(lambda: len(server.handshakes) == 2, "the first try")
        await stage.conversation.type_text("run the tests")
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stage.conversation.stop())
            tasks.create_task(stage.conversation.stop())
        assert time.monotonic() - began < 1
        await stage.sees(screen.ConversationClosed)
        assert server.connections == []
    assert stage.shown[-1] == screen.ConversationClosed(reason=screen.CloseReason.REQUESTED)
    assert len(stage.all(screen.ConversationClosed)) == 1
    assert stage.all(screen.ConversationFailed) == []


@pytest.mark.parametrize("transport", [OverWebSocket(), OFFERED, EXISTING])
async def test_stop_while_the_way_is_being_opened(transport: Transport) -> None:
    opening = [AcceptAfter(delay_s=0.2), *([ANSWERED] if transport is OFFERED else [])]
    async with ScriptedServer(opening) as server:
        conversation = Conversation(settings(server, "v1", transport), agent=DeskAgent(), clock=SystemClock())
        async with asyncio.TaskGroup() as tasks:
            starting = tasks.create_task(started(conversation))
            await until(lambda: len(server.handshakes) == 1, "the opening")
            await conversation.stop()
            assert [event async for event in conversation.events()] == []
        assert "stopped before it was open" in starting.result()
        assert len(server.handshakes) == 1
        if server.connections:
            assert (await server.wait_closed()).close_code == 1000


async def started(conversation: Conversation) -> str:
    """Why a start failed."""
    with pytest.raises(ConnectionLost) as caught:
        await conversation.start()
    return str(caught.value)


async def test_a_sideband_whose_address_cannot_be_used_is_an_error_of_the_stage() -> None:
    async with ScriptedServer([ANSWERED]) as server:
        made_of = settings(server, "v1", OFFERED)
        target = dataclasses.replace(made_of.target, sideband_base_url="gopher://example.com")
        async with on_stage(dataclasses.replace(made_of, target=target)) as stage:
            failed = await stage.sees(screen.ConversationFailed)
            await stage.conversation.ended()
    assert failed.message.startswith("sideband failed: ")
    assert "gopher" in failed.message


async def test_stop_at_any_moment_of_the_joining() -> None:
    for n in range(12):
        async with ScriptedServer([ANSWERED]) as server, on_stage(settings(server, "v2", OFFERED)) as stage:
            await asyncio.sleep(n * 0.002)
            await stage.conversation.stop()
        assert [type(event) for event in stage.shown] == [
            screen.ConversationStarted,
            screen.CallAnswered,
            screen.ConversationClosed,
        ]


async def test_neither_logs_nor_recordings_have_the_descriptions_of_a_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "a.jsonl"
    async with ScriptedServer([ANSWERED]) as server:
        made_of = settings(server, "v3", OFFERED)
        async with Recorder(path) as recorder, on_stage(made_of, recorder=recorder) as stage:
            await server.wait_for_connection(1)
    assert stage.all(screen.CallAnswered)[0].sdp == ANSWER_SDP
    recorded = await asyncio.to_thread(path.read_text)
    assert "conversation_started" in recorded
    assert planted_in(caplog.text + recorded + repr(made_of) + repr(stage.shown)) == []


# A call of somebody else


@pytest.mark.parametrize("name", ["v1", "v2", "v3"])
async def test_an_existing_call_is_joined_and_not_configured(name: str) -> None:
    async with ScriptedServer() as server, on_stage(settings(server, name, EXISTING)) as stage:
        assert "rtc_1" in server.handshakes[0].raw_path
        assert "x-session-id" not in server.handshakes[0].headers
        assert stage.conversation.append_audio("AAAA")
        first = await server.wait_for(lambda frame: frame.has("audio", "AAAA"))
        assert server.frames == [first]
    assert [type(event) for event in stage.shown] == [screen.ConversationStarted, screen.ConversationClosed]


async def test_an_existing_call_that_cannot_be_joined() -> None:
    async with ScriptedServer([Refuse(status=500)], [Refuse(status=410)]) as server:
        error = await refused(settings(server, "v3", EXISTING))
        assert len(server.handshakes) == 2
    assert isinstance(error, ConnectError)
    assert (error.stage, error.status) == ("sideband", 410)


def test_an_existing_call_takes_no_configuration() -> None:
    session = SessionSettings(
        instructions="Be brief.", voice="cove", model="gpt", tools=tuple(TOOLS.values()), modality=Modality.TEXT
    )
    with pytest.raises(UsageError, match="instructions, voice, model, output modality, tools") as caught:
        Settings(
            target=Target(base_url="ws://localhost"),
            dialect=DIALECTS["v1"],
            session=session,
            options=core.Options(),
            transport=EXISTING,
        )
    assert "already configured" in str(caught.value)
    allowed = SessionSettings(instructions="", voice="", session_id="session-1")
    Settings(
        target=Target(base_url="ws://localhost", model="gpt"),
        dialect=DIALECTS["v1"],
        session=allowed,
        options=core.Options(),
        transport=EXISTING,
    )


# Dialects that confirm a session


@pytest.mark.parametrize("name", ["v3", "live"])
async def test_a_session_is_confirmed_before_the_conversation_starts(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    started = {"type": "session.started", "session": {"id": "sess_1"}}
    script = [Expect(configured), Send({"type": "something.else"}), Send("no json"), Send(started)]
    async with ScriptedServer(script) as server:
        async with Recorder(path) as recorder, on_stage(settings(server, name), recorder=recorder) as stage:
            assert stage.conversation.append_audio("AAAA")
            await server.wait_for(lambda frame: frame.has("audio", "AAAA"))
        assert [configured(frame) for frame in server.frames] == [True, False, *[False] * (len(server.frames) - 2)]
    assert [type(event) for event in stage.shown] == [screen.ConversationStarted, screen.ConversationClosed]
    # The core is told of it all the same, behind the opening.
    recorded = (await asyncio.to_thread(path.read_text)).splitlines()
    told = [n for n, line in enumerate(recorded) if "session_updated" in line]
    opened = [n for n, line in enumerate(recorded) if "transport_opened" in line]
    assert len(told) == len(opened) == 1
    assert opened[0] < told[0]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (Send({"type": "error", "error": {"message": "No such model."}}), "refused the session: No such model."),
        (Send({"type": "turn.done", "turn": {"role": "user", "transcript": "hi"}}), "got InputTranscriptDone"),
        (SendBinary(b"x"), "got a binary message"),
        (Close(code=1000), "ended the session with code 1000"),
        (Close(code=4001, reason="no"), "ended the session with code 4001 before confirming it: no"),
        (Drop(), "ended the session without a close frame"),
    ],
)
async def test_a_session_that_is_not_confirmed(step: Send | SendBinary | Close | Drop, reason: str) -> None:
    async with ScriptedServer([Expect("session.update"), step]) as server:
        error = await refused(settings(server, "v3"))
        await server.wait_closed()
    assert isinstance(error, ConnectError)
    assert error.stage == "session"
    assert reason in error.reason


async def test_a_start_that_is_cancelled_before_the_session_is_confirmed() -> None:
    async with ScriptedServer() as server:
        conversation = Conversation(settings(server, "v3"), agent=DeskAgent(), clock=SystemClock())
        async with asyncio.TaskGroup() as tasks:
            starting = tasks.create_task(conversation.start())
            await server.wait_for(of_type("session.update"))
            starting.cancel()
        async with asyncio.timeout(DEADLINE_S):
            assert [event async for event in conversation.events()] == []
        assert (await server.wait_closed()).close_code == 1000


async def test_a_connection_that_is_lost_before_the_settings_are_sent() -> None:
    async with ScriptedServer() as server:
        made_of = settings(server, "v3")
        websocket = await dial(made_of.target, endpoint=made_of.dialect.endpoint)
        await websocket.close()
        with pytest.raises(ConnectError, match="lost before the server had confirmed") as caught:
            await await_session(websocket, made_of.target, made_of.dialect, made_of.session)
    assert caught.value.stage == "session"


async def test_a_session_that_is_not_confirmed_in_time() -> None:
    async with ScriptedServer() as server:
        made_of = settings(server, "v3")
        websocket = await dial(made_of.target, endpoint=made_of.dialect.endpoint)
        with pytest.raises(ConnectError, match=r"did not confirm the session within 0\.1 s"):
            await await_session(websocket, made_of.target, made_of.dialect, made_of.session, within_s=0.1)
        await websocket.close()


# Ends


@pytest.mark.parametrize(
    ("name", "step", "reason", "says"),
    [
        ("v2", Close(code=4001, reason="tired"), screen.CloseReason.TRANSPORT_CLOSED, "code 4001: tired"),
        ("v2", Drop(), screen.CloseReason.ERROR, "the connection was lost"),
        ("v1", Close(code=1011), screen.CloseReason.TRANSPORT_CLOSED, "code 1011"),
        ("v3", Close(code=1000), screen.CloseReason.TRANSPORT_CLOSED, "code 1000"),
        ("v3", Close(code=4001, reason="tired"), screen.CloseReason.ERROR, "code 4001, expected code 1000: tired"),
        ("v3", Drop(), screen.CloseReason.ERROR, "the connection was lost"),
        ("live", Close(code=1001), screen.CloseReason.ERROR, "code 1001"),
    ],
)
async def test_how_a_server_may_end_the_session(
    name: str, step: Close | Drop, reason: screen.CloseReason, says: str
) -> None:
    async with (
        ScriptedServer([*CONFIRMED, step]) as server,
        on_stage(settings(server, name)) as stage,
    ):
        await stage.conversation.ended()
    closed = stage.all(screen.ConversationClosed)
    failed = stage.all(screen.ConversationFailed)
    assert [each.reason for each in closed] == [reason]
    assert len(failed) == (reason is screen.CloseReason.ERROR)
    assert says in (failed[0].message if failed else str(closed[0].detail))


@pytest.mark.parametrize("name", ["v1", "v2", "v3", "live"])
@pytest.mark.parametrize(
    ("closed", "says"),
    [
        (Closed(code=1000, reason="", clean=True), "code 1000"),
        (Closed(code=1000, reason=f"bye {API_KEY}", clean=True), "code 1000: bye [left out]"),
        (Closed(code=1001, reason="", clean=True), "code 1001"),
        (Closed(code=1002, reason="", clean=True), "code 1002"),
        (Closed(code=1011, reason="busy", clean=True), "code 1011: busy"),
        (Closed(code=4999, reason="", clean=True), "code 4999"),
        (Closed(code=None, reason="", clean=True), "without a code"),
    ],
)
def test_an_end_is_judged_by_its_code(name: str, closed: Closed, says: str) -> None:
    made_of = Settings(
        target=Target(base_url="ws://h", api_key=API_KEY),
        dialect=DIALECTS[name],
        session=SessionSettings(instructions="", voice="v"),
        options=core.Options(),
    )
    unsent = (intents.MirrorTyped(text="run"),)
    end = ending(made_of, closed, unsent=unsent, chance=0.25)
    assert (end.unsent, end.chance) == (unsent, 0.25)
    if name in ("v1", "v2") or closed.code == 1000:
        assert isinstance(end, events.TransportClosed)
        assert (end.message, end.code) == (says, closed.code)
    else:
        assert isinstance(end, events.TransportFailed)
        assert "expected code 1000" in end.message
        assert ("without saying why" if closed.code is None else f"code {closed.code}") in end.message


@pytest.mark.parametrize("name", ["v1", "v2", "v3", "live"])
@pytest.mark.parametrize(("code", "is_final"), [(None, False), (1000, False), (1002, True), (1007, True), (1009, True)])
def test_an_end_without_a_goodbye_is_an_error(name: str, code: int | None, *, is_final: bool) -> None:
    made_of = Settings(
        target=Target(base_url="ws://h"),
        dialect=DIALECTS[name],
        session=SessionSettings(instructions="", voice="v"),
        options=core.Options(),
    )
    unsent = (intents.MirrorTyped(text="run"),)
    end = ending(made_of, Closed(code=code, reason="it is gone", clean=False), unsent=unsent, chance=0.25)
    assert end == events.TransportFailed(message="it is gone", is_final=is_final, unsent=unsent, chance=0.25)


@pytest.mark.parametrize("name", ["v2", "v3"])
async def test_a_server_that_breaks_the_rules_of_websockets_is_an_error(name: str) -> None:
    async def break_them(connection: ScriptedConnection) -> None:
        await connection.expect(Expect(configured))
        await connection.send(UPDATED)
        await connection.send("x" * (16 * 1024 * 1024 + 1))

    async with ScriptedServer(break_them) as server, on_stage(settings(server, name)) as stage:
        await stage.conversation.ended()
    assert stage.shown[-2:] == [
        screen.ConversationFailed(message="the server sent a message larger than is allowed here"),
        screen.ConversationClosed(reason=screen.CloseReason.ERROR),
    ]


@pytest.mark.parametrize("name", ["v1", "v2", "v3", "live"])
async def test_only_dialects_that_announce_it_say_that_the_session_is_over(name: str) -> None:
    async with ScriptedServer(CONFIRMED) as server:
        async with on_stage(settings(server, name)) as stage:
            await server.wait_for(configured)
            stage.conversation.append_audio("AAAA")
        closed = await server.wait_closed()
    announced = DIALECTS[name].abilities.announces_close
    assert [frame.type for frame in closed.received].count("session.close") == announced
    assert (closed.received[-1].type == "session.close") == announced
    assert closed.close_code == 1000


async def test_the_sideband_of_a_call_ends_as_its_dialect_has_it() -> None:
    async with (
        ScriptedServer([ANSWERED], [Close(code=4001)]) as server,
        on_stage(settings(server, "v3", OFFERED)) as stage,
    ):
        await stage.conversation.ended()
    assert stage.shown[-1] == screen.ConversationClosed(reason=screen.CloseReason.ERROR)


def test_the_session_has_the_targets_model_where_it_names_none() -> None:
    def model(of_session: str | None, of_target: str | None) -> str | None:
        made_of = Settings(
            target=Target(base_url="ws://localhost", model=of_target),
            dialect=DIALECTS["v2"],
            session=SessionSettings(instructions="", voice="marin", model=of_session),
            options=core.Options(),
        )
        return made_of.session.model

    assert [model("a", "b"), model(None, "b"), model("a", None), model(None, None)] == ["a", "b", "a", None]
