from __future__ import annotations

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from backchannel.core import Options, effects, screen
from backchannel.core.link import (
    FIRST_DELAY_S,
    MAX_DELAY_S,
    MAX_HELD,
    RETRY_TIMER,
    ROTATION_PATIENCE_S,
    ROTATION_TIMER,
    STABLE_S,
    TRANSITIONS,
    Input,
    Link,
    Opening,
    State,
    Verdict,
)
from backchannel.core.screen import CloseReason
from backchannel.errors import LocalProtocolError
from backchannel.wire.realtime import SessionSettings, intents

OPEN = effects.OpenTransport()
OPEN_OTHER = effects.OpenTransport(replaces=True)


def link(**options: object) -> Link:
    return Link(Options(**options))  # type: ignore[arg-type] # options by name


def live(now: float = 0.0, **options: object) -> Link:
    machine = link(**options)
    machine.opened(now)
    return machine


def lost(now: float = 1.0, **options: object) -> Link:
    machine = live(0.0, **options)
    machine.failed("reset", is_final=False, chance=0.5, now=now)
    return machine


def reopening(now: float = 1.0, **options: object) -> Link:
    machine = lost(now, **options)
    machine.retry_due()
    return machine


def fails(machine: Link, now: float, *, is_final: bool = False, is_over: bool = False) -> Verdict:
    return machine.open_failed("refused", is_final=is_final, is_over=is_over, chance=0.5, now=now)


def retry_in(verdict: Verdict, now: float) -> float:
    (deadline,) = [effect.deadline for effect in verdict.effects if isinstance(effect, effects.SetTimer)]
    return deadline - now


def reconnecting(verdict: Verdict) -> screen.ConversationReconnecting:
    shown = [effect.event for effect in verdict.effects if isinstance(effect, effects.Show)]
    assert len(shown) == 1
    assert isinstance(shown[0], screen.ConversationReconnecting)
    return shown[0]


# Opening


def test_a_conversation_starts_with_its_first_way() -> None:
    machine = link(rotate_after_s=None)
    assert (machine.state, machine.has_way, machine.is_over) == (State.CONNECTING, False, False)

    assert machine.opened(5.0) == (Opening.STARTED, [])
    assert (machine.state, machine.has_way, machine.is_over) == (State.LIVE, True, False)


def test_a_first_way_that_does_not_open_is_one_error_and_no_close() -> None:
    machine = link()

    assert fails(machine, 1.0) == Verdict(message="refused")
    assert machine.is_over


@pytest.mark.parametrize("machine", [live(), lost()])
def test_an_opening_that_nobody_waits_for_is_a_bug_and_changes_nothing(machine: Link) -> None:
    before = machine.state

    with pytest.raises(LocalProtocolError, match=f"while {before.value}, but a way has opened"):
        machine.opened(2.0)
    with pytest.raises(LocalProtocolError, match=f"while {before.value}, but a way could not be opened"):
        fails(machine, 2.0)
    assert machine.state is before


# Losing and trying again


@pytest.mark.parametrize("code", [None, 1001, 1006, 1011])
def test_a_session_that_ends_improperly_is_lost(code: int | None) -> None:
    machine = live()

    verdict = machine.closed("code", code=code, chance=0.5, now=1.0)
    assert verdict.ends is None
    assert reconnecting(verdict) == screen.ConversationReconnecting(
        attempt=1, delay_s=FIRST_DELAY_S, message="the server ended the session (code)"
    )
    assert retry_in(verdict, 1.0) == pytest.approx(FIRST_DELAY_S)
    assert (machine.state, machine.has_way, machine.is_over) == (State.LOST, False, False)


def test_a_session_that_ends_properly_is_over() -> None:
    verdict = live().closed("bye", code=1000, chance=0.5, now=1.0)

    assert verdict == Verdict(ends=CloseReason.TRANSPORT_CLOSED, message="bye")


def test_without_reconnecting_every_loss_is_the_end() -> None:
    closed = live(reconnect=False).closed("gone", code=None, chance=0.5, now=1.0)
    failed = live(reconnect=False).failed("reset", is_final=False, chance=0.5, now=1.0)

    assert closed == Verdict(ends=CloseReason.TRANSPORT_CLOSED, message="gone")
    assert failed == Verdict(ends=CloseReason.ERROR, message="reset")


def test_where_going_on_makes_no_sense_it_is_the_end() -> None:
    assert live().failed("binary", is_final=True, chance=0.5, now=1.0) == Verdict(
        ends=CloseReason.ERROR, message="binary"
    )


def test_a_way_is_opened_again_after_the_delay() -> None:
    machine = lost()

    assert machine.retry_due() == [OPEN]
    assert machine.state is State.REOPENING
    assert machine.retry_due() == []
    assert machine.opened(3.0)[0] is Opening.RESTORED
    assert machine.has_way


def test_the_delays_grow_to_a_limit() -> None:
    machine, delays_s, now = lost(), [], 1.0
    for _ in range(8):
        machine.retry_due()
        delays_s.append(retry_in(fails(machine, now), now))

    assert delays_s == pytest.approx([0.4, 0.8, 1.6, 3.2, MAX_DELAY_S, MAX_DELAY_S, MAX_DELAY_S, MAX_DELAY_S])


@pytest.mark.parametrize(("chance", "factor"), [(0.0, 0.75), (0.5, 1.0), (1.0, 1.25)])
def test_chance_spreads_the_delays(chance: float, factor: float) -> None:
    verdict = live().failed("reset", is_final=False, chance=chance, now=1.0)

    assert retry_in(verdict, 1.0) == pytest.approx(FIRST_DELAY_S * factor)


@pytest.mark.parametrize(("lived_s", "attempt"), [(STABLE_S, 1), (STABLE_S - 0.1, 2)])
def test_a_way_that_held_long_lets_the_delays_begin_anew(lived_s: float, attempt: int) -> None:
    machine = reopening()
    machine.opened(10.0)

    verdict = machine.failed("reset", is_final=False, chance=0.5, now=10.0 + lived_s)
    assert reconnecting(verdict).attempt == attempt


@pytest.mark.parametrize("outage_s", [9.9, 10.0])
def test_an_outage_that_lasts_too_long_is_the_end(outage_s: float) -> None:
    machine = reopening(give_up_after_s=10.0)

    verdict = fails(machine, 1.0 + outage_s)
    assert verdict.ends is (None if outage_s < 10 else CloseReason.ERROR)


def test_a_refusal_that_would_be_repeated_is_the_end() -> None:
    assert fails(reopening(), 2.0, is_final=True) == Verdict(ends=CloseReason.ERROR, message="refused")


def test_a_call_that_is_over_is_the_end_and_no_error() -> None:
    assert fails(reopening(), 2.0, is_over=True) == Verdict(ends=CloseReason.TRANSPORT_CLOSED, message="refused")


@pytest.mark.parametrize("machine", [lost(), reopening()])
def test_what_is_lost_is_not_lost_again(machine: Link) -> None:
    before = machine.state

    assert machine.failed("reset", is_final=False, chance=0.5, now=2.0) == Verdict()
    assert machine.closed("gone", code=None, chance=0.5, now=2.0) == Verdict()
    assert machine.state is before


@pytest.mark.parametrize("machine", [lost(), reopening()])
def test_where_going_on_makes_no_sense_a_lost_conversation_ends_too(machine: Link) -> None:
    assert machine.failed("bug", is_final=True, chance=0.5, now=2.0) == Verdict(ends=CloseReason.ERROR, message="bug")


def test_before_the_beginning_and_after_the_end_nothing_is_lost() -> None:
    machine = link()
    assert machine.failed("reset", is_final=True, chance=0.5, now=1.0) == Verdict()
    machine.ended()
    assert machine.closed("gone", code=1000, chance=0.5, now=1.0) == Verdict()
    assert machine.is_over


# Rotation


def test_a_session_is_rotated_in_a_moment_of_quiet() -> None:
    machine = link(rotate_after_s=100.0)
    assert machine.opened(5.0)[1] == [effects.SetTimer(name=ROTATION_TIMER, deadline=105.0)]

    assert machine.rotation_due(104.9, quiet_at=0.0) == [effects.SetTimer(name=ROTATION_TIMER, deadline=105.0)]
    assert machine.rotation_due(105.0, quiet_at=106.5) == [effects.SetTimer(name=ROTATION_TIMER, deadline=106.5)]
    assert machine.rotation_due(106.5, quiet_at=106.5) == [OPEN]
    assert (machine.state, machine.has_way) == (State.ROTATING, True)
    assert machine.opened(107.0) == (
        Opening.ROTATED,
        [effects.SetTimer(name=ROTATION_TIMER, deadline=207.0)],
    )


def test_quiet_that_cannot_be_told_is_looked_for_every_second() -> None:
    machine = live(rotate_after_s=100.0)

    assert machine.rotation_due(100.0, quiet_at=None) == [effects.SetTimer(name=ROTATION_TIMER, deadline=101.0)]


@pytest.mark.parametrize("quiet_at", [None, 10_000.0])
def test_patience_for_quiet_has_an_end(quiet_at: float | None) -> None:
    machine = live(rotate_after_s=100.0)
    ends_at = 100.0 + ROTATION_PATIENCE_S

    assert machine.rotation_due(ends_at - 0.5, quiet_at=quiet_at) == [
        effects.SetTimer(name=ROTATION_TIMER, deadline=ends_at)
    ]
    assert machine.rotation_due(ends_at, quiet_at=quiet_at) == [OPEN]


def test_a_rotation_that_fails_is_tried_again_and_nobody_notices() -> None:
    machine = live(rotate_after_s=100.0)
    machine.rotation_due(100.0, quiet_at=0.0)

    verdict = fails(machine, 101.0)
    assert verdict.ends is None
    assert verdict.effects == (effects.SetTimer(name=ROTATION_TIMER, deadline=101.0 + FIRST_DELAY_S),)
    assert machine.state is State.LIVE
    assert machine.rotation_due(101.3, quiet_at=0.0) == [OPEN]


def test_a_way_that_is_lost_while_the_next_one_opens_is_restored_by_it() -> None:
    machine = live(rotate_after_s=100.0)
    machine.rotation_due(100.0, quiet_at=0.0)

    verdict = machine.failed("reset", is_final=False, chance=0.5, now=100.1)
    assert reconnecting(verdict) == screen.ConversationReconnecting(attempt=1, delay_s=0.0, message="reset")
    assert machine.state is State.REOPENING
    assert machine.opened(100.4)[0] is Opening.RESTORED


@pytest.mark.parametrize("machine", [live(rotate_after_s=None), live(reconnect=False), lost(rotate_after_s=0.5)])
def test_what_cannot_be_rotated_is_not(machine: Link) -> None:
    assert machine.rotation_due(10_000.0, quiet_at=0.0) == []


def test_losing_the_way_forgets_the_rotation() -> None:
    verdict = live().failed("reset", is_final=False, chance=0.5, now=1.0)

    assert effects.CancelTimer(name=ROTATION_TIMER) in verdict.effects


# Replacement


def test_another_conversation_takes_the_place_when_it_is_open() -> None:
    machine = live()

    assert machine.replacement_asked(Options()) == [
        effects.CancelTimer(name=RETRY_TIMER),
        effects.CancelTimer(name=ROTATION_TIMER),
        OPEN_OTHER,
    ]
    assert (machine.state, machine.has_way) == (State.REPLACING, True)
    assert machine.opened(2.0)[0] is Opening.REPLACED


def test_a_replacement_that_fails_leaves_the_conversation_as_it_was() -> None:
    machine = live(rotate_after_s=100.0)
    machine.replacement_asked(Options())

    assert fails(machine, 2.0, is_final=True) == Verdict(
        effects=(effects.SetTimer(name=ROTATION_TIMER, deadline=100.0),), message="refused"
    )
    assert machine.state is State.LIVE
    assert machine.rotation_due(100.0, quiet_at=0.0) == [OPEN]


def test_a_rotation_that_was_due_meanwhile_is_due_when_a_replacement_has_failed() -> None:
    machine = live(rotate_after_s=100.0)
    machine.replacement_asked(Options())

    assert fails(machine, 130.0).effects == (effects.SetTimer(name=ROTATION_TIMER, deadline=130.0),)


def test_the_delays_of_another_conversation_begin_anew() -> None:
    machine = lost()
    machine.replacement_asked(Options())
    machine.opened(2.0)

    assert reconnecting(machine.failed("reset", is_final=False, chance=0.5, now=3.0)).attempt == 1


def test_a_server_that_takes_one_session_at_a_time_is_left_before_the_next_one_is_opened() -> None:
    machine = live()
    machine.replacement_asked(Options(reconnect=False))

    verdict = machine.open_failed("busy", is_final=False, is_over=False, is_busy=True, chance=0.5, now=2.0)
    assert verdict == Verdict(leaves=True, effects=(OPEN_OTHER,))
    assert machine.closed("bye", code=1000, chance=0.5, now=2.1) == Verdict()
    assert machine.opened(3.0)[0] is Opening.REPLACED
    assert machine.options == Options(reconnect=False)


def test_a_rotation_that_is_refused_for_good_is_not_tried_again() -> None:
    machine = live(rotate_after_s=60.0)
    machine.rotation_due(60.0, quiet_at=0.0)
    assert machine.state is State.ROTATING

    assert machine.open_failed("no", is_final=True, is_over=False, is_busy=False, chance=0.5, now=61.0) == Verdict()
    assert machine.has_way


def test_a_server_that_stays_busy_has_ended_the_conversation() -> None:
    machine = live()
    machine.replacement_asked(Options())
    machine.open_failed("busy", is_final=False, is_over=False, is_busy=True, chance=0.5, now=2.0)

    verdict = machine.open_failed("still busy", is_final=False, is_over=False, is_busy=True, chance=0.5, now=3.0)
    assert verdict == Verdict(ends=CloseReason.ERROR, message="still busy")


@pytest.mark.parametrize(("failed_at", "again_at"), [(2.0, 60.0), (70.0, 70.0)])
def test_after_a_replacement_that_failed_the_rotation_is_due_as_before(failed_at: float, again_at: float) -> None:
    machine = link(rotate_after_s=60.0)
    machine.opened(0.0)
    machine.replacement_asked(Options())

    again = effects.SetTimer(name=ROTATION_TIMER, deadline=again_at)
    assert fails(machine, failed_at) == Verdict(effects=(again,), message="refused")


@pytest.mark.parametrize("machine", [lost(), reopening()])
def test_a_conversation_without_a_way_is_replaced_too(machine: Link) -> None:
    assert OPEN_OTHER in machine.replacement_asked(Options())
    assert machine.retry_due() == []
    assert machine.opened(2.0)[0] is Opening.REPLACED


def test_a_replacement_that_fails_without_a_way_lets_the_tries_go_on() -> None:
    machine = lost()
    machine.replacement_asked(Options())

    verdict = fails(machine, 2.0)
    assert (verdict.ends, verdict.message) == (None, "refused")
    assert reconnecting(verdict).attempt == 2
    assert machine.state is State.LOST


@pytest.mark.parametrize(("code", "is_final"), [(1000, None), (None, True)])
def test_an_old_conversation_that_ends_meanwhile_waits_for_what_becomes_of_the_new(
    code: int | None, *, is_final: bool | None
) -> None:
    machine = live()
    machine.replacement_asked(Options())
    if is_final is None:
        verdict = machine.closed("bye", code=code, chance=0.5, now=1.0)
    else:
        verdict = machine.failed("binary", is_final=is_final, chance=0.5, now=1.0)
    assert (verdict, machine.state) == (Verdict(), State.REPLACING_LOST)

    assert fails(machine, 2.0) == Verdict(ends=CloseReason.ERROR, message="refused")


@pytest.mark.parametrize("started", [False, True])
def test_where_there_is_no_conversation_none_is_replaced(*, started: bool) -> None:
    machine = live() if started else link()
    if started:
        machine.ended()

    with pytest.raises(LocalProtocolError, match="expected a running conversation to replace"):
        machine.replacement_asked(Options())


# What is held


def test_what_was_to_be_said_is_said_afterwards_once_and_in_order() -> None:
    machine = lost()
    typed, added, spoken = (
        intents.MirrorTyped(text="run it"),
        intents.AddText(role="user", text="by the way"),
        intents.SpeakText(text="done"),
    )
    machine.hold([typed, added])
    machine.hold([spoken])

    assert machine.held_texts == {"run it", "by the way"}
    assert machine.release() == (typed, added, spoken)
    assert machine.release() == ()


def test_what_belongs_to_the_lost_session_is_not_said_in_the_next() -> None:
    machine = lost()
    machine.hold(
        [
            intents.FinishHandoff(handoff_id="call_1", output="done"),
            intents.AnswerCall(call_id="call_2", output=""),
            intents.RequestResponse(),
            intents.Truncate(item_id="a", audio_end_ms=5),
            intents.UpdateSession(settings=SessionSettings(instructions="", voice="marin")),
            intents.CloseSession(),
            intents.AppendAudio(audio="AAAA"),
            intents.ReportProgress(handoff_id="call_1", text="half", phase="commentary", channel="commentary"),
            intents.FinishHandoff(handoff_id="call_1", output="it failed", is_news=True),
            intents.ReportAsItem(text="item"),
        ]
    )

    assert machine.release() == (
        intents.ReportProgress(handoff_id=None, text="half", phase="commentary", channel="commentary"),
        intents.ReportProgress(handoff_id=None, text="it failed", phase="final"),
        intents.ReportAsItem(text="item"),
    )


def test_a_session_that_goes_on_is_asked_to_speak_once_after_all_that_is_said() -> None:
    machine = lost(session_outlives_way=True)
    finished = intents.FinishHandoff(handoff_id="call_1", output="done")
    machine.hold([intents.RequestResponse(), finished, intents.RequestResponse()])

    assert machine.release() == (finished, intents.RequestResponse())


def test_a_session_that_goes_on_is_said_everything_but_sound() -> None:
    machine = lost(session_outlives_way=True)
    finished = intents.FinishHandoff(handoff_id="call_1", output="done")
    machine.hold([finished, intents.AppendAudio(audio="AAAA"), intents.RequestResponse(), intents.CloseSession()])

    assert machine.release() == (finished, intents.RequestResponse())


def test_changed_instructions_are_said_in_every_session() -> None:
    machine = live()
    loud, calm = intents.ChangeInstructions(instructions="loud"), intents.ChangeInstructions(instructions="calm")
    machine.sent(loud)
    machine.failed("reset", is_final=False, chance=0.5, now=1.0)
    machine.hold([intents.MirrorTyped(text="run"), calm])
    machine.retry_due()
    machine.opened(2.0)

    assert machine.release() == (calm, intents.MirrorTyped(text="run"))
    assert machine.release() == (calm,)


def test_instructions_that_were_changed_while_there_was_a_way_are_said_in_the_next_session() -> None:
    machine = live()
    machine.sent(intents.ChangeInstructions(instructions="loud"))
    machine.failed("reset", is_final=False, chance=0.5, now=1.0)
    machine.retry_due()
    machine.opened(2.0)

    assert machine.release() == (intents.ChangeInstructions(instructions="loud"),)


def test_a_delay_is_shown_in_whole_milliseconds() -> None:
    verdict = live().failed("reset", is_final=False, chance=0.12345, now=0.0)

    assert reconnecting(verdict).delay_s == 0.162
    assert retry_in(verdict, 0.0) == pytest.approx(0.162345)


def test_a_replacement_begins_with_nothing() -> None:
    machine = lost()
    machine.sent(intents.ChangeInstructions(instructions="loud"))
    machine.hold([intents.MirrorTyped(text="run")])
    machine.replacement_asked(Options())
    machine.opened(2.0)

    assert machine.release() == ()


def test_past_the_limit_what_the_agent_said_gives_way_to_what_the_user_typed() -> None:
    machine = lost()
    machine.hold([intents.MirrorTyped(text="first"), intents.SpeakText(text="oldest report")])
    machine.hold(intents.SpeakText(text=str(number)) for number in range(MAX_HELD - 1))
    held = machine.release()

    assert len(held) == MAX_HELD
    assert held[:2] == (intents.MirrorTyped(text="first"), intents.SpeakText(text="0"))


def test_past_the_limit_the_oldest_that_was_typed_goes_when_there_is_nothing_else() -> None:
    machine = lost()
    machine.hold(intents.MirrorTyped(text=str(number)) for number in range(MAX_HELD + 1))

    assert machine.release()[0] == intents.MirrorTyped(text="1")


def test_an_ended_conversation_holds_nothing() -> None:
    machine = lost()
    machine.hold([intents.MirrorTyped(text="run")])
    machine.ended()

    assert machine.release() == ()


# The table


def test_the_bounds_are_these() -> None:
    assert (FIRST_DELAY_S, MAX_DELAY_S, STABLE_S, ROTATION_PATIENCE_S, MAX_HELD) == (0.2, 5.0, 30.0, 240.0, 256)


def in_state(state: State) -> Link:
    machine = link() if state is State.CONNECTING else live()
    if state in (State.LOST, State.REOPENING, State.REPLACING_LOST):
        machine = lost()
    match state:
        case State.REOPENING:
            machine.retry_due()
        case State.ROTATING:
            machine.rotation_due(5000.0, quiet_at=0.0)
        case State.REPLACING | State.REPLACING_LOST:
            machine.replacement_asked(Options())
        case State.CLOSED:
            machine.ended()
        case _:
            pass
    assert machine.state is state
    return machine


def do(machine: Link, happened: Input) -> None:
    match happened:
        case Input.OPENED:
            machine.opened(2.0)
        case Input.OPEN_FAILED:
            fails(machine, 2.0)
        case Input.BUSY:
            machine.open_failed("busy", is_final=False, is_over=False, is_busy=True, chance=0.5, now=2.0)
        case Input.LOST:
            machine.failed("reset", is_final=False, chance=0.5, now=2.0)
        case Input.RETRIED:
            machine.retry_due()
        case Input.ROTATED:
            machine.rotation_due(5000.0, quiet_at=0.0)
        case Input.REPLACED:
            machine.replacement_asked(Options())
        case Input.ENDED:
            machine.ended()


# In the order of the inputs. What raises changes nothing.
MOVES = {
    State.CONNECTING: "live closed closed connecting connecting connecting connecting closed",
    State.LIVE: "live live live lost live rotating replacing closed",
    State.ROTATING: "live live live reopening rotating rotating replacing closed",
    State.REPLACING: "live live replacing_lost replacing_lost replacing replacing replacing closed",
    State.LOST: "lost lost lost lost reopening lost replacing_lost closed",
    State.REOPENING: "live lost lost reopening reopening reopening replacing_lost closed",
    State.REPLACING_LOST: "live lost lost replacing_lost replacing_lost replacing_lost replacing_lost closed",
    State.CLOSED: "closed closed closed closed closed closed closed closed",
}
RAISES = {
    State.CONNECTING: {Input.REPLACED},
    State.LIVE: {Input.OPENED, Input.OPEN_FAILED, Input.BUSY},
    State.LOST: {Input.OPENED, Input.OPEN_FAILED, Input.BUSY},
    State.CLOSED: {Input.OPENED, Input.OPEN_FAILED, Input.BUSY, Input.REPLACED},
}


@pytest.mark.parametrize(
    ("state", "happened", "then"),
    [
        (state, happened, State(then))
        for state, row in MOVES.items()
        for happened, then in zip(Input, row.split(), strict=True)
    ],
)
def test_the_state_moves_as_the_table_says(state: State, happened: Input, then: State) -> None:
    assert TRANSITIONS[state][happened] is then
    machine = in_state(state)
    if happened in RAISES.get(state, set()):
        with pytest.raises(LocalProtocolError):
            do(machine, happened)
    else:
        do(machine, happened)

    assert machine.state is then
    # Only where another conversation is to take its place a busy server is another thing than one that fails.
    told = Input.OPEN_FAILED if happened is Input.BUSY and state is not State.REPLACING else happened
    assert TRANSITIONS[state][told] is then


@pytest.mark.parametrize("happened", list(Input))
def test_an_end_is_the_end(happened: Input) -> None:
    assert TRANSITIONS[State.CLOSED][happened] is State.CLOSED
    assert all(row[Input.ENDED] is State.CLOSED for row in TRANSITIONS.values())


class AnyWay(RuleBasedStateMachine):
    """A way that opens, breaks and is replaced in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.link = Link(Options(give_up_after_s=30.0, rotate_after_s=50.0))
        self.is_opening = True
        self.retry_at: float | None = None
        self.n_ended = 0

    def done(self, came: list[effects.Effect] | tuple[effects.Effect, ...]) -> None:
        for effect in came:
            match effect:
                case effects.OpenTransport():
                    self.is_opening = True
                    assert not self.link.is_over
                case effects.SetTimer(name=name, deadline=deadline):
                    assert deadline >= self.now
                    if name == RETRY_TIMER:
                        self.retry_at = deadline
                case effects.CancelTimer(name=name):
                    if name == RETRY_TIMER:
                        self.retry_at = None
                case _:
                    pass

    def judged(self, verdict: Verdict) -> None:
        self.done(verdict.effects)
        if verdict.ends is not None:
            assert not self.link.is_over, "it ends once"
            self.n_ended += 1
            self.link.ended()
            self.is_opening = False
        if not self.link.is_over and not self.link.has_way:
            assert self.is_opening or self.retry_at is not None, "somebody always tries"

    @rule(seconds=st.sampled_from([0.0, 0.2, 5.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        if self.retry_at is not None and self.retry_at <= self.now:
            self.retry_at = None
            self.done(self.link.retry_due())
        self.done(self.link.rotation_due(self.now, quiet_at=self.now))

    @precondition(lambda self: self.is_opening)
    @rule(opens=st.booleans(), is_final=st.booleans(), is_over=st.booleans())
    def an_opening_ends(self, *, opens: bool, is_final: bool, is_over: bool) -> None:
        self.is_opening = False
        if opens:
            self.done(self.link.opened(self.now)[1])
            assert self.link.has_way
        else:
            self.judged(self.link.open_failed("no", is_final=is_final, is_over=is_over, chance=0.5, now=self.now))

    @rule(code=st.sampled_from([None, 1000, 1006]))
    def the_server_closes(self, code: int | None) -> None:
        self.judged(self.link.closed("bye", code=code, chance=0.5, now=self.now))

    @rule(is_final=st.booleans())
    def the_way_breaks(self, *, is_final: bool) -> None:
        self.judged(self.link.failed("reset", is_final=is_final, chance=0.5, now=self.now))

    @precondition(lambda self: self.link.state not in (State.CONNECTING, State.CLOSED))
    @rule()
    def is_replaced(self) -> None:
        self.done(self.link.replacement_asked(Options()))


TestAnyWay = AnyWay.TestCase
TestAnyWay.settings = hypothesis_settings(hypothesis_settings(), max_examples=100)
