"""One example or more of every event, report, screen event and effect."""

from __future__ import annotations

from typing import Final

from backchannel.core import (
    AgentApprovalRequested,
    AgentApprovalWithdrawn,
    AgentCommandEnded,
    AgentCommandOutput,
    AgentCommandStarted,
    AgentMessage,
    AgentMessageDelta,
    AgentMessageDropped,
    AgentReport,
    AgentThought,
    AgentThoughtDelta,
    AgentTurnEnded,
    Options,
    Outcome,
    Phase,
    Risk,
    Speech,
    effects,
    events,
    screen,
)
from backchannel.wire.realtime import intents
from tests.wire.realtime.examples import INTENTS, SERVER_EVENTS

REPORTS: Final[tuple[AgentReport, ...]] = (
    AgentThoughtDelta(turn_id="turn_1", delta="**Lo", part=1),
    AgentThought(turn_id="turn_1", parts=("**Looking**", "Found.")),
    AgentMessageDelta(turn_id="turn_1", delta="3 te"),
    AgentMessageDropped(turn_id="turn_1"),
    AgentMessage(turn_id="turn_1", text="3 tests ran.\n\nAll of them passed.", phase=Phase.FINAL),
    AgentMessage(turn_id="turn_1", text="Still running.", phase=Phase.COMMENTARY),
    AgentCommandStarted(turn_id="turn_1", command_id="c1", command="pytest -q"),
    AgentCommandOutput(turn_id="turn_1", command_id="c1", text="...\n"),
    AgentCommandEnded(turn_id="turn_1", command_id="c1", exit_status=None, elapsed_s=1.5),
    AgentApprovalRequested(
        turn_id="turn_1", approval_id="a1", action="run git push", detail="git push -f", risks=(Risk.FORCE_PUSH,)
    ),
    AgentApprovalWithdrawn(turn_id="turn_1", approval_id="a1"),
    AgentTurnEnded(turn_id="turn_1", outcome=Outcome.COMPLETED),
    AgentTurnEnded(turn_id="turn_1", outcome=Outcome.FAILED, error="pytest is missing"),
)

EVENTS: Final[tuple[events.Event, ...]] = (
    events.TransportOpened(),
    events.OpenFailed(message="refused", is_final=True, chance=0.25),
    events.TransportClosed(message="code 1000", code=1000),
    events.TransportFailed(message="reset", unsent=(intents.MirrorTyped(text="run the tests"),)),
    events.ReplacementRequested(options=Options(speech=Speech.CHATTY)),
    events.TextAppended(text="by the way", role="developer"),
    events.SpeechAppended(text="the build is done"),
    events.InstructionsChanged(instructions="Be loud."),
    events.MuteChanged(muted=True),
    events.UpdatesChosen(level=Speech.RESULTS),
    events.ApprovalAnswered(approval_id="a1", approved=False),
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
    screen.ConversationReconnecting(attempt=1, delay_s=0.2, message="reset"),
    screen.ConversationReconnected(state_restored=True),
    screen.Muted(muted=True),
    screen.ApprovalNeeded(
        turn_id="turn_1",
        approval_id="a1",
        action="run git push",
        detail="git push -f",
        risks=(Risk.FORCE_PUSH,),
        on_screen_only=True,
    ),
    screen.ApprovalSettled(
        turn_id="turn_1",
        approval_id="a1",
        decision=screen.ApprovalDecision.APPROVED,
        by=screen.AnsweredBy.VOICE,
        words="yes, go ahead",
    ),
    screen.UpdatesSet(level="results"),
    screen.CallAnswered(sdp="v=0"),
    screen.SpeechStarted(),
    screen.SpeechEnded(),
    screen.TranscriptDelta(speaker="user", delta="run"),
    screen.TranscriptDone(speaker="assistant", text="on it"),
    screen.TypedText(text="run the tests"),
    screen.TaskStarted(turn_id="turn_1", request="run the tests", by_voice=True),
    screen.TaskSteered(turn_id="turn_1", request="only core", by_voice=False),
    screen.TaskQueued(request="then lint it", by_voice=True),
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
    effects.OpenTransport(replaces=True),
    effects.TakeTransport(),
    effects.Configure(),
    effects.SendSilence(),
    effects.AnswerApproval(turn_id="turn_1", approval_id="a1", approved=True),
    effects.BriefAgent(by_voice=True),
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
