from __future__ import annotations

import dataclasses
import itertools
import json
import logging
import socket
import time
from typing import TYPE_CHECKING

import pytest

from backchannel.errors import AuthError, ConnectError, RemoteProtocolError, UsageError
from backchannel.runtime import Join, Target, create_call, join_sideband
from backchannel.testing import AcceptAfter, AnswerOffer, Drop, Expect, Refuse, ScriptedServer
from backchannel.wire.realtime import DIALECTS, SessionSettings
from tests.planted import ANSWER_SDP, API_KEY, OFFER_SDP, planted_in

if TYPE_CHECKING:
    from backchannel.testing import Handshake

SESSION = SessionSettings(instructions="Be brief.", voice="cove", session_id="session-1")
QUICK = Join(first_delay_s=0.001)


def target_for(server: ScriptedServer, *, path: str = "/v1") -> Target:
    return Target(base_url=f"http://127.0.0.1:{server.port}{path}", api_key=API_KEY, model="gpt-unused")


def session_in(handshake: Handshake) -> dict[str, object]:
    """The session of a multipart body, whose frame is checked byte for byte elsewhere."""
    part = handshake.body.split(b"Content-Type: application/json\r\n\r\n")[1].partition(b"\r\n--")[0]
    session = json.loads(part)
    assert isinstance(session, dict)
    return session


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("v1", "/v1/realtime/calls?intent=quicksilver&architecture=avas"),
        ("v2", "/v1/realtime/calls"),
        ("v3", "/v1/live"),
    ],
)
async def test_a_call_is_created(name: str, where: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    location = "/v1/realtime/calls/calls/rtc_1?a=b"
    async with ScriptedServer([AnswerOffer(sdp=ANSWER_SDP, location=location)]) as server:
        call = await create_call(target_for(server), DIALECTS[name], SESSION, OFFER_SDP)
        (handshake,) = server.handshakes
    assert (call.call_id, call.sdp) == ("rtc_1", ANSWER_SDP)
    assert handshake.raw_path == where
    assert handshake.headers["authorization"] == f"Bearer {API_KEY}"
    assert handshake.headers["x-session-id"] == "session-1"
    assert handshake.headers.get("openai-alpha") == DIALECTS[name].endpoint.alpha
    assert handshake.headers["content-type"] == "multipart/form-data; boundary=codex-realtime-call-boundary"
    assert OFFER_SDP.encode() in handshake.body
    assert session_in(handshake)["instructions"] == "Be brief."
    assert planted_in(caplog.text + repr(call)) == []


async def test_a_call_may_be_created_elsewhere_than_sessions_are_opened() -> None:
    async with ScriptedServer([AnswerOffer(sdp=ANSWER_SDP)]) as server:
        here = f"ws://127.0.0.1:{server.port}/calls-here/v1?foo=bar"
        target = Target(base_url="http://127.0.0.1:1", call_base_url=here, params=(("trace", "1"),))
        await create_call(target, DIALECTS["v1"], SESSION, OFFER_SDP)
    # Parameters of websockets are not those of calls; the base's own query stays.
    assert server.handshakes[0].raw_path == (
        "/calls-here/v1/realtime/calls?foo=bar&intent=quicksilver&architecture=avas"
    )


async def test_a_backend_gets_json_and_the_live_dialect_its_own_form() -> None:
    async with ScriptedServer([AnswerOffer(sdp=ANSWER_SDP)], [AnswerOffer(sdp="{}")]) as server:
        await create_call(target_for(server, path="/backend-api/codex"), DIALECTS["v3"], SESSION, OFFER_SDP)
        backend = json.loads(server.handshakes[0].body)
        assert backend["sdp"] == OFFER_SDP
        assert server.handshakes[0].path == "/backend-api/codex/realtime/calls"
        with pytest.raises(RemoteProtocolError, match="session"):
            await create_call(target_for(server), DIALECTS["live"], SESSION, OFFER_SDP)
        assert json.loads(server.handshakes[1].body)["transport"] == {"type": "webrtc", "sdp": OFFER_SDP}
        assert server.handshakes[1].path == "/v1/live/sessions"


async def test_the_call_of_a_live_session() -> None:
    answer = json.dumps({"session": {"id": "sess_1"}, "transport": {"type": "webrtc", "sdp": ANSWER_SDP}})
    async with ScriptedServer([AnswerOffer(sdp=answer, location=None)]) as server:
        call = await create_call(target_for(server), DIALECTS["live"], SESSION, OFFER_SDP)
    assert (call.call_id, call.sdp) == ("sess_1", ANSWER_SDP)


@pytest.mark.parametrize(("location", "reason"), [(None, "no header Location"), ("/v1/calls/x", "has no call id")])
async def test_an_answer_without_the_calls_id(location: str | None, reason: str) -> None:
    async with ScriptedServer([AnswerOffer(sdp=ANSWER_SDP, location=location)]) as server:
        with pytest.raises(RemoteProtocolError, match=reason) as caught:
            await create_call(target_for(server), DIALECTS["v1"], SESSION, OFFER_SDP)
    assert planted_in(str(caught.value)) == []


async def test_a_call_that_is_refused() -> None:
    refused = json.dumps({"error": {"message": f"No such voice for {API_KEY}."}})
    async with ScriptedServer([Refuse(status=400, body=refused)], [Refuse(status=401)]) as server:
        with pytest.raises(ConnectError, match="No such voice for") as caught:
            await create_call(target_for(server), DIALECTS["v1"], SESSION, OFFER_SDP)
        assert caught.value.status == 400
        assert planted_in(str(caught.value)) == []
        with pytest.raises(AuthError):
            await create_call(target_for(server), DIALECTS["v1"], SESSION, OFFER_SDP)
        assert len(server.handshakes) == 2


async def test_a_call_is_asked_for_and_joined_as_often_as_the_servers_settings_say() -> None:
    async with ScriptedServer(*([Refuse(status=503)] for _ in range(9))) as server:
        impatient = dataclasses.replace(target_for(server), n_retries=0)
        with pytest.raises(ConnectError):
            await create_call(impatient, DIALECTS["v1"], SESSION, OFFER_SDP)
        assert len(server.handshakes) == 1
        with pytest.raises(ConnectError, match="at the first try"):
            await join_sideband(impatient, DIALECTS["v1"], "rtc_1")
        assert len(server.handshakes) == 2
        once_more = dataclasses.replace(impatient, n_retries=1)
        with pytest.raises(ConnectError, match="in 2 tries"):
            await join_sideband(once_more, DIALECTS["v1"], "rtc_1", join=QUICK)


async def test_a_server_that_is_busy_is_asked_again() -> None:
    async with ScriptedServer([Refuse(status=503)], [AnswerOffer(sdp=ANSWER_SDP)]) as server:
        await create_call(target_for(server), DIALECTS["v1"], SESSION, OFFER_SDP, random=lambda: 0.0)
        first, second = server.handshakes
        assert second.at_s - first.at_s >= 0.18


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("v1", "/v1/realtime?intent=quicksilver&call_id=rtc_1"),
        ("v2", "/v1/realtime?call_id=rtc_1"),
        ("v3", "/v1/live/rtc_1"),
        ("live", "/v1/live/sessions/rtc_1/attach?graceful_close=true"),
    ],
)
async def test_a_sideband_is_joined_as_who_created_the_call(name: str, where: str) -> None:
    async with ScriptedServer([Expect("a")]) as server:
        websocket = await join_sideband(target_for(server), DIALECTS[name], "rtc_1", session_id="session-1")
        await websocket.send('{"type":"a"}')
        await websocket.close()
        (handshake,) = server.handshakes
    assert handshake.raw_path == where
    assert handshake.headers["authorization"] == f"Bearer {API_KEY}"
    assert handshake.headers["x-session-id"] == "session-1"
    assert handshake.headers.get("openai-alpha") == DIALECTS[name].endpoint.alpha


async def test_the_base_of_a_sideband() -> None:
    async with ScriptedServer() as calls, ScriptedServer() as sidebands:
        here, there = f"http://127.0.0.1:{calls.port}/v1", f"ws://127.0.0.1:{sidebands.port}/other"
        for target in (
            Target(base_url="http://127.0.0.1:1", call_base_url=here),
            Target(base_url="http://127.0.0.1:1", call_base_url=here, sideband_base_url=there),
            Target(base_url=here, sideband_base_url=there),
        ):
            websocket = await join_sideband(target, DIALECTS["v3"], "rtc_1", join=QUICK)
            await websocket.close()
        assert [handshake.path for handshake in calls.handshakes] == ["/v1/live/rtc_1"]
        assert [handshake.path for handshake in sidebands.handshakes] == ["/other/rtc_1"] * 2


async def test_a_sideband_that_comes_late_is_tried_for(caplog: pytest.LogCaptureFixture) -> None:
    refused = ([Refuse(status=500)], [Drop(before_handshake=True)], [Refuse(status=401)], [Refuse(status=503)])
    async with ScriptedServer(*refused) as server:
        # 20, 40, 80 and 160 ms, less a tenth each.
        join = Join(first_delay_s=0.02)
        websocket = await join_sideband(target_for(server), DIALECTS["v1"], "rtc_1", join=join, random=lambda: 0.0)
        await websocket.close()
        times = [handshake.at_s for handshake in server.handshakes]
    waits = [after - before for before, after in itertools.pairwise(times)]
    assert len(waits) == 4
    assert all(wait >= least for wait, least in zip(waits, (0.018, 0.036, 0.072, 0.144), strict=True))
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 4
    assert planted_in(caplog.text) == []


@pytest.mark.parametrize("status", [404, 410])
async def test_a_call_that_is_gone_is_not_tried_for(status: int) -> None:
    async with ScriptedServer([Refuse(status=500)], [Refuse(status=status)]) as server:
        with pytest.raises(ConnectError, match="in 2 tries") as caught:
            await join_sideband(target_for(server), DIALECTS["v1"], "rtc_1", join=QUICK)
        assert len(server.handshakes) == 2
    assert (caught.value.stage, caught.value.status) == ("sideband", status)
    assert "create a new one" in caught.value.remedy


async def test_a_sideband_that_is_always_refused() -> None:
    async with ScriptedServer(*([Refuse(status=403)] for _ in range(9))) as server:
        with pytest.raises(AuthError, match="in 5 tries") as caught:
            await join_sideband(target_for(server), DIALECTS["v1"], "rtc_1", join=QUICK)
        assert len(server.handshakes) == 5
        assert (caught.value.stage, caught.value.status) == ("sideband", 403)
        with pytest.raises(AuthError, match="at the first try"):
            await join_sideband(target_for(server), DIALECTS["v1"], "rtc_1", join=Join(n_retries=0))


async def test_a_sideband_that_never_answers_is_given_up_at_the_deadline() -> None:
    async with ScriptedServer([Refuse(status=500)], [AcceptAfter(delay_s=60)]) as server:
        began = time.monotonic()
        join = Join(first_delay_s=0.01, deadline_s=0.5)
        with pytest.raises(
            ConnectError, match=r"not joined within 0\.5 s \(the last try: the server answered 500"
        ) as e:
            await join_sideband(target_for(server), DIALECTS["v1"], "rtc_1", join=join)
        assert 0.4 < time.monotonic() - began < 2
    assert e.value.stage == "sideband"


async def test_what_cannot_be_tried_at_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    target = Target(base_url=base_url)
    with pytest.raises(UsageError, match="id of a realtime call"):
        await join_sideband(target, DIALECTS["v3"], "..")
    with pytest.raises(UsageError, match="'x-session-id' cannot be sent"):
        await join_sideband(target, DIALECTS["v1"], "rtc_1", session_id="a\nb")
    with pytest.raises(ConnectError, match="connect: connection refused") as caught:
        await join_sideband(target, DIALECTS["v1"], "rtc_1", join=QUICK)
    assert caught.value.stage == "sideband"
