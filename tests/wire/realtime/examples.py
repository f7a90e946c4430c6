"""One example or more of every value of the realtime wire."""

from __future__ import annotations

from typing import Final

import msgspec

from backchannel.wire.realtime import TOOLS, InitialItem, Modality, Mode, SessionSettings, events, intents

SETTINGS: Final = SessionSettings(
    instructions="Be brief.",
    voice="marin",
    model="gpt-realtime-1.5",
    mode=Mode.CONVERSATIONAL,
    modality=Modality.TEXT,
    tools=(TOOLS["background_agent"],),
    initial_items=(InitialItem(role="user", text="earlier"),),
    ack_filler=False,
    session_id="sess_1",
)

SERVER_EVENTS: Final[tuple[events.ServerEvent, ...]] = (
    events.SessionUpdated(session_id="sess_1", instructions="Be brief."),
    events.InputSpeechStarted(item_id="item_1"),
    events.InputSpeechStopped(item_id=None),
    events.InputTranscriptDelta(delta="run", item_id="item_1", end_ms=400),
    events.InputTranscriptDone(text="run the tests", item_id="item_1"),
    events.OutputTranscriptDelta(delta="on", item_id="item_5"),
    events.OutputTranscriptDone(text="on it"),
    events.ItemAdded(item=msgspec.Raw(b'{"id":"item_2"}'), item_id="item_2", after_item_id="item_1"),
    events.ItemDone(item_id="item_1"),
    events.ResponseCreated(response_id="resp_1"),
    events.ResponseCancelled(response_id="resp_1"),
    events.ResponseDone(response_id="resp_1", failure="The model is overloaded."),
    events.HandoffRequested(handoff_id="call_1", item_id="item_2", text="run the tests"),
    events.NoopRequested(call_id="call_2", item_id="item_3"),
    events.ToolCalled(call_id="call_3", item_id="item_4", name="agent_status", arguments="{}"),
    events.ServerError(message="slow down", code="rate_limit_exceeded"),
)

AUDIO: Final = events.AudioOut(data="AAAA", rate_hz=24_000, channels=1, samples_per_channel=1, item_id="item_5")

INTENTS: Final[tuple[intents.Intent, ...]] = (
    intents.AppendAudio(audio="AAAA"),
    intents.AddText(role="developer", text="note"),
    intents.MirrorTyped(text="run the tests"),
    intents.SpeakText(text="3 tests ran"),
    intents.ReportProgress(handoff_id=None, text="3 tests ran", phase="commentary"),
    intents.ReportAsItem(text="3 tests ran", prefix="From the agent:", channel="speakable"),
    intents.FinishHandoff(handoff_id="call_1", output="done", is_news=True),
    intents.AnswerCall(call_id="call_2", output=""),
    intents.RequestResponse(),
    intents.Truncate(item_id="item_5", audio_end_ms=120),
    intents.ChangeInstructions(instructions="Be loud."),
    intents.UpdateSession(settings=SETTINGS),
    intents.CloseSession(),
)
