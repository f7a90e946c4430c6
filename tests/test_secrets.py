"""Keys are sent to the server that they are for and appear nowhere else, whatever goes wrong and is logged."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from typing import TYPE_CHECKING

import pytest

from backchannel import core
from backchannel.core import screen
from backchannel.errors import AuthError, BackchannelError, ConnectError
from backchannel.net import SystemClock
from backchannel.runtime import (
    Conversation,
    Join,
    OverExistingCall,
    OverWebRtc,
    OverWebSocket,
    Recorder,
    Settings,
    Target,
)
from backchannel.testing import AnswerOffer, Close, Drop, Expect, Refuse, Script, ScriptedServer, Send
from backchannel.wire.realtime import DIALECTS, SessionSettings
from tests.net.test_tunnel import ConnectProxy
from tests.runtime.stage import DeskAgent, ended, on_stage

if TYPE_CHECKING:
    from pathlib import Path

    from backchannel.runtime import Transport

KEY = "sk-planted5d0c1f"
SDP = "v=0 planted5d0c1f"
PASSWORD = "proxy-planted5d0c1f"
MARK = "planted5d0c1f"
"""What must not be found."""

OFFERED = OverWebRtc(offer_sdp=SDP, join=Join(first_delay_s=0.001))
EXISTING = OverExistingCall(call_id="rtc_1", join=Join(first_delay_s=0.001))
ECHO = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}."}})
ANSWERED = [AnswerOffer(sdp=SDP)]


def settings(base_url: str, name: str, transport: Transport, env: dict[str, str] | None = None) -> Settings:
    existing = isinstance(transport, OverExistingCall)
    dialect = DIALECTS[name]
    return Settings(
        target=Target(
            base_url=base_url,
            api_key=KEY,
            headers={"x-api-key": KEY, "Cookie": f"a={KEY}"},
            params=(("key", KEY),),
            env=env or {},
        ),
        dialect=dialect,
        session=SessionSettings(instructions="", voice="" if existing else dialect.voices[0]),
        options=core.Options(creates_responses=dialect.abilities.creates_responses),
        transport=transport,
    )


def everything(caplog: pytest.LogCaptureFixture) -> str:
    """All that was logged, with everything that hangs on the records."""
    return caplog.text + "".join(repr(record.__dict__) for record in caplog.records)


def all_of(error: BaseException) -> str:
    """All that can be printed of an error."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return "".join(traceback.format_exception(error)) + repr([(each, each.args, str(each)) for each in chain])


@pytest.fixture(autouse=True)
def all_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("aiohttp", "asyncio", "backchannel"):
        caplog.set_level(logging.DEBUG, name)


@pytest.mark.parametrize(
    ("name", "transport", "scripts"),
    [
        ("v2", OverWebSocket(), ([Refuse(status=401, body=ECHO)],)),
        ("v2", OverWebSocket(), ([Refuse(status=500, body=ECHO)],)),
        ("v2", OverWebSocket(), ([Drop(before_handshake=True)],)),
        ("v3", OverWebSocket(), ([Expect("session.update"), Drop()],)),
        ("v3", OverWebSocket(), ([Expect("session.update"), Send({"type": "error", "message": f"bad {KEY}"})],)),
        ("v3", OverWebSocket(), ([Expect("session.update"), Close(code=4001, reason=f"bad {KEY}")],)),
        ("v1", OFFERED, ([Refuse(status=401, body=ECHO)],)),
        ("v1", OFFERED, ([Refuse(status=400, body=ECHO)],)),
        ("v1", OFFERED, ([Refuse(status=503, body=ECHO)], [Drop(before_handshake=True)], [Refuse(status=403)])),
        ("v1", OFFERED, ([AnswerOffer(sdp=SDP, location=None)],)),
        ("v1", EXISTING, ([Refuse(status=401, body=ECHO)], [Drop(before_handshake=True)], [Refuse(status=404)])),
    ],
)
async def test_a_start_that_fails(
    name: str, transport: Transport, scripts: tuple[Script, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.jsonl"
    async with ScriptedServer(*scripts) as server:
        # Credentials in the address are secrets too; the header with the key wins over them.
        made_of = settings(f"http://me:{PASSWORD}@127.0.0.1:{server.port}/v1", name, transport)
        async with Recorder(path) as recorder:
            conversation = Conversation(made_of, agent=DeskAgent(), clock=SystemClock(), recorder=recorder)
            with pytest.raises(BackchannelError) as caught:
                await conversation.start()
            shown = [event async for event in conversation.events()]
        # It was sent, so the test proves something.
        assert any(KEY in handshake.headers["authorization"] for handshake in server.handshakes)
    recorded = await asyncio.to_thread(path.read_text)
    assert "open_failed" in recorded
    found = everything(caplog) + all_of(caught.value) + repr(made_of) + repr(shown) + recorded + repr(conversation)
    assert MARK not in found


@pytest.mark.parametrize(
    ("name", "transport", "scripts"),
    [
        ("v2", OverWebSocket(), ([Expect("conversation.item.create"), Drop()],)),
        ("v2", OverWebSocket(), ([Expect("conversation.item.create"), Close(code=1011, reason=f"bad {KEY}")],)),
        ("v2", OverWebSocket(), ([Expect("session.update"), Send({"type": "error", "message": f"bad {KEY}"})],)),
        ("v3", OFFERED, (ANSWERED, [Expect("session.context.append"), Drop()])),
        ("v2", OFFERED, (ANSWERED, [Refuse(status=401, body=ECHO)], [Refuse(status=404, body=ECHO)])),
        ("v2", OFFERED, (ANSWERED, [Expect("conversation.item.create"), Send("{"), Close(code=4001)])),
        ("v1", EXISTING, ([Expect("conversation.item.create"), Close(code=1000)],)),
    ],
)
async def test_a_conversation_that_breaks(
    name: str, transport: Transport, scripts: tuple[Script, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.jsonl"
    async with ScriptedServer(*scripts) as server:
        made_of = settings(f"http://127.0.0.1:{server.port}/v1", name, transport)
        async with Recorder(path) as recorder, on_stage(made_of, recorder=recorder) as stage:
            await stage.conversation.type_text("run the tests")
            stage.agent.desk.put_nowait(ended("turn_1"))
            await stage.conversation.ended()
    assert isinstance(stage.shown[-1], screen.ConversationClosed)
    recorded = await asyncio.to_thread(path.read_text)
    assert "conversation_closed" in recorded
    assert MARK not in everything(caplog) + repr(made_of) + repr(stage.shown) + recorded


@pytest.mark.parametrize("transport", [OverWebSocket(), OFFERED, EXISTING])
async def test_a_proxy_that_wants_other_credentials(transport: Transport, caplog: pytest.LogCaptureFixture) -> None:
    async with ConnectProxy(credentials="me:right").running() as place:
        env = {"HTTP_PROXY": f"http://me:{PASSWORD}@{place}"}
        made_of = settings("http://service.test/v1", "v1", transport, env)
        conversation = Conversation(made_of, agent=DeskAgent(), clock=SystemClock())
        with pytest.raises(ConnectError, match="407") as caught:
            await conversation.start()
    assert not isinstance(caught.value, AuthError)
    assert MARK not in everything(caplog) + all_of(caught.value) + repr(made_of)
