from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from backchannel import core
from backchannel.config import Realtime
from backchannel.testing import Drop, Expect, ScriptedServer, Send
from tests.runtime.stage import call, ended, message, until
from tests.server.stage import Client, House, house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from backchannel.testing import ReceivedFrame, ScriptedConnection


def told(frame: ReceivedFrame, path: str) -> object:
    """What stands in a message; None where nothing does."""
    try:
        return frame.field(path)
    except LookupError:
        return None


def texts_of(connection: ScriptedConnection) -> list[object]:
    """The texts that the server was given, with None for messages of other kinds."""
    return [told(frame, "item.content.0.text") for frame in connection.received]


CONFIGURED = [Expect("session.update")]
TEXT = [{"type": "text", "text": "fix it"}]
_ENDS = ("thread/realtime/closed", "turn/completed", "thread/archived")
UNKNOWN = "00000000-0000-4000-8000-000000000000"
TRANSCRIPTION = "conversation.item.input_audio_transcription"


async def started(client: Client, **params: object) -> str:
    """A thread whose conversation is live."""
    thread_id: str = (await client.ask("thread/start", {}))["thread"]["id"]
    asked = {"threadId": thread_id, "outputModality": "audio", "prompt": "Be kind.", **params}
    assert await client.ask("thread/realtime/start", asked) == {}
    await client.sees("thread/realtime/started")
    return thread_id


@contextlib.asynccontextmanager
async def talking(folder: Path, script: list[Any]) -> AsyncIterator[tuple[House, Client, str, ScriptedConnection]]:
    async with ScriptedServer(script) as scripted, house(folder, url=scripted.url) as staged:
        client = await staged.client()
        thread_id = await started(client)
        yield staged, client, thread_id, await scripted.wait_for_connection()


async def test_a_conversation_of_which_nobody_is_told_ends_when_nothing_is_said_any_more(tmp_path: Path) -> None:
    after_s = 0.2
    words = {"type": "response.output_audio_transcript.done", "transcript": "hi"}
    async with (
        ScriptedServer(CONFIGURED) as scripted,
        house(tmp_path, url=scripted.url, unload_after_s=after_s) as staged,
    ):
        client, other = await staged.client(), await staged.client()
        thread_id = await started(client)
        connection = await scripted.wait_for_connection()
        voice = staged.app.voices[thread_id]
        await client.ask("thread/unsubscribe", {"threadId": thread_id})
        now = asyncio.get_running_loop().time
        began = now()
        while now() - began < 3 * after_s and voice.is_live:
            before = voice.last_said_at
            await connection.send(words)
            await until(lambda: voice.last_said_at > before, "the words")  # noqa: B023 - waited for here
            await asyncio.sleep(0.02)
        assert await other.sees("thread/closed") == {"threadId": thread_id}
        assert now() - voice.last_said_at >= after_s
        assert not voice.is_live
        assert staged.app.voices == {}


async def test_a_conversation_is_told_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    said = [
        Send({"type": "input_audio_buffer.speech_started", "item_id": "i"}),
        Send({"type": f"{TRANSCRIPTION}.delta", "item_id": "i", "delta": "hello th"}),
        Send({"type": f"{TRANSCRIPTION}.completed", "item_id": "i", "transcript": "hello there"}),
        Send({"type": "conversation.item.added", "item": {"id": "a", "type": "message"}}),
        Send(
            {
                "type": "response.output_audio.delta",
                "delta": "AQID",
                "item_id": "a",
                "sample_rate": 24000,
                "channels": 1,
            }
        ),
        Send({"type": "response.output_audio_transcript.done", "transcript": "hi"}),
        Send({"type": "conversation.item.input_audio_transcription.delta", "item_id": "j", "delta": "and"}),
    ]
    async with talking(tmp_path, [*CONFIGURED, *said]) as (_, client, thread_id, connection):
        await client.sees("thread/realtime/transcript/delta", times=2)
        assert connection.received[0].field("session.instructions") == "Be kind."
        assert await client.ask("thread/realtime/stop", {"threadId": thread_id}) == {}
        assert await client.sees("thread/realtime/closed") == {"threadId": thread_id, "reason": "requested"}
    assert client.all("thread/realtime/started") == [
        {"threadId": thread_id, "realtimeSessionId": thread_id, "version": "v2"}
    ]
    assert [each["item"] for each in client.all("thread/realtime/itemAdded")] == [
        {"type": "input_audio_buffer.speech_started", "item_id": "i"},
        {"id": "a", "type": "message"},
    ]
    assert client.all("thread/realtime/outputAudio/delta") == [
        {
            "threadId": thread_id,
            "audio": {
                "data": "AQID",
                "sampleRate": 24000,
                "numChannels": 1,
                "samplesPerChannel": None,
                "itemId": "a",
            },
        }
    ]
    items = [each["item"] for each in client.all("thread/realtime/item/completed")]
    assert [(item["type"], item.get("role"), item.get("text")) for item in items] == [
        ("realtimeSessionStarted", None, None),
        ("transcriptSegment", "user", "hello th"),
        ("transcriptSegment", "assistant", "hi"),
        ("transcriptSegment", "user", "and"),
        ("realtimeSessionClosed", None, None),
    ]
    assert items[-1]["outcome"] == "ended"
    started_ids = [each["item"]["id"] for each in client.all("thread/realtime/item/started")]
    assert started_ids == [item["id"] for item in items]
    realtime = [method for method in client.methods if method.startswith("thread/realtime/")]
    assert realtime[:3] == ["thread/realtime/item/started", "thread/realtime/item/completed", "thread/realtime/started"]
    assert realtime[-1] == "thread/realtime/closed"


async def test_the_agent_gets_ready_when_somebody_begins_to_speak(tmp_path: Path) -> None:
    async with talking(tmp_path, CONFIGURED) as (staged, client, thread_id, _):
        agent = staged.agent(thread_id)
        await until(lambda: agent.prepared == 1, "the agent")
        await client.ask("thread/realtime/stop", {"threadId": thread_id})


async def test_what_clients_add_reaches_the_server(tmp_path: Path) -> None:
    async with talking(tmp_path, CONFIGURED) as (_, client, thread_id, connection):
        audio = {"data": "AAAA", "sampleRate": 24000, "numChannels": 1}
        assert await client.ask("thread/realtime/appendAudio", {"threadId": thread_id, "audio": audio}) == {}
        assert await client.ask("thread/realtime/appendText", {"threadId": thread_id, "text": "hello"}) == {}
        developer = {"threadId": thread_id, "text": "secretly", "role": "developer"}
        assert await client.ask("thread/realtime/appendText", developer) == {}
        assert await client.ask("thread/realtime/appendSpeech", {"threadId": thread_id, "text": "say"}) == {}
        assert await client.ask("thread/realtime/playback", {"threadId": thread_id, "itemId": "a", "playedMs": 5}) == {}
        await until(lambda: len(connection.received) >= 6, "six messages")
        kinds = [(told(frame, "type"), told(frame, "item.content.0.text")) for frame in connection.received[1:]]
    assert ("input_audio_buffer.append", None) in kinds
    assert [each for each in kinds if each[0] != "input_audio_buffer.append"] == [
        ("conversation.item.create", "[USER] hello"),
        ("conversation.item.create", "secretly"),
        ("conversation.item.create", "[BACKEND] say"),
        ("response.create", None),
    ]


async def test_work_that_is_handed_over_is_a_turn_of_the_thread(tmp_path: Path) -> None:
    async with talking(tmp_path, CONFIGURED) as (staged, client, thread_id, connection):
        await call(connection, "background_agent", "call_1", '{"prompt": "run the tests"}')
        asked = (await client.sees("thread/realtime/itemAdded"))["item"]
        assert asked == {
            "type": "handoff_request",
            "handoff_id": "call_1",
            "item_id": "item_call_1",
            "input_transcript": "run the tests",
            "active_transcript": [{"role": "user", "text": "run the tests"}],
        }
        await client.sees("turn/started")
        agent = staged.agent(thread_id)
        await until(lambda: agent.requests != [], "the turn")
        assert "<input>run the tests</input>" in agent.requests[0].text
        assert agent.requests[0].briefing != ()
        agent.desk.put_nowait(message("t", "All pass.", final=True))
        agent.desk.put_nowait(ended("t"))
        await client.sees("turn/completed")
        await until(lambda: any(told(frame, "item.call_id") == "call_1" for frame in connection.received), "the answer")
    assert "[BACKEND] All pass." in texts_of(connection)
    assert "userMessage" not in [each["item"]["type"] for each in client.all("item/completed")]


async def test_a_typed_turn_is_told_to_the_voice_and_goes_on_after_it(tmp_path: Path) -> None:
    async with talking(tmp_path, CONFIGURED) as (staged, client, thread_id, connection):
        typed = {"threadId": thread_id, "input": [{"type": "text", "text": "fix it"}]}
        await client.ask("turn/start", typed)
        agent = staged.agent(thread_id)
        await until(lambda: agent.requests != [], "the turn")
        agent.desk.put_nowait(message("t", "Half way."))
        await until(lambda: "[BACKEND] Half way." in texts_of(connection), "what the agent said")
        assert "[USER] fix it" in texts_of(connection)
        await call(connection, "background_agent", "call_1", '{"prompt": "and that"}')
        await until(lambda: len(agent.steered) == 1, "the change")
        # The turn began after the voice, and has been told so already.
        assert agent.requests[0].briefing != ()
        assert agent.steered_briefings == [()]
        await client.ask("thread/realtime/stop", {"threadId": thread_id})
        await client.sees("thread/realtime/closed")
        agent.desk.put_nowait(ended("t"))
        assert (await client.sees("turn/completed"))["turn"]["status"] == "completed"
    assert client.methods.count("turn/started") == 1


async def test_a_turn_that_began_before_the_voice_is_told_of_it_with_the_first_change(tmp_path: Path) -> None:
    async with ScriptedServer(CONFIGURED) as scripted, house(tmp_path, url=scripted.url) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        await client.ask("turn/start", {"threadId": thread_id, "input": TEXT})
        agent = staged.agent(thread_id)
        await until(lambda: agent.requests != [], "the turn")
        await client.ask("thread/realtime/start", {"threadId": thread_id, "outputModality": "audio"})
        await client.sees("thread/realtime/started")
        connection = await scripted.wait_for_connection()
        for n in (1, 2):
            await call(connection, "background_agent", f"call_{n}", '{"prompt": "and that"}')
            await until(lambda: len(agent.steered) == n, "the change")  # noqa: B023 - waited for here
        ((told,), again) = agent.steered_briefings
        assert (agent.requests[0].briefing, again) == ((), ())
        assert "Realtime conversation started." in told.text
        agent.desk.put_nowait(ended("t"))
        await client.sees("turn/completed")


async def test_a_thread_that_is_put_away_is_not_worked_in_any_more(tmp_path: Path) -> None:
    async with talking(tmp_path, CONFIGURED) as (staged, client, thread_id, _):
        typed = {"threadId": thread_id, "input": TEXT}
        await client.ask("turn/start", typed)
        agent = staged.agent(thread_id)
        await until(lambda: agent.requests != [], "the turn")
        id_ = client.send("thread/archive", {"threadId": thread_id})
        await until(lambda: agent.interrupts == 1, "the interruption")
        other = await staged.client()
        assert await other.refused("turn/start", typed) == f"thread not found: {thread_id}"
        agent.desk.put_nowait(ended("t", core.Outcome.INTERRUPTED))
        assert (await client.answer_to(id_))["result"] == {}
        assert agent.closed == 1
        words = {"threadId": thread_id, "text": "x"}
        for method in ("thread/realtime/appendText", "thread/realtime/stop"):
            assert await client.refused(method, words) == f"thread not found: {thread_id}"
        told = [each for each in client.methods if each in _ENDS]
        assert told == list(_ENDS)
        assert client.all("thread/status/changed")[-1]["status"] == {"type": "notLoaded"}
        assert (await client.ask("thread/loaded/list", {}))["data"] == []
        assert len((await client.ask("thread/list", {"archived": True}))["data"]) == 1
        # It has to be taken out before anybody goes on with it.
        assert "thread/unarchive first" in await client.refused("thread/resume", {"threadId": thread_id})
        await client.ask("thread/unarchive", {"threadId": thread_id})
        await client.ask("thread/resume", {"threadId": thread_id})
        await client.ask("turn/start", typed)
        assert staged.agent(thread_id) is not agent


async def test_a_conversation_does_not_begin_in_a_thread_that_was_put_away_meanwhile(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        typed = {"threadId": (await client.ask("thread/start", {}))["thread"]["id"], "input": TEXT}
        thread_id = typed["threadId"]
        await client.ask("turn/start", typed)
        staged.agent(thread_id).desk.put_nowait(ended("t"))
        await client.sees("turn/completed")
        lock = staged.app.voice_locks[thread_id] = asyncio.Lock()
        async with lock:
            await client.ask("thread/realtime/start", {"threadId": thread_id, "outputModality": "audio"})
            await client.ask("thread/archive", {"threadId": thread_id})
        assert "resume the thread" in (await client.sees("thread/realtime/error"))["message"]
        assert staged.app.voices == {}


async def test_starting_again_takes_the_place_of_the_one_that_is_live(tmp_path: Path) -> None:
    async with ScriptedServer(CONFIGURED, CONFIGURED) as scripted, house(tmp_path, url=scripted.url) as staged:
        client = await staged.client()
        thread_id = await started(client)
        again = {"threadId": thread_id, "outputModality": "text", "prompt": "Be brief."}
        await client.ask("thread/realtime/start", again)
        await client.sees("thread/realtime/started", times=2)
        second = await scripted.wait_for_connection(1)
        await until(lambda: second.received != [], "the settings")
        assert second.received[0].field("session.instructions") == "Be brief."
        await client.ask("thread/realtime/stop", {"threadId": thread_id})
        await client.sees("thread/realtime/closed", times=2)
    kept = [method for method in client.methods if method.rpartition("/")[2] in ("started", "closed")]
    order = [method for method in kept if "item" not in method and method != "thread/started"]
    assert order == [f"thread/realtime/{name}" for name in ("started", "closed", "started", "closed")]


async def test_an_error_of_the_server_is_told_once_and_ends_it(tmp_path: Path) -> None:
    broken = Send({"type": "error", "error": {"message": "boom"}})
    async with talking(tmp_path, [*CONFIGURED, broken]) as (_, client, thread_id, __):
        assert (await client.sees("thread/realtime/closed"))["reason"] == "error"
        assert "boom" in client.all("thread/realtime/error")[0]["message"]
        assert client.all("thread/realtime/item/completed")[-1]["item"]["outcome"] == "failed"
        await client.ask("thread/realtime/stop", {"threadId": thread_id})
        assert (await client.sees("thread/realtime/closed", times=2))["reason"] == "requested"
    assert len(client.all("thread/realtime/error")) == 1


async def test_a_conversation_can_be_started_again_after_it_ended(tmp_path: Path) -> None:
    async with ScriptedServer(CONFIGURED, CONFIGURED) as scripted, house(tmp_path, url=scripted.url) as staged:
        client = await staged.client()
        thread_id = await started(client)
        await client.ask("thread/realtime/stop", {"threadId": thread_id})
        await client.sees("thread/realtime/closed")
        await client.ask("thread/realtime/start", {"threadId": thread_id, "outputModality": "audio"})
        await client.sees("thread/realtime/started", times=2)


async def test_what_cannot_start_is_told_once(tmp_path: Path) -> None:
    async with ScriptedServer() as scripted, house(tmp_path, url=scripted.url) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        wrong: list[tuple[dict[str, object], str]] = [
            ({"voice": "cove"}, "has no voice 'cove'"),
            ({"version": "v1", "outputModality": "text"}, "v1"),
            ({"initialItems": [{"role": "user", "text": "x"}]}, "initial"),
        ]
        for number, (params, words) in enumerate(wrong, 1):
            asked = {"threadId": thread_id, "outputModality": "audio", **params}
            assert await client.ask("thread/realtime/start", asked) == {}
            told = await client.sees("thread/realtime/error", times=number)
            assert words in told["message"]
        assert scripted.handshakes == []
    assert "thread/realtime/closed" not in client.methods
    assert "thread/realtime/started" not in client.methods


async def test_without_a_key_that_is_the_error(tmp_path: Path) -> None:
    realtime = Realtime(backend="openai")
    async with house(tmp_path, realtime=realtime, api_key=None) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        await client.ask("thread/realtime/start", {"threadId": thread_id, "outputModality": "audio"})
        assert "OPENAI_API_KEY" in (await client.sees("thread/realtime/error"))["message"]


async def test_a_call_that_exists_cannot_be_configured(tmp_path: Path) -> None:
    async with house(tmp_path, url="ws://127.0.0.1:1") as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        there = {"type": "existingCall", "callId": "rtc_1"}
        asked = {"threadId": thread_id, "outputModality": "audio", "transport": there}
        said = await client.refused("thread/realtime/start", {**asked, "prompt": "x"})
        assert said == "existing realtime calls do not support session configuration options"


async def test_adding_to_nothing_is_an_error_of_the_thread(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        audio = {"data": "AAAA", "sampleRate": 24000, "numChannels": 1}
        added: list[tuple[str, dict[str, object]]] = [
            ("appendAudio", {"audio": audio}),
            ("appendText", {"text": "x"}),
            ("appendSpeech", {"text": "x"}),
        ]
        for number, (method, params) in enumerate(added, 1):
            assert await client.ask(f"thread/realtime/{method}", {"threadId": thread_id, **params}) == {}
            told = await client.sees("error", times=number)
            assert told["error"]["message"] == "conversation is not running"
            assert (told["error"]["codexErrorInfo"], told["willRetry"]) == ("badRequest", False)
        assert client.all("thread/status/changed")[-1]["status"] == {"type": "systemError"}
        assert await client.ask("thread/realtime/playback", {"threadId": thread_id, "itemId": "a", "playedMs": 1}) == {}
        for _ in range(2):
            assert await client.ask("thread/realtime/stop", {"threadId": thread_id}) == {}
        assert (await client.sees("thread/realtime/closed", times=2))["reason"] == "requested"
        for method in ("stop", "appendText"):
            said = await client.refused(f"thread/realtime/{method}", {"threadId": UNKNOWN, "text": "x"})
            assert said == f"thread not found: {UNKNOWN}"
    assert "thread/realtime/item/started" not in client.methods


async def test_only_clients_that_know_us_are_told_of_lost_connections(tmp_path: Path) -> None:
    async with ScriptedServer([*CONFIGURED, Drop()], CONFIGURED) as scripted:
        realtime = Realtime(backend=scripted.url, startup_context="")
        async with house(tmp_path, realtime=realtime) as staged:
            other, ours = await staged.client(), await staged.client(backchannel=True)
            thread_id = (await ours.ask("thread/start", {}))["thread"]["id"]
            await other.ask("thread/resume", {"threadId": thread_id})
            await ours.ask("thread/realtime/start", {"threadId": thread_id, "outputModality": "audio"})
            assert (await ours.sees("thread/realtime/reconnecting"))["attempt"] == 1
            assert (await ours.sees("thread/realtime/reconnected"))["stateRestored"] is True
            await ours.ask("thread/realtime/stop", {"threadId": thread_id})
            await other.sees("thread/realtime/closed")
    assert not [method for method in other.methods if "reconnect" in method]
