from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from backchannel.core import Conversation, Options, effects, events, screen
from backchannel.testing import Anything, Playbook, sent, shown
from backchannel.wire.realtime import events as server
from backchannel.wire.realtime import intents

if TYPE_CHECKING:
    from collections.abc import Callable

TYPED = events.TextTyped(text="run")
MIRROR = effects.Send(intent=intents.MirrorTyped(text="run"))
START = effects.StartTurn(turn_id="turn_1", text="run")
SPEAK = effects.Send(intent=intents.RequestResponse())


class Echo:
    """A machine that does whatever it is told to do when a text is typed, and tells which timers fired."""

    def __init__(self, *came: effects.Effect) -> None:
        self.came = list(came)
        self.fired: list[tuple[float, str]] = []

    def handle(self, event: events.Event, now: float) -> list[effects.Effect]:
        if isinstance(event, events.TimerFired):
            self.fired.append((now, event.name))
            return [effects.CancelTimer(name=f"after {event.name}")]
        return self.came


def test_what_comes_is_stated_in_order() -> None:
    with Playbook(Echo(MIRROR, START)) as playbook:
        playbook >> TYPED << MIRROR << START
        playbook >> TYPED << MIRROR << START


def test_another_effect_than_the_stated_one_is_a_failure_with_both() -> None:
    playbook = Playbook(Echo(MIRROR, START), start_s=5.0)

    with pytest.raises(AssertionError) as failure:
        playbook >> TYPED << MIRROR << effects.StartTurn(turn_id="turn_2", text="run")

    assert str(failure.value).splitlines() == [
        "after TextTyped(text='run') at 5 s: this was expected and did not come next (- stated, + came)",
        "  Send(intent=MirrorTyped(text='run'))",
        "- StartTurn(turn_id='turn_2', text='run')",
        "?                         ^",
        "+ StartTurn(turn_id='turn_1', text='run')",
        "?                         ^",
    ]


def test_too_few_effects_are_a_failure() -> None:
    with pytest.raises(AssertionError, match=r"did not come next[^\n]*\n  Send.*\n- StartTurn"):
        Playbook(Echo(MIRROR)) >> TYPED << MIRROR << START


def test_an_effect_is_not_looked_for_beyond_the_next() -> None:
    with pytest.raises(AssertionError, match="did not come next"):
        Playbook(Echo(MIRROR, START)) >> TYPED << START


@pytest.mark.parametrize(
    "then",
    [lambda playbook: playbook >> TYPED, lambda playbook: playbook.advance(1.0), lambda playbook: playbook.done()],
    ids=["event", "advance", "done"],
)
def test_an_effect_that_was_not_stated_is_a_failure_at_the_next_step(then: Callable[[Playbook], object]) -> None:
    playbook = Playbook(Echo(MIRROR, START))
    playbook >> TYPED << MIRROR

    with pytest.raises(AssertionError, match=r"more came of it than was stated[^\n]*\n  Send.*\n\+ StartTurn"):
        then(playbook)


def test_an_effect_that_was_not_stated_is_a_failure_at_the_end() -> None:
    with pytest.raises(AssertionError, match="more came of it than was stated"), Playbook(Echo(MIRROR)) as playbook:
        playbook >> TYPED


def test_a_failure_inside_is_not_hidden_by_what_is_left_over() -> None:
    with pytest.raises(AssertionError, match="did not come next"), Playbook(Echo(MIRROR, START)) as playbook:
        playbook >> TYPED << START


def test_what_else_came_can_be_skipped() -> None:
    with Playbook(Echo(MIRROR, START)) as playbook:
        playbook >> TYPED << MIRROR
        playbook.skip() >> TYPED
        assert playbook.came == (MIRROR, START)
        playbook.skip()


def test_placeholders_stand_for_effects_that_are_not_stated_whole() -> None:
    show = effects.Show(event=screen.TypedText(text="run"))
    with Playbook(Echo(MIRROR, START, show)) as playbook:
        playbook >> TYPED << sent(intents.MirrorTyped) << Anything() << shown(screen.TypedText)
        playbook >> TYPED << sent(intents.MirrorTyped, lambda intent: intent.text == "run")
        playbook << Anything() << shown(screen.TypedText, lambda event: event.text == "run")


@pytest.mark.parametrize(
    "placeholder",
    [
        sent(intents.RequestResponse),
        sent(intents.MirrorTyped, lambda intent: intent.text == "walk"),
        shown(screen.TypedText),
    ],
)
def test_a_placeholder_that_does_not_fit_is_a_failure(placeholder: Anything) -> None:
    with pytest.raises(AssertionError, match=r"did not come next[^\n]*\n- (Sent|Shown)Matcher"):
        Playbook(Echo(MIRROR)) >> TYPED << placeholder


def test_a_placeholder_that_fits_reads_like_its_effect_in_a_failure() -> None:
    with pytest.raises(AssertionError) as failure:
        Playbook(Echo(MIRROR, START)) >> TYPED << sent(intents.MirrorTyped) << SPEAK

    assert "\n  Send(intent=MirrorTyped(text='run'))\n- Send(intent=RequestResponse())\n+ Start" in str(failure.value)


SHOW = effects.Show(event=screen.SpeechEnded())
SET = effects.SetTimer(name="t", deadline=9.0)


def test_what_is_shown_need_not_be_stated_where_that_is_chosen() -> None:
    with Playbook(Echo(SHOW, MIRROR, SHOW), showing=False) as playbook:
        playbook >> TYPED << MIRROR
        playbook >> TYPED << SHOW << MIRROR
        playbook >> TYPED << Anything()
        playbook >> TYPED << MIRROR << shown(screen.SpeechEnded)


def test_timers_need_not_be_stated_where_that_is_chosen() -> None:
    with Playbook(Echo(SET, MIRROR, effects.CancelTimer(name="t")), timing=False) as playbook:
        playbook >> TYPED << MIRROR
        playbook >> TYPED << SET << MIRROR << effects.CancelTimer(name="t")


def test_what_was_passed_over_does_not_stand_in_a_failure() -> None:
    with pytest.raises(AssertionError) as failure:
        Playbook(Echo(SHOW, SET, MIRROR), showing=False, timing=False) >> TYPED << START

    assert "Show" not in str(failure.value)
    assert "SetTimer" not in str(failure.value)


@pytest.mark.parametrize("kind", ["showing", "timing"])
def test_everything_has_to_be_stated_otherwise(kind: str) -> None:
    playbook = Playbook(Echo(SHOW if kind == "showing" else SET))
    playbook >> TYPED

    with pytest.raises(AssertionError, match="more came of it"):
        playbook.done()


def test_time_stands_still_until_it_is_moved() -> None:
    playbook = Playbook(Echo(), start_s=10.0)
    playbook >> TYPED
    assert playbook.now == 10.0

    playbook.advance(2.5)
    assert playbook.now == 12.5


def test_timers_fire_in_their_order_and_each_at_its_own_time() -> None:
    machine = Echo(
        effects.SetTimer(name="late", deadline=3.0),
        effects.SetTimer(name="early", deadline=1.0),
        effects.SetTimer(name="beyond", deadline=3.5),
    )
    playbook = Playbook(machine)
    playbook >> TYPED << Anything() << Anything() << Anything()

    playbook.advance(3.0) << effects.CancelTimer(name="after early") << effects.CancelTimer(name="after late")

    assert machine.fired == [(1.0, "early"), (3.0, "late")]
    assert playbook.timers == {"beyond": 3.5}
    assert playbook.now == 3.0
    playbook.done()


def test_a_timer_replaces_the_one_of_its_name_and_can_be_cancelled() -> None:
    machine = Echo(
        effects.SetTimer(name="moved", deadline=1.0),
        effects.SetTimer(name="moved", deadline=2.0),
        effects.SetTimer(name="gone", deadline=1.0),
        effects.CancelTimer(name="gone"),
        effects.CancelTimer(name="never set"),
    )
    playbook = Playbook(machine)
    playbook >> TYPED
    playbook.skip().advance(5.0)

    assert machine.fired == [(2.0, "moved")]


def test_a_timer_that_is_already_due_fires_as_soon_as_time_moves() -> None:
    machine = Echo(effects.SetTimer(name="past", deadline=1.0))
    playbook = Playbook(machine, start_s=5.0)
    playbook >> TYPED
    playbook.skip().advance(0.0)

    assert machine.fired == [(5.0, "past")]


def test_a_conversation_can_be_written_down() -> None:
    with Playbook(Conversation(Options()), showing=False, timing=False) as playbook:
        playbook >> events.TransportOpened() << effects.TakeTransport() << effects.Configure()
        playbook << effects.BriefAgent(by_voice=True)
        playbook >> server.InputSpeechStopped()
        playbook >> TYPED << MIRROR << START
        playbook >> events.SteerFailed(turn_id="turn_1", reason="no") << sent(intents.ReportProgress) << SPEAK
