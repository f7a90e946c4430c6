"""The conversation: the one place where the machines meet.

It takes an event and the time and gives back effects, in the order in which they are to be done. It decides nothing
that one of the machines can decide; it tells each of them what it has to know and passes the wish to speak from the
agent's news to the floor and from there to the response.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from backchannel.core import events, reports, screen
from backchannel.core.effects import CancelTimer, CloseTransport, Configure, Effect, SendAudio, SetTimer, Show
from backchannel.core.floor import Floor, Reason
from backchannel.core.handoff import TIMER as STOP_TIMER
from backchannel.core.handoff import Decision, Handoff
from backchannel.core.options import Options
from backchannel.core.playback import Playback
from backchannel.core.response import TIMER as RESPONSE_TIMER
from backchannel.core.response import Response
from backchannel.core.server_errors import Remedy, remedy_for
from backchannel.core.transcript import Transcript
from backchannel.errors import LocalProtocolError
from backchannel.wire.realtime import events as server

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FLOOR_TIMER", "Activity", "Conversation", "Options", "State"]

FLOOR_TIMER: Final = "floor"


class State(enum.Enum):
    """Where the conversation stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    CLOSED = "closed"


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """What goes on, for those who wait for a good moment."""

    working: bool
    """A task runs."""
    answering: bool
    """The voice answers."""
    waiting: bool = False
    """There is something that the voice will say as soon as it is quiet."""
    speaking: bool
    """The user speaks, or the voice is still being heard."""

    @property
    def at_rest(self) -> bool:
        """Nothing goes on and nothing waits."""
        return not (self.working or self.answering or self.waiting or self.speaking)


class Conversation:
    """One conversation, from opening to close."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._state = State.CONNECTING
        self._transcript = Transcript()
        self._response = Response()
        self._playback = Playback()
        self._handoff = Handoff(replaces_active=options.replaces_active_handoff)
        self._floor = Floor(speech=options.speech, quiet_s=options.quiet_ms / 1000)
        self._floor_deadline: float | None = None
        self._spoken_for: Reason | None = None
        """Why the voice was last asked to speak."""

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._state

    def activity(self, now: float) -> Activity:
        """What goes on now."""
        return Activity(
            working=not self._handoff.is_idle,
            answering=not self._response.is_idle,
            waiting=self._floor.waiting,
            speaking=self._floor.user_speaking or self._playback.ends_at > now,
        )

    def status(self, now: float) -> str:
        """How the work is going, in a sentence or two."""
        return self._handoff.status(now)

    def handle(self, event: events.Event, now: float) -> list[Effect]:
        """What to do about an event.

        Args:
            event: What happened.
            now: Monotonic seconds; never less than at the call before.

        Raises:
            LocalProtocolError: An opening was reported twice; nothing has changed.
        """
        match event:
            case events.AudioReceived():
                return self._audio_received(event, now)
            case events.AudioCaptured():
                return [SendAudio()] if self._state is State.LIVE else []
            case events.TransportOpened() | events.OpenFailed():
                return self._opened(event)
            case _:
                pass
        if self._state is not State.LIVE:
            # What is still on its way when a conversation ends has nowhere to go.
            return []
        effects = self._live(event, now)
        return [*effects, *self._settle(now)] if self._is_live() else effects

    def _is_live(self) -> bool:
        return self._state is State.LIVE

    def _opened(self, event: events.TransportOpened | events.OpenFailed) -> list[Effect]:
        if self._state is not State.CONNECTING:
            raise LocalProtocolError(
                f"expected an opening once, while connecting; got {event} while {self._state.value}"
            )
        if isinstance(event, events.OpenFailed):
            self._state = State.CLOSED
            return [Show(event=screen.ConversationFailed(message=event.message))]
        self._state = State.LIVE
        return [Configure(), Show(event=screen.ConversationStarted())]

    def _audio_received(self, event: events.AudioReceived, now: float) -> list[Effect]:
        if self._state is not State.LIVE:
            return []
        effects = self._playback.received(event.item_id, event.duration_ms, now)
        # What waits for quiet has to wait longer now.
        return [*effects, *self._settle(now)] if self._floor.waiting else effects

    def _live(self, event: events.Event, now: float) -> list[Effect]:
        match event:
            case events.TransportClosed() | events.TransportFailed() | events.StopRequested():
                return self._ending(event)
            case events.TextTyped():
                return self._decided(
                    self._handoff.typed(event.text, mirrored=self._options.mirror_typed_text, now=now), now
                )
            case events.TaskStopRequested():
                return self._decided(self._handoff.stop_asked(None, now), now)
            case events.SteerFailed():
                return self._decided(self._handoff.steer_failed(event.turn_id, event.reason), now)
            case events.SteerMissed():
                return self._decided(
                    self._handoff.steer_missed(event.turn_id, event.text, by_voice=event.by_voice, now=now), now
                )
            case events.Played():
                self._playback.played(event.item_id, event.total_ms, now)
                return []
            case events.TimerFired():
                return self._timer_fired(event.name, now)
            case (
                reports.AgentMessageDelta()
                | reports.AgentMessage()
                | reports.AgentCommandStarted()
                | reports.AgentCommandOutput()
                | reports.AgentCommandEnded()
                | reports.AgentTurnEnded()
            ):
                return self._reported(event, now)
            case events.AudioReceived() | events.AudioCaptured() | events.TransportOpened() | events.OpenFailed():
                raise AssertionError("handled before")
            case _:
                return self._server(event, now)

    def _server(self, event: server.ServerEvent, now: float) -> list[Effect]:
        match event:
            case server.InputSpeechStarted():
                self._floor.user_started()
                self._transcript.began("user")
                return [*self._playback.cut(now), Show(event=screen.SpeechStarted())]
            case server.InputSpeechStopped():
                self._floor.user_stopped(now)
                return [Show(event=screen.SpeechEnded())]
            case server.InputTranscriptDelta(delta=delta):
                return self._said_more("user", delta)
            case server.InputTranscriptDone(text=text):
                self._floor.user_transcribed(now)
                return self._said("user", text)
            case server.OutputTranscriptDelta(delta=delta):
                return self._said_more("assistant", delta)
            case server.OutputTranscriptDone(text=text):
                return self._said("assistant", text)
            case server.ResponseCreated(response_id=response_id):
                self._transcript.began("assistant")
                return self._response.created(response_id, now)
            case server.ResponseCancelled(response_id=response_id) | server.ResponseDone(response_id=response_id):
                self._floor.voice_stopped(now)
                return self._response.ended(response_id, now)
            case server.HandoffRequested(handoff_id=call_id, text=text):
                # A repeated call is no handoff: what was said since waits for the next one.
                said = () if self._handoff.has_claimed(call_id) else self._transcript.take(text)
                return self._decided(self._handoff.delegated(call_id, text, said, now), now)
            case server.NoopRequested(call_id=call_id):
                return self._decided(self._handoff.called(call_id, output="", speak=None), now)
            case server.ToolCalled():
                return self._tool_called(event, now)
            case server.ServerError():
                return self._server_error(event, now)
            case server.SessionUpdated() | server.ItemAdded() | server.ItemDone():
                return []
        assert_never(event)

    def _tool_called(self, call: server.ToolCalled, now: float) -> list[Effect]:
        match call.name:
            case "agent_status":
                return self._decided(self._handoff.status_asked(call.call_id, now), now)
            case "stop_agent":
                return self._decided(self._handoff.stop_asked(call.call_id, now), now)
            case name:
                answer = f"There is no tool named {name}."
                return self._decided(self._handoff.called(call.call_id, output=answer, speak=Reason.ASKED), now)

    def _server_error(self, error: server.ServerError, now: float) -> list[Effect]:
        remedy = remedy_for(error.code, error.message)
        match remedy:
            case Remedy.DEFER:
                return self._refused(now)
            case Remedy.WARN:
                return [Show(event=screen.Warned(message=error.message))]
            case Remedy.END:
                failed = Show(event=screen.ConversationFailed(message=error.message))
                return [failed, CloseTransport(), *self._closed(screen.CloseReason.ERROR)]
        assert_never(remedy)

    def _reported(self, report: reports.AgentReport, now: float) -> list[Effect]:
        shown = Show(event=report)
        match report:
            case reports.AgentMessage(turn_id=turn_id, text=text, phase=phase):
                return [shown, *self._decided(self._handoff.message(turn_id, text, phase), now)]
            case reports.AgentTurnEnded(turn_id=turn_id, outcome=outcome, error=error):
                return [shown, *self._decided(self._handoff.ended(turn_id, outcome, error, now), now)]
            case _:
                return [shown]

    def _timer_fired(self, name: str, now: float) -> list[Effect]:
        if name == RESPONSE_TIMER:
            return self._response.expired(now)
        if name == STOP_TIMER:
            return self._decided(self._handoff.overdue(now), now)
        if name == FLOOR_TIMER:
            self._floor_deadline = None
            return []
        raise LocalProtocolError(f"expected a timer that was set, got {name!r}")

    def _ending(self, event: events.TransportClosed | events.TransportFailed | events.StopRequested) -> list[Effect]:
        match event:
            case events.StopRequested():
                answers = self._handoff.session_ending()
                return [*answers, CloseTransport(), *self._closed(screen.CloseReason.REQUESTED)]
            case events.TransportClosed(message=message):
                return self._closed(screen.CloseReason.TRANSPORT_CLOSED, detail=message)
            case events.TransportFailed(message=message):
                failed = Show(event=screen.ConversationFailed(message=message))
                return [failed, *self._closed(screen.CloseReason.ERROR)]
        assert_never(event)

    def _closed(self, reason: screen.CloseReason, *, detail: str | None = None) -> list[Effect]:
        self._state = State.CLOSED
        timers = (RESPONSE_TIMER, STOP_TIMER, FLOOR_TIMER)
        return [
            *(CancelTimer(name=name) for name in timers),
            Show(event=screen.ConversationClosed(reason=reason, detail=detail)),
        ]

    def _said_more(self, speaker: screen.Speaker, delta: str) -> list[Effect]:
        self._transcript.delta(speaker, delta)
        return [Show(event=screen.TranscriptDelta(speaker=speaker, delta=delta))]

    def _said(self, speaker: screen.Speaker, text: str) -> list[Effect]:
        self._transcript.done(speaker, text)
        return [Show(event=screen.TranscriptDone(speaker=speaker, text=text))]

    def _decided(self, decision: Decision, now: float) -> list[Effect]:
        effects: Iterable[Effect] = decision.effects
        if decision.speak is None or not self._options.creates_responses:
            return list(effects)
        if self._floor.offer(decision.speak):
            return [*effects, *self._speak(decision.speak, now)]
        return list(effects)

    def _speak(self, reason: Reason | None, now: float) -> list[Effect]:
        self._spoken_for = reason
        self._floor.spoken()
        return self._response.want(now)

    def _refused(self, now: float) -> list[Effect]:
        """The response that we asked for was not begun, so what it was for is still to be said."""
        effects = self._response.refused(now)
        return [*effects, *self._decided(Decision(speak=self._spoken_for), now)]

    def _settle(self, now: float) -> list[Effect]:
        """Let what waits be said when the floor is free, or come back when it will be."""
        if not self._floor.waiting or not self._response.is_idle:
            return self._arm(None)
        free_at = self._floor.free_at(self._playback.ends_at)
        if free_at is None or free_at > now:
            return self._arm(free_at)
        return [*self._arm(None), *self._speak(self._floor.reason, now)]

    def _arm(self, deadline: float | None) -> list[Effect]:
        if deadline == self._floor_deadline:
            return []
        self._floor_deadline = deadline
        if deadline is None:
            return [CancelTimer(name=FLOOR_TIMER)]
        return [SetTimer(name=FLOOR_TIMER, deadline=deadline)]
