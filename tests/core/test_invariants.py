"""The whole conversation under arbitrary orders of events: what the design promises holds in all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backchannel.core import (
    AgentCommandOutput,
    AgentMessage,
    AgentTurnEnded,
    Conversation,
    Options,
    Outcome,
    Phase,
    Speech,
    State,
    effects,
    events,
    screen,
)
from backchannel.core.recording import Header, Recorded, encode_header, encode_recorded, read, replay
from backchannel.core.response import TIMER as RESPONSE_TIMER
from backchannel.wire.realtime import V2, intents
from backchannel.wire.realtime import events as server

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLS = st.integers(0, 40).map(lambda number: f"call_{number}")
TEXTS = st.sampled_from(["", " ", "run the tests", "only core", "<b>&", "é\ud800"])
ITEMS = st.sampled_from(["a", "b", "c", None])
RESPONSES = st.sampled_from(["r1", "r2", "r3", None])
IS_ASKED_FOR = (server.ToolCalled, events.SteerFailed, server.HandoffRequested)


class AnyOrder(RuleBasedStateMachine):
    """Plays server, agent, player and user in whatever order, and checks what comes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.timers: dict[str, float] = {}
        self.claimed: set[str] = set()
        self.answered: set[str] = set()
        self.turns: list[str] = []
        self.received_ms: dict[str | None, int] = {}
        self.truncated: set[str] = set()
        self.cut: set[str | None] = set()
        self.n_started = 0
        self.n_closed = 0
        self.is_outstanding = False
        """A response was asked for, and nothing that could have ended it has come since."""
        self.is_asked_for = False
        """The user asked for something that has not been said yet."""
        self.was_asked_for = False
        """The last response was asked for by the user."""
        self.is_user_speaking = False
        self.are_stops_told = False
        self.recorded: list[bytes] = []

    @initialize(
        speech=st.sampled_from(Speech),
        mirror_typed_text=st.booleans(),
        creates_responses=st.sampled_from([True, True, True, False]),
        connects=st.sampled_from([True, True, True, True, False]),
    )
    def begin(self, *, speech: Speech, mirror_typed_text: bool, creates_responses: bool, connects: bool) -> None:
        self.options = Options(speech=speech, mirror_typed_text=mirror_typed_text, creates_responses=creates_responses)
        self.conversation = Conversation(self.options)
        if connects:
            self.connect(opens=True)

    # The two sides

    def feed(self, event: events.Event) -> list[effects.Effect]:
        was_closed = self.conversation.state is State.CLOSED
        self.now = round(self.now, 6)
        came = self.conversation.handle(event, self.now)
        self.recorded.append(encode_recorded(Recorded(t=self.now, event=event)))
        self.recorded += [encode_recorded(Recorded(t=self.now, effect=effect)) for effect in came]
        assert not (was_closed and came), "nothing happens after the close"
        for effect in came:
            assert self.n_closed == 0, "the close is the last effect"
            self.check(effect)
        return came

    def check(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Configure():
                self.n_started += 1
            case effects.Send(intent=intent):
                assert self.n_started == 1
                self.check_intent(intent)
                V2().encode(intent)
            case effects.PlayAudio(item_id=item_id):
                assert item_id is None or item_id not in self.cut
            case effects.StartTurn(turn_id=turn_id, text=text):
                assert turn_id not in self.turns
                assert text.strip()
                self.turns.append(turn_id)
            case effects.SteerTurn(turn_id=turn_id) | effects.InterruptTurn(turn_id=turn_id):
                assert turn_id == self.turns[-1]
            case effects.SetTimer(name=name, deadline=deadline):
                self.timers[name] = deadline
            case effects.CancelTimer(name=name):
                self.timers.pop(name, None)
            case effects.Show(event=screen.PlaybackCut(item_id=item_id, heard_ms=heard_ms)):
                assert 0 <= heard_ms <= self.received_ms[item_id]
                self.cut.add(item_id)
            case effects.Show(event=screen.ConversationClosed()):
                self.n_closed += 1
            case effects.Show() | effects.SendAudio() | effects.StopPlayback() | effects.CloseTransport():
                pass

    def check_intent(self, intent: intents.Intent) -> None:
        match intent:
            case intents.RequestResponse():
                assert self.options.creates_responses
                assert not self.is_outstanding, "never two at a time"
                may_interrupt = self.is_asked_for or self.options.speech is Speech.IMMEDIATE
                assert may_interrupt or not self.is_user_speaking, "never unasked while the user speaks"
                self.is_outstanding = True
                self.was_asked_for, self.is_asked_for = self.is_asked_for, False
            case intents.FinishHandoff(handoff_id=call_id) | intents.AnswerCall(call_id=call_id):
                assert call_id in self.claimed
                assert call_id not in self.answered, "every call is answered once"
                self.answered.add(call_id)
            case intents.Truncate(item_id=item_id, audio_end_ms=heard_ms):
                assert 0 < heard_ms <= self.received_ms[item_id]
                assert item_id not in self.truncated
                self.truncated.add(item_id)
            case intents.ReportProgress() | intents.MirrorTyped(text=_):
                pass
            case _:
                raise AssertionError(f"the core does not say this: {intent}")

    # The transport

    @precondition(lambda self: self.conversation.state is State.CONNECTING)
    @rule(opens=st.sampled_from([True, True, True, True, False]))
    def connect(self, *, opens: bool) -> None:
        came = self.feed(events.TransportOpened() if opens else events.OpenFailed(message="no"))
        shown = [effect.event for effect in came if isinstance(effect, effects.Show)]
        assert shown == [screen.ConversationStarted() if opens else screen.ConversationFailed(message="no")]

    @precondition(lambda self: len(self.recorded) > 60)
    @rule(
        event=st.sampled_from(
            [
                events.TransportClosed(message="bye"),
                events.TransportFailed(message="reset"),
                events.StopRequested(),
                server.ServerError(message="over"),
            ]
        )
    )
    def end(self, event: events.Event) -> None:
        was_live = self.conversation.state is State.LIVE
        self.feed(event)
        assert self.n_closed == (1 if was_live else self.n_closed)
        if was_live and isinstance(event, events.StopRequested):
            assert self.answered == self.claimed

    # Time

    @rule(seconds=st.sampled_from([0.0, 0.1, 0.7, 1.0, 11.0, 121.0]) | st.floats(0, 3))
    def time_passes(self, seconds: float) -> None:
        until = self.now + seconds
        while due := [(deadline, name) for name, deadline in self.timers.items() if deadline <= until]:
            deadline, name = min(due)
            del self.timers[name]
            self.now = max(self.now, deadline)
            if name == RESPONSE_TIMER:
                self.is_outstanding = False
            else:
                self.is_asked_for |= name == "stop"
            self.feed(events.TimerFired(name=name))
        self.now = until

    # The user

    @rule(text=TEXTS)
    def types(self, text: str) -> None:
        self.feed(events.TextTyped(text=text))

    @rule()
    def stops_the_task_by_hand(self) -> None:
        self.feed(events.TaskStopRequested())

    @rule(duration_ms=st.integers(0, 40))
    def microphone(self, duration_ms: int) -> None:
        came = self.feed(events.AudioCaptured(duration_ms=duration_ms))
        assert came == ([effects.SendAudio()] if self.conversation.state is State.LIVE else [])

    # The server

    @rule()
    def user_starts(self) -> None:
        self.is_user_speaking |= self.conversation.state is State.LIVE
        self.feed(server.InputSpeechStarted())

    @rule()
    def user_stops(self) -> None:
        if self.conversation.state is State.LIVE:
            self.is_user_speaking = False
            self.are_stops_told = True
        self.feed(server.InputSpeechStopped())

    @rule(text=TEXTS, is_whole=st.booleans())
    def user_is_transcribed(self, text: str, *, is_whole: bool) -> None:
        if is_whole and not self.are_stops_told:
            self.is_user_speaking = False
        self.feed(server.InputTranscriptDone(text=text) if is_whole else server.InputTranscriptDelta(delta=text))

    @rule(text=TEXTS, is_whole=st.booleans())
    def voice_is_transcribed(self, text: str, *, is_whole: bool) -> None:
        self.feed(server.OutputTranscriptDone(text=text) if is_whole else server.OutputTranscriptDelta(delta=text))

    @rule(item_id=ITEMS, duration_ms=st.integers(0, 3000))
    def audio(self, item_id: str | None, duration_ms: int) -> None:
        came = self.feed(events.AudioReceived(item_id=item_id, duration_ms=duration_ms))
        if effects.PlayAudio(item_id=item_id) in came:
            self.received_ms[item_id] = self.received_ms.get(item_id, 0) + duration_ms

    @rule(item_id=st.sampled_from(["a", "b", "z"]), total_ms=st.integers(-5, 9000))
    def player_tells(self, item_id: str, total_ms: int) -> None:
        self.feed(events.Played(item_id=item_id, total_ms=total_ms))

    @rule(response_id=RESPONSES)
    def response_created(self, response_id: str | None) -> None:
        self.is_outstanding = False
        self.feed(server.ResponseCreated(response_id=response_id))

    @rule(response_id=RESPONSES, cancelled=st.booleans())
    def response_ended(self, response_id: str | None, *, cancelled: bool) -> None:
        self.is_outstanding = False
        made = server.ResponseCancelled if cancelled else server.ResponseDone
        self.feed(made(response_id=response_id))

    @precondition(lambda self: self.is_outstanding)
    @rule()
    def response_refused(self) -> None:
        self.is_outstanding = False
        self.is_asked_for = self.is_asked_for or self.was_asked_for
        self.feed(server.ServerError(message="busy", code="conversation_already_has_active_response"))

    @rule(call_id=CALLS, text=TEXTS)
    def delegates(self, call_id: str, text: str) -> None:
        self.called(call_id, server.HandoffRequested(handoff_id=call_id, item_id="i", text=text))

    @rule(call_id=CALLS, name=st.sampled_from(["agent_status", "stop_agent", "stop_agent", "make_coffee"]))
    def calls_a_tool(self, call_id: str, name: str) -> None:
        self.called(call_id, server.ToolCalled(call_id=call_id, item_id="i", name=name, arguments="{"))

    @rule(call_id=CALLS)
    def remains_silent(self, call_id: str) -> None:
        self.called(call_id, server.NoopRequested(call_id=call_id, item_id="i"))

    def called(self, call_id: str, event: server.ServerEvent) -> None:
        if self.conversation.state is State.LIVE:
            self.is_asked_for |= call_id not in self.claimed and not isinstance(event, server.NoopRequested)
            self.claimed.add(call_id)
        self.feed(event)

    @rule(
        event=st.sampled_from(
            [
                server.SessionUpdated(session_id="s"),
                server.ItemAdded(item=msgspec.Raw(b'{"a":\n1}')),
                server.ItemDone(item_id="i"),
                server.ServerError(message="slow down", code="rate_limit_exceeded"),
            ]
        )
    )
    def says_something_else(self, event: events.Event) -> None:
        self.feed(event)

    # The agent

    def turn_id(self, back: int) -> str:
        return self.turns[-1 - back] if back < len(self.turns) else "turn_x"

    @rule(back=st.integers(0, 2), text=TEXTS, phase=st.sampled_from(Phase))
    def agent_says(self, back: int, text: str, phase: Phase) -> None:
        self.feed(AgentMessage(turn_id=self.turn_id(back), text=text, phase=phase))
        self.feed(AgentCommandOutput(turn_id=self.turn_id(back), command_id="c", text=text))

    @rule(back=st.sampled_from([0, 0, 0, 1, 2]), outcome=st.sampled_from(Outcome))
    def agent_ends(self, back: int, outcome: Outcome) -> None:
        # The end of a task that was told to stop is what the user waits for.
        self.is_asked_for |= "stop" in self.timers and back == 0
        self.feed(AgentTurnEnded(turn_id=self.turn_id(back), outcome=outcome))

    @rule(back=st.integers(0, 1))
    def agent_refuses_a_change(self, back: int) -> None:
        self.is_asked_for |= bool(self.turns)
        self.feed(events.SteerFailed(turn_id=self.turn_id(back), reason="it cannot"))

    @rule(back=st.integers(0, 1), by_voice=st.booleans())
    def agent_misses_a_change(self, back: int, *, by_voice: bool) -> None:
        self.feed(events.SteerMissed(turn_id=self.turn_id(back), text="only core", by_voice=by_voice))

    # What holds at any time

    @invariant()
    def an_opening_is_told_at_most_once(self) -> None:
        assert self.n_started <= 1
        assert self.n_closed <= self.n_started

    @invariant()
    def what_waits_for_an_answer_has_a_task(self) -> None:
        if self.conversation.state is State.LIVE and not self.conversation.activity(self.now).working:
            assert self.answered == self.claimed

    @invariant()
    def what_is_awaited_has_a_deadline(self) -> None:
        if self.is_outstanding and self.conversation.state is State.LIVE:
            assert RESPONSE_TIMER in self.timers

    @invariant()
    def nothing_is_awaited_after_the_close(self) -> None:
        if self.conversation.state is State.CLOSED:
            assert self.timers == {}

    @invariant()
    def the_status_can_always_be_told(self) -> None:
        assert self.conversation.status(self.now)

    def teardown(self) -> None:
        if self.conversation.state is State.LIVE:
            self.comes_to_rest()
            self.feed(events.StopRequested())
            assert self.answered == self.claimed
            assert self.n_closed == 1
        self.replays()

    def comes_to_rest(self) -> None:
        """When everybody falls silent, what waits is said by the deadlines alone, and then nothing goes on."""
        self.user_stops()
        self.stops_the_task_by_hand()
        for _ in range(4):
            self.time_passes(10_000.0)
        assert self.conversation.activity(self.now).at_rest
        assert self.timers == {}

    def replays(self) -> None:
        """The recording of it gives the same effects again."""
        header = Header(dialect="v2", started_at="", options=self.options)
        lines: Iterator[bytes] = iter([encode_header(header), *self.recorded])
        assert list(replay(*read(lines))) == []


TestAnyOrder = AnyOrder.TestCase
