from __future__ import annotations

import asyncio
import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backchannel import __version__, core
from backchannel.core import events, recording, screen
from backchannel.errors import UsageError
from backchannel.net import SystemClock
from backchannel.runtime import Conversation, Recorder
from backchannel.testing import Drop, Expect, ScriptedServer
from tests.planted import API_KEY
from tests.runtime.stage import DeskAgent, call, ended, message, on_stage, settings_for, until

if TYPE_CHECKING:
    from collections.abc import Iterator


def read(data: bytes) -> tuple[recording.Header, list[recording.Recorded]]:
    header, records = recording.read(io.BytesIO(data))
    return header, list(records)


def differences(data: bytes) -> Iterator[recording.Step]:
    return recording.replay(*read(data))


async def test_a_conversation_is_recorded_and_replays(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    async with (
        ScriptedServer() as server,
        Recorder(path) as recorder,
        on_stage(server.url, recorder=recorder, api_key=API_KEY) as stage,
    ):
        voice = await server.wait_for_connection()
        await call(voice, "background_agent", "call_1", '{"prompt": "run the tests \u2014 all"}')
        await call(voice, "background_agent", "call_1", '{"prompt": "again"}')
        await voice.send('{"type": "conversation.item.added",\n "item": {"id":\r\n "item_1"}}')
        for _ in range(20):
            stage.conversation.append_audio("AAAA")
        await voice.send({"type": "response.output_audio.delta", "item_id": "item_2", "delta": "AAAA" * 2000})
        stage.conversation.played("item_2", 40)
        await voice.send({"type": "input_audio_buffer.speech_started"})
        await voice.send({"type": "input_audio_buffer.speech_stopped"})
        await stage.conversation.type_text("half a pair: \udcff")
        stage.agent.desk.put_nowait(message("turn_1", "All pass.", final=True))
        stage.agent.desk.put_nowait(ended("turn_1"))
        await stage.sees(screen.TaskEnded)
        # Said when the floor has been free for a moment, which a timer tells.
        await server.wait_for(lambda frame: frame.type == "response.create")
    data = path.read_bytes()
    header, records = read(data)
    assert header.dialect == "v2"
    assert header.made_by == __version__
    assert header.options == core.Options(quiet_ms=20, reconnect=False, mixes_transcripts=False)
    kinds = {type(record.event) for record in records}
    assert {events.TransportOpened, events.StopRequested, events.AudioReceived, events.TimerFired} <= kinds
    assert list(differences(data)) == []
    times = [record.t for record in records]
    assert times == sorted(times)
    assert API_KEY.encode() not in data
    assert b"Be brief" not in data
    assert b"AAAA" not in data


async def test_a_recording_is_whole_after_the_connection_dropped(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    async with (
        ScriptedServer([Expect("conversation.item.create"), Drop()]) as server,
        Recorder(path) as recorder,
        on_stage(server.url, recorder=recorder) as stage,
    ):
        await stage.conversation.type_text("run the tests")
        await stage.conversation.ended()
    data = path.read_bytes()
    assert list(differences(data)) == []
    assert any(isinstance(record.event, events.TransportFailed) for record in read(data)[1])
    assert data.endswith(b"\n")


async def test_what_happens_is_on_disk_while_the_conversation_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    async with ScriptedServer() as server, Recorder(path) as recorder, on_stage(server.url, recorder=recorder):
        await until(lambda: b"conversation_started" in path.read_bytes(), "the beginning in the file")
        assert list(differences(path.read_bytes())) == []


async def test_no_line_is_lost_or_out_of_order_under_load(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    n_lines = 20_000
    async with Recorder(path) as recorder:
        recorder.begin(options=core.Options(), dialect="v2")
        for n in range(n_lines):
            recorder.add(n / 1000, events.AudioCaptured(duration_ms=n), [])
            if n % 50 == 0:
                await asyncio.sleep(0.001)
    _, records = read(path.read_bytes())
    assert [record.event for record in records] == [events.AudioCaptured(duration_ms=n) for n in range(n_lines)]


async def test_what_comes_before_the_start_stands_under_the_header(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    async with ScriptedServer() as server, Recorder(path) as recorder:
        conversation = Conversation(settings_for(server.url), agent=DeskAgent(), clock=SystemClock(), recorder=recorder)
        assert not conversation.append_audio("AAAA")
        await conversation.start()
        await conversation.stop()
    data = path.read_bytes()
    assert list(differences(data)) == []
    assert isinstance(read(data)[1][0].event, events.AudioCaptured)


async def test_a_failed_start_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    with pytest.raises(ExceptionGroup):
        async with Recorder(path) as recorder, on_stage("gopher://example.com", recorder=recorder):
            pass
    data = path.read_bytes()
    assert list(differences(data)) == []
    assert isinstance(read(data)[1][0].event, events.OpenFailed)


@pytest.mark.parametrize("where", ["missing/session.jsonl", "."])
async def test_a_file_that_cannot_be_written_is_bad_use(where: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        async with Recorder(tmp_path / where):
            pass


async def test_a_full_disk_is_said_once_and_ends_the_recording_only(caplog: pytest.LogCaptureFixture) -> None:
    async with Recorder(Path("/dev/full")) as recorder:
        recorder.begin(options=core.Options(), dialect="v2")
        for _ in range(3):
            recorder.add(0.0, events.AudioCaptured(duration_ms=20), [])
            await until(lambda: bool(caplog.records), "the warning")
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.ERROR, "! recording /dev/full cannot be written any more: No space left on device")
    ]
