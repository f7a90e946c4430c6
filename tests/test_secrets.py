"""Keys are sent to the server that they are for and appear nowhere else, whatever goes wrong and is logged.

That no test of the whole suite logs one, `conftest.py` makes sure; here is what goes wrong on purpose, what is shown of
every value that holds a secret, and that the watch over the logs would notice.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import json
import logging
import os
import pkgutil
import re
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

import backchannel
from backchannel import core
from backchannel.config import Provider
from backchannel.core import screen
from backchannel.errors import AuthError, BackchannelError, ConnectError
from backchannel.net import ConnectOptions, PostOptions, Proxy, Response, SystemClock
from backchannel.net.address import WEBSOCKET_SCHEMES, read_address
from backchannel.runtime import (
    AtAddress,
    Conversation,
    Join,
    OfProvider,
    OverExistingCall,
    OverWebRtc,
    OverWebSocket,
    Recorder,
    Settings,
    Target,
)
from backchannel.runtime.opening import Opened
from backchannel.testing import AnswerOffer, Close, Drop, Expect, Refuse, Script, ScriptedServer, Send
from backchannel.wire import appserver, jsonrpc
from backchannel.wire.realtime import DIALECTS, CallAnswer, SessionSettings, create_call
from tests.net.test_tunnel import ConnectProxy
from tests.planted import ANSWER_SDP, API_KEY, OFFER_SDP, PASSWORD, TOKEN, LogWatch, planted_in
from tests.runtime.stage import DeskAgent, ended, on_stage

if TYPE_CHECKING:
    from backchannel.runtime import Transport

ROOT = Path(__file__).parents[1]
OFFERED = OverWebRtc(offer_sdp=OFFER_SDP, join=Join(first_delay_s=0.001))
EXISTING = OverExistingCall(call_id="rtc_1", join=Join(first_delay_s=0.001))
ECHO = json.dumps({"error": {"message": f"Incorrect API key provided: {API_KEY}."}})
ANSWERED = [AnswerOffer(sdp=ANSWER_SDP)]


def settings(base_url: str, name: str, transport: Transport, env: dict[str, str] | None = None) -> Settings:
    existing = isinstance(transport, OverExistingCall)
    dialect = DIALECTS[name]
    return Settings(
        target=Target(
            base_url=base_url,
            api_key=API_KEY,
            headers={"x-api-key": TOKEN, "Cookie": f"a={TOKEN}"},
            params=(("key", TOKEN),),
            env=env or {},
        ),
        dialect=dialect,
        session=SessionSettings(instructions="", voice="" if existing else dialect.voices[0]),
        options=core.Options(reconnect=False),
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
    caplog.set_level(1)
    for name in ("aiohttp", "asyncio", "backchannel"):
        caplog.set_level(1, name)


@pytest.mark.parametrize(
    ("name", "transport", "scripts"),
    [
        ("v2", OverWebSocket(), ([Refuse(status=401, body=ECHO)],)),
        ("v2", OverWebSocket(), ([Refuse(status=500, body=ECHO)],)),
        ("v2", OverWebSocket(), ([Drop(before_handshake=True)],)),
        ("v3", OverWebSocket(), ([Expect("session.update"), Drop()],)),
        ("v3", OverWebSocket(), ([Expect("session.update"), Send({"type": "error", "message": f"bad {API_KEY}"})],)),
        ("v3", OverWebSocket(), ([Expect("session.update"), Close(code=4001, reason=f"bad {API_KEY}")],)),
        ("v1", OFFERED, ([Refuse(status=401, body=ECHO)],)),
        ("v1", OFFERED, ([Refuse(status=400, body=ECHO)],)),
        ("v1", OFFERED, ([Refuse(status=503, body=ECHO)], [Drop(before_handshake=True)], [Refuse(status=403)])),
        ("v1", OFFERED, ([AnswerOffer(sdp=ANSWER_SDP, location=None)],)),
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
        assert any(API_KEY in handshake.headers["authorization"] for handshake in server.handshakes)
    recorded = await asyncio.to_thread(path.read_text)
    assert "open_failed" in recorded
    found = everything(caplog) + all_of(caught.value) + repr(made_of) + repr(shown) + recorded + repr(conversation)
    assert planted_in(found) == []


@pytest.mark.parametrize(
    ("name", "transport", "scripts"),
    [
        ("v2", OverWebSocket(), ([Expect("conversation.item.create"), Drop()],)),
        ("v2", OverWebSocket(), ([Expect("conversation.item.create"), Close(code=1011, reason=f"bad {API_KEY}")],)),
        ("v2", OverWebSocket(), ([Expect("session.update"), Send({"type": "error", "message": f"bad {API_KEY}"})],)),
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
    assert planted_in(everything(caplog) + repr(made_of) + repr(stage.shown) + recorded) == []


@pytest.mark.parametrize("transport", [OverWebSocket(), OFFERED, EXISTING])
async def test_a_proxy_that_wants_other_credentials(transport: Transport, caplog: pytest.LogCaptureFixture) -> None:
    async with ConnectProxy(credentials="me:right").running() as place:
        env = {"HTTP_PROXY": f"http://me:{PASSWORD}@{place}"}
        made_of = settings("http://service.test/v1", "v1", transport, env)
        conversation = Conversation(made_of, agent=DeskAgent(), clock=SystemClock())
        with pytest.raises(ConnectError, match="407") as caught:
            await conversation.start()
    assert not isinstance(caught.value, AuthError)
    assert planted_in(everything(caplog) + all_of(caught.value) + repr(made_of)) == []


# What is shown of values


SETTINGS = SessionSettings(instructions="", voice="", session_id="session-1")
WITH_SECRETS = {
    "Target": Target(
        base_url=f"wss://me:{PASSWORD}@h/v1?key={TOKEN}",
        call_base_url=f"https://h/?key={TOKEN}",
        sideband_base_url=f"wss://h/?key={TOKEN}",
        model="m",
        api_key=API_KEY,
        headers={"Authorization": f"Bearer {API_KEY}", TOKEN: "a"},
        params=(("key", TOKEN),),
        env={"HTTPS_PROXY": f"http://me:{PASSWORD}@p", "OPENAI_API_KEY": API_KEY},
    ),
    "OverWebRtc": OverWebRtc(offer_sdp=OFFER_SDP),
    "ConnectOptions": ConnectOptions(
        url=f"ws://me:{PASSWORD}@h/?key={TOKEN}",
        headers={"Authorization": f"Bearer {API_KEY}", TOKEN: "a"},
        proxy=Proxy(scheme="http", host="p", port=1, username=TOKEN, password=PASSWORD, variable="HTTP_PROXY"),
    ),
    "PostOptions": PostOptions(
        url=f"http://me:{PASSWORD}@h/?key={TOKEN}", headers={"api-key": TOKEN}, body=OFFER_SDP.encode()
    ),
    "Response": Response(status=200, headers={"set-cookie": TOKEN, "location": TOKEN}, body=ANSWER_SDP.encode()),
    "Address": read_address(f"wss://{TOKEN}:{PASSWORD}@h/p?key={TOKEN}", schemes=WEBSOCKET_SCHEMES),
    "Proxy": Proxy(scheme="socks5", host="p", port=1, username=TOKEN, password=PASSWORD, variable="ALL_PROXY"),
    "CallRequest": create_call(
        f"https://me:{PASSWORD}@h/v1?key={TOKEN}", dialect=DIALECTS["v1"], sdp=OFFER_SDP, settings=SETTINGS
    ),
    "CallAnswer": CallAnswer(call_id="rtc_1", sdp=ANSWER_SDP),
    "CallAnswered": screen.CallAnswered(sdp=ANSWER_SDP),
    "AtAddress": AtAddress(f"ws://me:{PASSWORD}@h"),
    "OfProvider": OfProvider(Provider(id="mine"), f"ws://me:{PASSWORD}@h", f"https://me:{PASSWORD}@h"),
    "Opened": Opened(call=CallAnswer(call_id="rtc_1", sdp=ANSWER_SDP), unread=TOKEN),
    "ApiKeyLogin": appserver.ApiKeyLogin(api_key=API_KEY),
    "BedrockLogin": appserver.BedrockLogin(api_key=TOKEN, region="r"),
    "BedrockAccessKeysLogin": appserver.BedrockAccessKeysLogin(
        access_key_id=TOKEN, secret_access_key=TOKEN, region="r"
    ),
    "ChatgptAuthTokensLogin": appserver.ChatgptAuthTokensLogin(access_token=TOKEN, chatgpt_account_id="a"),
    "WebrtcTransport": appserver.WebrtcTransport(sdp=OFFER_SDP),
    "ThreadRealtimeSdpNotification": appserver.ThreadRealtimeSdpNotification(thread_id="t", sdp=ANSWER_SDP),
    "ImageInput": appserver.ImageInput(url=f"https://h/?key={TOKEN}"),
    "AudioInput": appserver.AudioInput(url=f"https://h/?key={TOKEN}"),
    "GitInfo": appserver.GitInfo(origin_url=f"https://me:{PASSWORD}@h/mine.git"),
    "Settings": settings(f"ws://me:{PASSWORD}@h", "v1", OFFERED, {"HTTP_PROXY": f"http://me:{PASSWORD}@p"}),
}


@pytest.mark.parametrize("name", WITH_SECRETS)
def test_a_value_shows_no_secret_that_it_holds(name: str) -> None:
    value = WITH_SECRETS[name]
    assert type(value).__name__ == name
    for shown in (repr(value), str(value), f"{value}", f"{[value]}", f"{{'a': {value!r}}}"):
        assert planted_in(shown) == []
    # It does hold one, so the test proves something.
    assert planted_in(all_fields(value))


def all_fields(value: object) -> str:
    """What a value holds, by the names of its fields, whether they are shown or not."""
    names = msgspec.structs.fields(value) if isinstance(value, msgspec.Struct) else dataclasses.fields(value)  # type: ignore[arg-type]  # one of the two
    found = []
    for name in (field.name for field in names):
        held = getattr(value, name)
        is_ours = dataclasses.is_dataclass(held) or isinstance(held, msgspec.Struct)
        found.append(all_fields(held) if is_ours else repr(held))
    return " ".join(found)


def test_every_value_that_may_hold_a_secret_is_among_them() -> None:
    telling = re.compile(r"key|headers|sdp|password|username|params|env|url|body|query", re.IGNORECASE)
    missing = []
    for module in pkgutil.walk_packages(backchannel.__path__, "backchannel."):
        if module.name.split(".")[1] not in ("net", "runtime", "wire", "core"):
            continue
        for name, kind in vars(importlib.import_module(module.name)).items():
            if not isinstance(kind, type) or kind.__module__ != module.name or name.startswith("_"):
                continue
            if dataclasses.is_dataclass(kind):
                fields = [field.name for field in dataclasses.fields(kind)]
            elif issubclass(kind, msgspec.Struct):
                fields = list(kind.__struct_fields__)
            else:
                continue
            if any(telling.search(field) for field in fields) and name not in {*WITH_SECRETS, *HARMLESS}:
                missing.append(f"{module.name}.{name}: {fields}")
    assert missing == []


HARMLESS = {
    "CommandExecutionRequestApprovalParams",
    "Endpoint",
    "Method",
    "Notification",
    "Request",
    "SearchAction",
    "Thread",
    "ThreadListParams",
    "ThreadStartParams",
    "Told",
    "TurnStartParams",
    "WebSearchItem",
    "WorkspaceWrite",
}
"""Those whose fields only sound as if, or hold JSON that is never printed (`msgspec.Raw`)."""


def test_json_as_it_came_is_never_printed() -> None:
    request = jsonrpc.Request(1, "account/login/start", msgspec.Raw(f'{{"apiKey":"{API_KEY}"}}'.encode()))

    assert planted_in(repr(request)) == []


# The watch over all logs


LEAKS = """
import logging, threading
import pytest
from tests.planted import API_KEY, ANSWER_SDP, PASSWORD, TOKEN, TRACE
import base64
log = logging.getLogger("backchannel.net.something")
other = logging.getLogger("somebody.else")

def test_bad_debug(): log.debug("sent %s", API_KEY)
def test_bad_lowest(): other.log(1, "sent %s", TOKEN)
def test_bad_word_of_another(): other.warning("proxy " + PASSWORD)
def test_bad_exception():
    try:
        raise ValueError(f"no {API_KEY}")
    except ValueError:
        log.exception("! failed")
def test_bad_cause():
    try:
        try:
            raise ValueError(TOKEN)
        except ValueError as exc:
            raise RuntimeError("fine") from exc
    except RuntimeError:
        log.exception("! failed")
def test_bad_argument(): log.debug("%.3s", API_KEY)
def test_bad_base64(): log.info("Basic %s", base64.b64encode(f"me:{PASSWORD}".encode()).decode())
def test_bad_thread():
    thread = threading.Thread(target=log.debug, args=(API_KEY,))
    thread.start()
    thread.join()
def test_bad_print(): print(API_KEY)
def test_bad_description(): log.debug("answer %r", ANSWER_SDP)
def test_bad_although_captured(caplog):
    caplog.set_level(logging.ERROR)
    log.debug(API_KEY)

@pytest.fixture
def leaking_setup(): log.debug(API_KEY)
@pytest.fixture
def leaking_teardown():
    yield
    log.debug(API_KEY)
def test_setup(leaking_setup): pass
def test_teardown(leaking_teardown): pass

def test_good_description_in_a_trace(): log.log(TRACE, "answer %r", ANSWER_SDP)
def test_good_nothing(): log.error("something")
"""


def test_a_secret_in_any_log_fails_the_test_that_made_it(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests.conftest import pytest_configure, pytest_runtest_makereport, pytest_unconfigure\n"
    )
    (tmp_path / "test_leaks.py").write_text(LEAKS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "-p", "no:randomly", str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=15, check=False)
    told = re.findall(r"^(PASSED|FAILED|ERROR) \S*::(\w+)", ran.stdout, re.MULTILINE)
    by_test = {name: outcome for outcome, name in told}
    bad = set(re.findall(r"def (test_bad_\w+)", LEAKS))
    assert {name for name, outcome in by_test.items() if outcome == "FAILED"} == bad
    assert {name for name, outcome in by_test.items() if outcome == "ERROR"} == {"test_setup", "test_teardown"}
    assert by_test["test_good_nothing"] == by_test["test_good_description_in_a_trace"] == "PASSED"
    assert len(bad) == 11
    assert "a planted secret was shown" in ran.stdout


def test_the_watch_sees_every_record_of_this_run() -> None:
    (watch,) = (handler for handler in logging.getLogger().handlers if isinstance(handler, LogWatch))
    before = watch.n_seen
    logging.getLogger("backchannel.net").log(1, "a word")
    logging.getLogger("somebody.else").debug("a word")
    assert watch.n_seen == before + 2
    assert watch.leaks() == []
