"""The conversation: the one place where the machines meet.

It takes an event and the time and gives back effects, in the order in which they are to be done. It decides nothing
that one of the machines can decide; it tells each of them what it has to know, passes the wish to speak from the
agent's news to the floor and from there to the response, and keeps what cannot be said while there is no way to the
server. A table says which method takes which event; every method returns what is to be done. There is one way out,
`_close`.

It is one file, although long: which machine has to know of what can only be judged together.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, assert_never, cast

import msgspec

from backchannel.core import events, reports, screen
from backchannel.core.approval import TIMER as APPROVAL_TIMER
from backchannel.core.approval import Approval, Step
from backchannel.core.delegation import render_tail
from backchannel.core.effects import (
    BriefAgent,
    CancelTimer,
    CloseTransport,
    Configure,
    Effect,
    Send,
    SendAudio,
    SendSilence,
    SetTimer,
    Show,
    TakeTransport,
)
from backchannel.core.floor import Floor, News, Reason, Speech
from backchannel.core.handoff import TIMER as STOP_TIMER
from backchannel.core.handoff import Decision, Handoff, Task, silent_tags
from backchannel.core.link import RETRY_TIMER, ROTATION_TIMER, Link, Opening, Verdict
from backchannel.core.link import State as LinkState
from backchannel.core.pieces import TIMER as PIECES_TIMER
from backchannel.core.pieces import Pieces
from backchannel.core.playback import Playback
from backchannel.core.response import TIMER as RESPONSE_TIMER
from backchannel.core.response import Response
from backchannel.core.restoration import account_of
from backchannel.core.server_errors import Remedy, remedy_for
from backchannel.core.streaming import TIMER as STREAMING_TIMER
from backchannel.core.streaming import Streaming
from backchannel.core.transcript import Transcript
from backchannel.core.unnamed import TIMER as WORDS_TIMER
from backchannel.core.unnamed import Unnamed
from backchannel.errors import LocalProtocolError
from backchannel.wire.realtime import events as server
from backchannel.wire.realtime import intents

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.core.options import Options
    from backchannel.core.transcript import Utterance

__all__ = ["FLOOR_TIMER", "HEARTBEAT_TIMER", "MUTE_TAIL_S", "PROGRESS_TIMER", "Activity", "Conversation", "State"]

FLOOR_TIMER: Final = "floor"
HEARTBEAT_TIMER: Final = "heartbeat"
PROGRESS_TIMER: Final = "progress"
MUTE_TAIL_S: Final = 1.0
"""How long silence is sent in the place of a microphone that was switched off, so that a server that was listening
notices the end of what was said."""
FAILED_PAUSE_S: Final = 5.0
"""How long nothing is said unasked after a response failed, or the server said that we ask too often."""

_MACHINE_TIMERS: Final = (RESPONSE_TIMER, STOP_TIMER, RETRY_TIMER, ROTATION_TIMER, APPROVAL_TIMER)
"""Those that the machines set themselves."""
_NEARLY_S: Final = 0.3
"""Whoever answers so shortly before the end of a sentence has heard it."""
_SEND_AUDIO: Final[Effect] = SendAudio()
_SEND_SILENCE: Final[Effect] = SendSilence()
_CLIENT_SPEECH: Final = "client"


class State(enum.Enum):
    """Where the conversation stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    RECONNECTING = "reconnecting"
    """It goes on as soon as there is a way to the server again."""
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
    reconnecting: bool = False
    """There is no way to the server at the moment."""

    @property
    def at_rest(self) -> bool:
        """Nothing goes on and nothing waits."""
        return not (self.working or self.answering or self.waiting or self.speaking or self.reconnecting)


class Conversation:
    """One conversation, from opening to close; another one may take its place (`ReplacementRequested`)."""

    def __init__(self, options: Options) -> None:
        self._link = Link(options)
        self._transcript = Transcript()
        self._handoff = Handoff(options)
        self._approval = Approval(options)
        self._unnamed = Unnamed()
        self._muted_at: float | None = None
        self._is_deafness_said = False  # mutants: same
        self._deadlines: dict[str, float] = {}
        self._begin(options)

    def _begin(self, options: Options) -> None:
        """What belongs to a session, anew."""
        self._options = options
        self._response = Response()
        self._playback = Playback()
        self._pieces = Pieces()
        self._streaming = Streaming(silent_tags(options))
        self._floor = Floor(speech=options.speech, quiet_s=options.quiet_ms / 1000)
        self._denied_until = 0.0
        self._last_said: tuple[News, ...] = ()

    @property
    def state(self) -> State:
        """Where it stands."""
        match self._link.state:
            case LinkState.CONNECTING:
                return State.CONNECTING
            case LinkState.LIVE | LinkState.ROTATING | LinkState.REPLACING:
                return State.LIVE
            case LinkState.LOST | LinkState.REOPENING | LinkState.REPLACING_LOST:
                return State.RECONNECTING
            case LinkState.CLOSED:
                return State.CLOSED
        assert_never(self._link.state)

    @property
    def is_live(self) -> bool:
        """Whether there is a way to the server now."""
        return self._link.has_way

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._link.is_over

    @property
    def options(self) -> Options:
        """What was chosen about it."""
        return self._options

    @property
    def is_muted(self) -> bool:
        """Whether the microphone is switched off."""
        return self._muted_at is not None

    def activity(self, now: float) -> Activity:
        """What goes on now."""
        return Activity(
            working=not self._handoff.is_idle,
            answering=not self._response.is_idle,
            waiting=self._floor.waiting,
            speaking=self._floor.user_speaking or self._playback.ends_at > now,
            reconnecting=self.state is State.RECONNECTING,
        )

    @property
    def task(self) -> Task | None:
        """What the agent is working on; None when it is not."""
        return self._handoff.task

    def said_before(self, handoff: server.HandoffRequested) -> tuple[Utterance, ...]:
        """What was said since the last handoff, when this one is about to be handled; nothing of a repeated one."""
        if self._handoff.has_claimed(handoff.handoff_id):
            return ()
        return self._transcript.peek(handoff.text, until_ms=handoff.offset_ms)

    def status(self, now: float) -> str:
        """How the work is going, in a sentence or two."""
        return self._handoff.status(now)

    def handle(self, event: events.Event, now: float) -> list[Effect]:
        """What to do about an event.

        Args:
            event: What happened.
            now: Monotonic seconds; never less than at the call before.

        Raises:
            LocalProtocolError: An opening was reported that nobody waits for, or a replacement was asked for where
                there is nothing to replace; nothing has changed.
        """
        kind = type(event)
        if kind is events.AudioCaptured:
            return self._captured(now)
        link = self._link
        had_way = link.has_way
        if kind is events.AudioReceived and had_way and not self._floor.waiting:
            # Most of what comes. It moves nothing but what waits for quiet.
            return self._audio_received(cast("events.AudioReceived", event), now)
        if not had_way and kind not in _WITHOUT_A_CONVERSATION and link.state in _NO_CONVERSATION:
            # What is still on its way when a conversation ends has nowhere to go.
            return []
        if self._floor.is_saying:
            self._heard(now)
        effects = _HANDLERS[kind](self, event, now)
        if not link.is_over:
            effects += self._settle(now)
        # Whoever gives up a way says its last words first.
        return effects if had_way or link.has_way else self._held(effects)

    # The way to the server

    def _opened(self, _: events.TransportOpened, now: float) -> list[Effect]:
        had_way = self._link.has_way
        meaning, planned = self._link.opened(now)
        self._is_deafness_said = False
        match meaning:
            case Opening.STARTED:
                return [*_started(), *planned]
            case Opening.REPLACED:
                return [*self._replaced(now, had_way=had_way), *planned]
            case Opening.ROTATED:
                # The old session is left in order: what waits for an answer in it is told that none comes there.
                answers = [*self._last_words(now), *self._handoff.session_ending()]
                answers += self._approval.session_ending().effects
                self._floor.transport_lost(now)
                return [*answers, TakeTransport(), *self._restored(now), *planned]
            case Opening.RESTORED:
                shown = Show(event=screen.ConversationReconnected(state_restored=True))
                if self._options.session_outlives_way:
                    if self._options.tells_speech:
                        # Its end may have been told meanwhile, to nobody.
                        self._floor.user_stopped(now)
                    return [TakeTransport(), *map(_send, self._link.release()), shown, *planned]
                self._floor.transport_restored()
                return [TakeTransport(), *self._restored(now), shown, *planned]
        assert_never(meaning)

    def _replaced(self, now: float, *, had_way: bool) -> list[Effect]:
        answers = [*self._last_words(now), *self._handoff.session_ending(), *self._approval.session_ending().effects]
        if not had_way:
            # The old session was lost meanwhile: nobody is left to hear an answer.
            answers = [effect for effect in answers if type(effect) is not Send]
        timers = [CancelTimer(name=name) for name in self._forget_timers()]
        closed = screen.ConversationClosed(reason=screen.CloseReason.REQUESTED, replaced=True)
        brief = self._brief_of_end()
        options = self._link.options
        self._transcript.cleared()
        self._handoff.replaced(options)
        self._begin(options)
        self._floor.muted(self.is_muted, now)
        if self.task is not None:
            self._floor.work_started(self.task.turn_id, now)
        effects = [*answers, *timers, Show(event=closed), brief, *_started()]
        effects += self._approval_step(self._approval.transport_lost(now), now)
        self._approval.replaced(options)
        return [*effects, *self._approval_step(self._approval.transport_restored(now), now)]

    def _restored(self, now: float) -> list[Effect]:
        """A new session is told what the one before knew."""
        said = self._transcript.account(leaving_out=self._link.held_texts)
        working = self._handoff.status(now) if not self._handoff.is_idle else None
        account = account_of(said, working)
        effects: list[Effect] = [Configure()]
        if account:
            effects.append(_send(intents.AddText(role="developer", text=account)))
        effects += map(_send, self._link.release())
        effects += self._session_lost(now)
        self._playback.session_began()
        effects += self._approval_step(self._approval.transport_lost(now), now)
        return [*effects, *self._approval_step(self._approval.transport_restored(now), now)]

    def _session_lost(self, now: float) -> list[Effect]:
        """The session is gone, and with it its ids, its response and its calls; what was begun in it is whole."""
        whole = self._whole(self._pieces.end(), now)
        self._transcript.transport_lost()
        self._playback.session_lost()
        self._response = Response()
        self._handoff.session_lost()
        self._streaming.lost()
        return whole

    def _open_failed(self, event: events.OpenFailed, now: float) -> list[Effect]:
        verdict = self._link.open_failed(
            event.message,
            is_final=event.is_final,
            is_over=event.is_over,
            is_busy=event.is_busy,
            chance=event.chance,
            now=now,
        )
        if verdict.leaves:
            answers = [*self._handoff.session_ending(), *self._approval.session_ending().effects]
            return [*answers, CloseTransport(), *verdict.effects]
        if verdict.ends is None and verdict.message is not None:
            # A conversation that never began, or one that was to take the place of this one.
            failed = Show(event=screen.ConversationFailed(message=verdict.message, went_on=not self._link.is_over))
            return [failed, *verdict.effects]
        return self._judged(verdict)

    def _transport_closed(self, event: events.TransportClosed, now: float) -> list[Effect]:
        verdict = self._link.closed(event.message, code=event.code, chance=event.chance, now=now)
        return self._lost(verdict, event.unsent, now)

    def _transport_failed(self, event: events.TransportFailed, now: float) -> list[Effect]:
        verdict = self._link.failed(event.message, is_final=event.is_final, chance=event.chance, now=now)
        return self._lost(verdict, event.unsent, now)

    def _lost(self, verdict: Verdict, unsent: tuple[intents.Intent, ...], now: float) -> list[Effect]:
        if verdict.ends is None:
            self._link.hold(unsent)
            if not self._options.session_outlives_way:
                # Nobody is left to be told that they are at work.
                handed_over = [effect for effect in self._last_words(now) if type(effect) is not Send]
                whole = self._session_lost(now)
                self._floor.transport_lost(now)
                lost = self._approval.transport_lost(now).effects
                return [*verdict.effects, *handed_over, *whole, CancelTimer(name=RESPONSE_TIMER), *lost]
        return self._judged(verdict)

    def _judged(self, verdict: Verdict) -> list[Effect]:
        if verdict.ends is None:
            return list(verdict.effects)
        return [*verdict.effects, *self._close(verdict.ends, verdict.message)]

    def _stop_requested(self, _: events.StopRequested, now: float) -> list[Effect]:
        held = self._floor.flush()
        last = [] if held is None else [self._progress(held)]
        answers = [*last, *self._handoff.session_ending(), *self._approval.session_ending().effects]
        return [*answers, CloseTransport(), *self._close(screen.CloseReason.REQUESTED, None)]

    def _close(self, reason: screen.CloseReason, message: str | None) -> list[Effect]:
        """The end of the conversation: the only one."""
        self._link.ended()
        effects: list[Effect] = []
        if reason is screen.CloseReason.ERROR and message is not None:
            effects.append(Show(event=screen.ConversationFailed(message=message)))
        timers = [CancelTimer(name=name) for name in _MACHINE_TIMERS]
        timers += [CancelTimer(name=name) for name in self._forget_timers()]
        detail = message if reason is screen.CloseReason.TRANSPORT_CLOSED else None
        closed = Show(event=screen.ConversationClosed(reason=reason, detail=detail))
        return [*effects, *timers, self._brief_of_end(), closed]

    def _brief_of_end(self) -> Effect:
        said = self._transcript.tail() if self._options.hands_over_tail else ""
        return BriefAgent(by_voice=False, tail=render_tail(said) if said else None)

    def _replacement_requested(self, event: events.ReplacementRequested, _: float) -> list[Effect]:
        return self._link.replacement_asked(event.options)

    def _held(self, effects: list[Effect]) -> list[Effect]:
        """Without a way nothing can be said; it is kept."""
        self._link.hold(effect.intent for effect in effects if type(effect) is Send)
        return [effect for effect in effects if type(effect) is not Send]

    # Sound

    def _captured(self, now: float) -> list[Effect]:
        if not self._link.has_way:
            if self._link.state in _NO_CONVERSATION or self._is_deafness_said or self.is_muted:
                return []
            self._is_deafness_said = True
            message = "there is no connection at the moment: what you say is not heard until it is back"
            return [Show(event=screen.Warned(message=message))]
        if self._muted_at is None:
            return [_SEND_AUDIO]
        return [_SEND_SILENCE] if now - self._muted_at < MUTE_TAIL_S else []

    def _audio_received(self, event: events.AudioReceived, now: float) -> list[Effect]:
        return self._playback.received(event.item_id, event.duration_ms, now)

    def _played(self, event: events.Played, now: float) -> list[Effect]:
        self._playback.played(event.item_id, event.total_ms, now)
        return []

    def _mute_changed(self, event: events.MuteChanged, now: float) -> list[Effect]:
        if event.muted == self.is_muted:
            return []
        self._muted_at = now if event.muted else None
        self._floor.muted(event.muted, now)
        return [Show(event=screen.Muted(muted=event.muted))]

    def _speech_started(self, event: server.InputSpeechStarted, now: float) -> list[Effect]:
        self._floor.user_started()
        self._transcript.began("user")
        step = self._approval.said_started(now, event.item_id)
        cut = self._playback.cut(now)
        if self._floor.is_saying:
            self._floor.cut_off(now)
        return [*cut, _SPEECH_STARTED, *self._approval_step(step, now)]

    def _speech_stopped(self, _: server.InputSpeechStopped, now: float) -> list[Effect]:
        self._floor.user_stopped(now)
        return [_SPEECH_ENDED]

    # Words

    def _user_said_more(self, event: server.InputTranscriptDelta, now: float) -> list[Effect]:
        options = self._options
        if not options.tells_speech:
            self._floor.user_started()
        before = [] if options.completes_transcripts else self._piece_came("user", event.delta, now)
        self._transcript.delta(
            "user", event.delta, item_id=event.item_id, end_ms=event.end_ms, is_mixed=options.mixes_transcripts
        )
        shown = Show(event=screen.TranscriptDelta(speaker="user", delta=event.delta))
        return [*before, shown, *(self._words_came(now) if self._unnamed.deadline is not None else ())]

    def _user_said(self, event: server.InputTranscriptDone, now: float) -> list[Effect]:
        self._floor.user_transcribed(now)
        self._transcript.done("user", event.text, item_id=event.item_id)
        shown = Show(event=screen.TranscriptDone(speaker="user", text=event.text))
        return [shown, *self._approval_step(self._approval.said(event.text, now, event.item_id), now)]

    def _voice_said_more(self, event: server.OutputTranscriptDelta, now: float) -> list[Effect]:
        options = self._options
        before = [] if options.completes_transcripts else self._piece_came("assistant", event.delta, now)
        self._transcript.delta("assistant", event.delta, item_id=event.item_id, is_mixed=options.mixes_transcripts)
        return [*before, Show(event=screen.TranscriptDelta(speaker="assistant", delta=event.delta))]

    def _piece_came(self, speaker: screen.Speaker, piece: str, now: float) -> list[Effect]:
        return self._whole(self._pieces.came(speaker, piece, now), now)

    def _whole(self, said: tuple[screen.Speaker, str] | None, now: float) -> list[Effect]:
        """Somebody has said their say, as far as can be told."""
        if said is None:
            return []
        speaker, text = said
        self._transcript.began(speaker)
        if speaker == "user":
            self._floor.user_transcribed(now)
        else:
            self._floor.voice_stopped(now)
        return [Show(event=screen.TranscriptDone(speaker=speaker, text=text))]

    def _voice_said(self, event: server.OutputTranscriptDone, _: float) -> list[Effect]:
        self._transcript.done("assistant", event.text, item_id=event.item_id)
        return [Show(event=screen.TranscriptDone(speaker="assistant", text=event.text))]

    def _item_added(self, event: server.ItemAdded, _: float) -> list[Effect]:
        if event.item_id is not None:
            self._transcript.placed(event.item_id, event.after_item_id)
        return []

    def _text_typed(self, event: events.TextTyped, now: float) -> list[Effect]:
        if event.text.strip():
            self._transcript.typed(event.text)
        return self._decided(self._handoff.typed(event.text, mirrored=self._options.mirror_typed_text, now=now), now)

    def _text_appended(self, event: events.TextAppended, _: float) -> list[Effect]:
        if event.role == "user" and event.text.strip():
            self._transcript.typed(event.text)
        return [_send(intents.AddText(role=event.role, text=event.text))]

    def _speech_appended(self, event: events.SpeechAppended, now: float) -> list[Effect]:
        if not event.text.strip():
            return []
        said = _send(intents.SpeakText(text=event.text))
        if not self._options.creates_responses:
            return [said]
        return [said, *self._offered(News(reason=Reason.ASKED, about=_CLIENT_SPEECH, text=event.text), now)]

    def _instructions_changed(self, event: events.InstructionsChanged, _: float) -> list[Effect]:
        changed = intents.ChangeInstructions(instructions=event.instructions)
        if self._link.has_way:
            self._link.sent(changed)
        return [_send(changed)]

    # Responses

    def _response_created(self, event: server.ResponseCreated, now: float) -> list[Effect]:
        self._transcript.began("assistant")
        return self._response.created(event.response_id, now)

    def _response_ended(self, event: server.ResponseCancelled | server.ResponseDone, now: float) -> list[Effect]:
        self._floor.voice_stopped(now)
        return self._response.ended(event.response_id, now)

    def _response_done(self, event: server.ResponseDone, now: float) -> list[Effect]:
        if event.failure is None:
            return self._response_ended(event, now)
        # Nobody has heard what it was for, and the same would happen again at once.
        self._floor.cut_off(now)
        self._denied_until = now + FAILED_PAUSE_S
        warned = Show(event=screen.Warned(message=f"the voice could not answer: {event.failure}"))
        return [warned, *self._response_ended(event, now)]

    # What the voice hands over, and its tools

    def _handoff_requested(self, event: server.HandoffRequested, now: float) -> list[Effect]:
        if self._options.names_requests or event.text.strip():
            return self._delegated(event, now)
        self._unnamed.wait(event, now)
        return self._words_came(now)

    def _words_came(self, now: float) -> list[Effect]:
        due = self._unnamed.due(self._transcript.heard_until_ms, now)
        return [effect for delegation in due for effect in self._delegated(delegation, now)]

    def _last_words(self, now: float) -> list[Effect]:
        """The session ends: what it handed over is worked on with the words that are there."""
        lost = self._unnamed.session_lost()
        return [effect for delegation in lost for effect in self._delegated(delegation, now)]

    def _delegated(self, event: server.HandoffRequested, now: float) -> list[Effect]:
        # A repeated call is no handoff: what was said since waits for the next one.
        is_repeated = self._handoff.has_claimed(event.handoff_id)
        said = () if is_repeated else self._transcript.take(event.text, until_ms=event.offset_ms)
        return self._decided(self._handoff.delegated(event.handoff_id, event.text, said, now), now)

    def _noop_requested(self, event: server.NoopRequested, now: float) -> list[Effect]:
        return self._decided(self._handoff.called(event.call_id, output="", speak=None), now)

    def _tool_called(self, call: server.ToolCalled, now: float) -> list[Effect]:
        match call.name:
            case "agent_status":
                self._floor.news_came(now)
                return self._decided(self._handoff.status_asked(call.call_id, now), now)
            case "stop_agent":
                return self._decided(self._handoff.stop_asked(call.call_id, now), now)
            case "answer_approval":
                if (repeated := self._handoff.take_call(call.call_id)) is not None:
                    return self._decided(repeated, now)
                return self._approval_step(self._approval.called(call.call_id, call.arguments, now), now)
            case "set_updates":
                return self._updates_asked(call, now)
            case name:
                answer = f"There is no tool named {name}."
                return self._decided(self._handoff.called(call.call_id, output=answer, speak=Reason.ASKED), now)

    def _updates_asked(self, call: server.ToolCalled, now: float) -> list[Effect]:
        level = _decode_level(call.arguments)
        if level is None:
            answer = f"There is no such level of updates. Choose one of: {', '.join(LEVELS)}."
            return self._decided(self._handoff.called(call.call_id, output=answer, speak=Reason.ASKED), now)
        answer = f"From now on the level of updates is: {level.value}."
        decision = self._handoff.called(call.call_id, output=answer, speak=Reason.ASKED)
        return [*self._updates_set(level), *self._decided(decision, now)]

    def _updates_chosen(self, event: events.UpdatesChosen, _: float) -> list[Effect]:
        return self._updates_set(event.level)

    def _updates_set(self, level: Speech) -> list[Effect]:
        if level is self._floor.speech:
            return []
        self._floor.set_speech(level)
        self._handoff.speech_set(level)
        return [Show(event=screen.UpdatesSet(level=level.value))]

    def _task_stop_requested(self, _: events.TaskStopRequested, now: float) -> list[Effect]:
        return self._decided(self._handoff.stop_asked(None, now), now)

    def _steer_failed(self, event: events.SteerFailed, now: float) -> list[Effect]:
        return self._decided(self._handoff.steer_failed(event.turn_id, event.reason), now)

    def _steer_missed(self, event: events.SteerMissed, now: float) -> list[Effect]:
        decision = self._handoff.steer_missed(event.turn_id, event.text, by_voice=event.by_voice, now=now)
        return self._decided(decision, now)

    # What the agent reports

    def _agent_wrote(self, report: reports.AgentMessageDelta, now: float) -> list[Effect]:
        if self._options.streams_reports:
            self._streaming.wrote(self._handoff.waiting_call(report.turn_id), report.delta, now)
        return [Show(event=report)]

    def _piece_due(self, now: float) -> list[Effect]:
        call_id = None if self.task is None else self._handoff.waiting_call(self.task.turn_id)
        text = self._streaming.head
        piece = self._streaming.due(call_id, now)
        return [] if piece is None else [_send(self._handoff.piece(piece, text))]

    def _agent_thought(self, report: reports.AgentThought, now: float) -> list[Effect]:
        decision = self._handoff.thought(report.turn_id, "\n\n".join(report.parts))
        return [Show(event=report), *self._decided(decision, now)]

    def _agent_dropped(self, report: reports.AgentMessageDropped, _: float) -> list[Effect]:
        self._streaming.dropped()
        return [Show(event=report)]

    def _agent_said(self, report: reports.AgentMessage, now: float) -> list[Effect]:
        if report.text.strip():
            self._transcript.reported(report.text)
            self._floor.news_came(now)
        before = [] if report.phase is reports.Phase.COMMENTARY else self._passed_on()
        rest: str | None = None
        if self._options.streams_reports:
            rest = self._streaming.completed(self._handoff.waiting_call(report.turn_id), report.text)
        decision = self._handoff.message(report.turn_id, report.text, report.phase, rest=rest)
        return [Show(event=report), *before, *self._decided(decision, now)]

    def _turn_ended(self, report: reports.AgentTurnEnded, now: float) -> list[Effect]:
        self._streaming.dropped()
        effects: list[Effect] = [Show(event=report), *self._passed_on()]
        effects += self._approval_step(self._approval.turn_ended(report.turn_id, now), now)
        decision = self._handoff.ended(report.turn_id, report.outcome, report.error, now)
        return [*effects, *self._decided(decision, now)]

    def _shown(self, report: reports.AgentReport, _: float) -> list[Effect]:
        return [Show(event=report)]

    def _passed_on(self) -> list[Effect]:
        """What is held back of the agent's progress goes out before anything that comes after it."""
        held = self._floor.flush()
        return [] if held is None else [self._progress(held)]

    def _progress(self, text: str) -> Effect:
        return _send(self._handoff.report(text, reports.Phase.COMMENTARY))

    # Permission

    def _approval_requested(self, report: reports.AgentApprovalRequested, now: float) -> list[Effect]:
        self._floor.news_came(now)
        step = self._approval.requested(report, now)
        return [Show(event=report), *self._passed_on(), *self._approval_step(step, now)]

    def _approval_withdrawn(self, report: reports.AgentApprovalWithdrawn, now: float) -> list[Effect]:
        return [Show(event=report), *self._approval_step(self._approval.withdrawn(report.approval_id, now), now)]

    def _approval_answered(self, event: events.ApprovalAnswered, now: float) -> list[Effect]:
        step = self._approval.answered_by_hand(event.approval_id, approved=event.approved, now=now)
        return self._approval_step(step, now)

    def _approval_step(self, step: Step, now: float) -> list[Effect]:
        effects = list(step.effects)
        for approval_id in step.settled:
            self._floor.forget(approval_id)
        questions = [
            News(reason=Reason.QUESTION, about=question.approval_id, text=question.text)
            for question in (step.mention, step.ask)
            if question is not None
        ]
        if not step.speak:
            for question in questions:
                effects += self._offered(question, now)
            return effects
        # The answer to the call asks for the question to be put: both are said in one go.
        return [*effects, *self._offered(News(reason=Reason.ASKED, about=APPROVAL_TIMER), now, *questions)]

    # Errors and time

    def _server_failed(self, error: server.ServerError, now: float) -> list[Effect]:
        if not self._link.has_way:
            # Of a session that has been given up: it had expired.
            return []
        remedy = Remedy.END if self._options.fatal_errors else remedy_for(error.code, error.message)
        match remedy:
            case Remedy.DEFER:
                return self._refused(now)
            case Remedy.PAUSE:
                self._denied_until = now + FAILED_PAUSE_S
                warned = Show(event=screen.Warned(message=error.message))
                return [warned, *self._denied(now)]
            case Remedy.WARN:
                return [Show(event=screen.Warned(message=error.message))]
            case Remedy.REOPEN:
                verdict = self._link.failed(error.message, is_final=False, chance=0.5, now=now)
                return self._lost(verdict, (), now)
            case Remedy.END:
                return [CloseTransport(), *self._close(screen.CloseReason.ERROR, error.message)]
        assert_never(remedy)

    def _refused(self, now: float) -> list[Effect]:
        """The response that we asked for was not begun, so what it was for is still to be said."""
        effects = self._response.refused(now)
        said = self._floor.saying or self._last_said
        if self._floor.speech is Speech.IMMEDIATE or any(news.reason is Reason.ASKED for news in said):
            # Somebody waits for it: as soon as the other response is over.
            return [*effects, *self._response.want(now)]
        self._floor.refused(now)
        return effects

    def _denied(self, now: float) -> list[Effect]:
        self._floor.refused(now)
        return self._response.denied()

    def _timer_fired(self, event: events.TimerFired, now: float) -> list[Effect]:
        name = event.name
        self._deadlines.pop(name, None)
        match name:
            case _ if name == RESPONSE_TIMER:
                return self._response.expired(now)
            case _ if name == STOP_TIMER:
                return self._decided(self._handoff.overdue(now), now)
            case _ if name == RETRY_TIMER:
                return self._link.retry_due()
            case _ if name == ROTATION_TIMER:
                return self._link.rotation_due(now, quiet_at=self._quiet_at())
            case _ if name == APPROVAL_TIMER:
                return self._approval_step(self._approval.expired(now), now)
            case _ if name == PIECES_TIMER:
                return self._whole(self._pieces.due(now), now)
            case _ if name == WORDS_TIMER:
                return self._words_came(now)
            case _ if name == STREAMING_TIMER:
                return self._piece_due(now)
            case _ if name == PROGRESS_TIMER:
                released = self._floor.release(now)
                return [] if released is None else [self._progress(released)]
            case _ if name == HEARTBEAT_TIMER:
                return self._heartbeat(now)
            case _ if name == FLOOR_TIMER:
                return []
            case _:
                raise LocalProtocolError(f"expected a timer that was set, got {name!r}")

    def _heartbeat(self, now: float) -> list[Effect]:
        turn_id = self._floor.heartbeat(now)
        if turn_id is None or not self._link.has_way:
            return []
        status = self._handoff.status(now)
        report = _send(self._handoff.report(status, reports.Phase.COMMENTARY))
        return [report, *self._offered(News(reason=Reason.HEARTBEAT, about=turn_id, text=status), now)]

    # Speaking

    def _decided(self, decision: Decision, now: float) -> list[Effect]:
        for turn_id in decision.ended:
            self._floor.work_ended(turn_id)
        if decision.started is not None and not self._options.client_managed_handoffs:
            self._floor.work_started(decision.started, now)
        effects = list(decision.effects)
        if decision.progress is not None:
            passed_on = self._floor.report(decision.progress, now)
            if passed_on is not None:
                effects.append(self._progress(passed_on))
        if decision.news is not None:
            effects += self._offered(decision.news, now)
        return effects

    def _offered(self, news: News, now: float, *besides: News) -> list[Effect]:
        options = self._options
        is_said_by_itself = news.reason is Reason.ASKED or self._floor.speech is Speech.IMMEDIATE
        if not options.creates_responses and (not options.speaks_by_channel or is_said_by_itself):
            # The voice decides itself what it says of what it knows.
            return []
        if not self._floor.offer(news, now, has_way=self._link.has_way):
            return []
        said = (news, *besides)
        self._floor.said(said, now)
        return self._speak(said, now)

    def _speak(self, news: tuple[News, ...], now: float) -> list[Effect]:
        if not news:
            return []
        self._last_said = news
        if self._options.creates_responses:
            return self._response.want(now)
        text = "\n\n".join(each.text for each in news if each.text)
        return [_send(intents.SpeakText(text=text))] if text else []

    def _told_again(self) -> list[Effect]:
        """What the voice began to say and was cut off, or what only a lost session knew, is news to it once more."""
        if not self._options.creates_responses:
            # The request to speak has the words in it.
            return []
        return [
            _send(self._handoff.report(news.text, reports.Phase.FINAL, is_standalone=True))
            for news in self._floor.untold()
            if news.text
        ]

    def _heard(self, now: float) -> None:
        """What was being said has been heard, where that is so: nobody tells, so it is looked at before anything else.

        A question counts as asked only then; what a user begins to say before is no answer to it.
        """
        if self._response.is_idle and self._playback.ends_at <= now + _NEARLY_S:
            for news in self._floor.saying:
                if news.reason is Reason.QUESTION:
                    self._approval.asked(news.about, now)
            self._floor.heard()

    def _quiet_at(self) -> float | None:
        if not self._response.is_idle:
            return None
        return self._floor.quiet_at(self._playback.ends_at)

    def _settle(self, now: float) -> list[Effect]:
        """Let what waits be said when the floor is free, or come back when something will be due."""
        floor = self._floor
        effects: list[Effect] = []
        free_at: float | None = None
        if floor.waiting and self._link.has_way and self._response.is_idle:
            free_at = floor.free_at(self._playback.ends_at)
            if free_at is not None:
                free_at = max(free_at, self._denied_until)
                if free_at <= now:
                    free_at = None
                    news = floor.take(now)
                    effects += [*self._told_again(), *self._speak(news, now)]
        deadlines = self._deadlines
        for name, deadline in (
            (FLOOR_TIMER, free_at),
            (PROGRESS_TIMER, floor.held_until),
            (HEARTBEAT_TIMER, floor.heartbeat_at),
            (WORDS_TIMER, self._unnamed.deadline),
            (PIECES_TIMER, self._pieces.deadline),
            (STREAMING_TIMER, self._streaming.deadline),
        ):
            if deadlines.get(name) == deadline:
                continue
            if deadline is None:
                del deadlines[name]
                effects.append(CancelTimer(name=name))
            else:
                deadlines[name] = deadline
                effects.append(SetTimer(name=name, deadline=deadline))
        return effects

    def _forget_timers(self) -> list[str]:
        names = list(self._deadlines)
        self._deadlines.clear()
        return names


LEVELS: Final[tuple[str, ...]] = tuple(level.value for level in Speech if level is not Speech.IMMEDIATE)
"""The levels of updates that the user may choose."""

_SPEECH_STARTED: Final[Effect] = Show(event=screen.SpeechStarted())
_SPEECH_ENDED: Final[Effect] = Show(event=screen.SpeechEnded())
_NO_CONVERSATION: Final = frozenset({LinkState.CONNECTING, LinkState.CLOSED})


def _started() -> list[Effect]:
    return [TakeTransport(), Configure(), Show(event=screen.ConversationStarted()), BriefAgent(by_voice=True)]


def _send(intent: intents.Intent) -> Effect:
    return Send(intent=intent)


class _Level(msgspec.Struct, gc=False):
    level: str = ""


def _decode_level(arguments: str) -> Speech | None:
    try:
        level = msgspec.json.decode(arguments, type=_Level).level
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return Speech(level) if level in LEVELS else None


_E = TypeVar("_E", bound=msgspec.Struct)
# A handler takes the kind of event that its row stands for: `_row` checks that, the type of a table cannot say it.
_Handler: TypeAlias = "Callable[[Conversation, Any, float], list[Effect]]"


def _row(
    kind: type[_E], handler: Callable[[Conversation, _E, float], list[Effect]]
) -> tuple[type[msgspec.Struct], _Handler]:
    return kind, handler


def _nothing(_conversation: Conversation, _event: msgspec.Struct, _now: float) -> list[Effect]:
    return []


_C: TypeAlias = Conversation
_HANDLERS: Final[dict[type[msgspec.Struct], _Handler]] = dict(
    (
        _row(events.TransportOpened, _C._opened),
        _row(events.OpenFailed, _C._open_failed),
        _row(events.TransportClosed, _C._transport_closed),
        _row(events.TransportFailed, _C._transport_failed),
        _row(events.ReplacementRequested, _C._replacement_requested),
        _row(events.StopRequested, _C._stop_requested),
        _row(events.AudioReceived, _C._audio_received),
        _row(events.Played, _C._played),
        _row(events.MuteChanged, _C._mute_changed),
        _row(events.TextTyped, _C._text_typed),
        _row(events.TextAppended, _C._text_appended),
        _row(events.SpeechAppended, _C._speech_appended),
        _row(events.InstructionsChanged, _C._instructions_changed),
        _row(events.UpdatesChosen, _C._updates_chosen),
        _row(events.ApprovalAnswered, _C._approval_answered),
        _row(events.TaskStopRequested, _C._task_stop_requested),
        _row(events.SteerFailed, _C._steer_failed),
        _row(events.SteerMissed, _C._steer_missed),
        _row(events.TimerFired, _C._timer_fired),
        _row(server.SessionUpdated, _nothing),
        _row(server.InputSpeechStarted, _C._speech_started),
        _row(server.InputSpeechStopped, _C._speech_stopped),
        _row(server.InputTranscriptDelta, _C._user_said_more),
        _row(server.InputTranscriptDone, _C._user_said),
        _row(server.OutputTranscriptDelta, _C._voice_said_more),
        _row(server.OutputTranscriptDone, _C._voice_said),
        _row(server.ItemAdded, _C._item_added),
        _row(server.ItemDone, _nothing),
        _row(server.ResponseCreated, _C._response_created),
        _row(server.ResponseCancelled, _C._response_ended),
        _row(server.ResponseDone, _C._response_done),
        _row(server.HandoffRequested, _C._handoff_requested),
        _row(server.NoopRequested, _C._noop_requested),
        _row(server.ToolCalled, _C._tool_called),
        _row(server.ServerError, _C._server_failed),
        _row(reports.AgentThoughtDelta, _C._shown),
        _row(reports.AgentThought, _C._agent_thought),
        _row(reports.AgentMessageDelta, _C._agent_wrote),
        _row(reports.AgentMessageDropped, _C._agent_dropped),
        _row(reports.AgentMessage, _C._agent_said),
        _row(reports.AgentCommandStarted, _C._shown),
        _row(reports.AgentCommandOutput, _C._shown),
        _row(reports.AgentCommandEnded, _C._shown),
        _row(reports.AgentApprovalRequested, _C._approval_requested),
        _row(reports.AgentApprovalWithdrawn, _C._approval_withdrawn),
        _row(reports.AgentTurnEnded, _C._turn_ended),
    )
)
"""Which method takes which event. Microphone audio, of which there is most, does not come this way."""
_WITHOUT_A_CONVERSATION: Final = frozenset({events.TransportOpened, events.OpenFailed, events.ReplacementRequested})
"""What means something also before the conversation has begun, or after its end: if only that it is a bug."""
