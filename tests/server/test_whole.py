"""The server with its agent that has a language model, between a scripted voice and a scripted model."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from backchannel.config import Context, Realtime
from backchannel.testing import (
    AnswerOffer,
    Expect,
    Gate,
    Refuse,
    ScriptedResponses,
    ScriptedServer,
    Send,
    calls,
    completed,
    created,
    message,
    says,
    text_delta,
)
from backchannel.threads import SqliteThreads
from tests.planted import ANSWER_SDP, OFFER_SDP
from tests.runtime.stage import call, ended, until
from tests.runtime.stage import message as report_message
from tests.server.stage import house
from tests.server.test_realtime import CONFIGURED, started, texts_of, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from backchannel.testing import ModelRequest, ResponseScript, ScriptedConnection
    from tests.server.stage import Client, House

TEXT = [{"type": "text", "text": "fix it"}]
WEBRTC = {"type": "webrtc", "sdp": OFFER_SDP}


@contextlib.asynccontextmanager
async def talking(
    folder: Path, *answers: Any, script: list[Any] | None = None
) -> AsyncIterator[tuple[House, Client, str, ScriptedConnection, ScriptedResponses]]:
    """A conversation over a websocket, whose agent's model answers so."""
    async with (
        ScriptedResponses(*answers) as models,
        ScriptedServer(script or CONFIGURED) as scripted,
        house(folder, url=scripted.url, models_url=models.url) as staged,
    ):
        client = await staged.client()
        thread_id = await started(client)
        yield staged, client, thread_id, await scripted.wait_for_connection(), models


async def handed_over(connection: ScriptedConnection, call_id: str = "call_1", prompt: str = "run it") -> None:
    await call(connection, "background_agent", call_id, json.dumps({"prompt": prompt}))


async def answered(connection: ScriptedConnection, call_id: str = "call_1") -> None:
    """Wait for the output of the voice's call."""
    await until(lambda: any(told(each, "item.call_id") == call_id for each in connection.received), f"{call_id}")


def metadata_of(request: ModelRequest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(request.body["client_metadata"]["x-codex-turn-metadata"])
    return found


async def test_what_is_handed_over_can_run_a_command(tmp_path: Path) -> None:
    answers = (calls("exec_command", {"cmd": "printf realtime-tool-ok"}), says("It is done."))
    async with talking(tmp_path, *answers) as (_, client, __, connection, models):
        await handed_over(connection)
        await client.sees("turn/completed")
        await answered(connection)
        kinds = [each["item"]["type"] for each in client.all("item/completed")]
        assert kinds == ["commandExecution", "agentMessage"]
        command = client.all("item/completed")[0]["item"]
        assert (command["status"], command["aggregatedOutput"]) == ("completed", "realtime-tool-ok")
        first, second = models.requests
        assert "<input>run it</input>" in first.texts[-1][1]
        assert "realtime-tool-ok" in json.dumps(second.body["input"])
        outputs = [each for each in connection.received if told(each, "item.type") == "function_call_output"]
        assert len(outputs) == 1
        assert "[BACKEND] It is done." in texts_of(connection)


async def test_progress_comes_before_the_answer(tmp_path: Path) -> None:
    looks = [created(), message("I look at it."), *calls("exec_command", {"cmd": "true"})[1:]]
    async with talking(tmp_path, looks, says("It is done.")) as (_, client, __, connection, ___):
        await handed_over(connection)
        await client.sees("turn/completed")
        await answered(connection)
        order = [
            told(frame, "item.content.0.text") or told(frame, "item.type")
            for frame in connection.received
            if frame.type == "conversation.item.create"
        ]
    assert order.index("[BACKEND] I look at it.") < order.index("function_call_output")


async def test_a_change_by_voice_reaches_the_model_with_its_next_request(tmp_path: Path) -> None:
    answers = ([created(), text_delta("One"), Gate()], says("Both are done."))
    async with talking(tmp_path, *answers) as (_, client, __, connection, models):
        await handed_over(connection, "call_1", "do one")
        await client.sees("item/agentMessage/delta")
        await handed_over(connection, "call_2", "and the other")
        await client.sees("turn/completed")
        await answered(connection, "call_1")
        await answered(connection, "call_2")
        assert len(models.requests) == 2
        assert "<input>and the other</input>" in models.requests[1].texts[-1][1]
    assert client.methods.count("turn/started") == 1


async def test_work_does_not_hold_up_the_voice(tmp_path: Path) -> None:
    answers = ([created(), Gate("work"), message("It is done."), completed()],)
    async with talking(tmp_path, *answers) as (_, client, __, connection, models):
        await handed_over(connection)
        await models.wait_for_request(0)
        await connection.send({"type": "response.output_audio.delta", "delta": "AAAA", "item_id": "item_voice"})
        audio = (await client.sees("thread/realtime/outputAudio/delta"))["audio"]
        assert (audio["data"], audio["itemId"]) == ("AAAA", "item_voice")
        assert "turn/completed" not in client.methods
        models.open("work")
        await client.sees("turn/completed")
        await answered(connection)


@pytest.mark.parametrize(
    ("version", "sideband"),
    [("v1", "/v1/realtime?intent=quicksilver&call_id=rtc_test"), ("v3", "/v1/live/rtc_test")],
)
async def test_a_call_is_answered_and_its_sideband_is_the_conversation(
    tmp_path: Path, version: str, sideband: str
) -> None:
    # The session of the live protocol is configured with the call.
    scripts = ([AnswerOffer(sdp=ANSWER_SDP)], CONFIGURED if version == "v1" else [])
    async with ScriptedServer(*scripts) as scripted, house(tmp_path, url=scripted.url) as staged:
        client = await staged.client()
        thread_id = await started(client, transport=WEBRTC, version=version)
        assert (await client.sees("thread/realtime/sdp"))["sdp"] == ANSWER_SDP
        assert (await client.sees("thread/realtime/started"))["version"] == version
        connection = await scripted.wait_for_connection(1)
        offered, joined = scripted.handshakes
        assert OFFER_SDP.encode() in offered.body
        assert joined.raw_path.startswith(sideband)
        audio = {"data": "AAAA", "sampleRate": 24000, "numChannels": 1}
        await client.ask("thread/realtime/appendAudio", {"threadId": thread_id, "audio": audio})
        await client.ask("thread/realtime/appendText", {"threadId": thread_id, "text": "hello"})
        await until(lambda: any("hello" in str(frame.payload) for frame in connection.received), "the text")
        await client.ask("thread/realtime/stop", {"threadId": thread_id})
        assert (await client.sees("thread/realtime/closed"))["reason"] == "requested"
    order = [method for method in client.methods if method in ("thread/realtime/started", "thread/realtime/sdp")]
    assert sorted(order) == ["thread/realtime/sdp", "thread/realtime/started"]


async def test_a_call_that_the_server_refuses_is_told_once(tmp_path: Path) -> None:
    async with ScriptedServer([Refuse(status=500)]) as scripted, house(tmp_path, url=scripted.url) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        start = {"threadId": thread_id, "outputModality": "audio", "transport": WEBRTC, "version": "v1"}
        assert await client.ask("thread/realtime/start", start) == {}
        assert (await client.sees("thread/realtime/error"))["threadId"] == thread_id
    assert "thread/realtime/started" not in client.methods


async def test_metadata_of_a_client_goes_with_the_request(tmp_path: Path) -> None:
    async with ScriptedResponses(says("Done.")) as models, house(tmp_path, models_url=models.url) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        given = {"fiber": "5", "turn_id": "mine", "session_id": "mine"}
        start = {"threadId": thread_id, "input": TEXT, "responsesapiClientMetadata": given}
        turn_id = (await client.ask("turn/start", start))["turn"]["id"]
        await client.sees("turn/completed")
        (request,) = models.requests
        header = json.loads(request.headers["x-codex-turn-metadata"])
        for metadata in (header, metadata_of(request)):
            assert metadata["fiber"] == "5"
            assert (metadata["turn_id"], metadata["session_id"]) == (turn_id, thread_id)


async def test_the_last_message_of_one_turn_can_be_made_to_follow_a_schema(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"files": {"type": "integer"}}, "additionalProperties": False}
    async with (
        ScriptedResponses(says('{"files": 3}'), says("Three.")) as models,
        house(tmp_path, models_url=models.url) as staged,
    ):
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        start = {"threadId": thread_id, "input": TEXT}
        said = await client.refused("turn/start", {**start, "outputSchema": ["object"]})
        assert said.startswith("expected a JSON schema, an object, as outputSchema: ")
        await client.ask("turn/start", {**start, "outputSchema": schema})
        await client.sees("turn/completed")
        await client.ask("turn/start", {**start, "outputSchema": None})
        await client.sees("turn/completed", times=2)
        first, second = models.requests
        assert first.body["text"]["format"] == {**first.body["text"]["format"], "type": "json_schema", "schema": schema}
        assert "text" not in second.body


async def test_a_change_brings_metadata_of_its_own(tmp_path: Path) -> None:
    first_answer: ResponseScript = [created(), text_delta("One"), Gate()]
    async with (
        ScriptedResponses(first_answer, says("Both.")) as models,
        house(tmp_path, models_url=models.url) as staged,
    ):
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        start = {"threadId": thread_id, "input": TEXT, "responsesapiClientMetadata": {"from": "start"}}
        turn_id = (await client.ask("turn/start", start))["turn"]["id"]
        await client.sees("item/agentMessage/delta")
        steer = {**start, "expectedTurnId": turn_id, "responsesapiClientMetadata": {"from": "steer"}}
        assert await client.ask("turn/steer", steer) == {"turnId": turn_id}
        await client.sees("turn/completed")
        first, second = map(metadata_of, models.requests)
        assert [first["from"], second["from"]] == ["start", "steer"]
        assert first["turn_id"] == second["turn_id"] == turn_id


async def test_the_model_of_a_fork_is_told_where_it_comes_from(tmp_path: Path) -> None:
    async with (
        ScriptedResponses(says("One."), says("Two.")) as models,
        house(tmp_path, models_url=models.url) as staged,
    ):
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        await client.ask("turn/start", {"threadId": thread_id, "input": TEXT})
        await client.sees("turn/completed")
        forked = (await client.ask("thread/fork", {"threadId": thread_id}))["thread"]["id"]
        await client.ask("turn/start", {"threadId": forked, "input": [{"type": "text", "text": "go on"}]})
        await client.sees("turn/completed", times=2)
        metadata = metadata_of(models.requests[1])
        assert (metadata["thread_id"], metadata["forked_from_thread_id"]) == (forked, thread_id)
        assert {"parent_thread_id", "subagent_type"}.isdisjoint(metadata)
        # And what was said before.
        assert models.requests[1].texts[-3:] == [("user", "fix it"), ("assistant", "One."), ("user", "go on")]


async def test_a_resumed_thread_goes_on_after_the_server_has_ended(tmp_path: Path) -> None:
    store = SqliteThreads(tmp_path / "threads.sqlite3")
    async with ScriptedResponses(says("One."), says("Two.")) as models:
        for number, text in enumerate(("fix it", "go on")):
            async with house(tmp_path, models_url=models.url, store=store) as staged:
                client = await staged.client()
                if number == 0:
                    thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
                else:
                    await client.ask("thread/resume", {"threadId": thread_id})
                await client.ask("turn/start", {"threadId": thread_id, "input": [{"type": "text", "text": text}]})
                await client.sees("turn/completed")
        assert models.requests[1].texts[-3:] == [("user", "fix it"), ("assistant", "One."), ("user", "go on")]
    store.close()


async def test_over_a_websocket_the_body_has_the_metadata(tmp_path: Path) -> None:
    async with (
        ScriptedResponses(says("Done."), websocket=True) as models,
        house(tmp_path, models_url=models.url, supports_websockets=True) as staged,
    ):
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        start = {"threadId": thread_id, "input": TEXT, "responsesapiClientMetadata": {"fiber": "5"}}
        turn_id = (await client.ask("turn/start", start))["turn"]["id"]
        await client.sees("turn/completed")
        metadata = metadata_of(models.requests[-1])
        assert (metadata["fiber"], metadata["turn_id"]) == ("5", turn_id)
        assert models.requests[-1].over == "websocket"


async def test_what_a_voice_is_told_begins_with_the_settings(tmp_path: Path) -> None:
    script = [Expect("session.update")]
    async with talking(tmp_path, script=script) as (_, client, thread_id, connection, __):
        await until(lambda: connection.received != [], "the settings")
        settings = connection.received[0]
        assert settings.field("session.instructions") == "Be kind."
        assert settings.field("session.output_modalities") == ["audio"]
        await client.ask("thread/realtime/stop", {"threadId": thread_id})


DELEGATION = {
    "type": "delegation",
    "target": "client",
    "id": "d1",
    "content": [{"type": "input_text", "text": "run it"}],
}


@pytest.mark.parametrize(
    ("params", "channels"),
    [
        ({}, ["commentary", "speakable"]),
        ({"codexResponseHandoffMode": "commentary"}, ["commentary"]),
        ({"codexResponseHandoffMode": "thinking"}, [None]),
        ({"codexResponseHandoffMode": "bemTags"}, ["speakable"]),
        (
            {
                "codexResponseHandoffMode": "bemTags",
                "codexResponseHandoffChannelPrefixes": {"commentary": ["All"]},
            },
            ["commentary"],
        ),
    ],
)
async def test_a_client_chooses_how_the_live_protocol_is_told_of_work(
    tmp_path: Path, params: dict[str, Any], channels: list[str | None]
) -> None:
    realtime = Realtime(reconnect=False, quiet_ms=20, context=Context(level="reference"))
    live = Send({"type": "session.started", "session": {"id": "sess_1"}})
    async with ScriptedServer([*CONFIGURED, live]) as scripted:
        realtime = msgspec.structs.replace(realtime, backend=scripted.url)
        async with house(tmp_path, realtime=realtime) as staged:
            client = await staged.client()
            thread_id = await started(client, version="v3", **params)
            connection = await scripted.wait_for_connection()
            await connection.send({"type": "delegation.created", "item": DELEGATION})
            agent = staged.agent(thread_id)
            await until(lambda: agent.requests != [], "the turn")
            for report in (report_message("t", "All pass.", final=True), ended("t")):
                agent.desk.put_nowait(report)
            await client.sees("turn/completed")

            def found() -> list[object]:
                said = [json.loads(str(frame.payload)) for frame in connection.received]
                return [each.get("channel") for each in said if "All pass." in json.dumps(each)]

            await until(lambda: len(found()) >= len(channels), f"{channels}")
            await client.ask("thread/realtime/stop", {"threadId": thread_id})
            await client.sees("thread/realtime/closed")
    assert found() == channels


async def test_the_live_protocol_is_told_what_the_model_writes_while_it_writes(tmp_path: Path) -> None:
    live = Send({"type": "session.started", "session": {"id": "sess_1"}})
    writes: ResponseScript = [
        created(),
        text_delta("All "),
        text_delta("pass"),
        Gate("rest"),
        text_delta("ed."),
        message("All passed."),
        completed(),
    ]
    async with (
        ScriptedResponses(writes) as models,
        ScriptedServer([*CONFIGURED, live]) as scripted,
        house(tmp_path, url=scripted.url, models_url=models.url) as staged,
    ):
        client = await staged.client()
        await started(client, version="v3", codexResponseHandoffMode="thinking")
        connection = await scripted.wait_for_connection()
        await connection.send({"type": "delegation.created", "item": DELEGATION})

        def passed_on() -> list[object]:
            appended = [each for each in connection.received if told(each, "type") == "delegation.context.append"]
            return [(told(each, "delegation_item_id"), told(each, "content.0.text")) for each in appended]

        await until(lambda: passed_on() == [("d1", "All pass")], "what is written")
        models.open("rest")
        await client.sees("turn/completed")
        await until(lambda: len(passed_on()) == 2, "the rest")
        assert passed_on() == [("d1", "All pass"), ("d1", "ed.")]


OVERRIDES = {
    "base URL": {"base_url": "URL"},
    "model": {"model": "voice-model"},
    "prompt": {"prompt": "Speak like a pirate."},
    "startup context": {"startup_context": "You know the ropes."},
    "start instructions": {"start_instructions": "Somebody is listening now."},
}


@pytest.mark.parametrize("name", OVERRIDES)
async def test_what_is_configured_for_the_voice_moves_nothing_else(tmp_path: Path, name: str) -> None:
    async with ScriptedResponses(says("Done.")) as models, ScriptedServer(CONFIGURED) as scripted:
        override = {key: scripted.url if value == "URL" else value for key, value in OVERRIDES[name].items()}
        where = {} if "base_url" in override else {"backend": scripted.url}
        usual = Realtime(reconnect=False, quiet_ms=20, context=Context(level="reference"))
        realtime = msgspec.structs.replace(usual, **where, **override)
        async with house(tmp_path, realtime=realtime, models_url=models.url) as staged:
            client = await staged.client()
            thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
            await client.ask("turn/start", {"threadId": thread_id, "input": TEXT})
            await client.sees("turn/completed")
            before = models.requests[0]
            await client.ask("thread/realtime/start", {"threadId": thread_id, "outputModality": "audio"})
            await client.sees("thread/realtime/started")
            connection = await scripted.wait_for_connection()
            await until(lambda: connection.received != [], "the settings")
            await client.ask("thread/realtime/stop", {"threadId": thread_id})
            await client.sees("thread/realtime/closed")
    (handshake,) = scripted.handshakes
    instructions = str(connection.received[0].field("session.instructions"))
    seen = {
        "model": "model=voice-model" in handshake.raw_path,
        "prompt": instructions.startswith("Speak like a pirate."),
        "startup context": "You know the ropes." in instructions,
    }
    assert {what for what, is_seen in seen.items() if is_seen} == {name} & seen.keys()
    # The agent's model is asked where it was, as it was.
    assert (before.body["model"], before.over) == ("mock-model", "http")
    assert not any(str(value) in json.dumps(before.body) for value in override.values())


async def test_start_instructions_are_told_to_the_agent_while_a_voice_is_there(tmp_path: Path) -> None:
    async with (
        ScriptedResponses(says("One."), says("Two.")) as models,
        ScriptedServer(CONFIGURED) as scripted,
        house(
            tmp_path,
            realtime=Realtime(
                backend=scripted.url,
                reconnect=False,
                context=Context(level="reference"),
                start_instructions="Somebody is listening now.",
                end_instructions="Nobody is listening.",
            ),
            models_url=models.url,
        ) as staged,
    ):
        client = await staged.client()
        thread_id = await started(client)
        for number in (1, 2):
            await client.ask("turn/start", {"threadId": thread_id, "input": TEXT})
            await client.sees("turn/completed", times=number)
            if number == 1:
                await client.ask("thread/realtime/stop", {"threadId": thread_id})
                await client.sees("thread/realtime/closed")
        told = [[text for role, text in request.texts if role == "developer"] for request in models.requests]
    assert any("Somebody is listening now." in text for text in told[0])
    assert not any("Nobody is listening." in text for text in told[0])
    assert any("Nobody is listening." in text for text in told[1])


@pytest.mark.parametrize("is_wanted", [True, False])
async def test_a_client_can_have_the_end_of_what_was_said_told_to_the_agent(tmp_path: Path, *, is_wanted: bool) -> None:
    async with (
        ScriptedResponses(says("One."), says("Two.")) as models,
        ScriptedServer(CONFIGURED) as scripted,
        house(tmp_path, url=scripted.url, models_url=models.url) as staged,
    ):
        client = await staged.client()
        thread_id = await started(client, flushTranscriptTailOnSessionEnd=is_wanted)
        connection = await scripted.wait_for_connection()
        heard = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "u"}
        await connection.send({**heard, "transcript": "remember the milk"})
        await client.sees("thread/realtime/transcript/done")
        await client.ask("thread/realtime/stop", {"threadId": thread_id})
        await client.sees("thread/realtime/closed")
        for number in (1, 2):
            await client.ask("turn/start", {"threadId": thread_id, "input": TEXT})
            await client.sees("turn/completed", times=number)
        # Nobody sees it as a turn, or as something the user typed.
        assert len(client.all("turn/started")) == 2
        asked = [each["item"] for each in client.all("item/completed") if each["item"]["type"] == "userMessage"]
        assert "milk" not in json.dumps(asked)
        first, second = models.requests
    told = [("milk" in text, "<source>transcript_tail_flush</source>" in text) for _, text in first.texts]
    assert told.count((True, True)) == is_wanted
    assert second.texts[: len(first.texts)] == first.texts
