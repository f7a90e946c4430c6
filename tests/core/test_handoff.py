from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backchannel.core import Options, Outcome, Phase, Speech, effects, parse_delegation, render_delegation, screen
from backchannel.core.floor import News, Reason
from backchannel.core.handoff import (
    FINISHED,
    MAX_QUEUED,
    QUEUED,
    REMEMBERED_CALLS,
    STEERED,
    STOP_DEADLINE_S,
    TIMER,
    TOO_MANY,
    TRANSITIONS,
    Decision,
    Handoff,
    Input,
    State,
    Task,
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
        ),
        started="turn_1",
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
        ),
        started="turn_1",
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
        effects=(effects.Send(intent=intents.AnswerCall(call_id="call_1", output="out")),),
        news=None if speak is None else News(reason=speak, about="call_1"),
    )


# What the agent says.


def test_progress_is_passed_on_when_it_is_time_and_a_milestone() -> None:
    handoff = working()
    decision = handoff.message("turn_1", "3 of 9\nran.\n\nAll the details.", Phase.COMMENTARY)

    assert decision == Decision(
        progress="3 of 9\nran.\n\nAll the details.",
        news=News(reason=Reason.MILESTONE, about="turn_1", text="3 of 9 ran."),
    )
    assert handoff.report("3 of 9 ran", Phase.COMMENTARY) == intents.ReportProgress(
        handoff_id="call_1", text="3 of 9 ran", phase="commentary"
    )


def test_the_final_message_is_context_and_its_turns_end_asks_for_speech() -> None:
    decision = working().message("turn_1", "all passed", Phase.FINAL)

    assert said(decision.effects) == ["all passed"]
    assert reason(decision) is None


def test_the_progress_of_a_typed_task_belongs_to_no_call() -> None:
    handoff = Handoff(Options())
    handoff.typed("run", mirrored=False, now=0.0)

    assert handoff.report("3 ran", Phase.COMMENTARY) == intents.ReportProgress(
        handoff_id=None, text="3 ran", phase="commentary"
    )
    assert handoff.message("turn_1", "all passed", Phase.FINAL).effects == (
        effects.Send(intent=intents.ReportProgress(handoff_id=None, text="all passed", phase="final")),
    )


THINKING = Options(speaks_by_channel=True, tells_thoughts=True)


def thinking(options: Options = THINKING) -> Handoff:
    handoff = Handoff(options)
    delegate(handoff, "call_1", "run the tests")
    return handoff


def test_what_the_agent_thinks_is_told_silently_where_it_is_wanted() -> None:
    told = intents.ReportProgress(handoff_id="call_1", text="[STATUS] Hm.", channel="commentary")

    assert thinking().thought("turn_1", "Hm.") == Decision(effects=(effects.Send(intent=told),))
    for unwanted in ("tells_thoughts", "speaks_by_channel"):
        options = msgspec.structs.replace(THINKING, **{unwanted: False})
        assert thinking(options).thought("turn_1", "Hm.") == NOTHING
    managed = msgspec.structs.replace(THINKING, client_managed_handoffs=True)
    assert thinking(managed).thought("turn_1", "Hm.") == NOTHING


def test_no_other_task_is_told_of_thoughts() -> None:
    assert Handoff(THINKING).thought("turn_1", "Hm.") == NOTHING
    assert thinking().thought("turn_2", "Hm.") == NOTHING
    assert thinking().thought("turn_1", " \n") == NOTHING
    assert typed_task(THINKING).thought("turn_1", "Hm.") == NOTHING
    stopped = thinking()
    stopped.stop_asked(None, 1.0)
    assert stopped.thought("turn_1", "Hm.") == NOTHING


@pytest.mark.parametrize("speech", Speech)
def test_a_client_chooses_the_channel_of_all_that_the_agent_says(speech: Speech) -> None:
    handoff = thinking(Options(speech=speech, speaks_by_channel=True, report_channel="commentary"))
    for phase in Phase:
        report = handoff.report("ran", phase)
        assert isinstance(report, intents.ReportProgress)
        assert report.channel == "commentary"
    (ended, *_) = handoff.ended("turn_1", Outcome.FAILED, "broken", 1.0).effects
    assert isinstance(ended, effects.Send)
    assert isinstance(ended.intent, intents.FinishHandoff)
    assert ended.intent.channel == "commentary"


@pytest.mark.parametrize(
    ("speech", "phase"), [(speech, None if speech is Speech.IMMEDIATE else "commentary") for speech in Speech]
)
def test_a_message_that_is_not_marked_is_progress_unless_each_goes_out_as_it_comes(
    speech: Speech, phase: intents.Phase | None
) -> None:
    handoff = Handoff(Options(speech=speech))
    delegate(handoff, "call_1", "run the tests")
    decision = handoff.message("turn_1", "3 ran", Phase.UNMARKED)
    report = intents.ReportProgress(handoff_id="call_1", text="3 ran", phase=phase)

    assert handoff.report("3 ran", Phase.UNMARKED) == report
    assert decision.progress == (None if phase is None else "3 ran")
    assert decision.effects == ((effects.Send(intent=report),) if phase is None else ())


@pytest.mark.parametrize("text", ["", "\n "])
def test_a_message_without_words_is_nothing(text: str) -> None:
    handoff = working()

    assert handoff.message("turn_1", text, Phase.FINAL) == NOTHING
    assert "nothing to say" in answers(handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0).effects)["call_1"]


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("then", [None, "again"])
def test_nothing_is_passed_on_of_a_turn_that_is_over(then: str | None, phase: Phase) -> None:
    handoff = working()
    handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0)
    if then is not None:
        delegate(handoff, "call_2", then)
    state = handoff.state

    assert handoff.message("turn_1", "old", phase) == NOTHING
    assert handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0) == NOTHING
    assert handoff.steer_failed("turn_1", "too late") == NOTHING
    assert handoff.state is state


def test_the_last_64_turns_are_known_to_be_over() -> None:
    handoff = Handoff(Options())
    for number in range(65):
        handoff.typed("run", mirrored=False, now=0.0)
        handoff.ended(f"turn_{number + 1}", Outcome.COMPLETED, None, 0.0)

    assert handoff.message("turn_2", "old", Phase.FINAL) == NOTHING
    assert said(handoff.message("turn_1", "old", Phase.FINAL).effects) == ["old"]


def test_the_end_of_a_turn_that_was_not_started_here_changes_nothing() -> None:
    for handoff in (working(), Handoff(Options())):
        state = handoff.state
        assert handoff.ended("other_1", Outcome.COMPLETED, None, 1.0) == NOTHING
        assert handoff.steer_failed("other_1", "too late") == NOTHING
        assert handoff.state is state


@pytest.mark.parametrize("is_working", [True, False])
def test_what_a_turn_that_was_not_started_here_says_is_news_and_belongs_to_no_call(*, is_working: bool) -> None:
    handoff = working() if is_working else Handoff(Options())

    assert handoff.message("other_1", "all\npassed\n\nof 9", Phase.FINAL) == Decision(
        effects=(
            effects.Send(intent=intents.ReportProgress(handoff_id=None, text="all\npassed\n\nof 9", phase="final")),
        ),
        news=News(reason=Reason.RESULT, about="other_1", text="all passed"),
    )
    ran = intents.ReportProgress(handoff_id=None, text="3\nran\n\nof 9", phase="commentary")
    assert handoff.message("other_1", "3\nran\n\nof 9", Phase.COMMENTARY) == Decision(
        effects=(effects.Send(intent=ran),), news=News(reason=Reason.MILESTONE, about="other_1", text="3 ran")
    )
    assert handoff.message("other_1", " \n", Phase.FINAL) == NOTHING


def test_a_change_that_the_agent_cannot_take_is_told_at_once() -> None:
    decision = working().steer_failed("turn_1", "it cannot be made faster")

    report = intents.ReportProgress(handoff_id="call_1", text="it cannot be made faster", phase="commentary")
    assert decision == Decision(
        effects=(effects.Send(intent=report),),
        news=News(reason=Reason.ASKED, about="turn_1", text="it cannot be made faster"),
    )


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
    assert decision.ended == ("turn_1",)
    assert decision.started is None
    expected = Reason.FAILURE if outcome is Outcome.FAILED else Reason.RESULT
    assert decision.news == News(reason=expected, about="turn_1", text=answers(decision.effects)["call_1"])


def test_a_task_that_said_something_is_answered_by_pointing_at_it() -> None:
    handoff = working()
    handoff.message("turn_1", "all\npassed\n\nof 9", Phase.FINAL)

    decision = handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0)

    output = answers(decision.effects)["call_1"]
    assert output == FINISHED
    assert "[BACKEND]" in output
    assert "result" in output
    assert decision.news == News(reason=Reason.RESULT, about="turn_1", text="all passed")


def test_news_of_a_failure_says_why_and_not_what_was_said_before() -> None:
    handoff = working()
    handoff.message("turn_1", "3 of 9 ran", Phase.COMMENTARY)

    news = handoff.ended("turn_1", Outcome.FAILED, "pytest is missing", 2.0).news

    assert news is not None
    assert news.text == "The background agent could not finish: pytest is missing"


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
    assert reason(decision) is (Reason.FAILURE if outcome is Outcome.FAILED else Reason.RESULT)


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
        news=News(reason=Reason.ASKED, about="call_9"),
    )


def test_the_status_asked_for_by_hand_is_only_shown() -> None:
    decision = Handoff(Options()).status_asked(None, 5.0)

    assert [type(effect) for effect in decision.effects] == [effects.Show]
    assert reason(decision) is None


# Requests for later.


def test_a_request_for_later_is_kept_and_answered_at_once() -> None:
    decision = working().delegated("call_2", "after this, run the linter", (), 1.0)

    assert decision == Decision(
        effects=(
            effects.Show(event=screen.TaskQueued(request="run the linter", by_voice=True)),
            effects.Send(intent=intents.FinishHandoff(handoff_id="call_2", output=QUEUED)),
        ),
        news=News(reason=Reason.ASKED, about="call_2"),
    )
    assert "will be started" in QUEUED


def test_a_request_for_later_starts_when_the_task_is_done_and_waits_for_no_answer_any_more() -> None:
    handoff = working()
    text = render_delegation("run the linter", "user: hello")
    handoff.delegated("call_2", "after this, run the linter", (HELLO,), 1.0)

    decision = handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0)

    assert decision.started == "turn_2"
    assert decision.ended == ("turn_1",)
    assert started(decision.effects) == [("turn_2", text)]
    assert list(answers(decision.effects)) == ["call_1"]
    assert reason(decision) is Reason.RESULT
    assert handoff.task == Task(
        turn_id="turn_2",
        request="run the linter",
        by_voice=True,
        started_at=2.0,
        call_id=None,
        is_stopping=False,
    )
    assert answers(handoff.ended("turn_2", Outcome.COMPLETED, None, 3.0).effects) == {}


def test_typed_text_for_later_is_kept_and_nobody_waits_for_an_answer() -> None:
    handoff = working()

    assert handoff.typed("when you're done, push", mirrored=False, now=1.0) == Decision(
        effects=(
            effects.Show(event=screen.TypedText(text="when you're done, push")),
            effects.Show(event=screen.TaskQueued(request="push", by_voice=False)),
        )
    )
    assert started(handoff.ended("turn_1", Outcome.FAILED, None, 2.0).effects) == [("turn_2", "push")]


def test_only_so_much_is_kept_for_later() -> None:
    handoff = working()
    for number in range(MAX_QUEUED):
        handoff.typed(f"next, {number}", mirrored=False, now=1.0)

    decision = delegate(handoff, "call_2", "after this, run the linter")
    assert answers(decision.effects) == {"call_2": TOO_MANY}
    assert effects.Show(event=screen.Warned(message=TOO_MANY)) in decision.effects
    assert reason(decision) is Reason.ASKED


def test_a_call_that_somebody_else_answers_is_taken_once() -> None:
    handoff = Handoff(Options())

    assert handoff.take_call("call_1") is None
    repeated = handoff.take_call("call_1")
    assert repeated is not None
    assert answers(repeated.effects) == {}


def test_a_request_for_later_is_for_now_when_no_task_runs() -> None:
    decision = delegate(Handoff(Options()), "call_1", "after this, run the linter")

    assert started(decision.effects) == [("turn_1", render_delegation("after this, run the linter"))]
    assert answers(decision.effects) == {}


def test_of_several_requests_for_later_each_waits_for_the_end_of_the_one_before() -> None:
    handoff = working()
    for text in ("after this, lint", "and then, after that, push", "next, rest"):
        handoff.typed(text, mirrored=False, now=1.0)

    for number, text in enumerate(("lint", "push", "rest"), start=1):
        decision = handoff.ended(f"turn_{number}", Outcome.COMPLETED, None, 2.0)
        assert started(decision.effects) == [(f"turn_{number + 1}", text)]
        assert [effect for effect in decision.effects if isinstance(effect, effects.SteerTurn)] == []
    assert started(handoff.ended("turn_4", Outcome.COMPLETED, None, 3.0).effects) == []
    assert handoff.is_idle


def test_a_request_for_later_that_comes_while_the_task_is_stopping_waits_for_its_turn() -> None:
    handoff = stopping()
    delegate(handoff, "call_2", "list the files")
    assert answers(delegate(handoff, "call_3", "after this, push").effects) == {"call_3": QUEUED}
    delegate(handoff, "call_4", "and the tests")

    # What was asked for after it waits behind it.
    stopped = handoff.ended("turn_1", Outcome.INTERRUPTED, None, 2.0)
    assert started(stopped.effects) == [("turn_2", render_delegation("list the files"))]
    assert list(answers(stopped.effects)) == ["call_1"]
    listed = handoff.ended("turn_2", Outcome.COMPLETED, None, 3.0)
    assert started(listed.effects) == [("turn_3", render_delegation("push"))]
    # It stands for the task that nobody waits for any more.
    assert list(answers(listed.effects)) == ["call_2"]
    assert list(answers(handoff.ended("turn_3", Outcome.COMPLETED, None, 4.0).effects)) == ["call_4"]


def test_a_stop_drops_what_was_kept_for_later() -> None:
    handoff = working()
    delegate(handoff, "call_2", "after this, run the linter")

    assert answers(handoff.stop_asked(None, 2.0).effects) == {}
    assert started(handoff.ended("turn_1", Outcome.INTERRUPTED, None, 3.0).effects) == []
    assert handoff.is_idle


# A delegation while a task runs whose call does not wait.


def typed_task(options: Options | None = None) -> Handoff:
    handoff = Handoff(Options() if options is None else options)
    handoff.typed("run the tests", mirrored=False, now=0.0)
    return handoff


def test_a_delegation_becomes_the_call_that_the_result_of_a_typed_task_answers() -> None:
    handoff = typed_task()

    decision = delegate(handoff, "call_1", "only core")

    assert decision == Decision(
        effects=(
            effects.SteerTurn(turn_id="turn_1", text=render_delegation("only core"), by_voice=True),
            effects.Show(event=screen.TaskSteered(turn_id="turn_1", request="only core", by_voice=True)),
        )
    )
    assert handoff.task is not None
    assert handoff.task.call_id == "call_1"
    assert handoff.report("3 ran", Phase.COMMENTARY) == intents.ReportProgress(
        handoff_id="call_1", text="3 ran", phase="commentary"
    )
    # The next one changes the task and is answered at once.
    assert answers(delegate(handoff, "call_2", "and docs").effects) == {"call_2": STEERED}
    assert list(answers(handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0).effects)) == ["call_1"]


def test_there_is_no_task_when_none_runs() -> None:
    handoff = working()
    assert handoff.task == Task(
        turn_id="turn_1",
        request="run the tests",
        by_voice=True,
        started_at=0.0,
        call_id="call_1",
        is_stopping=False,
    )
    handoff.stop_asked(None, 1.0)
    assert handoff.task is not None
    assert handoff.task.is_stopping
    handoff.ended("turn_1", Outcome.INTERRUPTED, None, 2.0)
    assert handoff.task is None


# Immediate speech: as the reference.

IMMEDIATE = Options(speech=Speech.IMMEDIATE)


def test_in_immediate_speech_the_voice_is_asked_to_speak_once_after_the_final_acknowledgement() -> None:
    handoff = Handoff(IMMEDIATE)
    delegate(handoff, "call_1", "run the tests")

    assert handoff.message("turn_1", "3 ran", Phase.COMMENTARY) == Decision(progress="3 ran")
    assert reason(handoff.message("turn_1", "all passed", Phase.FINAL)) is None
    decision = handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0)

    assert answers(decision.effects) == {"call_1": FINISHED}
    assert decision.news == News(reason=Reason.RESULT, about="turn_1", text="all passed")


@pytest.mark.parametrize("phase", Phase)
def test_in_immediate_speech_each_message_of_a_typed_task_asks_for_speech(phase: Phase) -> None:
    handoff = typed_task(IMMEDIATE)

    for text in ("3\nran\n\nof 9", "9 ran"):
        decision = handoff.message("turn_1", text, phase)
        spoken = {"3\nran\n\nof 9": "3 ran"}.get(text, text)
        assert decision.news == News(reason=Reason.RESULT, about="turn_1", text=spoken)
        assert decision.progress == (text if phase is Phase.COMMENTARY else None)
        assert said(decision.effects) == ([] if phase is Phase.COMMENTARY else [text])
    ended = handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0)
    assert ended.news is None
    assert ended.ended == ("turn_1",)
    assert [type(effect) for effect in ended.effects] == [effects.Show]


@pytest.mark.parametrize(
    ("outcome", "expected"), [(Outcome.COMPLETED, Reason.RESULT), (Outcome.FAILED, Reason.FAILURE)]
)
def test_in_immediate_speech_an_ending_that_no_message_told_asks_for_speech(outcome: Outcome, expected: Reason) -> None:
    handoff = typed_task(IMMEDIATE)
    if outcome is Outcome.FAILED:
        handoff.message("turn_1", "3 ran", Phase.COMMENTARY)

    decision = handoff.ended("turn_1", outcome, None, 1.0)

    assert reason(decision) is expected
    assert len(said(decision.effects)) == 1


def test_once_less_speech_is_chosen_no_message_asks_for_it() -> None:
    handoff = typed_task(IMMEDIATE)
    handoff.speech_set(Speech.RESULTS)

    assert handoff.message("turn_1", "3 ran", Phase.COMMENTARY) == Decision(
        progress="3 ran", news=News(reason=Reason.MILESTONE, about="turn_1", text="3 ran")
    )


def test_in_immediate_speech_a_delegation_that_was_joined_to_a_typed_task_asks_for_speech_with_its_answer() -> None:
    handoff = typed_task(IMMEDIATE)
    assert reason(handoff.message("turn_1", "3 ran", Phase.COMMENTARY)) is Reason.RESULT
    assert reason(delegate(handoff, "call_1", "only core")) is None
    assert reason(handoff.message("turn_1", "all passed", Phase.FINAL)) is None

    decision = handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0)

    assert answers(decision.effects) == {"call_1": FINISHED}
    assert reason(decision) is Reason.RESULT


def test_in_immediate_speech_a_result_whose_call_was_lost_before_it_was_answered_is_spoken_of() -> None:
    handoff = Handoff(IMMEDIATE)
    delegate(handoff, "call_1", "run the tests")
    handoff.message("turn_1", "all passed", Phase.FINAL)
    handoff.session_lost()

    assert handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0).news == News(
        reason=Reason.RESULT, about="turn_1", text="all passed"
    )


def test_a_message_that_came_after_one_that_was_spoken_of_is_spoken_of_too() -> None:
    handoff = typed_task(IMMEDIATE)
    handoff.message("turn_1", "3 ran", Phase.COMMENTARY)
    handoff.replaced(Options())
    handoff.message("turn_1", "all passed", Phase.FINAL)

    assert reason(handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0)) is Reason.RESULT


def test_in_immediate_speech_a_change_that_waited_is_spoken_of_where_the_ended_task_is_not() -> None:
    handoff = typed_task(IMMEDIATE)
    handoff.message("turn_1", "all passed", Phase.FINAL)
    handoff.steer_missed("turn_1", "list the files", by_voice=False, now=1.0)

    decision = handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0)

    assert decision.started == "turn_2"
    assert decision.news is None


# Where the client manages handoffs.

CLIENT_MANAGED = Options(client_managed_handoffs=True)


@pytest.mark.parametrize("speech", [Speech.MILESTONES, Speech.IMMEDIATE])
@pytest.mark.parametrize("outcome", Outcome)
def test_where_the_client_manages_handoffs_nothing_but_a_steer_is_acknowledged(
    speech: Speech, outcome: Outcome
) -> None:
    handoff = Handoff(Options(client_managed_handoffs=True, speech=speech))
    assert reason(delegate(handoff, "call_1", "run the tests")) is None
    steered = delegate(handoff, "call_2", "only core")
    assert answers(steered.effects) == {"call_2": STEERED}
    assert steered.news == News(reason=Reason.ASKED, about="call_2")
    for phase in Phase:
        assert handoff.message("turn_1", "3 ran", phase) == NOTHING
        assert handoff.message("other_1", "4 ran", phase) == NOTHING
    assert "Latest: 3 ran" in handoff.status(1.0)

    ended = handoff.ended("turn_1", outcome, None, 2.0)

    assert ended == Decision(
        effects=(effects.Show(event=screen.TaskEnded(turn_id="turn_1", outcome=outcome, elapsed_s=2.0)),),
        ended=("turn_1",),
    )


def test_where_the_client_manages_handoffs_it_hears_of_an_empty_one_and_nobody_else() -> None:
    handoff = Handoff(CLIENT_MANAGED)

    assert delegate(handoff, "call_1", " ") == NOTHING
    assert handoff.has_claimed("call_1")
    assert handoff.is_idle


def test_where_the_client_manages_handoffs_a_change_that_failed_is_shown_and_not_said() -> None:
    handoff = Handoff(CLIENT_MANAGED)
    delegate(handoff, "call_1", "run the tests")

    assert handoff.steer_failed("turn_1", "it cannot") == Decision(
        effects=(effects.Show(event=screen.Warned(message="it cannot")),)
    )


def test_where_the_client_manages_handoffs_the_calls_of_tools_are_still_ours_to_answer() -> None:
    handoff = Handoff(CLIENT_MANAGED)
    delegate(handoff, "call_1", "run the tests")
    assert list(answers(handoff.status_asked("status_1", 1.0).effects)) == ["status_1"]
    handoff.stop_asked("stop_1", 1.0)
    delegate(handoff, "call_2", "list the files")
    assert answers(handoff.stop_asked("stop_2", 2.0).effects) == {}

    assert list(answers(handoff.ended("turn_1", Outcome.INTERRUPTED, None, 3.0).effects)) == ["stop_1", "stop_2"]


def test_where_the_client_manages_handoffs_its_calls_are_not_answered_when_the_session_ends() -> None:
    handoff = Handoff(CLIENT_MANAGED)
    delegate(handoff, "call_1", "run the tests")
    handoff.stop_asked("stop_1", 1.0)
    delegate(handoff, "call_2", "list the files")

    assert list(answers(handoff.session_ending())) == ["stop_1"]


def test_where_the_client_manages_handoffs_a_change_that_waited_is_acknowledged_and_spoken_of() -> None:
    handoff = Handoff(CLIENT_MANAGED)
    delegate(handoff, "call_1", "run the tests")
    handoff.stop_asked(None, 1.0)
    delegate(handoff, "call_2", "list the files")
    delegate(handoff, "call_3", "only docs")

    decision = handoff.ended("turn_1", Outcome.INTERRUPTED, None, 2.0)

    assert answers(decision.effects) == {"call_3": STEERED}
    assert reason(decision) is Reason.ASKED


# Reports as items.


def items(came: Iterable[effects.Effect]) -> list[intents.ReportAsItem]:
    return [
        effect.intent
        for effect in came
        if isinstance(effect, effects.Send) and isinstance(effect.intent, intents.ReportAsItem)
    ]


def test_what_the_agent_says_is_an_item_with_its_prefix_and_its_call_is_only_closed() -> None:
    handoff = Handoff(Options(reports_as_items=True, report_prefix="From the agent:"))
    delegate(handoff, "call_1", "run the tests")
    item = intents.ReportAsItem(text="all passed", prefix="From the agent:")
    assert handoff.report("all passed", Phase.COMMENTARY) == item
    assert items(handoff.message("turn_1", "all passed", Phase.FINAL).effects) == [item]

    decision = handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0)

    assert decision.effects[:-1] == (effects.Send(intent=intents.FinishHandoff(handoff_id="call_1", output="")),)
    assert decision.news is None


@pytest.mark.parametrize("by_voice", [True, False])
def test_an_ending_that_the_agent_did_not_tell_is_an_item_before_the_call_is_closed(*, by_voice: bool) -> None:
    handoff = Handoff(Options(reports_as_items=True))
    if by_voice:
        delegate(handoff, "call_1", "run the tests")
    else:
        handoff.typed("run the tests", mirrored=False, now=0.0)

    decision = handoff.ended("turn_1", Outcome.FAILED, "pytest is missing", 1.0)

    (told,) = items(decision.effects[:1])
    assert "pytest is missing" in told.text
    assert told.prefix is None
    assert answers(decision.effects) == ({"call_1": ""} if by_voice else {})
    assert decision.news is None


def test_in_immediate_speech_items_do_not_ask_for_speech() -> None:
    handoff = typed_task(Options(reports_as_items=True, speech=Speech.IMMEDIATE))

    assert handoff.message("turn_1", "3 ran", Phase.COMMENTARY) == Decision(progress="3 ran")
    assert reason(handoff.message("turn_1", "all passed", Phase.FINAL)) is None


def test_what_a_turn_that_was_not_started_here_says_is_an_item_too() -> None:
    handoff = Handoff(Options(reports_as_items=True))
    delegate(handoff, "call_1", "run the tests")

    (effect,) = handoff.message("other_1", "all passed", Phase.FINAL).effects

    assert effect == effects.Send(intent=intents.ReportAsItem(text="all passed"))


# Dialects in which a text says whether it may be spoken.


@pytest.mark.parametrize(
    ("options", "channel"),
    [
        (Options(speaks_by_channel=True), "commentary"),
        (Options(speaks_by_channel=True, speech=Speech.IMMEDIATE), None),
        (Options(), None),
        (IMMEDIATE, None),
    ],
)
def test_what_the_agent_says_is_only_to_be_known_where_the_floor_decides(
    options: Options, channel: intents.Channel | None
) -> None:
    handoff = Handoff(options)
    delegate(handoff, "call_1", "run the tests")

    assert handoff.report("all passed", Phase.FINAL) == intents.ReportProgress(
        handoff_id="call_1", text="all passed", phase="final", channel=channel
    )
    standalone = handoff.message("other_1", "all passed", Phase.FINAL).effects
    assert standalone == (
        effects.Send(intent=intents.ReportProgress(handoff_id=None, text="all passed", phase="final", channel=channel)),
    )
    (answer, _) = handoff.ended("turn_1", Outcome.FAILED, "pytest is missing", 1.0).effects
    assert answer == effects.Send(
        intent=intents.FinishHandoff(
            handoff_id="call_1",
            output="The background agent could not finish: pytest is missing",
            is_news=True,
            channel=channel,
        )
    )


def test_what_is_written_for_a_delegation_that_waits_may_be_passed_on_as_it_comes() -> None:
    handoff = Handoff(Options(speaks_by_channel=True, speech=Speech.IMMEDIATE))
    assert handoff.waiting_call("turn_1") is None
    delegate(handoff, "call_1", "run the tests")
    assert handoff.waiting_call("turn_1") == "call_1"
    assert handoff.waiting_call("turn_2") is None
    handoff.stop_asked(None, 1.0)
    assert handoff.waiting_call("turn_1") is None
    for options in (
        Options(speaks_by_channel=True),
        Options(speaks_by_channel=True, speech=Speech.IMMEDIATE, client_managed_handoffs=True),
        Options(speaks_by_channel=True, speech=Speech.IMMEDIATE, reports_as_items=True),
    ):
        other = Handoff(options)
        delegate(other, "call_1", "run the tests")
        assert other.waiting_call("turn_1") is None


def test_of_a_text_that_was_streamed_only_the_rest_is_passed_on() -> None:
    handoff = Handoff(Options(speaks_by_channel=True, speech=Speech.IMMEDIATE))
    assert handoff.piece("all", "all") == intents.ReportProgress(handoff_id=None, text="all")
    delegate(handoff, "call_1", "run the tests")
    rest = effects.Send(intent=intents.ReportProgress(handoff_id="call_1", text="passed"))
    assert handoff.message("turn_1", "all passed", Phase.FINAL, rest="passed").effects == (rest,)
    assert handoff.message("turn_1", "all passed", Phase.COMMENTARY, rest="passed").effects == (rest,)
    nothing_left = handoff.message("turn_1", "all failed", Phase.FINAL, rest="")
    assert (nothing_left.effects, nothing_left.progress) == ((), None)
    assert "all failed" in handoff.status(1.0)


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        ("[ANALYSIS] hm", "commentary"),
        ("<note> on it", "commentary"),
        ("[COMMENTARY] on it", "speakable"),
        ("[FINAL] done", "speakable"),
        ("done", "speakable"),
        ("", "speakable"),
    ],
)
def test_a_text_of_the_agent_can_say_itself_whether_it_may_be_spoken(text: str, channel: intents.Channel) -> None:
    tags = {"analysis": ("[ANALYSIS]",), "commentary": ("<note>", "<aside>")}
    handoff = Handoff(Options(speaks_by_channel=True, report_tags=tags))
    said = handoff.report(text, Phase.FINAL)
    assert isinstance(said, intents.ReportProgress)
    assert said.channel == channel
    unmarked = Handoff(Options(report_tags=tags)).report(text, Phase.FINAL)
    assert isinstance(unmarked, intents.ReportProgress)
    assert unmarked.channel is None


def test_an_item_is_only_to_be_known_there_too() -> None:
    handoff = Handoff(Options(speaks_by_channel=True, reports_as_items=True))

    assert handoff.report("x", Phase.FINAL) == intents.ReportAsItem(text="x", channel="commentary")


# The session is lost, or another takes its place.


def test_when_the_session_is_lost_its_calls_are_never_answered_and_the_result_is_news() -> None:
    handoff = working()
    handoff.session_lost()

    assert handoff.state is State.WORKING
    assert handoff.report("3 ran", Phase.COMMENTARY) == intents.ReportProgress(
        handoff_id=None, text="3 ran", phase="commentary"
    )
    decision = handoff.ended("turn_1", Outcome.FAILED, "pytest is missing", 1.0)
    assert answers(decision.effects) == {}
    assert len(said(decision.effects)) == 1
    assert reason(decision) is Reason.FAILURE
    # The next session gives its calls ids of its own.
    assert not handoff.has_claimed("call_1")


def test_when_the_session_is_lost_a_stop_goes_on_and_its_call_is_void() -> None:
    handoff = working()
    handoff.stop_asked("stop_1", 1.0)
    handoff.session_lost()
    handoff.stop_asked("stop_2", 2.0)

    decision = handoff.ended("turn_1", Outcome.INTERRUPTED, None, 3.0)

    assert list(answers(decision.effects)) == ["stop_2"]
    assert reason(decision) is Reason.ASKED


def test_when_the_session_is_lost_what_waits_is_started_and_its_call_is_void() -> None:
    handoff = stopping()
    delegate(handoff, "call_2", "list the files")
    handoff.session_lost()

    decision = handoff.ended("turn_1", Outcome.INTERRUPTED, None, 2.0)
    assert started(decision.effects) == [("turn_2", render_delegation("list the files"))]
    assert answers(handoff.ended("turn_2", Outcome.COMPLETED, None, 3.0).effects) == {}


def test_when_the_session_is_lost_the_next_delegation_is_the_call_that_the_result_answers() -> None:
    handoff = working()
    handoff.session_lost()

    assert answers(delegate(handoff, "call_2", "how far is it?").effects) == {}
    assert list(answers(handoff.ended("turn_1", Outcome.COMPLETED, None, 1.0).effects)) == ["call_2"]


def test_without_a_task_a_lost_session_takes_nothing_with_it() -> None:
    handoff = Handoff(Options())
    handoff.session_lost()

    assert handoff.is_idle
    assert handoff.session_ending() == ()


def test_when_a_session_gives_way_to_another_what_was_kept_for_later_is_still_done() -> None:
    handoff = working()
    delegate(handoff, "call_2", "after this, run the linter")

    assert list(answers(handoff.session_ending())) == ["call_1"]
    decision = handoff.ended("turn_1", Outcome.COMPLETED, None, 2.0)

    assert started(decision.effects) == [("turn_2", render_delegation("run the linter"))]
    assert answers(decision.effects) == {}


def test_another_conversation_takes_over_the_task_and_has_its_own_options() -> None:
    handoff = working()
    handoff.replaced(Options(reports_as_items=True))

    assert handoff.report("3 ran", Phase.COMMENTARY) == intents.ReportAsItem(text="3 ran")
    decision = handoff.ended("turn_1", Outcome.FAILED, None, 1.0)
    assert answers(decision.effects) == {}
    assert len(items(decision.effects)) == 1


@dataclasses.dataclass(slots=True)
class Turn:
    """A turn as the agent sees it."""

    turn_id: str
    is_interrupted: bool = False


OPTIONS = st.builds(
    Options,
    speech=st.sampled_from([Speech.MILESTONES, Speech.IMMEDIATE]),
    client_managed_handoffs=st.booleans(),
    reports_as_items=st.booleans(),
    speaks_by_channel=st.booleans(),
    replaces_active_handoff=st.booleans(),
)


class AnyOrder(RuleBasedStateMachine):
    """Calls, typed text, stops, reports, lost sessions and new ones in whatever order."""

    CALLS = st.integers(0, 30).map(lambda number: f"call_{number}")
    TEXTS = st.sampled_from(["", " ", "run the tests", "only core", "<stop>"])

    def __init__(self) -> None:
        super().__init__()
        self.options = Options()
        self.handoff = Handoff(self.options)
        self.now = 0.0
        self.claimed: set[str] = set()
        self.answered: set[str] = set()
        self.n_sessions = 0
        self.void: set[str] = set()
        """Calls that are not to be answered: they are void with their session."""
        self.turns: list[Turn] = []
        self.over: set[str] = set()
        self.for_later: set[str] = set()
        """Requests for later that are to be started."""
        self.stop_deadline: float | None = None

    @initialize(options=OPTIONS)
    def choose(self, options: Options) -> None:
        self.options = options
        self.handoff = Handoff(options)

    def perform(self, decision: Decision) -> Decision:
        before = len(self.turns)
        self.do(decision.effects)
        assert [turn.turn_id for turn in self.turns[before:]] == [decision.started] * (decision.started is not None)
        for turn_id in decision.ended:
            assert turn_id not in self.over
            assert turn_id in {turn.turn_id for turn in self.turns}
            self.over.add(turn_id)
        if self.options.client_managed_handoffs:
            assert decision.progress is None
        return decision

    def do(self, came: Iterable[effects.Effect]) -> None:
        came = tuple(came)
        for call_id in answers(came):
            assert call_id in self.claimed
            assert call_id not in self.answered
            assert call_id not in self.void
            self.answered.add(call_id)
        for effect in came:
            match effect:
                case effects.StartTurn(turn_id=turn_id, text=text):
                    assert turn_id not in {turn.turn_id for turn in self.turns}
                    self.turns.append(Turn(turn_id))
                    words = parse_delegation(text)
                    if words.startswith("do "):
                        self.for_later.remove(words)
                case effects.SteerTurn(turn_id=turn_id, text=text):
                    assert turn_id == self.turns[-1].turn_id
                    assert not self.turns[-1].is_interrupted
                    assert "after this" not in text
                case effects.InterruptTurn(turn_id=turn_id):
                    assert turn_id == self.turns[-1].turn_id
                    assert not self.turns[-1].is_interrupted
                    self.turns[-1].is_interrupted = True
                case effects.SetTimer(name="stop", deadline=deadline):
                    self.stop_deadline = deadline
                case effects.CancelTimer(name="stop"):
                    self.stop_deadline = None
                case effects.Send(intent=intents.ReportProgress(handoff_id=reported_id)):
                    assert not self.options.reports_as_items
                    assert not self.options.client_managed_handoffs
                    assert reported_id is None or self.is_waiting(reported_id)
                case effects.Send(intent=intents.ReportAsItem()):
                    assert self.options.reports_as_items
                    assert not self.options.client_managed_handoffs
                case effects.Show() | effects.Send():
                    pass
                case _:
                    raise AssertionError(f"a handoff does not do this: {effect}")

    def is_waiting(self, call_id: str) -> bool:
        return call_id in self.claimed - self.answered - self.void

    @property
    def are_all_answered(self) -> bool:
        """Neither is it the client that answers, nor does a newer delegation make an older one void."""
        return not self.options.client_managed_handoffs and not self.options.replaces_active_handoff

    def session_is_gone(self) -> None:
        self.void |= self.claimed - self.answered
        self.n_sessions += 1

    def of_session(self, call_id: str) -> str:
        """Each session gives its calls ids of its own."""
        return f"{self.n_sessions}_{call_id}"

    @rule(seconds=st.floats(0, 8))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        if self.stop_deadline is not None and self.stop_deadline <= self.now:
            self.stop_deadline = None
            self.perform(self.handoff.overdue(self.now))

    @rule(call_id=CALLS, text=TEXTS, spoken=st.booleans())
    def delegate(self, call_id: str, text: str, *, spoken: bool) -> None:
        self.delegates(self.of_session(call_id), text, (HELLO,) if spoken else ())

    @rule(call_id=CALLS, number=st.integers(0))
    def delegate_for_later(self, call_id: str, number: int) -> None:
        call_id = self.of_session(call_id)
        text = f"do {number}"
        if not self.handoff.has_claimed(call_id) and text not in self.for_later and not self.handoff.is_idle:
            self.for_later.add(text)
            self.delegates(call_id, f"after this, {text}", ())

    def delegates(self, call_id: str, text: str, spoken: tuple[Utterance, ...]) -> None:
        is_new = call_id not in self.claimed
        self.claimed.add(call_id)
        came = self.perform(self.handoff.delegated(call_id, text, spoken, self.now))
        if is_new and self.options.client_managed_handoffs:
            for answer in answers(came.effects).values():
                assert answer in {STEERED, QUEUED}

    @rule(text=TEXTS)
    def typed(self, text: str) -> None:
        self.perform(self.handoff.typed(text, mirrored=True, now=self.now))

    @rule(number=st.integers(0))
    def typed_for_later(self, number: int) -> None:
        text = f"do {number}"
        if text not in self.for_later and not self.handoff.is_idle:
            self.for_later.add(text)
            self.typed(f"after this, {text}")

    @rule(call_id=CALLS | st.none())
    def stop(self, call_id: str | None) -> None:
        call_id = call_id and self.of_session(call_id)
        if call_id is None or call_id not in self.claimed:
            self.for_later.clear()
        self.claimed |= {call_id} if call_id is not None else set()
        self.perform(self.handoff.stop_asked(call_id, self.now))

    @rule(call_id=CALLS | st.none())
    def ask_status(self, call_id: str | None) -> None:
        call_id = call_id and self.of_session(call_id)
        self.claimed |= {call_id} if call_id is not None else set()
        self.perform(self.handoff.status_asked(call_id, self.now))

    @rule(call_id=CALLS)
    def other_call(self, call_id: str) -> None:
        call_id = self.of_session(call_id)
        self.claimed.add(call_id)
        self.perform(self.handoff.called(call_id, output="", speak=None))

    @rule(back=st.integers(0, 2), text=TEXTS, phase=st.sampled_from(Phase))
    def message(self, back: int, text: str, phase: Phase) -> None:
        turn_id = self.turn_id(back)
        decision = self.perform(self.handoff.message(turn_id, text, phase))
        if turn_id in self.over:
            assert decision == NOTHING

    @rule(text=TEXTS, phase=st.sampled_from(Phase))
    def foreign_message(self, text: str, phase: Phase) -> None:
        decision = self.perform(self.handoff.message("other_1", text, phase))
        assert (decision == NOTHING) is (self.options.client_managed_handoffs or not text.strip())
        for effect in decision.effects:
            assert isinstance(effect, effects.Send)
            assert isinstance(effect.intent, intents.ReportAsItem) or (
                isinstance(effect.intent, intents.ReportProgress) and effect.intent.handoff_id is None
            )

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

    @precondition(lambda self: not self.handoff.is_idle)
    @rule()
    def session_is_lost(self) -> None:
        self.handoff.session_lost()
        self.session_is_gone()

    @precondition(lambda self: not self.handoff.is_idle)
    @rule()
    def session_is_left_for_another(self) -> None:
        self.do(self.handoff.session_ending())
        if self.are_all_answered:
            assert not self.claimed - self.answered - self.void
        self.session_is_gone()

    @rule(options=OPTIONS)
    def conversation_is_replaced(self, options: Options) -> None:
        self.do(self.handoff.session_ending())
        self.session_is_gone()
        self.handoff.replaced(options)
        self.options = options

    def turn_id(self, back: int) -> str:
        return self.turns[-1 - back].turn_id if back < len(self.turns) else "turn_x"

    @invariant()
    def what_waits_has_somebody_who_will_answer(self) -> None:
        if self.handoff.is_idle and self.are_all_answered:
            assert self.answered | self.void == self.claimed

    @invariant()
    def what_is_for_later_has_a_task_to_wait_for(self) -> None:
        if self.handoff.is_idle:
            assert not self.for_later

    @invariant()
    def a_stop_has_a_deadline(self) -> None:
        assert (self.handoff.state is State.STOPPING) is (self.stop_deadline is not None)

    @invariant()
    def a_status_can_always_be_told(self) -> None:
        assert self.handoff.status(self.now)

    def teardown(self) -> None:
        # All that waits is done, one after the other, and then nothing is left.
        while (task := self.handoff.task) is not None:
            self.perform(self.handoff.ended(task.turn_id, Outcome.COMPLETED, None, self.now))
        self.what_waits_has_somebody_who_will_answer()
        self.what_is_for_later_has_a_task_to_wait_for()
        assert self.handoff.session_ending() == ()


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
