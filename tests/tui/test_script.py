from __future__ import annotations

from pathlib import Path

import pytest

from backchannel import core
from backchannel.errors import UsageError
from backchannel.tui import Step, When, parse_step
from backchannel.tui.script import ANSWER_DEADLINE_S, QUIET_S, Moment, Script

TICK_S = 0.05
FIRST = Step(text="first")
ANSWERED = Step(text="answered")
WORKING = Step(text="working", when=When.WORKING)
DELAYED = Step(text="delayed", when=When.DELAYED, delay_s=1.0)


class Scene:
    """Plays a script against what goes on, a tick at a time."""

    def __init__(self, *steps: Step) -> None:
        self.script = Script(steps)
        self.now = 100.0
        self.answers = 0
        self.begun: list[tuple[float, str]] = []
        self.skipped: list[str] = []
        self.done_at: float | None = None
        self._saying_until = self.now

    def pass_time(
        self, duration_s: float, *, working: bool = False, answering: bool = False, speaking: bool = False
    ) -> None:
        """Something goes on for a while."""
        end = self.now + duration_s
        while self.now < end - TICK_S / 2:
            self.now += TICK_S
            moment = Moment(
                now=self.now,
                activity=core.Activity(working=working, answering=answering, speaking=speaking),
                saying=self.now < self._saying_until,
                answers=self.answers,
            )
            if self.script.done(moment):
                self.done_at = self.done_at or self.now
            elif (step := self.script.due(moment)) is not None:
                self.begun.append((round(self.now - 100.0, 2), step.text))
                self._saying_until = self.now + 0.5
            elif (skipped := self.script.skipped(moment)) is not None:
                self.skipped.append(skipped.text)

    def answer(self, duration_s: float = 1.0, *, working: bool = False) -> None:
        """The voice answers and is heard."""
        self.pass_time(duration_s / 2, working=working, answering=True)
        self.answers += 1
        self.pass_time(duration_s / 2, working=working, speaking=True)

    @property
    def said(self) -> list[str]:
        return [text for _, text in self.begun]


def test_the_first_step_waits_until_it_has_been_quiet() -> None:
    scene = Scene(FIRST)
    scene.pass_time(0.6)
    assert scene.said == []
    scene.pass_time(0.3)
    assert scene.said == ["first"]
    assert scene.begun[0][0] >= QUIET_S


def test_the_first_step_does_not_speak_over_a_greeting() -> None:
    scene = Scene(FIRST)
    scene.answer(2.0)
    assert scene.said == []
    scene.pass_time(0.9)
    assert scene.said == ["first"]


def test_the_next_step_waits_for_the_answer_and_quiet() -> None:
    scene = Scene(FIRST, ANSWERED)
    scene.pass_time(3.0)
    assert scene.said == ["first"]
    scene.answer(2.0)
    scene.pass_time(0.6)
    assert scene.said == ["first"]
    scene.pass_time(0.2)
    assert scene.said == ["first", "answered"]


def test_a_pause_within_an_answer_is_not_its_end() -> None:
    scene = Scene(FIRST, ANSWERED)
    scene.pass_time(1.5)
    scene.answer(1.0)
    scene.pass_time(0.5)
    scene.pass_time(0.5, answering=True)
    scene.pass_time(0.5)
    assert scene.said == ["first"]
    scene.pass_time(0.3)
    assert scene.said == ["first", "answered"]


def test_a_task_that_runs_keeps_the_next_step_waiting() -> None:
    scene = Scene(FIRST, ANSWERED)
    scene.pass_time(1.5)
    scene.answer(working=True)
    scene.pass_time(20.0, working=True)
    assert scene.said == ["first"]
    scene.answer()
    scene.pass_time(0.8)
    assert scene.said == ["first", "answered"]


def test_an_answer_that_never_comes_is_waited_for_so_long_only() -> None:
    scene = Scene(FIRST, ANSWERED)
    scene.pass_time(1.5 + ANSWER_DEADLINE_S - 1.0)
    assert scene.said == ["first"]
    scene.pass_time(1.0)
    assert scene.said == ["first", "answered"]


def test_a_step_for_a_running_task_waits_for_it_and_for_the_answer() -> None:
    scene = Scene(FIRST, WORKING)
    scene.pass_time(3.0)
    scene.pass_time(2.0, working=True)
    assert scene.said == ["first"]
    scene.answer(working=True)
    scene.pass_time(0.4, working=True)
    assert scene.said == ["first"]
    scene.pass_time(0.2, working=True)
    assert scene.said == ["first", "working"]


def test_a_step_for_a_running_task_is_not_spoken_over_the_voice() -> None:
    scene = Scene(WORKING)
    scene.pass_time(0.5, working=True)
    scene.pass_time(1.0, working=True, speaking=True)
    assert scene.said == []
    scene.pass_time(0.8, working=True)
    assert scene.said == ["working"]


def test_a_step_for_a_task_that_never_runs_is_passed_over_in_the_end() -> None:
    scene = Scene(FIRST, WORKING, ANSWERED)
    scene.pass_time(1.5)
    scene.answer()
    scene.pass_time(ANSWER_DEADLINE_S - 0.5)
    assert scene.skipped == []
    scene.pass_time(1.0)
    assert scene.skipped == ["working"]
    assert scene.said == ["first", "answered"]


def test_a_delayed_step_counts_from_the_end_of_the_previous_one() -> None:
    scene = Scene(FIRST, DELAYED)
    scene.pass_time(5.0, answering=True)
    assert scene.said == []
    scene.pass_time(0.8)
    assert scene.said == ["first"]
    began = scene.begun[0][0]
    scene.pass_time(3.0, answering=True)
    assert scene.said == ["first", "delayed"]
    # It was said for half a second, and then a second passed.
    assert scene.begun[1][0] == pytest.approx(began + 1.5, abs=3 * TICK_S)


def test_a_delayed_step_may_be_the_first() -> None:
    scene = Scene(DELAYED)
    scene.pass_time(2.0, working=True, answering=True, speaking=True)
    assert scene.said == ["delayed"]
    assert scene.begun[0][0] == pytest.approx(1.0, abs=3 * TICK_S)


def test_no_step_begins_while_the_one_before_is_being_said() -> None:
    immediate = Step(text="at once", when=When.DELAYED, delay_s=0.0)
    scene = Scene(FIRST, immediate)
    scene.pass_time(2.0)
    first, second = scene.begun
    assert second[0] - first[0] >= 0.5


def test_it_is_done_when_all_is_said_answered_and_quiet() -> None:
    scene = Scene(FIRST)
    scene.pass_time(1.5)
    assert scene.said == ["first"]
    scene.answer(working=True)
    scene.pass_time(10.0, working=True)
    scene.answer()
    scene.pass_time(0.6)
    assert scene.done_at is None
    scene.pass_time(0.2)
    assert scene.done_at is not None


@pytest.mark.parametrize("n_ticks", range(12))
def test_what_begins_in_the_last_moment_is_waited_for(n_ticks: int) -> None:
    scene = Scene(FIRST)
    scene.pass_time(0.8)
    assert scene.said == ["first"]
    scene.pass_time(0.5 + ANSWER_DEADLINE_S - 0.5)
    assert scene.done_at is None
    # One of these is the moment in which it would have been done.
    scene.pass_time(n_ticks * TICK_S)
    assert scene.done_at is None
    scene.answer()
    assert scene.done_at is None
    scene.pass_time(0.8)
    assert scene.done_at is not None


def test_without_steps_it_is_done_when_nothing_goes_on() -> None:
    scene = Scene()
    scene.pass_time(3.0, working=True)
    assert scene.done_at is None
    scene.pass_time(ANSWER_DEADLINE_S + 0.2)
    assert scene.done_at is not None


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("run the tests", Step(text="run the tests")),
        ("say: this", Step(text="say: this")),
        ("@working:only in core", Step(text="only in core", when=When.WORKING)),
        ("@working:and: that", Step(text="and: that", when=When.WORKING)),
        ("@+2.5:stop", Step(text="stop", when=When.DELAYED, delay_s=2.5)),
        ("@+0:stop", Step(text="stop", when=When.DELAYED, delay_s=0.0)),
        ("@working:@+2:x", Step(text="@+2:x", when=When.WORKING)),
    ],
)
def test_a_step_is_read(text: str, step: Step) -> None:
    assert parse_step(text) == step


@pytest.mark.parametrize(
    "text", ["@", "@working", "@later:x", "@+:x", "@+x:y", "@+-1:x", "@+nan:x", "@+inf:x", "@+3600:x", "@2:x", "@+2"]
)
def test_an_unknown_time_is_bad_use(text: str) -> None:
    with pytest.raises(UsageError, match="expected TEXT, @working:TEXT or @"):
        parse_step(text)


@pytest.mark.parametrize("text", ["", " \t", "@working:", "@+2: "])
def test_nothing_to_say_is_bad_use(text: str) -> None:
    with pytest.raises(UsageError, match="nothing to say"):
        parse_step(text)


def test_a_step_has_a_name_for_messages() -> None:
    assert Step(text="run the tests").name == "run the tests"
    assert Step(sound=Path("speech/stop.wav")).name == "stop.wav"
