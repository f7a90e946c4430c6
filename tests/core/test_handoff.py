from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from backchannel.core import Options, Outcome, Phase, effects, render_delegation, screen
from backchannel.core.floor import Reason
from backchannel.core.handoff import (
    REMEMBERED_CALLS,
    STOP_DEADLINE_S,
    TIMER,
    TRANSITIONS,
    Decision,
    Handoff,
    Input,
    State,
)
from backchannel.core.transcript import Utterance
from backchannel.wire.realtime import intents

if TYPE_CHECKING:
    from collections.abc import Iterable

HELLO = Utterance(speaker="user", text="hello")
NOTHING = Decision()


def reason(decision: Decision) -> Reason | None:
    return None if decision.news is None else decision.news.reason


def delegate(handoff: Handoff, call_id: str, text: str, now: float = 0.0) -> Decision:
    return handoff.delegated(call_id, text, (), now)


def answers(came: Iterable[effects.Effect]) -> dict[str, str]:
    """What calls are answered, by id; none of them twice."""
    found: dict[str, str] = {}
    for effect in came:
        match effect:
            case effects.Send(intent=intents.FinishHandoff(handoff_id=call_id, output=output)):
                assert call_id not in found
                found[call_id] = output
            case effects.Send(intent=intents.AnswerCall(call_id=call_id, output=output)):
                assert call_id not in found
                found[call_id] = output
            case _:
                pass
    return found


def said(came: Iterable[effects.Effect]) -> list[str]:
    """What the voice is let know."""
    return [
        effect.intent.text
        for effect in came
        if isinstance(effect, effects.Send) and isinstance(effect.intent, intents.ReportProgress)
    ]


def started(came: Iterable[effects.Effect]) -> list[tuple[str, str]]:
    return [(effect.turn_id, effect.text) for effect in came if isinstance(effect, effects.StartTurn)]


def working(call_id: str = "call_1", text: str = "run the tests") -> Handoff:
    handoff = Handoff(Options())
    delegate(handoff, call_id, text)
    return handoff


def stopping() -> Handoff:
    handoff = working()
    handoff.stop_asked(None, 1.0)
    return handoff


def in_state(state: State) -> Handoff:
    handoff = {State.IDLE: Handoff(Options()), State.WORKING: working(), State.STOPPING: stopping()}[state]
    assert handoff.state is state
    return handoff


def do(handoff: Handoff, happened: Input) -> Decision:
    match happened:
        case Input.ASKED:
            return delegate(handoff, "call_2", "only core", 2.0)
        case Input.STOP_ASKED:
            return handoff.stop_asked("call_3", 2.0)
        case Input.ENDED:
            return handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0)
        case Input.STOP_OVERDUE:
            return handoff.overdue(2.0)


@pytest.mark.parametrize(
    ("state", "happened", "then"),
    [
        (State.IDLE, Input.ASKED, State.WORKING),
        (State.IDLE, Input.STOP_ASKED, State.IDLE),
        (State.IDLE, Input.ENDED, State.IDLE),
        (State.IDLE, Input.STOP_OVERDUE, State.IDLE),
        (State.WORKING, Input.ASKED, State.WORKING),
        (State.WORKING, Input.STOP_ASKED, State.STOPPING),
        (State.WORKING, Input.ENDED, State.IDLE),
        (State.WORKING, Input.STOP_OVERDUE, State.WORKING),
        (State.STOPPING, Input.ASKED, State.STOPPING),
        (State.STOPPING, Input.STOP_ASKED, State.STOPPING),
        (State.STOPPING, Input.ENDED, State.IDLE),
        (State.STOPPING, Input.STOP_OVERDUE, State.IDLE),
    ],
)
def test_the_state_moves_as_the_table_says(state: State, happened: Input, then: State) -> None:
    handoff = in_state(state)
    do(handoff, happened)

    assert handoff.state is TRANSITIONS[state][happened] is then
    assert handoff.is_idle is (then is State.IDLE)


# Asking.


def test_a_delegation_starts_a_task_with_what_was_said_before_it() -> None:
    decision = Handoff(Options()).delegated("call_1", "run the tests", (HELLO,), 1.0)

    assert decision == Decision(
        effects=(
            effects.StartTurn(turn_id="turn_1", text=render_delegation("run the tests", "user: hello")),
            effects.Show(event=screen.TaskStarted(turn_id="turn_1", request="run the tests", by_voice=True)),
        )
    )


@pytest.mark.parametrize("text", ["", "  "])
def test_without_words_of_its_own_a_delegation_asks_what_was_said(text: str) -> None:
    spoken = (HELLO, Utterance(speaker="assistant", text="hi"))

    decision = Handoff(Options()).delegated("call_1", text, spoken, 1.0)

    lines = "user: hello\nassistant: hi"
    assert started(decision.effects) == [("turn_1", render_delegation(lines, lines))]


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_request_is_answered_at_once_and_starts_nothing(text: str) -> None:
    handoff = Handoff(Options())
    decision = delegate(handoff, "call_1", text)

    assert list(answers(decision.effects)) == ["call_1"]
    assert "Ask the user" in answers(decision.effects)["call_1"]
    assert len(decision.effects) == 1
    assert reason(decision) is Reason.ASKED
    assert handoff.is_idle


def test_a_second_delegation_steers_and_is_answered_at_once() -> None:
    decision = working().delegated("call_2", "only core", (HELLO,), 1.0)

    steer, shown, answered = decision.effects
    text = render_delegation("only core", "user: hello")
    assert steer == effects.SteerTurn(turn_id="turn_1", text=text, by_voice=True)
    assert shown == effects.Show(event=screen.TaskSteered(turn_id="turn_1", request="only core", by_voice=True))
    assert "already running" in answers([answered])["call_2"]
    assert reason(decision) is Reason.ASKED


def test_the_first_call_is_kept_when_the_task_is_steered() -> None:
    handoff = working()
    delegate(handoff, "call_2", "only core")

    decision = handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0)

    assert list(answers(decision.effects)) == ["call_1"]


def test_typed_text_starts_a_task_and_the_voice_is_let_know() -> None:
    decision = Handoff(Options()).typed("run <the> tests", mirrored=True, now=1.0)

    assert decision == Decision(
        effects=(
            effects.Show(event=screen.TypedText(text="run <the> tests")),
            effects.Send(intent=intents.MirrorTyped(text="run <the> tests")),
            effects.StartTurn(turn_id="turn_1", text="run <the> tests"),
            effects.Show(event=screen.TaskStarted(turn_id="turn_1", request="run <the> tests", by_voice=False)),
        )
    )


def test_typed_text_is_not_mirrored_where_that_is_not_wanted() -> None:
    decision = Handoff(Options()).typed("run", mirrored=False, now=1.0)

    assert [type(effect) for effect in decision.effects] == [effects.Show, effects.StartTurn, effects.Show]


def test_typed_text_steers_a_running_task_and_nobody_waits_for_an_answer() -> None:
    decision = working().typed("only core", mirrored=True, now=1.0)

    assert decision.effects[2] == effects.SteerTurn(turn_id="turn_1", text="only core", by_voice=False)
    assert answers(decision.effects) == {}
    assert reason(decision) is None


@pytest.mark.parametrize("text", ["", "  \n"])
def test_typing_nothing_does_nothing(text: str) -> None:
    handoff = Handoff(Options())

    assert handoff.typed(text, mirrored=True, now=1.0) == NOTHING
    assert handoff.is_idle


def test_each_task_has_a_turn_of_its_own() -> None:
    handoff = working()
    handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0)

    assert started(delegate(handoff, "call_2", "again").effects) == [("turn_2", render_delegation("again"))]


# Calls are claimed once.


def test_a_repeated_call_is_ignored_with_a_warning_whatever_it_asks() -> None:
    handoff = working()
    for decision in (
        delegate(handoff, "call_1", "something else"),
        handoff.stop_asked("call_1", 1.0),
        handoff.status_asked("call_1", 1.0),
        handoff.called("call_1", output="", speak=Reason.ASKED),
    ):
        (shown,) = decision.effects
        assert isinstance(shown, effects.Show)
        assert isinstance(shown.event, screen.Warned)
        assert "call_1" in shown.event.message
        assert reason(decision) is None
    assert handoff.state is State.WORKING


def test_calls_of_every_kind_are_claimed() -> None:
    handoff = Handoff(Options())
    delegate(handoff, "a", "run")
    handoff.stop_asked("b", 1.0)
    handoff.status_asked("c", 1.0)
    handoff.called("d", output="", speak=None)
    handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0)
    delegate(handoff, "e", "")

    assert all(map(handoff.has_claimed, "abcde"))
    assert not handoff.has_claimed("f")


def test_the_last_1024_calls_are_remembered() -> None:
    handoff = Handoff(Options())
    for number in range(REMEMBERED_CALLS):
        handoff.called(str(number), output="", speak=None)
    assert handoff.has_claimed("0")

    handoff.called("one more", output="", speak=None)
    assert not handoff.has_claimed("0")
    assert handoff.has_claimed("1")
    assert REMEMBERED_CALLS == 1024


@pytest.mark.parametrize("speak", [None, Reason.ASKED])
def test_a_call_that_does_not_concern_the_agent_is_answered_at_once(speak: Reason | None) -> None:
    assert Handoff(Options()).called("call_1", output="out", speak=speak) == Decision(
        effects=(effects.Send(intent=intents.AnswerCall(call_id="call_1", output="out")),), speak=speak
    )


# What the agent says.


def test_progress_is_context_and_a_milestone() -> None:
    decision = working().message("turn_1", "3 of 9 ran", Phase.COMMENTARY)

    report = intents.ReportProgress(handoff_id="call_1", text="3 of 9 ran", phase="commentary")
    assert decision == Decision(effects=(effects.Send(intent=report),), speak=Reason.MILESTONE)


def test_the_final_message_is_context_and_its_turns_end_asks_for_speech() -> None:
    decision = working().message("turn_1", "all passed", Phase.FINAL)

    assert said(decision.effects) == ["all passed"]
    assert reason(decision) is None


def test_the_progress_of_a_typed_task_belongs_to_no_call() -> None:
    handoff = Handoff(Options())
    handoff.typed("run", mirrored=False, now=0.0)

    assert handoff.message("turn_1", "3 ran", Phase.COMMENTARY).effects == (
        effects.Send(intent=intents.ReportProgress(handoff_id=None, text="3 ran", phase="commentary")),
    )


@pytest.mark.parametrize("text", ["", "\n "])
def test_a_message_without_words_is_nothing(text: str) -> None:
    handoff = working()

    assert handoff.message("turn_1", text, Phase.FINAL) == NOTHING
    assert "nothing to say" in answers(handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0).effects)["call_1"]


def test_what_another_turn_says_is_stale() -> None:
    handoff = working()

    assert handoff.message("turn_0", "old", Phase.FINAL) == NOTHING
    assert handoff.ended("turn_0", Outcome.COMPLETED, None, 1.0) == NOTHING
    assert handoff.steer_failed("turn_0", "too late") == NOTHING
    assert handoff.state is State.WORKING
    assert Handoff(Options()).message("turn_1", "old", Phase.FINAL) == NOTHING
    assert Handoff(Options()).ended("turn_1", Outcome.COMPLETED, None, 1.0) == NOTHING
    assert Handoff(Options()).steer_failed("turn_1", "too late") == NOTHING


def test_a_change_that_the_agent_cannot_take_is_told_at_once() -> None:
    decision = working().steer_failed("turn_1", "it cannot be made faster")

    report = intents.ReportProgress(handoff_id="call_1", text="it cannot be made faster", phase="commentary")
    assert decision == Decision(effects=(effects.Send(intent=report),), speak=Reason.ASKED)


def test_a_change_that_came_too_late_is_the_next_task() -> None:
    handoff = working()
    handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0)
    text = render_delegation("only core", "user: hello")

    assert handoff.steer_missed("turn_1", text, by_voice=True, now=2.0).effects == (
        effects.StartTurn(turn_id="turn_2", text=text),
        effects.Show(event=screen.TaskStarted(turn_id="turn_2", request="only core", by_voice=True)),
    )


def test_a_change_that_came_too_late_waits_for_the_end_of_its_task() -> None:
    handoff = working()

    assert handoff.steer_missed("turn_1", "only core", by_voice=False, now=1.0) == NOTHING
    decision = handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0)

    assert started(decision.effects) == [("turn_2", "only core")]
    assert list(answers(decision.effects)) == ["call_1"]
    assert reason(decision) is Reason.RESULT
    assert handoff.state is State.WORKING


def test_a_change_that_came_too_late_is_forgotten_when_the_user_said_stop() -> None:
    handoff = stopping()

    assert handoff.steer_missed("turn_1", "only core", by_voice=True, now=2.0) == NOTHING
    assert started(handoff.ended("turn_1", Outcome.INTERRUPTED, None, 3.0).effects) == []
    assert handoff.steer_missed("turn_1", "only core", by_voice=True, now=4.0) == NOTHING
    assert handoff.state is State.IDLE


def test_a_change_for_an_older_task_is_forgotten_too_while_the_user_has_this_one_stopped() -> None:
    handoff = working()
    handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0)
    handoff.typed("search", mirrored=False, now=2.0)
    handoff.stop_asked(None, 3.0)

    assert handoff.steer_missed("turn_1", "only core", by_voice=True, now=4.0) == NOTHING
    assert started(handoff.ended("turn_2", Outcome.INTERRUPTED, None, 5.0).effects) == []


def test_a_task_that_ends_unfinished_without_anybody_asking_is_not_said_to_be_asked_for() -> None:
    output = answers(working().ended("turn_1", Outcome.INTERRUPTED, None, 1.0).effects)["call_1"]

    assert "before it was finished" in output
    assert "asked" not in output


# Endings.


@pytest.mark.parametrize(
    ("outcome", "error", "conveys"),
    [
        (Outcome.COMPLETED, None, "nothing to say"),
        (Outcome.FAILED, "pytest is missing", "could not finish: pytest is missing"),
        (Outcome.FAILED, None, "did not say why"),
        (Outcome.INTERRUPTED, None, "before it was finished"),
    ],
)
def test_the_call_is_answered_in_every_ending_and_the_result_is_news(
    outcome: Outcome, error: str | None, conveys: str
) -> None:
    decision = working().ended("turn_1", outcome, error, 2.5)

    assert list(answers(decision.effects)) == ["call_1"]
    assert conveys in answers(decision.effects)["call_1"]
    assert decision.effects[-1] == effects.Show(
        event=screen.TaskEnded(turn_id="turn_1", outcome=outcome, elapsed_s=2.5, error=error)
    )
    assert said(decision.effects) == []
    assert reason(decision) is Reason.RESULT


def test_a_task_that_said_something_is_answered_by_pointing_at_it() -> None:
    handoff = working()
    handoff.message("turn_1", "all passed", Phase.FINAL)

    output = answers(handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0).effects)["call_1"]

    assert "[BACKEND]" in output
    assert "result" in output


@pytest.mark.parametrize(
    ("outcome", "error", "conveys"),
    [
        (Outcome.COMPLETED, None, "nothing to say"),
        (Outcome.FAILED, "pytest is missing", "pytest is missing"),
        (Outcome.INTERRUPTED, None, "stopped"),
    ],
)
def test_the_voice_is_let_know_how_a_typed_task_ended(outcome: Outcome, error: str | None, conveys: str) -> None:
    handoff = Handoff(Options())
    handoff.typed("run", mirrored=False, now=0.0)

    decision = handoff.ended("turn_1", outcome, error, 1.0)

    (told,) = said(decision.effects)
    assert conveys in told
    assert answers(decision.effects) == {}
    assert reason(decision) is Reason.RESULT


def test_a_typed_task_that_said_its_result_needs_no_more_words() -> None:
    handoff = Handoff(Options())
    handoff.typed("run", mirrored=False, now=0.0)
    handoff.message("turn_1", "all passed", Phase.FINAL)

    decision = handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0)

    assert [type(effect) for effect in decision.effects] == [effects.Show]
    assert reason(decision) is Reason.RESULT


# Stopping.


def test_a_stopped_task_has_ten_seconds() -> None:
    assert STOP_DEADLINE_S == 10.0


def test_a_stop_by_hand_ends_the_task_and_answers_its_call() -> None:
    handoff = working()

    assert handoff.stop_asked(None, 5.0) == Decision(
        effects=(
            effects.Show(event=screen.TaskStopping(turn_id="turn_1")),
            effects.InterruptTurn(turn_id="turn_1"),
            effects.SetTimer(name=TIMER, deadline=5.0 + STOP_DEADLINE_S),
        )
    )
    decision = handoff.ended("turn_1", Outcome.INTERRUPTED, None, 6.0)
    assert decision.effects[0] == effects.CancelTimer(name=TIMER)
    assert list(answers(decision.effects)) == ["call_1"]
    assert "as asked" in answers(decision.effects)["call_1"]
    assert reason(decision) is Reason.ASKED


def test_a_stop_by_voice_is_answered_when_the_task_has_ended() -> None:
    handoff = working()

    assert answers(handoff.stop_asked("stop_1", 1.0).effects) == {}
    decision = handoff.ended("turn_1", Outcome.INTERRUPTED, None, 2.0)

    assert list(answers(decision.effects)) == ["call_1", "stop_1"]
    assert answers(decision.effects)["stop_1"] == "The task is stopped."


def test_a_task_that_is_stopping_is_interrupted_once_and_every_stop_is_answered() -> None:
    handoff = working()
    handoff.stop_asked("stop_1", 1.0)

    assert handoff.stop_asked("stop_2", 2.0) == NOTHING
    assert handoff.stop_asked(None, 2.0) == NOTHING
    decision = handoff.ended("turn_1", Outcome.INTERRUPTED, None, 3.0)

    assert list(answers(decision.effects)) == ["call_1", "stop_1", "stop_2"]


def test_a_task_that_finishes_while_it_is_stopped_says_what_it_had_to_say() -> None:
    handoff = stopping()

    assert handoff.message("turn_1", "still 5 to go", Phase.COMMENTARY) == NOTHING
    assert said(handoff.message("turn_1", "all passed", Phase.FINAL).effects) == ["all passed"]
    assert "[BACKEND]" in answers(handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0).effects)["call_1"]


def test_a_change_that_failed_is_of_no_interest_once_the_user_said_stop() -> None:
    assert stopping().steer_failed("turn_1", "it cannot") == NOTHING


def test_with_nothing_to_stop_the_call_says_so() -> None:
    decision = Handoff(Options()).stop_asked("stop_1", 1.0)

    assert "nothing to stop" in answers(decision.effects)["stop_1"]
    assert reason(decision) is Reason.ASKED
    assert Handoff(Options()).stop_asked(None, 1.0) == NOTHING


def test_a_task_that_does_not_stop_in_time_is_given_up_and_every_call_answered() -> None:
    handoff = working()
    handoff.stop_asked("stop_1", 1.0)

    decision = handoff.overdue(11.0)

    answered = answers(decision.effects)
    assert list(answered) == ["call_1", "stop_1"]
    assert all("did not stop in time" in output for output in answered.values())
    shown = decision.effects[-1]
    assert isinstance(shown, effects.Show)
    assert isinstance(shown.event, screen.TaskEnded)
    assert shown.event.outcome is Outcome.FAILED
    assert reason(decision) is Reason.ASKED
    assert handoff.is_idle
    assert handoff.ended("turn_1", Outcome.INTERRUPTED, None, 12.0) == NOTHING
    assert handoff.message("turn_1", "late", Phase.FINAL) == NOTHING


@pytest.mark.parametrize("state", [State.IDLE, State.WORKING])
def test_a_stop_that_nobody_waits_for_is_never_overdue(state: State) -> None:
    handoff = in_state(state)

    assert handoff.overdue(99.0) == NOTHING
    assert handoff.state is state


def test_a_request_while_the_task_is_stopping_starts_when_it_has_stopped() -> None:
    handoff = stopping()

    assert delegate(handoff, "call_2", "list the files") == NOTHING
    decision = handoff.ended("turn_1", Outcome.INTERRUPTED, None, 2.0)

    assert started(decision.effects) == [("turn_2", render_delegation("list the files"))]
    assert list(answers(decision.effects)) == ["call_1"]
    assert list(answers(handoff.ended("turn_2", Outcome.COMPLETED, None, 3.0).effects)) == ["call_2"]


def test_a_request_while_the_task_is_stopping_starts_also_when_it_never_stops() -> None:
    handoff = stopping()
    handoff.typed("list the files", mirrored=False, now=2.0)

    decision = handoff.overdue(11.0)

    assert started(decision.effects) == [("turn_2", "list the files")]
    assert handoff.state is State.WORKING


def test_of_several_that_waited_the_first_starts_and_the_others_change_it() -> None:
    handoff = stopping()
    delegate(handoff, "call_2", "list the files")
    delegate(handoff, "call_3", "only docs")
    handoff.typed("and tests", mirrored=False, now=2.0)

    came = handoff.ended("turn_1", Outcome.INTERRUPTED, None, 3.0).effects

    assert started(came) == [("turn_2", render_delegation("list the files"))]
    assert [effect for effect in came if isinstance(effect, effects.SteerTurn)] == [
        effects.SteerTurn(turn_id="turn_2", text=render_delegation("only docs"), by_voice=True),
        effects.SteerTurn(turn_id="turn_2", text="and tests", by_voice=False),
    ]
    assert list(answers(came)) == ["call_1", "call_3"]
    assert list(answers(handoff.ended("turn_2", Outcome.COMPLETED, None, 4.0).effects)) == ["call_2"]


def test_a_second_stop_also_drops_what_waited_and_answers_it() -> None:
    handoff = stopping()
    delegate(handoff, "call_2", "list the files")
    handoff.typed("and tests", mirrored=False, now=2.0)

    decision = handoff.stop_asked("stop_2", 3.0)

    assert list(answers(decision.effects)) == ["call_2"]
    assert "stopped" in answers(decision.effects)["call_2"]
    ended = handoff.ended("turn_1", Outcome.INTERRUPTED, None, 4.0)
    assert started(ended.effects) == []
    assert list(answers(ended.effects)) == ["call_1", "stop_2"]
    assert handoff.is_idle


# The session ends.


def test_when_the_session_ends_all_that_waits_is_answered() -> None:
    handoff = working()
    handoff.stop_asked("stop_1", 1.0)
    delegate(handoff, "call_2", "list the files")

    answered = answers(handoff.session_ending())

    assert set(answered) == {"call_1", "call_2", "stop_1"}
    assert all("conversation ends" in output for output in answered.values())
    assert handoff.session_ending() == ()
    assert answers(handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0).effects) == {}


def test_when_nothing_waits_the_session_ends_without_a_word() -> None:
    assert Handoff(Options()).session_ending() == ()


# Status.


def test_before_any_task_the_status_says_so() -> None:
    assert Handoff(Options()).status(1.0) == "No task is running, and none has been asked for yet."


@pytest.mark.parametrize(
    ("elapsed_s", "words"),
    [
        (0.0, "a second"),
        (1.4, "a second"),
        (1.5, "2 seconds"),
        (89.4, "89 seconds"),
        (90.0, "2 minutes"),
        (600.0, "10"),
    ],
)
def test_the_status_of_a_running_task_says_what_it_is_and_for_how_long(elapsed_s: float, words: str) -> None:
    status = working().status(elapsed_s)

    assert status.startswith(f"Still working on “run the tests”, for {words}")
    assert status.endswith("now.")


def test_the_status_says_the_latest_in_brief() -> None:
    handoff = working()
    handoff.message("turn_1", " 3 of 9\nran.\n\nAll the details.", Phase.COMMENTARY)

    assert handoff.status(5.0) == "Still working on “run the tests”, for 5 seconds now. Latest: 3 of 9 ran."


@pytest.mark.parametrize(("text", "brief"), [("x" * 80, "x" * 80), ("x" * 81, "x" * 79 + "…"), ("a\n\nb", "a")])
def test_the_status_quotes_a_long_request_in_brief(text: str, brief: str) -> None:
    assert f"“{brief}”" in working(text=text).status(5.0)


def test_the_status_of_a_task_that_is_being_stopped() -> None:
    assert stopping().status(5.0) == "The task, “run the tests”, is being stopped."


@pytest.mark.parametrize(
    ("outcome", "how"),
    [(Outcome.COMPLETED, "finished"), (Outcome.FAILED, "failed"), (Outcome.INTERRUPTED, "was stopped")],
)
def test_the_status_after_a_task_says_how_it_went_and_when(outcome: Outcome, how: str) -> None:
    handoff = working()
    handoff.ended("turn_1", outcome, None, 10.0)

    assert handoff.status(15.0) == f"No task is running. The last one, “run the tests”, {how} 5 seconds ago."


def test_the_status_answers_its_call_and_is_shown() -> None:
    decision = working().status_asked("call_9", 5.0)

    status = "Still working on “run the tests”, for 5 seconds now."
    assert decision == Decision(
        effects=(
            effects.Show(event=screen.StatusAnswered(text=status)),
            effects.Send(intent=intents.AnswerCall(call_id="call_9", output=status)),
        ),
        speak=Reason.ASKED,
    )


def test_the_status_asked_for_by_hand_is_only_shown() -> None:
    decision = Handoff(Options()).status_asked(None, 5.0)

    assert [type(effect) for effect in decision.effects] == [effects.Show]
    assert reason(decision) is None


@dataclasses.dataclass(slots=True)
class Turn:
    """A turn as the agent sees it."""

    turn_id: str
    interrupted: bool = False


class AnyOrder(RuleBasedStateMachine):
    """Calls, typed text, stops and reports in whatever order."""

    CALLS = st.integers(0, 30).map(lambda number: f"call_{number}")
    TEXTS = st.sampled_from(["", " ", "run the tests", "only core", "<stop>"])

    def __init__(self) -> None:
        super().__init__()
        self.handoff = Handoff(Options())
        self.now = 0.0
        self.claimed: set[str] = set()
        self.answered: set[str] = set()
        self.turns: list[Turn] = []
        self.stop_deadline: float | None = None
        self.is_over = False

    def perform(self, decision: Decision) -> None:
        self.do(decision.effects)

    def do(self, came: Iterable[effects.Effect]) -> None:
        came = tuple(came)
        for call_id in answers(came):
            assert call_id in self.claimed
            assert call_id not in self.answered
            self.answered.add(call_id)
        for effect in came:
            match effect:
                case effects.StartTurn(turn_id=turn_id):
                    assert turn_id not in {turn.turn_id for turn in self.turns}
                    self.turns.append(Turn(turn_id))
                case effects.SteerTurn(turn_id=turn_id):
                    assert turn_id == self.turns[-1].turn_id
                    assert not self.turns[-1].interrupted
                case effects.InterruptTurn(turn_id=turn_id):
                    assert turn_id == self.turns[-1].turn_id
                    assert not self.turns[-1].interrupted
                    self.turns[-1].interrupted = True
                case effects.SetTimer(name="stop", deadline=deadline):
                    self.stop_deadline = deadline
                case effects.CancelTimer(name="stop"):
                    self.stop_deadline = None
                case effects.Show() | effects.Send():
                    pass
                case _:
                    raise AssertionError(f"a handoff does not do this: {effect}")

    @rule(seconds=st.floats(0, 8))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        if self.stop_deadline is not None and self.stop_deadline <= self.now:
            self.stop_deadline = None
            self.perform(self.handoff.overdue(self.now))

    @rule(call_id=CALLS, text=TEXTS, spoken=st.booleans())
    def delegate(self, call_id: str, text: str, *, spoken: bool) -> None:
        self.claimed.add(call_id)
        self.perform(self.handoff.delegated(call_id, text, (HELLO,) if spoken else (), self.now))

    @rule(text=TEXTS)
    def typed(self, text: str) -> None:
        self.perform(self.handoff.typed(text, mirrored=True, now=self.now))

    @rule(call_id=CALLS | st.none())
    def stop(self, call_id: str | None) -> None:
        self.claimed |= {call_id} if call_id is not None else set()
        self.perform(self.handoff.stop_asked(call_id, self.now))

    @rule(call_id=CALLS | st.none())
    def ask_status(self, call_id: str | None) -> None:
        self.claimed |= {call_id} if call_id is not None else set()
        self.perform(self.handoff.status_asked(call_id, self.now))

    @rule(call_id=CALLS)
    def other_call(self, call_id: str) -> None:
        self.claimed.add(call_id)
        self.perform(self.handoff.called(call_id, output="", speak=None))

    @rule(back=st.integers(0, 2), text=TEXTS, phase=st.sampled_from(Phase))
    def message(self, back: int, text: str, phase: Phase) -> None:
        self.perform(self.handoff.message(self.turn_id(back), text, phase))

    @rule(back=st.integers(0, 2), outcome=st.sampled_from(Outcome))
    def end(self, back: int, outcome: Outcome) -> None:
        self.perform(self.handoff.ended(self.turn_id(back), outcome, None, self.now))

    @rule(back=st.integers(0, 2))
    def steer_fails(self, back: int) -> None:
        self.perform(self.handoff.steer_failed(self.turn_id(back), "it cannot"))

    @rule(back=st.integers(0, 2), by_voice=st.booleans())
    def steer_is_missed(self, back: int, *, by_voice: bool) -> None:
        turn_id = self.turn_id(back)
        self.perform(self.handoff.steer_missed(turn_id, "only core", by_voice=by_voice, now=self.now))

    def turn_id(self, back: int) -> str:
        return self.turns[-1 - back].turn_id if back < len(self.turns) else "turn_x"

    @invariant()
    def what_waits_has_somebody_who_will_answer(self) -> None:
        if self.handoff.is_idle:
            assert self.answered == self.claimed

    @invariant()
    def a_stop_has_a_deadline(self) -> None:
        assert (self.handoff.state is State.STOPPING) is (self.stop_deadline is not None)

    @invariant()
    def a_status_can_always_be_told(self) -> None:
        assert self.handoff.status(self.now)

    def teardown(self) -> None:
        self.do(self.handoff.session_ending())
        assert self.answered == self.claimed


TestAnyOrder = AnyOrder.TestCase


# Dialects in which a new delegation takes the place of the active one.


def test_a_delegation_that_replaces_gets_what_is_said_from_then_on_and_the_only_answer() -> None:
    handoff = Handoff(Options(replaces_active_handoff=True))
    handoff.delegated("call_1", "run the tests", (), 0.0)

    decision = handoff.delegated("call_2", "only core", (), 1.0)
    assert not list(answers(decision.effects))
    assert reason(decision) is None
    assert any(isinstance(effect, effects.SteerTurn) for effect in decision.effects)
    report = intents.ReportProgress(handoff_id="call_2", text="core passed", phase="final")
    assert handoff.message("turn_1", "core passed", Phase.FINAL).effects == (effects.Send(intent=report),)
    assert list(answers(handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0).effects)) == ["call_2"]


def test_typed_text_that_steers_replaces_nothing() -> None:
    handoff = Handoff(Options(replaces_active_handoff=True))
    handoff.delegated("call_1", "run the tests", (), 0.0)
    handoff.typed("only core", mirrored=False, now=1.0)

    assert list(answers(handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0).effects)) == ["call_1"]


@pytest.mark.parametrize(
    ("outcome", "says", "is_news"),
    [(Outcome.COMPLETED, True, False), (Outcome.COMPLETED, False, True), (Outcome.FAILED, True, True)],
)
def test_an_answer_is_news_where_the_agent_has_not_said_it_itself(outcome: Outcome, says: bool, is_news: bool) -> None:  # noqa: FBT001
    handoff = working()
    if says:
        handoff.message("turn_1", "3 of 9 ran", Phase.COMMENTARY)

    sent = handoff.ended("turn_1", outcome, None, 1.0).effects
    assert [
        effect.intent.is_news
        for effect in sent
        if isinstance(effect, effects.Send) and isinstance(effect.intent, intents.FinishHandoff)
    ] == [is_news]
