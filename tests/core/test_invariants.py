"""The whole conversation under arbitrary orders of events: what the design promises holds in all of them."""

from __future__ import annotations

import collections
import math
from typing import TYPE_CHECKING

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backchannel.core import (
    AgentApprovalRequested,
    AgentApprovalWithdrawn,
    AgentCommandOutput,
    AgentMessage,
    AgentTurnEnded,
    Conversation,
    Options,
    Outcome,
    Phase,
    Risk,
    Speech,
    State,
    effects,
    events,
    screen,
)
from backchannel.core.recording import Header, Recorded, encode_header, encode_recorded, read, replay
from backchannel.core.response import TIMER as RESPONSE_TIMER
from backchannel.wire.realtime import V2, V3, intents
from backchannel.wire.realtime import events as server

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLS = st.integers(0, 60).map(lambda number: f"call_{number}")
TEXTS = st.sampled_from(["", " ", "run the tests", "only core", "after this run the linter", "<b>&", "é\ud800"])
ITEMS = st.sampled_from(["a", "b", "c", None])
RESPONSES = st.sampled_from(["r1", "r2", "r3", None])
APPROVALS = st.sampled_from(["a1", "a2", "a3", "a4"])


class AnyOrder(RuleBasedStateMachine):
    """Plays server, network, agent, player and user in whatever order, and checks what comes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.timers: dict[str, float] = {}
        self.is_opening = True
        self.has_way = False
        self.n_sessions = 0
        self.n_begun = 0
        self.n_closed = 0
        self.is_replacing = False
        # Calls of the session that lives; of those before it nobody wants to hear any more.
        self.claimed: set[str] = set()
        self.answered: set[str] = set()
        self.void: set[str] = set()
        self.permission_calls: set[str] = set()
        self.turns: list[str] = []
        self.received_ms: dict[str | None, int] = {}
        self.truncated: set[str] = set()
        self.cut: set[str | None] = set()
        self.is_outstanding = False
        """A response was asked for, and nothing that could have ended it has come since."""
        self.may_interrupt = False
        """The user asked for something that has not been said yet."""
        self.is_user_speaking = False
        self.are_stops_told = False
        self.is_muted = False
        self.sent: list[intents.Intent] = []
        """In the session that lives, in order."""
        self.n_typed = 0
        self.told: collections.Counter[str] = collections.Counter()
        """How often the voice was told of each thing that was typed."""
        self.permitted: set[str] = set()
        self.recorded: list[bytes] = []

    @initialize(
        speech=st.sampled_from(Speech),
        mirror_typed_text=st.booleans(),
        dialect=st.sampled_from(["creates", "creates", "creates", "channel", "alone"]),
        reconnect=st.sampled_from([True, True, True, False]),
        session_outlives_way=st.sampled_from([False, False, True]),
        client_managed_handoffs=st.sampled_from([False, False, False, True]),
        reports_as_items=st.sampled_from([False, False, True]),
        names_requests=st.sampled_from([True, True, False]),
        connects=st.sampled_from([True, True, True, True, False]),
    )
    def begin(
        self,
        *,
        speech: Speech,
        mirror_typed_text: bool,
        dialect: str,
        reconnect: bool,
        session_outlives_way: bool,
        client_managed_handoffs: bool,
        reports_as_items: bool,
        names_requests: bool,
        connects: bool,
    ) -> None:
        self.options = Options(
            speech=speech,
            mirror_typed_text=mirror_typed_text,
            creates_responses=dialect == "creates",
            speaks_by_channel=dialect == "channel",
            streams_reports=dialect == "channel",
            completes_transcripts=dialect != "alone",
            reconnect=reconnect,
            give_up_after_s=60.0,
            rotate_after_s=None if session_outlives_way else 100.0,
            session_outlives_way=session_outlives_way,
            client_managed_handoffs=client_managed_handoffs,
            reports_as_items=reports_as_items,
            names_requests=names_requests,
            approval_expires_s=50.0,
        )
        self.began_with = self.options
        self.conversation = Conversation(self.options)
        if connects:
            self.an_opening_ends(opens=True, is_final=False, is_over=False)

    # The two sides

    @property
    def is_over(self) -> bool:
        return self.conversation.state is State.CLOSED

    def feed(self, event: events.Event) -> list[effects.Effect]:
        was_closed = self.is_over
        self.now = round(self.now, 6)
        came = self.conversation.handle(event, self.now)
        self.recorded.append(encode_recorded(Recorded(t=self.now, event=event)))
        self.recorded += [encode_recorded(Recorded(t=self.now, effect=effect)) for effect in came]
        assert not (was_closed and came), "nothing happens after the close"
        for number, effect in enumerate(came):
            self.check(effect)
            if isinstance(effect, effects.Show) and isinstance(effect.event, screen.ConversationClosed):
                assert effect.event.replaced or number == len(came) - 1, "the close is the last effect"
        if self.conversation.state is State.RECONNECTING:
            assert not any(isinstance(effect, effects.Send | effects.SendAudio) for effect in came)
            self.lost()
        elif self.is_over:
            self.has_way = self.is_opening = False
        return came

    def lost(self) -> None:
        """What the loss of the way means for what is expected."""
        if not self.has_way:
            return
        self.has_way = False
        if not self.options.session_outlives_way:
            self.is_outstanding = self.is_user_speaking = self.are_stops_told = False
            self.void |= self.claimed - self.answered

    def check(self, effect: effects.Effect) -> None:
        match effect:
            case effects.OpenTransport():
                self.is_opening = True
                assert not self.is_over
            case effects.TakeTransport():
                self.new_session()
            case effects.Configure():
                assert self.has_way
            case effects.Send(intent=intent):
                assert self.has_way
                self.sent.append(intent)
                self.check_intent(intent)
                V2().encode(intent)
                V3().encode(intent)
            case effects.SendAudio():
                assert self.has_way
                assert not self.is_muted, "of a muted microphone nothing leaves the process"
            case effects.PlayAudio(item_id=item_id):
                assert item_id is None or item_id not in self.cut
            case effects.StartTurn(turn_id=turn_id, text=text):
                assert turn_id not in self.turns
                assert text.strip()
                self.turns.append(turn_id)
            case effects.SteerTurn(turn_id=turn_id) | effects.InterruptTurn(turn_id=turn_id):
                assert turn_id == self.turns[-1]
            case effects.AnswerApproval(approval_id=approval_id):
                assert approval_id not in self.permitted, "a request for permission is answered once"
                self.permitted.add(approval_id)
            case effects.SetTimer(name=name, deadline=deadline):
                self.timers[name] = deadline
            case effects.CancelTimer(name=name):
                self.timers.pop(name, None)
            case effects.Show(event=screen.PlaybackCut(item_id=item_id, heard_ms=heard_ms)):
                assert 0 <= heard_ms <= self.received_ms[item_id]
                self.cut.add(item_id)
            case effects.Show(event=screen.ConversationStarted()):
                self.n_begun += 1
            case effects.Show(event=screen.ConversationClosed()):
                self.n_closed += 1
            case (
                effects.Show()
                | effects.SendSilence()
                | effects.StopPlayback()
                | effects.CloseTransport()
                | effects.BriefAgent()
            ):
                pass

    def new_session(self) -> None:
        if self.has_way:
            # It was left in order.
            assert self.are_answers_the_clients or self.unanswered() == set()
        is_same = self.options.session_outlives_way and not self.is_replacing and self.n_begun > 0
        self.has_way = True
        if is_same:
            return
        self.void |= self.claimed - self.answered
        self.n_sessions += 1
        self.is_outstanding = self.is_user_speaking = self.are_stops_told = False
        self.sent.clear()
        if self.is_replacing:
            # Nothing of the other conversation is remembered.
            self.cut.clear()
            self.truncated.clear()

    @property
    def are_answers_the_clients(self) -> bool:
        """Whether not all answers are ours; in dialects whose delegations have no words there are none at all."""
        return self.options.client_managed_handoffs or not self.options.names_requests

    def unanswered(self) -> set[str]:
        return self.claimed - self.answered - self.void

    def check_intent(self, intent: intents.Intent) -> None:
        match intent:
            case intents.RequestResponse():
                assert self.options.creates_responses
                assert not self.is_outstanding, "never two at a time"
                may = self.may_interrupt or self.options.speech is Speech.IMMEDIATE
                assert may or not self.is_user_speaking, "never unasked while the user speaks"
                self.is_outstanding = True
            case intents.FinishHandoff(handoff_id=call_id) | intents.AnswerCall(call_id=call_id):
                assert call_id in self.claimed
                assert call_id not in self.void, "nobody is left to hear it"
                assert call_id not in self.answered, "every call is answered once"
                self.answered.add(call_id)
            case intents.Truncate(item_id=item_id, audio_end_ms=heard_ms):
                assert 0 < heard_ms <= self.received_ms[item_id]
                assert item_id not in self.truncated
                self.truncated.add(item_id)
            case intents.MirrorTyped(text=text):
                self.told[text] += 1
            case intents.AppendAudio() | intents.UpdateSession() | intents.CloseSession():
                raise AssertionError(f"the core does not say this: {intent}")
            case _:
                pass

    # The network

    @precondition(lambda self: self.is_opening)
    @rule(
        opens=st.sampled_from([True, True, True, True, False]),
        is_final=st.sampled_from([False, False, False, False, True]),
        is_over=st.sampled_from([False, False, False, False, True]),
    )
    def an_opening_ends(self, *, opens: bool, is_final: bool, is_over: bool) -> None:
        self.is_opening = False
        before = self.n_begun
        if opens:
            self.feed(events.TransportOpened())
            assert self.n_begun == before + (before == 0 or self.is_replacing)
            self.is_replacing = False
            return
        came = self.feed(events.OpenFailed(message="no", is_final=is_final, is_over=is_over))
        failed = [
            effect.event
            for effect in came
            if isinstance(effect, effects.Show) and isinstance(effect.event, screen.ConversationFailed)
        ]
        assert len(failed) <= 1
        if before == 0 or self.is_replacing:
            assert len(failed) == 1, "a failed start is one error"
            assert before == 0 or failed[0].went_on is not self.is_over
        self.is_replacing = False

    @precondition(lambda self: self.has_way and len(self.recorded) > 30)
    @rule(
        how=st.sampled_from(["closed", "broken", "broken", "expired"]),
        n_unsent=st.integers(0, 3),
        chance=st.floats(0, 1),
    )
    def the_way_is_lost(self, how: str, n_unsent: int, chance: float) -> None:
        unsent = tuple(self.sent[len(self.sent) - n_unsent :]) if n_unsent and self.options.reconnect else ()
        if how == "expired":
            unsent = ()
        if not self.is_outstanding:
            # What was answered had been sent.
            unsent = tuple(intent for intent in unsent if not isinstance(intent, intents.RequestResponse))
        for intent in unsent:
            if isinstance(intent, intents.MirrorTyped):
                self.told[intent.text] -= 1
            if self.options.session_outlives_way:
                self.unsay(intent)
        match how:
            case "closed":
                self.feed(events.TransportClosed(message="gone", unsent=unsent, chance=chance))
            case "broken":
                self.feed(events.TransportFailed(message="reset", unsent=unsent, chance=chance))
            case _:
                self.feed(server.ServerError(message="60 minutes are over", code="session_expired"))

    def unsay(self, intent: intents.Intent) -> None:
        """It was not said after all, and will be when there is a way again."""
        match intent:
            case intents.FinishHandoff(handoff_id=call_id) | intents.AnswerCall(call_id=call_id):
                self.answered.discard(call_id)
            case intents.RequestResponse():
                self.is_outstanding = False
            case intents.Truncate(item_id=item_id):
                self.truncated.discard(item_id)
            case _:
                pass

    @precondition(lambda self: len(self.recorded) > 60)
    @rule(
        event=st.sampled_from(
            [
                events.TransportClosed(message="bye", code=1000),
                events.TransportFailed(message="binary", is_final=True),
                events.StopRequested(),
                server.ServerError(message="over"),
            ]
        )
    )
    def end(self, event: events.Event) -> None:
        state = self.conversation.state
        self.feed(event)
        if state is State.LIVE and isinstance(event, events.StopRequested):
            assert self.is_over
            assert self.are_answers_the_clients or self.unanswered() == set()

    @precondition(lambda self: self.conversation.state in (State.LIVE, State.RECONNECTING))
    @rule(speech=st.sampled_from(Speech))
    def is_replaced(self, speech: Speech) -> None:
        self.options = msgspec.structs.replace(self.options, speech=speech)
        self.is_replacing = True
        self.feed(events.ReplacementRequested(options=self.options))

    # Time

    @rule(seconds=st.sampled_from([0.0, 0.1, 0.7, 1.0, 6.0, 11.0, 121.0]) | st.floats(0, 3))
    def time_passes(self, seconds: float) -> None:
        until = self.now + seconds
        n_fired = 0
        while due := [(deadline, name) for name, deadline in self.timers.items() if deadline <= until]:
            deadline, name = min(due)
            n_fired += 1
            assert n_fired < 1000, f"{name} fires again and again"
            del self.timers[name]
            # A timer never fires before its time; the time is told in microseconds.
            due_us = math.ceil(deadline * 1e6)
            self.now = max(self.now, (due_us if due_us / 1e6 >= deadline else due_us + 1) / 1e6)
            if name == RESPONSE_TIMER:
                self.is_outstanding = False
            # What the user waits for may come of any deadline.
            self.may_interrupt |= name in ("stop", "approval")
            self.feed(events.TimerFired(name=name))
        self.now = until

    # The user

    @rule(text=TEXTS)
    def types(self, text: str) -> None:
        self.n_typed += 1
        text = f"{text} {self.n_typed}" if text.strip() else text
        self.feed(events.TextTyped(text=text))

    @rule(text=TEXTS, role=st.sampled_from(["user", "developer", "assistant"]))
    def appends_text(self, text: str, role: intents.Role) -> None:
        self.feed(events.TextAppended(text=text, role=role))

    @rule(text=TEXTS)
    def appends_speech(self, text: str) -> None:
        self.may_interrupt |= bool(text.strip())
        self.feed(events.SpeechAppended(text=text))

    @rule()
    def changes_instructions(self) -> None:
        self.feed(events.InstructionsChanged(instructions="Be loud."))

    @rule(level=st.sampled_from([level for level in Speech if level is not Speech.IMMEDIATE]))
    def chooses_updates(self, level: Speech) -> None:
        if self.options.speech is not Speech.IMMEDIATE:
            self.feed(events.UpdatesChosen(level=level))

    @rule(muted=st.booleans())
    def mutes(self, *, muted: bool) -> None:
        if not self.is_over and self.conversation.state is not State.CONNECTING:
            self.is_muted = muted
            self.is_user_speaking &= not muted
        self.feed(events.MuteChanged(muted=muted))
        assert self.conversation.is_muted is self.is_muted

    @rule()
    def stops_the_task_by_hand(self) -> None:
        self.feed(events.TaskStopRequested())

    @rule(approval_id=APPROVALS, approved=st.booleans())
    def answers_on_the_screen(self, approval_id: str, *, approved: bool) -> None:
        self.feed(events.ApprovalAnswered(approval_id=approval_id, approved=approved))

    @rule(duration_ms=st.integers(0, 40))
    def microphone(self, duration_ms: int) -> None:
        came = self.feed(events.AudioCaptured(duration_ms=duration_ms))
        if self.has_way and not self.is_muted:
            assert came == [effects.SendAudio()]

    # The server

    @precondition(lambda self: self.has_way)
    @rule()
    def user_starts(self) -> None:
        self.is_user_speaking |= not self.is_muted
        self.feed(server.InputSpeechStarted())

    @precondition(lambda self: self.has_way)
    @rule()
    def user_stops(self) -> None:
        self.is_user_speaking = False
        self.are_stops_told = True
        self.feed(server.InputSpeechStopped())

    @precondition(lambda self: self.has_way)
    @rule(text=TEXTS | st.sampled_from(["yes", "no", "go ahead"]), is_whole=st.booleans(), item_id=ITEMS)
    def user_is_transcribed(self, text: str, item_id: str | None, *, is_whole: bool) -> None:
        if is_whole and not self.are_stops_told:
            self.is_user_speaking = False
        # Clear words may settle what the user was asked.
        self.may_interrupt = True
        made: server.ServerEvent = server.InputTranscriptDelta(delta=text, item_id=item_id)
        self.feed(server.InputTranscriptDone(text=text, item_id=item_id) if is_whole else made)

    @precondition(lambda self: self.has_way)
    @rule(text=TEXTS, is_whole=st.booleans(), item_id=ITEMS)
    def voice_is_transcribed(self, text: str, item_id: str | None, *, is_whole: bool) -> None:
        made: server.ServerEvent = server.OutputTranscriptDelta(delta=text, item_id=item_id)
        self.feed(server.OutputTranscriptDone(text=text, item_id=item_id) if is_whole else made)

    @precondition(lambda self: self.has_way)
    @rule(item_id=ITEMS, duration_ms=st.integers(0, 3000))
    def audio(self, item_id: str | None, duration_ms: int) -> None:
        came = self.feed(events.AudioReceived(item_id=item_id, duration_ms=duration_ms))
        if effects.PlayAudio(item_id=item_id) in came:
            self.received_ms[item_id] = self.received_ms.get(item_id, 0) + duration_ms

    @rule(item_id=st.sampled_from(["a", "b", "z"]), total_ms=st.integers(-5, 9000))
    def player_tells(self, item_id: str, total_ms: int) -> None:
        self.feed(events.Played(item_id=item_id, total_ms=total_ms))

    @precondition(lambda self: self.has_way)
    @rule(response_id=RESPONSES)
    def response_created(self, response_id: str | None) -> None:
        self.is_outstanding = False
        self.feed(server.ResponseCreated(response_id=response_id))

    @precondition(lambda self: self.has_way)
    @rule(response_id=RESPONSES, cancelled=st.booleans())
    def response_ended(self, response_id: str | None, *, cancelled: bool) -> None:
        self.is_outstanding = False
        made = server.ResponseCancelled if cancelled else server.ResponseDone
        self.feed(made(response_id=response_id))

    @precondition(lambda self: self.has_way and self.is_outstanding)
    @rule(code=st.sampled_from(["conversation_already_has_active_response", "rate_limit_exceeded"]))
    def response_refused(self, code: str) -> None:
        self.is_outstanding = False
        self.may_interrupt = True
        self.feed(server.ServerError(message="busy", code=code))

    @precondition(lambda self: self.has_way)
    @rule(call_id=CALLS, text=TEXTS, offset_ms=st.sampled_from([None, 500]))
    def delegates(self, call_id: str, text: str, offset_ms: int | None) -> None:
        call_id = self.of_session(call_id)
        self.called(call_id, server.HandoffRequested(handoff_id=call_id, item_id="i", text=text, offset_ms=offset_ms))

    @precondition(lambda self: self.has_way)
    @rule(
        call_id=CALLS,
        name=st.sampled_from(["agent_status", "stop_agent", "stop_agent", "make_coffee", "set_updates"]),
        arguments=st.sampled_from(["{", '{"level":"results"}', '{"level":"immediate"}', '{"level":5}']),
    )
    def calls_a_tool(self, call_id: str, name: str, arguments: str) -> None:
        if name == "set_updates" and self.options.speech is Speech.IMMEDIATE:
            return
        call_id = self.of_session(call_id)
        self.called(call_id, server.ToolCalled(call_id=call_id, item_id="i", name=name, arguments=arguments))

    @precondition(lambda self: self.has_way)
    @rule(call_id=CALLS, approval_id=APPROVALS, decision=st.sampled_from(["approve", "decline", "perhaps"]))
    def calls_for_an_approval(self, call_id: str, approval_id: str, decision: str) -> None:
        call_id = self.of_session(call_id)
        if call_id not in self.claimed:
            self.permission_calls.add(call_id)
        arguments = msgspec.json.encode({"approval_id": approval_id, "decision": decision}).decode()
        event = server.ToolCalled(call_id=call_id, item_id="i", name="answer_approval", arguments=arguments)
        self.called(call_id, event)

    @precondition(lambda self: self.has_way)
    @rule(call_id=CALLS)
    def remains_silent(self, call_id: str) -> None:
        call_id = self.of_session(call_id)
        self.called(call_id, server.NoopRequested(call_id=call_id, item_id="i"))

    def of_session(self, call_id: str) -> str:
        """Each session gives its calls ids of its own."""
        return f"{self.n_sessions}_{call_id}"

    def called(self, call_id: str, event: server.ServerEvent) -> None:
        self.may_interrupt |= not isinstance(event, server.NoopRequested)
        self.claimed.add(call_id)
        self.feed(event)

    @precondition(lambda self: self.has_way)
    @rule(
        event=st.sampled_from(
            [
                server.SessionUpdated(session_id="s"),
                server.ItemAdded(item=msgspec.Raw(b'{"a":\n1}'), item_id="a", after_item_id="b"),
                server.ItemDone(item_id="i"),
                server.ServerError(message="what item?", code="item_not_found"),
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

    @rule(approval_id=APPROVALS, risks=st.sampled_from([(), (), (Risk.DELETE,)]))
    def agent_asks_for_permission(self, approval_id: str, risks: tuple[Risk, ...]) -> None:
        turn_id = self.turn_id(0)
        self.feed(AgentApprovalRequested(turn_id=turn_id, approval_id=approval_id, action="run git push", risks=risks))

    @rule(approval_id=APPROVALS)
    def agent_does_without(self, approval_id: str) -> None:
        self.may_interrupt = True
        self.feed(AgentApprovalWithdrawn(turn_id=self.turn_id(0), approval_id=approval_id))

    @rule(back=st.sampled_from([0, 0, 0, 1, 2]), outcome=st.sampled_from(Outcome))
    def agent_ends(self, back: int, outcome: Outcome) -> None:
        # The end of a task that was told to stop, or of one that waited for an answer, is what the user waits for.
        self.may_interrupt = True
        self.feed(AgentTurnEnded(turn_id=self.turn_id(back), outcome=outcome))

    @rule(back=st.integers(0, 1))
    def agent_refuses_a_change(self, back: int) -> None:
        self.may_interrupt |= bool(self.turns)
        self.feed(events.SteerFailed(turn_id=self.turn_id(back), reason="it cannot"))

    @rule(back=st.integers(0, 1), by_voice=st.booleans())
    def agent_misses_a_change(self, back: int, *, by_voice: bool) -> None:
        self.feed(events.SteerMissed(turn_id=self.turn_id(back), text="only core", by_voice=by_voice))

    # What holds at any time

    @invariant()
    def beginnings_and_ends_are_told_once_each(self) -> None:
        assert self.n_closed <= self.n_begun <= self.n_closed + 1
        if self.n_begun:
            assert self.is_over is (self.n_closed == self.n_begun)

    @invariant()
    def what_waits_for_an_answer_has_a_reason(self) -> None:
        if not self.has_way or self.are_answers_the_clients:
            return
        if not self.conversation.activity(self.now).working:
            assert self.unanswered() <= self.permission_calls

    @invariant()
    def somebody_always_tries_to_reconnect(self) -> None:
        if self.conversation.state is State.RECONNECTING:
            assert self.is_opening or "retry" in self.timers

    @invariant()
    def what_is_awaited_has_a_deadline(self) -> None:
        if self.is_outstanding and self.has_way:
            assert RESPONSE_TIMER in self.timers

    @invariant()
    def nothing_is_awaited_after_the_close(self) -> None:
        if self.is_over:
            assert self.timers == {}

    @invariant()
    def nothing_is_told_twice(self) -> None:
        assert all(count <= 1 for count in self.told.values())

    @invariant()
    def the_status_can_always_be_told(self) -> None:
        assert self.conversation.status(self.now)

    def teardown(self) -> None:
        if self.conversation.state is State.RECONNECTING:
            self.comes_back()
        if self.conversation.state is State.LIVE:
            self.comes_to_rest()
            self.feed(events.StopRequested())
            assert self.are_answers_the_clients or self.unanswered() == set()
            assert self.n_closed == self.n_begun
        self.replays()

    def comes_back(self) -> None:
        """However it was lost, the next way that opens is taken."""
        while not self.is_opening:
            self.time_passes(6.0)
        self.an_opening_ends(opens=True, is_final=False, is_over=False)
        assert self.conversation.state is State.LIVE

    def comes_to_rest(self) -> None:
        """When everybody falls silent, what waits is said by the deadlines alone, and then nothing goes on."""
        if self.is_opening:
            self.an_opening_ends(opens=True, is_final=False, is_over=False)
        self.user_stops()
        # What waits for its words is begun by then.
        self.time_passes(3.0)
        self.stops_the_task_by_hand()
        for _ in range(6):
            self.time_passes(90.0)
            if self.is_opening:
                self.an_opening_ends(opens=True, is_final=False, is_over=False)
        activity = self.conversation.activity(self.now)
        assert (activity.working, activity.speaking, activity.reconnecting) == (False, False, False)
        assert set(self.timers) <= {"rotation", RESPONSE_TIMER, "floor"}

    def replays(self) -> None:
        """The recording of it gives the same effects again."""
        header = Header(dialect="v2", started_at="", options=self.began_with)
        lines: Iterator[bytes] = iter([encode_header(header), *self.recorded])
        assert list(replay(*read(lines))) == []


TestAnyOrder = AnyOrder.TestCase
