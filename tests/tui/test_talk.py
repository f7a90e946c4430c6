from __future__ import annotations

import asyncio
import base64
import dataclasses
import functools
import os
import pty
import sys
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from backchannel import core
from backchannel.config import Config, Provider, Realtime
from backchannel.core import recording, screen
from backchannel.errors import AudioFileError, AuthError, BackchannelError, ConnectionLost, UsageError
from backchannel.net import SystemClock
from backchannel.testing import (
    Close,
    Drop,
    Expect,
    ReceivedFrame,
    Refuse,
    ScriptedConnection,
    ScriptedServer,
    Send,
    of_type,
    read_wav,
    samples_to_pcm,
    speech_spans,
    tone,
    write_wav,
)
from backchannel.tui import Notice, ReplyHeard, ShownEvent, Step, TalkOptions, talk
from backchannel.tui.chaos import cause_chaos
from tests.runtime.stage import DeskAgent, ended, polite, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_E = TypeVar("_E")


class Shown:
    """A screen that keeps what it is shown."""

    def __init__(self) -> None:
        self.events: list[ShownEvent] = []
        self.times: list[float] = []

    def show(self, t: float, event: ShownEvent) -> None:
        self.times.append(t)
        self.events.append(event)

    def all(self, kind: type[_E]) -> list[_E]:
        return [event for event in self.events if isinstance(event, kind)]


class BrokenScreen:
    """A screen whose reader went away after the first event."""

    def __init__(self) -> None:
        self.n_events = 0

    def show(self, t: float, event: ShownEvent) -> None:
        del t, event
        self.n_events += 1
        if self.n_events > 1:
            raise BrokenPipeError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "README.md").write_text("# Parcel\n\nParcel reads shipping labels.\n")
    return folder


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound.wav"
    write_wav(path, tone(duration_s=0.3, rate_hz=16_000), rate_hz=16_000)
    return path


async def have(options: Callable[[], TalkOptions], shown: Shown) -> int:
    # Options look at the folder, which blocks.
    return await talk(await asyncio.to_thread(options), shown_on=shown, env=dict(os.environ), clock=SystemClock())


def is_loud(frame: ReceivedFrame) -> bool:
    return frame.type == "input_audio_buffer.append" and any(base64.b64decode(str(frame.field("audio"))))


def is_quiet(frame: ReceivedFrame) -> bool:
    return frame.type == "input_audio_buffer.append" and not is_loud(frame)


async def hear_and_answer(connection: ScriptedConnection) -> None:
    """Notice speech, and answer it with half a second of a tone."""
    await connection.expect(Expect(is_loud))
    await connection.send({"type": "input_audio_buffer.speech_started", "item_id": "item_1"})
    for _ in range(5):
        await connection.expect(Expect(is_quiet))
    await connection.send({"type": "input_audio_buffer.speech_stopped", "item_id": "item_1"})
    completed = "conversation.item.input_audio_transcription.completed"
    await connection.send({"type": completed, "transcript": "hello"})
    await connection.send({"type": "response.created", "response": {"id": "resp_1"}})
    answer = base64.b64encode(samples_to_pcm(tone(duration_s=0.5, frequency_hz=600))).decode()
    await connection.send({"type": "response.output_audio.delta", "item_id": "item_2", "delta": answer})
    await connection.send({"type": "response.output_audio_transcript.done", "transcript": "Hello."})
    await connection.send({"type": "response.done", "response": {"id": "resp_1"}})


def replays(path: Path) -> bool:
    with path.open("rb") as file:
        return list(recording.replay(*recording.read(file))) == []


async def test_a_typed_script_is_worked_on_and_answered(project: Path, tmp_path: Path) -> None:
    shown = Shown()
    record = tmp_path / "session.jsonl"
    async with ScriptedServer(polite) as server:
        options = functools.partial(
            TalkOptions,
            cwd=project,
            realtime=server.url,
            steps=(Step(text="list the files"),),
            text_only=True,
            voice="cedar",
            record=record,
            timeout_s=15,
        )
        assert await have(options, shown) == 0
        connection = await server.wait_closed()
    assert connection.close_code == 1000
    update, mirrored, *rest = connection.received
    assert update.field("session.output_modalities") == ["text"]
    assert update.field("session.audio.output.voice") == "cedar"
    assert "`background_agent`" in str(update.field("session.instructions"))
    assert server.handshakes[0].query == (("model", "gpt-realtime-1.5"),)
    assert mirrored.field("item.content.0.text") == "[USER] list the files"
    assert any("README.md" in str(frame.payload) for frame in rest)
    assert "input_audio_buffer.append" not in {frame.type for frame in connection.received}
    (ending,) = shown.all(screen.TaskEnded)
    assert ending.outcome is core.Outcome.COMPLETED
    (answer,) = shown.all(screen.TranscriptDone)
    assert answer.text == "Answer 1."
    assert shown.events[-1] == screen.ConversationClosed(reason=screen.CloseReason.REQUESTED)
    assert shown.times == sorted(shown.times)
    assert await asyncio.to_thread(replays, record)


async def test_a_sound_is_spoken_answered_and_saved(project: Path, sound: Path, tmp_path: Path) -> None:
    shown = Shown()
    out, record = tmp_path / "conversation.wav", tmp_path / "session.jsonl"
    async with ScriptedServer(hear_and_answer) as server:
        options = functools.partial(
            TalkOptions,
            cwd=project,
            realtime=server.url,
            steps=(Step(sound=sound),),
            out=out,
            record=record,
            timeout_s=15,
        )
        assert await have(options, shown) == 0
        assert (await server.wait_closed()).close_code == 1000
    (latency,) = shown.all(ReplyHeard)
    assert 0 < latency.latency_ms < 1000
    left, right = (await asyncio.to_thread(read_wav, out)).channels
    (said,), (heard,) = speech_spans(left), speech_spans(right)
    assert said.duration_s == pytest.approx(0.3, abs=0.03)
    assert heard.duration_s == pytest.approx(0.5, abs=0.03)
    assert said.start_s >= 0.6
    assert heard.start_s > said.end_s
    assert latency.latency_ms == pytest.approx((heard.start_s - said.end_s) * 1000, abs=60)
    assert await asyncio.to_thread(replays, record)


@pytest.mark.parametrize("end", [Close(code=1011, reason="out of order"), Drop()], ids=["close", "drop"])
async def test_a_server_that_goes_ends_it_with_a_clear_word_and_whole_files(
    end: Close | Drop, project: Path, sound: Path, tmp_path: Path
) -> None:
    shown = Shown()
    out, record = tmp_path / "conversation.wav", tmp_path / "session.jsonl"
    async with ScriptedServer([*[Expect(is_loud)] * 6, end]) as server:
        options = functools.partial(
            TalkOptions,
            cwd=project,
            realtime=server.url,
            config=Config(realtime=Realtime(reconnect=False)),
            steps=(Step(sound=sound),),
            out=out,
            record=record,
            timeout_s=15,
        )
        with pytest.raises(BackchannelError) as caught:
            await have(options, shown)
    assert isinstance(caught.value, ConnectionLost) == isinstance(end, Close)
    ended = "the realtime server ended the conversation (code 1011: out of order); try again"
    failed = "the conversation failed: the connection was lost; --record keeps what led to it"
    assert str(caught.value).startswith(ended if isinstance(end, Close) else failed)
    assert len(shown.all(screen.ConversationClosed)) == 1
    left, right = (await asyncio.to_thread(read_wav, out)).channels
    assert speech_spans(left) != ()
    assert len(left) == len(right)
    assert await asyncio.to_thread(replays, record)


async def test_a_fatal_error_of_the_server_is_said(project: Path) -> None:
    shown = Shown()
    error = {"type": "error", "error": {"code": "insufficient_quota", "message": "Nothing is left."}}
    async with ScriptedServer([Expect("session.update"), Send(error)]) as server:
        options = functools.partial(
            TalkOptions, cwd=project, realtime=server.url, steps=(Step(text="hello"),), text_only=True, timeout_s=15
        )
        with pytest.raises(BackchannelError, match="the conversation failed: Nothing is left"):
            await have(options, shown)


async def test_what_is_not_done_in_time_has_failed(project: Path) -> None:
    shown = Shown()
    async with ScriptedServer() as server:
        options = functools.partial(
            TalkOptions, cwd=project, realtime=server.url, steps=(Step(text="hello"),), text_only=True, timeout_s=0.3
        )
        with pytest.raises(BackchannelError, match=r"within 0\.3 s; allow more with --timeout"):
            await have(options, shown)
        assert (await server.wait_closed()).close_code == 1000
    assert shown.events[-1] == screen.ConversationClosed(reason=screen.CloseReason.REQUESTED)


async def test_a_refusal_is_raised_and_the_files_are_whole(project: Path, sound: Path, tmp_path: Path) -> None:
    out, record = tmp_path / "conversation.wav", tmp_path / "session.jsonl"
    async with ScriptedServer([Refuse(status=401)]) as server:
        options = functools.partial(
            TalkOptions, cwd=project, realtime=server.url, steps=(Step(sound=sound),), out=out, record=record
        )
        with pytest.raises(AuthError):
            await have(options, Shown())
    assert (await asyncio.to_thread(read_wav, out)).duration_s == 0
    assert await asyncio.to_thread(replays, record)


async def test_a_slip_is_told_before_anything_is_started(project: Path, tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        base: dict[str, Any] = {"cwd": project, "realtime": server.url, "steps": (Step(text="hello"),)}
        with pytest.raises(UsageError, match=r"unknown agent 'wizard'; choose one of: workspace"):
            await have(functools.partial(TalkOptions, **base, agent="wizard", text_only=True), Shown())
        base["steps"] = (Step(sound=tmp_path / "missing.wav"),)
        with pytest.raises(AudioFileError, match=r"missing\.wav"):
            await have(functools.partial(TalkOptions, **base), Shown())
        base["steps"] = (Step(text="hello"),)
        with pytest.raises(UsageError, match="cannot be written"):
            await have(
                functools.partial(TalkOptions, **base, text_only=True, record=tmp_path / "missing" / "x.jsonl"), Shown()
            )
        assert server.handshakes == []


async def test_a_screen_that_goes_away_ends_the_conversation_properly(project: Path) -> None:
    async with ScriptedServer() as server:
        options = await asyncio.to_thread(
            functools.partial(
                TalkOptions, cwd=project, realtime=server.url, steps=(Step(text="hello"),), text_only=True, timeout_s=15
            )
        )
        with pytest.raises(ExceptionGroup) as caught:
            await talk(options, shown_on=BrokenScreen(), env=dict(os.environ), clock=SystemClock())
        assert caught.group_contains(BrokenPipeError)
        assert (await server.wait_closed()).close_code == 1000


async def test_what_is_configured_holds_where_nothing_is_asked_for(project: Path) -> None:
    realtime = Realtime(
        voice="cedar", model="gpt-x", prompt="Be kind.", startup_context="It rained.", tools=("background_agent",)
    )
    shown = Shown()
    async with ScriptedServer(polite) as server, ScriptedServer() as other:
        provider = Provider(
            id="mine", base_url=server.url, env_key="MINE", http_headers={"x-team": "a"}, query_params={"trace": "1"}
        )
        config = Config(
            realtime=realtime, model_provider="mine", providers={"mine": provider}, notices=("Something is odd.",)
        )
        options = TalkOptions(cwd=project, config=config, steps=(Step(text="list the files"),), text_only=True)
        assert await talk(options, shown_on=shown, env={**os.environ, "MINE": "sk-mine"}, clock=SystemClock()) == 0
        connection = await server.wait_closed()
        assert other.handshakes == []
    (handshake,) = server.handshakes
    assert handshake.query == (("model", "gpt-x"), ("trace", "1"))
    assert handshake.headers["authorization"] == "Bearer sk-mine"
    assert handshake.headers["x-team"] == "a"
    update = connection.received[0]
    assert update.field("session.audio.output.voice") == "cedar"
    assert update.field("session.instructions") == "Be kind.\n\nIt rained."
    assert [tool["name"] for tool in cast("list[dict[str, object]]", update.field("session.tools"))] == [
        "background_agent"
    ]
    assert shown.events[0] == Notice(message="Something is odd.")


async def test_a_realtime_address_takes_realtime_traffic_from_the_provider(project: Path) -> None:
    async with ScriptedServer(polite) as server, ScriptedServer() as other:
        provider = Provider(id="mine", base_url=other.url, experimental_bearer_token="sk-mine")
        config = Config(realtime=Realtime(base_url=server.url), model_provider="mine", providers={"mine": provider})
        options = TalkOptions(cwd=project, config=config, steps=(Step(text="list the files"),), text_only=True)
        assert await talk(options, shown_on=Shown(), env=dict(os.environ), clock=SystemClock()) == 0
        await server.wait_closed()
        assert other.handshakes == []
    assert server.handshakes[0].headers["authorization"] == "Bearer sk-mine"


async def test_a_configured_server_without_its_key_is_an_error_and_no_local_engine(project: Path) -> None:
    shown = Shown()
    async with ScriptedServer() as server:
        provider = Provider(id="mine", base_url=server.url)
        config = Config(model_provider="mine", providers={"mine": provider})
        options = TalkOptions(cwd=project, config=config, steps=(Step(text="hello"),), text_only=True)
        with pytest.raises(UsageError, match="no API key for the realtime server of the provider mine"):
            await talk(options, shown_on=shown, env={"OPENAI_API_KEY": "sk-theirs"}, clock=SystemClock())
        assert server.handshakes == []
    assert shown.events == []


async def test_what_is_asked_for_wins_over_what_is_configured(project: Path) -> None:
    realtime = Realtime(backend="openai", version="v1", voice="cove", model="gpt-x")
    async with ScriptedServer(polite) as server:
        options = TalkOptions(
            cwd=project,
            config=Config(realtime=realtime),
            realtime=server.url,
            dialect="v2",
            voice="alloy",
            model="gpt-y",
            steps=(Step(text="list the files"),),
            text_only=True,
        )
        assert await talk(options, shown_on=Shown(), env=dict(os.environ), clock=SystemClock()) == 0
        connection = await server.wait_closed()
    assert server.handshakes[0].query == (("model", "gpt-y"),)
    assert connection.received[0].field("session.audio.output.voice") == "alloy"


def test_the_local_engine_speaks_its_dialect_whatever_is_configured(tmp_path: Path) -> None:
    config = Config(realtime=Realtime(version="v1", voice="cove"))
    options = TalkOptions(cwd=tmp_path, config=config, steps=(Step(text="hello"),))
    assert options.is_local
    session = options.session(prompt="")
    assert (session.dialect.name, session.settings.voice) == ("v2", "marin")


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    keys, typed_at = pty.openpty()
    yield keys, typed_at
    os.close(keys)
    os.close(typed_at)


async def test_lines_are_typed_at_a_terminal(project: Path, terminal: tuple[int, int]) -> None:
    keys, typed_at = terminal
    shown = Shown()
    async with ScriptedServer(polite) as server, asyncio.TaskGroup() as tasks:
        options = functools.partial(TalkOptions, cwd=project, realtime=server.url, typed_from=typed_at, timeout_s=None)
        status = tasks.create_task(have(options, shown))
        await until(lambda: bool(shown.all(Notice)), "the first notice")

        os.write(keys, b"/status\n\n/help\n/stop\n")
        await until(lambda: bool(shown.all(screen.StatusAnswered)), "the status")
        await until(lambda: "unknown command /help" in str(shown.all(Notice)[-1]), "what is wrong with /help")

        os.write(keys, b"list the files\n")
        await until(lambda: bool(shown.all(screen.TaskEnded)), "the end of the task")
        await server.wait_for(lambda frame: frame.has("item.content.0.text", "[USER] list the files"))
        # The microphone is open and silent.
        await server.wait_for(of_type("input_audio_buffer.append"))
        await server.wait_for(of_type("response.create"))

        os.write(keys, b"/quit\nnever read\n")
        assert await status == 0
        assert (await server.wait_closed()).close_code == 1000
    assert [typed.text for typed in shown.all(screen.TypedText)] == ["list the files"]


async def test_commands_change_what_is_heard_and_said(
    project: Path, terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, typed_at = terminal
    shown = Shown()
    agent = DeskAgent()
    monkeypatch.setattr(sys.modules[talk.__module__], "make_agent", lambda *_args, **_options: agent)

    def asks(approval_id: str) -> core.AgentApprovalRequested:
        return core.AgentApprovalRequested(turn_id="turn_1", approval_id=approval_id, action="push")

    async with ScriptedServer(polite) as server, asyncio.TaskGroup() as tasks:
        options = functools.partial(TalkOptions, cwd=project, realtime=server.url, typed_from=typed_at, timeout_s=20)
        status = tasks.create_task(have(options, shown))
        await until(lambda: bool(shown.all(Notice)), "the first notice")

        os.write(keys, b"/mute\n/unmute\n/updates chatty\n/approve\n")
        await until(lambda: "there are: none" in str(shown.all(Notice)[-1]), "that there is nothing to approve")
        assert [event.muted for event in shown.all(screen.Muted)] == [True, False]
        assert [event.level for event in shown.all(screen.UpdatesSet)] == ["chatty"]

        os.write(keys, b"deploy it\n")
        await until(lambda: bool(agent.requests), "the task")
        agent.desk.put_nowait(asks("a1"))
        agent.desk.put_nowait(asks("a2"))
        await until(lambda: len(shown.all(screen.ApprovalNeeded)) == 2, "two questions")
        os.write(keys, b"/approve\n")
        await until(lambda: "there are: a1, a2" in str(shown.all(Notice)[-1]), "that one has to be named")
        os.write(keys, b"/decline a2\n")
        await until(lambda: len(shown.all(screen.ApprovalSettled)) == 1, "the first answer")
        os.write(keys, b"/approve\n")
        await until(lambda: len(agent.answers) == 2, "both answers")
        assert agent.answers == [("a2", False), ("a1", True)]

        agent.desk.put_nowait(ended("turn_1"))
        await until(lambda: bool(shown.all(screen.TaskEnded)), "the end of the task")
        os.write(keys, b"/quit\n")
        assert await status == 0


async def test_a_conversation_survives_chaos(
    project: Path, terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, typed_at = terminal
    shown = Shown()
    monkeypatch.setattr(
        sys.modules[talk.__module__], "cause_chaos", functools.partial(cause_chaos, least_s=0.1, most_s=0.3)
    )
    async with ScriptedServer(*[polite] * 100) as server, asyncio.TaskGroup() as tasks:
        options = functools.partial(
            TalkOptions, cwd=project, realtime=server.url, typed_from=typed_at, chaos=True, text_only=True, timeout_s=30
        )
        status = tasks.create_task(have(options, shown))
        await until(lambda: len(shown.all(screen.ConversationReconnected)) >= 2, "two breaks that were mended")
        os.write(keys, b"list the files\n")
        await until(lambda: bool(shown.all(screen.TaskEnded)), "the end of the task")
        await server.wait_for(
            lambda frame: frame.has("item.type", "message") and "README.md" in str(frame.field("item.content.0.text"))
        )
        os.write(keys, b"/quit\n")
        assert await status == 0
    assert shown.all(screen.ConversationFailed) == []


async def test_the_end_of_typing_is_the_end(project: Path, terminal: tuple[int, int]) -> None:
    keys, typed_at = terminal
    async with ScriptedServer() as server:
        os.write(keys, b"\x04")
        options = functools.partial(TalkOptions, cwd=project, realtime=server.url, typed_from=typed_at, text_only=True)
        assert await have(options, Shown()) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dialect": "v1"}, "the local engine speaks v2, not v1; leave out --dialect"),
        (
            {"config": Config(realtime=Realtime(version="v1", voice="ash")), "realtime": "openai"},
            "v1 has no voice 'ash'",
        ),
        ({"config": Config(model_provider="other")}, "model_provider: expected openai"),
        ({"dialect": "v9"}, "unknown dialect 'v9'; choose one of: v1, v2, v3, live"),
        ({"voice": "bob"}, "v2 has no voice 'bob'; choose one of: alloy"),
        ({"realtime": "azure"}, "unknown realtime target 'azure'; choose one of: local, openai"),
        ({"steps": ()}, "nothing to say"),
        ({"text_only": True, "out": "x.wav"}, "--text has no sound"),
        ({"cwd": "missing"}, "expected a folder to work in"),
    ],
)
def test_options_that_do_not_fit_are_bad_use(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    fitting = TalkOptions(cwd=tmp_path, steps=(Step(text="hello"),))
    if "cwd" in change:
        change = {"cwd": tmp_path / change["cwd"]}
    with pytest.raises(UsageError) as caught:
        dataclasses.replace(fitting, **change)
    assert words in str(caught.value)
