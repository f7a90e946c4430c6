"""One example or more of every event, report, screen event and effect."""

from __future__ import annotations

from typing import Final

from backchannel.core import (
    AgentCommandEnded,
    AgentCommandOutput,
    AgentCommandStarted,
    AgentMessage,
    AgentMessageDelta,
    AgentReport,
    AgentTurnEnded,
    Outcome,
    Phase,
    effects,
    events,
    screen,
)
from tests.wire.realtime.examples import INTENTS, SERVER_EVENTS

REPORTS: Final[tuple[AgentReport, ...]] = (
    AgentMessageDelta(turn_id="turn_1", delta="3 te"),
    AgentMessage(turn_id="turn_1", text="3 tests ran.\n\nAll of them passed.", phase=Phase.FINAL),
    AgentMessage(turn_id="turn_1", text="Still running.", phase=Phase.COMMENTARY),
    AgentCommandStarted(turn_id="turn_1", command_id="c1", command="pytest -q"),
    AgentCommandOutput(turn_id="turn_1", command_id="c1", text="...\n"),
    AgentCommandEnded(turn_id="turn_1", command_id="c1", exit_status=None, elapsed_s=1.5),
    AgentTurnEnded(turn_id="turn_1", outcome=Outcome.COMPLETED),
    AgentTurnEnded(turn_id="turn_1", outcome=Outcome.FAILED, error="pytest is missing"),
)

EVENTS: Final[tuple[events.Event, ...]] = (
    events.TransportOpened(),
    events.OpenFailed(message="refused"),
    events.TransportClosed(message="code 1000"),
    events.TransportFailed(message="reset"),
    events.AudioReceived(item_id=None, duration_ms=20),
    events.AudioCaptured(duration_ms=20),
    events.Played(item_id="item_5", total_ms=120),
    events.TextTyped(text="run the tests"),
    events.TaskStopRequested(),
    events.StopRequested(),
    events.SteerFailed(turn_id="turn_1", reason="it cannot be changed"),
    events.SteerMissed(turn_id="turn_1", text="only core", by_voice=True),
    events.TimerFired(name="floor"),
    *SERVER_EVENTS,
    *REPORTS,
)

SCREEN: Final[tuple[screen.ScreenEvent, ...]] = (
    screen.ConversationStarted(),
    screen.CallAnswered(sdp="v=0"),
    screen.SpeechStarted(),
    screen.SpeechEnded(),
    screen.TranscriptDelta(speaker="user", delta="run"),
    screen.TranscriptDone(speaker="assistant", text="on it"),
    screen.TypedText(text="run the tests"),
    screen.TaskStarted(turn_id="turn_1", request="run the tests", by_voice=True),
    screen.TaskSteered(turn_id="turn_1", request="only core", by_voice=False),
    screen.TaskStopping(turn_id="turn_1"),
    screen.TaskEnded(turn_id="turn_1", outcome=Outcome.INTERRUPTED, elapsed_s=2.5, error=None),
    screen.StatusAnswered(text="No task is running."),
    screen.PlaybackCut(item_id="item_5", heard_ms=120),
    screen.Warned(message="slow down"),
    screen.ConversationFailed(message="reset"),
    screen.ConversationClosed(reason=screen.CloseReason.ERROR, detail="reset"),
    *REPORTS,
)

EFFECTS: Final[tuple[effects.Effect, ...]] = (
    effects.Configure(),
    *(effects.Send(intent=intent) for intent in INTENTS),
    effects.SendAudio(),
    effects.PlayAudio(item_id="item_5"),
    effects.StopPlayback(),
    effects.StartTurn(turn_id="turn_1", text="run the tests"),
    effects.SteerTurn(turn_id="turn_1", text="only core", by_voice=True),
    effects.InterruptTurn(turn_id="turn_1"),
    effects.SetTimer(name="floor", deadline=1.5),
    effects.CancelTimer(name="floor"),
    *(effects.Show(event=event) for event in SCREEN),
    effects.CloseTransport(),
)
