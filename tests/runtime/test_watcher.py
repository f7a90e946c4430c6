from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from backchannel import core
from backchannel.core import screen
from backchannel.runtime import Conversation
from backchannel.testing import Expect, ScriptedServer, Send
from backchannel.wire.realtime import events as server
from tests.runtime.stage import DeskAgent, call, ended, settings_for, until

if TYPE_CHECKING:
    import pytest


@dataclasses.dataclass
class Log:
    """A watcher that writes down what it is told, in order."""

    told: list[screen.ScreenEvent | server.ServerEvent] = dataclasses.field(default_factory=list)
    before: list[tuple[core.Utterance, ...]] = dataclasses.field(default_factory=list)

    def shown(self, event: screen.ScreenEvent) -> None:
        self.told.append(event)

    def said(self, event: server.ServerEvent, before: tuple[core.Utterance, ...]) -> None:
        self.told.append(event)
        if isinstance(event, server.HandoffRequested):
            self.before.append(before)

    def has(self, kind: type[object], *, times: int = 1) -> bool:
        return sum(isinstance(event, kind) for event in self.told) >= times


async def test_everything_is_told_at_once_and_in_one_order() -> None:
    words = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "i", "transcript": "test it"}
    log, agent = Log(), DeskAgent()
    async with ScriptedServer([Expect("session.update"), Send(words)]) as scripted:
        conversation = Conversation(settings_for(scripted.url), agent=agent, watcher=log)
        await conversation.start()
        connection = await scripted.wait_for_connection()
        await until(lambda: log.has(server.InputTranscriptDone), "the words")
        await call(connection, "background_agent", "call_1", '{"prompt": "run them"}')
        await until(lambda: log.has(server.HandoffRequested), "the handoff")
        await call(connection, "background_agent", "call_1", '{"prompt": "run them"}')
        await until(lambda: log.has(server.HandoffRequested, times=2), "the handoff again")
        agent.desk.put_nowait(ended("turn_1"))
        await until(lambda: log.has(screen.TaskEnded), "the end of the task")
        await conversation.stop()
        assert [event async for event in conversation.events()] == []
    kinds = [type(event) for event in log.told]
    assert kinds[:3] == [screen.ConversationStarted, screen.TranscriptDone, server.InputTranscriptDone]
    assert kinds.index(screen.TaskStarted) < kinds.index(server.HandoffRequested)
    assert kinds[-1] is screen.ConversationClosed
    said = (core.Utterance(speaker="user", text="test it"), core.Utterance(speaker="user", text="run them"))
    assert log.before == [said, ()]


class Broken(Log):
    def said(self, event: server.ServerEvent, before: tuple[core.Utterance, ...]) -> None:
        raise RuntimeError("cannot hand it on")


async def test_a_watcher_that_breaks_ends_the_conversation(caplog: pytest.LogCaptureFixture) -> None:
    started = {"type": "input_audio_buffer.speech_started", "item_id": "i"}
    log = Broken()
    async with ScriptedServer([Expect("session.update"), Send(started)]) as scripted:
        conversation = Conversation(settings_for(scripted.url), watcher=log)
        await conversation.start()
        await conversation.ended()
        await conversation.stop()
    assert log.has(screen.ConversationFailed)
    assert isinstance(log.told[-1], screen.ConversationClosed)
    assert "failed" in caplog.text
