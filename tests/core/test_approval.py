from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from backchannel.core import AgentApprovalRequested, Options, Risk, effects, screen
from backchannel.core.approval import (
    APPROVED,
    BAD_ARGUMENTS,
    CONTRADICTED,
    DECLINED,
    DECLINED_BY_WORDS,
    MAX_SPOKEN_CHARS,
    MAX_WAITING,
    NOT_ASKED,
    NOT_HEARD,
    NOT_NEXT,
    ON_SCREEN,
    ONLY_THE_USER,
    REMEMBERED,
    REPLACED,
    SESSION_ENDS,
    TIMER,
    TRANSCRIBED_WITHIN_S,
    TRANSITIONS,
    UNCLEAR,
    UNFINISHED,
    WINDOW_S,
    Approval,
    Input,
    Question,
    State,
    Step,
)
from backchannel.core.consent import Consent, read_consent
from backchannel.wire.realtime import intents

if TYPE_CHECKING:
    from collections.abc import Iterable

OPTIONS = Options()
EXPIRES_S = OPTIONS.approval_expires_s
PUSH = Question(approval_id="a1", text="May I run git push?")
NOTHING = Step()


def request(
    approval_id: str = "a1", *, action: str = "run git push", turn_id: str = "turn_1", risks: tuple[Risk, ...] = ()
) -> AgentApprovalRequested:
    return AgentApprovalRequested(
        turn_id=turn_id, approval_id=approval_id, action=action, detail="git push origin", risks=risks
    )


def asking(*approval_ids: str) -> Approval:
    """A machine in which, at 0 s, the agent has asked for these, and the first has been put to the user."""
    approval = Approval(OPTIONS)
    for approval_id in approval_ids:
        approval.requested(request(approval_id), 0.0)
    approval.asked(approval_ids[0], 0.0)
    return approval


def say(approval: Approval, text: str, now: float) -> Step:
    """The user says something, which is transcribed at once."""
    approval.said_started(now)
    return approval.said(text, now)


def calls(step: Step) -> dict[str, str]:
    """What calls are answered, by id; none of them twice."""
    found: dict[str, str] = {}
    for effect in step.effects:
        if isinstance(effect, effects.Send) and isinstance(effect.intent, intents.AnswerCall):
            assert effect.intent.call_id not in found
            found[effect.intent.call_id] = effect.intent.output
    assert step.speak is bool(found), "who waits for an answer is told"
    return found


def notes(step: Step) -> list[str]:
    """What the voice is let know."""
    return [
        effect.intent.text
        for effect in step.effects
        if isinstance(effect, effects.Send) and isinstance(effect.intent, intents.ReportProgress)
    ]


def to_agent(step: Step) -> list[tuple[str, bool]]:
    return [(each.approval_id, each.approved) for each in step.effects if isinstance(each, effects.AnswerApproval)]


def shown(step: Step) -> list[screen.ScreenEvent]:
    return [effect.event for effect in step.effects if isinstance(effect, effects.Show)]


def timers(step: Step) -> list[effects.Effect]:
    return [each for each in step.effects if isinstance(each, effects.SetTimer | effects.CancelTimer)]


def settled(decision: screen.ApprovalDecision, by: screen.AnsweredBy, words: str = "") -> screen.ScreenEvent:
    return screen.ApprovalSettled(turn_id="turn_1", approval_id="a1", decision=decision, by=by, words=words)


def nothing_is_decided(step: Step, why: str, *, call_id: str = "c1", ask: Question | None = PUSH) -> None:
    """A call is answered with its reason, and with the question where it is to be put again."""
    output = why if ask is None else f"{why} Ask the user about request {ask.approval_id}: {ask.text}"
    assert calls(step) == {call_id: output}
    assert step.ask == ask
    assert to_agent(step) == []
    assert step.settled == ()


# How one request moves


def in_state(state: State) -> Approval:
    """A machine whose request `a1` has come into a state."""
    approval = Approval(OPTIONS)
    match state:
        case State.ON_SCREEN:
            approval.requested(request(risks=(Risk.DELETE,)), 0.0)
        case State.WAITING:
            approval.requested(request("a0"), 0.0)
            approval.requested(request(), 0.0)
        case State.NEXT:
            approval.requested(request(), 0.0)
        case State.SPOKEN:
            approval = asking("a1")
        case State.SETTLED:
            approval = asking("a1")
            approval.withdrawn("a1", 0.0)
    assert approval.state("a1") is state
    return approval


def do(approval: Approval, happened: Input) -> Step:
    match happened:
        case Input.TURN_CAME:
            return approval.withdrawn("a0", 1.0)
        case Input.ASKED:
            return approval.asked("a1", 1.0)
        case Input.TRANSPORT_LOST:
            return approval.transport_lost(1.0)
        case Input.SETTLED:
            return approval.answered_by_hand("a1", approved=True, now=1.0)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("happened", Input)
def test_a_request_moves_as_the_table_says(state: State, happened: Input) -> None:
    approval = in_state(state)
    do(approval, happened)

    assert approval.state("a1") is TRANSITIONS[state][happened]


@pytest.mark.parametrize(
    ("state", "happened", "then"),
    [
        (State.WAITING, Input.TURN_CAME, State.NEXT),
        (State.WAITING, Input.ASKED, State.WAITING),
        (State.NEXT, Input.ASKED, State.SPOKEN),
        (State.NEXT, Input.TRANSPORT_LOST, State.WAITING),
        (State.SPOKEN, Input.TRANSPORT_LOST, State.WAITING),
        (State.SPOKEN, Input.SETTLED, State.SETTLED),
        (State.ON_SCREEN, Input.ASKED, State.ON_SCREEN),
        (State.ON_SCREEN, Input.SETTLED, State.SETTLED),
    ],
)
def test_the_table_has_the_moves_that_matter(state: State, happened: Input, then: State) -> None:
    assert TRANSITIONS[state][happened] is then


# The agent asks


def test_a_request_is_shown_told_to_the_voice_and_put_to_the_user() -> None:
    approval = Approval(OPTIONS)
    step = approval.requested(request(), 1.0)

    assert shown(step) == [
        screen.ApprovalNeeded(
            turn_id="turn_1",
            approval_id="a1",
            action="run git push",
            detail="git push origin",
            risks=(),
            on_screen_only=False,
        )
    ]
    (note,) = notes(step)
    assert "permission to run git push. This is request a1." in note
    assert ONLY_THE_USER in note
    assert step.ask == approval.question == PUSH
    assert timers(step) == [effects.SetTimer(name=TIMER, deadline=1.0 + EXPIRES_S)]
    assert approval.deadline == 1.0 + EXPIRES_S
    assert approval.waiting == (request(),)
    assert to_agent(step) == []


def test_what_is_answered_on_the_screen_is_mentioned_once() -> None:
    approval = Approval(OPTIONS)
    step = approval.requested(request(risks=(Risk.DELETE,)), 1.0)

    assert step.ask is None
    assert step.mention == Question(approval_id="a1", text="May I run git push? Please answer that on the screen.")
    assert approval.requested(request("a2"), 2.0).mention is None


def test_where_the_beginning_of_speech_is_not_told_everything_is_answered_on_the_screen() -> None:
    approval = Approval(Options(tells_speech=False, speaks_by_channel=True))
    step = approval.requested(request(), 1.0)

    assert approval.state("a1") is State.ON_SCREEN
    (told,) = [effect.intent for effect in step.effects if isinstance(effect, effects.Send)]
    assert isinstance(told, intents.ReportProgress)
    assert told.channel == "commentary"


def test_what_is_asked_is_said_in_one_line_with_one_question_mark() -> None:
    step = Approval(OPTIONS).requested(request(action=" run\n\n git   push? "), 0.0)

    assert step.ask == PUSH


def test_one_question_is_put_at_a_time_and_the_oldest_first() -> None:
    approval = asking("a1")

    assert approval.requested(request("a2"), 1.0).ask is None
    assert approval.requested(request("a3"), 2.0).ask is None
    step = approval.withdrawn("a1", 3.0)
    assert step.settled == ("a1",)
    assert step.ask == Question(approval_id="a2", text="May I run git push?")
    assert approval.withdrawn("a3", 4.0).ask is None
    assert approval.withdrawn("a2", 5.0).ask is None
    assert approval.question is None


@pytest.mark.parametrize("risk", OPTIONS.on_screen_risks)
def test_what_is_too_risky_is_answered_on_the_screen_only(risk: Risk) -> None:
    approval = Approval(OPTIONS)
    step = approval.requested(request(risks=(risk,)), 0.0)

    (event,) = shown(step)
    assert isinstance(event, screen.ApprovalNeeded)
    assert event.on_screen_only
    (note,) = notes(step)
    assert note.endswith(ON_SCREEN)
    assert ONLY_THE_USER not in note
    assert step.ask is None
    assert approval.question is None
    # It does not keep others from being asked.
    assert approval.requested(request("a2"), 1.0).ask == Question(approval_id="a2", text="May I run git push?")


def test_the_options_say_what_is_too_risky() -> None:
    approval = Approval(Options(on_screen_risks=(Risk.DELETE,)))

    assert approval.requested(request(risks=(Risk.NETWORK,)), 0.0).ask == PUSH


def test_over_a_call_nobody_knows_when_a_question_was_heard_so_it_is_answered_on_the_screen_only() -> None:
    approval = Approval(Options(session_outlives_way=True))
    approval.requested(request(), 0.0)

    assert approval.state("a1") is State.ON_SCREEN


def test_another_conversation_asks_as_is_chosen_for_it() -> None:
    approval = asking("a1")
    approval.session_ending()
    approval.transport_lost(1.0)
    approval.replaced(Options(tells_speech=False))
    assert approval.transport_restored(1.0).ask is None
    assert approval.state("a1") is State.ON_SCREEN

    approval.transport_lost(2.0)
    approval.replaced(OPTIONS)
    assert approval.transport_restored(2.0).ask == PUSH


@pytest.mark.parametrize("action", ["", " \n", "run " + "x" * MAX_SPOKEN_CHARS])
def test_what_cannot_be_said_in_one_breath_is_answered_on_the_screen_only(action: str) -> None:
    approval = Approval(OPTIONS)
    step = approval.requested(request(action=action), 0.0)

    assert approval.state("a1") is State.ON_SCREEN
    assert step.ask is None
    (note,) = notes(step)
    assert len(note) < 2 * MAX_SPOKEN_CHARS + 100
    assert ("do what is shown on the screen" in note) is (not action.strip())


def test_the_longest_that_can_be_said_is_asked() -> None:
    assert Approval(OPTIONS).requested(request(action="x" * MAX_SPOKEN_CHARS), 0.0).ask is not None


def test_a_repeated_request_is_ignored_with_a_warning_also_when_it_is_settled() -> None:
    approval = asking("a1")
    repeated = approval.requested(request(), 1.0)
    approval.withdrawn("a1", 2.0)
    late = approval.requested(request(), 3.0)

    warning = screen.Warned(message="the agent repeated the request for permission a1; it was ignored")
    assert repeated == late == Step(effects=(effects.Show(event=warning),))


def test_settled_requests_are_forgotten_when_there_were_many_since() -> None:
    approval = asking("a1")
    approval.withdrawn("a1", 1.0)
    for number in range(REMEMBERED - 1):
        approval.requested(request(f"b{number}"), 1.0)
        approval.withdrawn(f"b{number}", 1.0)
    assert approval.state("a1") is State.SETTLED
    approval.requested(request("last"), 1.0)
    approval.withdrawn("last", 1.0)

    assert approval.state("a1") is None
    assert approval.requested(request(), 2.0).ask == PUSH


def test_an_agent_that_asks_for_too_much_at_a_time_is_told_no() -> None:
    approval = asking(*(f"a{number}" for number in range(MAX_WAITING)))
    step = approval.requested(request("more"), 1.0)

    assert to_agent(step) == [("more", False)]
    (warning,) = shown(step)
    assert isinstance(warning, screen.Warned)
    assert "more was declined" in warning.message
    assert approval.state("more") is State.SETTLED
    assert len(approval.waiting) == MAX_WAITING


@pytest.mark.parametrize("approval_id", ["a1", "unknown"])
def test_a_withdrawn_request_is_settled_without_an_answer(approval_id: str) -> None:
    approval = asking("a1")
    step = approval.withdrawn(approval_id, 1.0)

    if approval_id == "unknown":
        assert step == NOTHING
        return
    assert to_agent(step) == []
    assert shown(step) == [settled(screen.ApprovalDecision.WITHDRAWN, screen.AnsweredBy.NOBODY)]
    assert notes(step) == ["About request a1: The agent does not need the answer any more. Do not ask any more."]
    assert timers(step) == [effects.CancelTimer(name=TIMER)]
    assert step.settled == ("a1",)
    assert approval.deadline is None


def test_the_end_of_a_turn_settles_what_it_asked_for_and_nothing_else() -> None:
    approval = asking("a1")
    approval.requested(request("a2", turn_id="turn_2"), 0.0)
    approval.requested(request("a3", risks=(Risk.DELETE,)), 0.0)
    step = approval.turn_ended("turn_1", 1.0)

    assert step.settled == ("a1", "a3")
    assert to_agent(step) == []
    assert step.ask == Question(approval_id="a2", text="May I run git push?")
    assert approval.turn_ended("turn_1", 2.0) == NOTHING


# The user answers, and the voice passes it on


def test_a_call_and_then_a_clear_yes_approve() -> None:
    approval = asking("a1")
    approval.said_started(3.0)
    proposed = approval.proposed("c1", "a1", "approve", 4.0)
    step = approval.said("Yes, go ahead.", 4.5)

    assert calls(proposed) == {}
    assert timers(proposed) == [effects.SetTimer(name=TIMER, deadline=4.0 + WINDOW_S)]
    assert to_agent(step) == [("a1", True)]
    assert shown(step) == [settled(screen.ApprovalDecision.APPROVED, screen.AnsweredBy.VOICE, "Yes, go ahead.")]
    assert calls(step) == {"c1": APPROVED}
    assert notes(step) == []
    assert step.settled == ("a1",)
    assert step.ask is None
    assert timers(step) == [effects.CancelTimer(name=TIMER)]


@pytest.mark.parametrize(("now", "approves"), [(1.0, True), (1.0 + WINDOW_S, True), (1.001 + WINDOW_S, False)])
def test_a_clear_yes_counts_for_calls_up_to_five_seconds_later(now: float, *, approves: bool) -> None:
    approval = asking("a1")
    said = say(approval, "Yes.", 1.0)
    step = approval.proposed("c1", "a1", "approve", now)

    assert said == NOTHING, "a yes alone approves nothing"
    assert to_agent(step) == ([("a1", True)] if approves else [])
    assert calls(step) == ({"c1": APPROVED} if approves else {})


@pytest.mark.parametrize(("now", "approves"), [(2.0, True), (1.0 + WINDOW_S, True), (1.001 + WINDOW_S, False)])
def test_a_call_waits_five_seconds_for_a_clear_yes(now: float, *, approves: bool) -> None:
    approval = asking("a1")
    approval.proposed("c1", "a1", "approve", 1.0)
    approval.said_started(1.5)
    step = approval.said("Yes.", now)

    assert to_agent(step) == ([("a1", True)] if approves else [])
    if not approves:
        nothing_is_decided(step, NOT_HEARD)


def test_what_was_begun_before_the_question_is_no_answer_however_late_it_comes() -> None:
    approval = Approval(OPTIONS)
    approval.requested(request(), 0.0)
    approval.said_started(1.0, "item_1")
    approval.asked("a1", 1.0)
    approval.proposed("c1", "a1", "approve", 2.0)

    assert approval.said("Yes.", 2.5, "item_1") == NOTHING
    nothing_is_decided(approval.expired(2.0 + WINDOW_S), NOT_HEARD)


def test_an_answer_to_an_earlier_question_is_none_to_the_next() -> None:
    approval = asking("a1", "a2")
    approval.said_started(1.0)
    approval.withdrawn("a1", 2.0)
    approval.asked("a2", 2.0)
    approval.proposed("c1", "a2", "approve", 2.0)

    assert approval.said("Yes.", 2.5) == NOTHING


def test_a_yes_is_used_once() -> None:
    approval = asking("a1", "a2")
    say(approval, "Yes.", 1.0)
    approval.proposed("c1", "a1", "approve", 1.0)
    approval.asked("a2", 1.0)

    step = approval.proposed("c2", "a2", "approve", 1.0)

    assert step.effects == (effects.SetTimer(name=TIMER, deadline=1.0 + WINDOW_S),), "it waits for words of its own"
    assert approval.state("a2") is State.SPOKEN


def test_words_whose_beginning_is_not_known_are_no_answer() -> None:
    approval = asking("a1")
    approval.proposed("c1", "a1", "approve", 1.0)

    assert approval.said("Yes.", 2.0) == NOTHING
    approval.said_started(2.0, "item_1")
    assert approval.said("Yes.", 3.0, "item_2") == NOTHING
    assert to_agent(approval.said("Yes.", 3.0, "item_1")) == [("a1", True)]


def test_a_beginning_told_twice_is_the_first() -> None:
    approval = Approval(OPTIONS)
    approval.requested(request(), 0.0)
    approval.said_started(1.0, "item_1")
    approval.asked("a1", 1.0)
    approval.said_started(2.0, "item_1")
    approval.proposed("c1", "a1", "approve", 2.0)

    assert approval.said("Yes.", 3.0, "item_1") == NOTHING
    assert approval.said("Yes.", 3.0, "item_1") == NOTHING


def test_without_ids_words_belong_to_the_oldest_beginning() -> None:
    approval = Approval(OPTIONS)
    approval.requested(request(), 0.0)
    approval.said_started(1.0)
    approval.asked("a1", 1.0)
    approval.said_started(2.0)
    approval.proposed("c1", "a1", "approve", 2.0)

    assert approval.said("Yes.", 3.0) == NOTHING
    assert to_agent(approval.said("Yes.", 3.0)) == [("a1", True)]


def test_without_ids_a_noise_that_is_never_transcribed_is_forgotten_after_a_while() -> None:
    approval = Approval(OPTIONS)
    approval.requested(request(), 0.0)
    approval.said_started(1.0)
    approval.asked("a1", 1.0)
    approval.said_started(2.0)
    approval.proposed("c1", "a1", "approve", 2.0 + TRANSCRIBED_WITHIN_S)

    assert to_agent(approval.said("Yes.", 2.1 + TRANSCRIBED_WITHIN_S)) == [("a1", True)]


def test_a_transcript_with_an_id_may_be_of_a_beginning_without_one_and_the_other_way_round() -> None:
    for began, came in (("item_1", None), (None, "item_1")):
        approval = asking("a1")
        approval.proposed("c1", "a1", "approve", 1.0)
        approval.said_started(1.0, began)
        assert to_agent(approval.said("Yes.", 2.0, came)) == [("a1", True)]


@pytest.mark.parametrize("comes_first", ["words", "call"])
@pytest.mark.parametrize("decision", ["approve", "decline"])
def test_words_that_are_neither_yes_nor_no_decide_nothing(comes_first: str, decision: str) -> None:
    approval = asking("a1")
    if comes_first == "words":
        assert say(approval, "Yes, but not on main.", 1.0) == NOTHING
        step = approval.proposed("c1", "a1", decision, 2.0)
    else:
        approval.proposed("c1", "a1", decision, 1.0)
        step = say(approval, "Yes, but not on main.", 2.0)

    nothing_is_decided(step, UNCLEAR)
    assert approval.state("a1") is State.SPOKEN


def test_the_answer_to_a_question_that_is_put_again_counts() -> None:
    approval = asking("a1")
    say(approval, "Hmm.", 1.0)
    approval.proposed("c1", "a1", "approve", 1.0)
    approval.asked("a1", 3.0)
    say(approval, "Yes.", 4.0)
    step = approval.proposed("c2", "a1", "approve", 5.0)

    assert to_agent(step) == [("a1", True)]
    assert calls(step) == {"c2": APPROVED}


def test_a_yes_that_was_taken_back_is_none() -> None:
    approval = asking("a1")
    say(approval, "Yes.", 1.0)
    say(approval, "Hmm, is that the right branch", 2.0)

    nothing_is_decided(approval.proposed("c1", "a1", "approve", 3.0), UNCLEAR)


def test_a_yes_waits_for_what_the_user_is_still_saying() -> None:
    approval = asking("a1")
    say(approval, "Yes.", 1.0)
    approval.said_started(2.0)
    waits = approval.proposed("c1", "a1", "approve", 2.5)
    step = approval.said("No, wait.", 3.0)

    assert calls(waits) == {}
    assert to_agent(step) == [("a1", False)]
    assert calls(step) == {"c1": DECLINED_BY_WORDS}


def test_a_noise_after_a_yes_takes_nothing_back() -> None:
    approval = asking("a1")
    say(approval, "Yes.", 1.0)
    approval.said_started(2.0)
    approval.proposed("c1", "a1", "approve", 2.5)
    step = approval.said(" ", 3.0)

    assert to_agent(step) == [("a1", True)]
    assert shown(step) == [settled(screen.ApprovalDecision.APPROVED, screen.AnsweredBy.VOICE, "Yes.")]


def test_a_yes_after_which_more_was_said_that_is_never_known_decides_nothing() -> None:
    approval = asking("a1")
    say(approval, "Yes.", 1.0)
    approval.said_started(2.0)
    approval.proposed("c1", "a1", "approve", 2.5)

    nothing_is_decided(approval.expired(2.5 + WINDOW_S), UNFINISHED)


def test_what_was_begun_earlier_and_comes_later_does_not_replace_the_last_words() -> None:
    approval = asking("a1")
    approval.said_started(1.0, "item_1")
    approval.said_started(2.0, "item_2")
    approval.said("Yes.", 3.0, "item_2")
    approval.said("Let me see.", 3.1, "item_1")

    assert to_agent(approval.proposed("c1", "a1", "approve", 3.2)) == [("a1", True)]


def test_a_clear_no_declines_without_any_call() -> None:
    approval = asking("a1")
    step = say(approval, "No, don't do that.", 1.0)

    assert to_agent(step) == [("a1", False)]
    assert shown(step) == [settled(screen.ApprovalDecision.DECLINED, screen.AnsweredBy.VOICE, "No, don't do that.")]
    assert notes(step) == [f"About request a1: {DECLINED_BY_WORDS}"]
    assert calls(step) == {}
    assert step.settled == ("a1",)


@pytest.mark.parametrize("decision", ["approve", "decline"])
def test_a_clear_no_declines_whatever_the_voice_made_of_it(decision: str) -> None:
    approval = asking("a1")
    approval.proposed("c1", "a1", decision, 1.0)
    step = say(approval, "No.", 2.0)

    assert to_agent(step) == [("a1", False)]
    assert calls(step) == {"c1": DECLINED_BY_WORDS}


def test_a_no_to_nothing_declines_nothing() -> None:
    approval = Approval(OPTIONS)

    assert say(approval, "No.", 0.0) == NOTHING
    approval.requested(request(), 1.0)
    assert say(approval, "No.", 2.0) == NOTHING


def test_a_call_to_decline_that_the_user_contradicts_decides_nothing() -> None:
    approval = asking("a1")
    approval.proposed("c1", "a1", "decline", 1.0)

    nothing_is_decided(say(approval, "Yes.", 2.0), CONTRADICTED)


def test_a_call_to_decline_takes_effect_when_nobody_speaks() -> None:
    approval = asking("a1")
    approval.proposed("c1", "a1", "decline", 1.0)
    step = approval.expired(1.0 + WINDOW_S)

    assert to_agent(step) == [("a1", False)]
    assert shown(step) == [settled(screen.ApprovalDecision.DECLINED, screen.AnsweredBy.VOICE)]
    assert calls(step) == {"c1": DECLINED}


def test_a_call_to_approve_is_refused_when_nobody_speaks() -> None:
    approval = asking("a1")
    approval.proposed("c1", "a1", "approve", 1.0)
    step = approval.expired(1.0 + WINDOW_S)

    nothing_is_decided(step, NOT_HEARD)
    assert timers(step) == [effects.SetTimer(name=TIMER, deadline=EXPIRES_S)]


def test_of_two_calls_about_a_request_the_later_counts() -> None:
    approval = asking("a1")
    approval.proposed("c1", "a1", "approve", 1.0)
    step = approval.proposed("c2", "a1", "decline", 2.0)

    assert calls(step) == {"c1": REPLACED}
    nothing_is_decided(say(approval, "Yes.", 3.0), CONTRADICTED, call_id="c2")


def test_calls_about_what_was_not_asked_are_answered_at_once() -> None:
    approval = Approval(OPTIONS)
    approval.requested(request(), 0.0)
    approval.requested(request("a2"), 0.0)
    approval.requested(request("a3", risks=(Risk.DELETE,)), 0.0)

    nothing_is_decided(approval.proposed("c1", "a1", "approve", 1.0), NOT_ASKED)
    nothing_is_decided(approval.proposed("c2", "a2", "approve", 1.0), NOT_NEXT, call_id="c2")
    step = approval.proposed("c3", "a3", "approve", 1.0)
    assert calls(step) == {"c3": f"Nothing is decided. {ON_SCREEN}"}
    assert step.ask is None
    assert to_agent(step) == []


def test_calls_about_what_is_unknown_or_settled_are_answered_at_once() -> None:
    approval = asking("a1")
    say(approval, "No.", 1.0)

    nothing_is_decided(
        approval.proposed("c1", "other", "approve", 1.0),
        "There is no request with this approval_id. Nothing is decided.",
        ask=None,
    )
    nothing_is_decided(
        approval.proposed("c2", "a1", "approve", 1.0),
        "This request is settled already: it was declined. Nothing is changed by this call.",
        call_id="c2",
        ask=None,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"approval_id": "a1"}',
        '{"approval_id": 1, "decision": "approve"}',
        '{"approval_id": "a1", "decision": "yes"}',
        '"\ud800"',
        "[" * 100_000,
    ],
)
def test_calls_with_bad_arguments_are_answered_at_once(arguments: str) -> None:
    nothing_is_decided(asking("a1").called("c1", arguments, 1.0), BAD_ARGUMENTS, ask=None)


def test_a_decision_that_is_none_is_a_bad_argument() -> None:
    nothing_is_decided(asking("a1").proposed("c1", "a1", "perhaps", 1.0), BAD_ARGUMENTS, ask=None)


def test_a_call_is_read_from_its_arguments() -> None:
    approval = asking("a1")
    say(approval, "Yes.", 1.0)
    step = approval.called("c1", '{"approval_id": "a1", "decision": "approve"}', 2.0)

    assert to_agent(step) == [("a1", True)]


def test_a_repeated_call_is_ignored_with_a_warning() -> None:
    approval = asking("a1")
    approval.proposed("c1", "a1", "approve", 1.0)

    assert approval.has_claimed("c1")
    assert not approval.has_claimed("c2")
    warning = screen.Warned(message="the server repeated the tool call c1; it was ignored")
    assert approval.proposed("c1", "a1", "approve", 1.0) == Step(effects=(effects.Show(event=warning),))


# On the screen, and by time


@pytest.mark.parametrize("state", [State.WAITING, State.NEXT, State.SPOKEN, State.ON_SCREEN])
@pytest.mark.parametrize("approved", [True, False])
def test_what_is_answered_on_the_screen_needs_no_words(state: State, *, approved: bool) -> None:
    approval = in_state(state)
    step = approval.answered_by_hand("a1", approved=approved, now=1.0)

    decision = screen.ApprovalDecision.APPROVED if approved else screen.ApprovalDecision.DECLINED
    assert to_agent(step) == [("a1", approved)]
    assert shown(step) == [settled(decision, screen.AnsweredBy.HAND)]
    (note,) = notes(step)
    assert note.startswith("About request a1: The user ")
    assert note.endswith("on the screen. Do not ask any more.")
    assert step.settled == ("a1",)


def test_an_answer_on_the_screen_settles_the_call_that_waits() -> None:
    approval = asking("a1")
    approval.proposed("c1", "a1", "approve", 1.0)
    step = approval.answered_by_hand("a1", approved=False, now=2.0)

    assert calls(step) == {"c1": "The user declined it on the screen. Do not ask any more."}
    assert to_agent(step) == [("a1", False)]
    assert notes(step) == []


def test_settling_another_request_leaves_the_call_and_the_words_as_they_are() -> None:
    approval = asking("a1", "a2")
    say(approval, "Yes.", 1.0)
    approval.answered_by_hand("a2", approved=True, now=2.0)

    assert to_agent(approval.proposed("c1", "a1", "approve", 3.0)) == [("a1", True)]


def test_an_answer_on_the_screen_to_what_is_settled_is_a_warning() -> None:
    approval = in_state(State.SETTLED)
    step = approval.answered_by_hand("a1", approved=True, now=1.0)

    assert shown(step) == [screen.Warned(message="there is no request for permission a1 that waits for an answer")]
    assert to_agent(step) == []


@pytest.mark.parametrize("state", [State.NEXT, State.SPOKEN, State.ON_SCREEN])
def test_what_nobody_answers_is_declined_in_time(state: State) -> None:
    approval = in_state(state)

    early = approval.expired(EXPIRES_S - 1.0)
    assert timers(early) == [effects.SetTimer(name=TIMER, deadline=EXPIRES_S)], "the timer fired too early"
    step = approval.expired(EXPIRES_S)
    assert to_agent(step) == [("a1", False)]
    assert shown(step) == [settled(screen.ApprovalDecision.EXPIRED, screen.AnsweredBy.NOBODY)]
    assert notes(step) == ["About request a1: Nobody answered in time, so it was declined. Do not ask any more."]
    assert step.settled == ("a1",)
    assert approval.expired(EXPIRES_S) == NOTHING


def test_a_call_that_waits_when_its_request_expires_is_told_so() -> None:
    approval = asking("a1")
    approval.proposed("c1", "a1", "approve", EXPIRES_S - 1.0)
    step = approval.expired(EXPIRES_S)

    assert calls(step) == {"c1": "Nobody answered in time, so it was declined. Do not ask any more."}
    assert approval.expired(EXPIRES_S + WINDOW_S) == NOTHING


def test_what_was_due_is_done_first_when_the_timer_comes_late() -> None:
    approval = asking("a1", "a2")
    approval.proposed("c1", "a1", "approve", 1.0)
    step = approval.requested(request("a3"), EXPIRES_S + 1.0)

    (call,) = calls(step).items()
    assert call[0] == "c1"
    assert call[1].startswith(NOT_HEARD)
    assert to_agent(step) == [("a1", False), ("a2", False)]
    assert step.settled == ("a1", "a2")
    assert step.ask == Question(approval_id="a3", text="May I run git push?")


def test_a_yes_that_comes_when_the_request_has_expired_approves_nothing() -> None:
    approval = asking("a1")
    approval.said_started(EXPIRES_S - 1.0)
    approval.proposed("c1", "a1", "approve", EXPIRES_S - 1.0)
    step = approval.said("Yes.", EXPIRES_S + 0.1)

    assert to_agent(step) == [("a1", False)]


# The session


def test_a_lost_transport_voids_calls_and_words_and_the_question_is_put_again() -> None:
    approval = asking("a1")
    say(approval, "Yes.", 1.0)
    approval.said_started(1.5)
    approval.proposed("c1", "a1", "approve", 2.0)
    lost = approval.transport_lost(3.0)

    assert lost.effects == (effects.SetTimer(name=TIMER, deadline=EXPIRES_S),)
    assert lost.ask is None
    assert approval.said_started(3.5) == approval.said("Yes.", 3.5) == NOTHING
    assert approval.proposed("c2", "a1", "approve", 3.5) == NOTHING
    assert approval.asked("a1", 3.5) == NOTHING

    restored = approval.transport_restored(4.0)
    assert restored.ask == PUSH
    (note,) = notes(restored)
    assert "This is request a1." in note
    assert approval.state("a1") is State.NEXT
    assert approval.said("Yes.", 4.0) == NOTHING
    approval.asked("a1", 4.0)
    # The next session may give the same ids again.
    assert calls(approval.proposed("c1", "a1", "approve", 4.5)) == {}
    assert to_agent(say(approval, "Yes.", 5.0)) == [("a1", True)]


def test_a_call_that_was_due_when_the_transport_was_lost_is_not_answered() -> None:
    approval = asking("a1")
    approval.proposed("c1", "a1", "decline", 1.0)
    step = approval.transport_lost(2.0 + WINDOW_S)

    assert calls(step) == {}
    assert to_agent(step) == []


def test_while_the_transport_is_lost_requests_come_and_are_settled_without_the_voice() -> None:
    approval = Approval(OPTIONS)
    approval.transport_lost(0.0)
    came = approval.requested(request(), 1.0)
    answered = approval.answered_by_hand("a1", approved=True, now=2.0)
    approval.requested(request("a2"), 3.0)

    assert came.ask is None
    assert notes(came) == notes(answered) == []
    assert to_agent(answered) == [("a1", True)]
    assert approval.transport_restored(4.0).ask == Question(approval_id="a2", text="May I run git push?")


def test_the_end_of_a_session_answers_the_call_that_waits_and_decides_nothing() -> None:
    approval = asking("a1")
    approval.proposed("c1", "a1", "approve", 1.0)
    step = approval.session_ending()

    assert calls(step) == {"c1": SESSION_ENDS}
    assert to_agent(step) == []
    assert step.settled == ()
    assert approval.session_ending() == NOTHING
    assert approval.waiting == (request(),)


# In any order

TEXTS = st.sampled_from(["Yes.", "Go ahead.", "Yes, yes.", "Do it.", "Hmm.", "Yes, but later.", "", "No."])
ITEMS = st.sampled_from(["item_1", "item_2"])
DECISIONS = st.sampled_from(["approve", "approve", "approve", "approve", "approve", "decline", "what"])
EXCHANGES = st.sampled_from(
    [
        "ask begin call words",
        "ask begin words call",
        "ask call begin words",
        "begin ask call words",
        "begin ask call words",
        "begin ask words call",
        "begin ask words call",
        "ask begin words again call words",
        "ask begin again words call words",
        "ask begin call break restore ask words",
        "ask begin words break restore ask call",
        "ask begin call withdraw ask words",
        "ask begin words withdraw ask call",
        "ask call wait",
    ]
).map(str.split)
"""In which orders people, voice and recogniser do their parts of one question."""
SELDOM = st.sampled_from([False] * 7 + [True])


@dataclasses.dataclass(slots=True)
class Said:
    """What the model of the user knows of one utterance."""

    answers: str | None
    number: int
    text: str = ""
    at: float | None = None


class AnyOrder(RuleBasedStateMachine):
    """Plays agent, voice and user in whatever order, and keeps its own account of what counts."""

    def __init__(self) -> None:
        super().__init__()
        self.approval = Approval(Options(approval_expires_s=60.0))
        self.now = 0.0
        self.timer: float | None = None
        self.is_connected = True
        self.requested_ids: list[str] = []
        self.answered_ids: set[str] = set()
        self.n_calls = 0
        self.open_calls: dict[str, tuple[str, str, float]] = {}
        """By id what waits for an answer, in this session."""
        self.last_call: tuple[str, str, float] | None = None
        self.by_hand: tuple[str, bool] | None = None
        self.spoken: str | None = None
        """The question that was put and is not settled."""
        self.asks: str | None = None
        """The question that is to be put."""
        self.utterances: dict[str, Said] = {}
        """Begun and not transcribed, by item."""
        self.transcribed: list[Said] = []
        self.n_said = 0

    def perform(self, step: Step) -> None:
        for effect in step.effects:
            match effect:
                case effects.SetTimer(deadline=deadline):
                    self.timer = deadline
                case effects.CancelTimer():
                    self.timer = None
                case effects.AnswerApproval(approval_id=approval_id, approved=approved):
                    self.check_answer(approval_id, approved=approved)
                case effects.Send(intent=intents.AnswerCall(call_id=call_id)):
                    assert self.is_connected, "calls of a session that is gone are not answered"
                    del self.open_calls[call_id]
                case effects.Send():
                    assert self.is_connected
                case _:
                    pass
        for approval_id in step.settled:
            if self.spoken == approval_id:
                self.spoken = None
            if self.asks == approval_id:
                self.asks = None
        if step.ask is not None:
            assert step.ask.approval_id not in self.answered_ids
            assert self.spoken in (None, step.ask.approval_id), "one question at a time"
            self.asks = step.ask.approval_id

    def check_answer(self, approval_id: str, *, approved: bool) -> None:
        assert approval_id in self.requested_ids
        assert approval_id not in self.answered_ids, "an approval is answered once"
        self.answered_ids.add(approval_id)
        if not approved or self.by_hand == (approval_id, True):
            return
        assert self.spoken == approval_id
        relevant = [each for each in self.transcribed if each.answers == approval_id and each.text.strip()]
        last = max(relevant, key=lambda each: each.number)
        assert last.at is not None
        assert read_consent(last.text) is Consent.YES
        begun_since = [each for each in self.utterances.values() if each.number > last.number]
        assert begun_since == [], "what is still being said may take it back"
        assert self.last_call is not None
        about, decision, called_at = self.last_call
        assert (about, decision) == (approval_id, "approve")
        assert abs(called_at - last.at) <= WINDOW_S
        assert self.now - min(called_at, last.at) <= 2 * WINDOW_S

    # The agent

    def some_id(self, number: int) -> str:
        """The id of a request: 0 is the newest one."""
        ids = ["a0", *self.requested_ids]
        return ids[-1 - number % len(ids)]

    @rule(turn_id=st.sampled_from(["t1", "t2"]), risks=st.sampled_from([(), (), (Risk.DELETE,)]), is_repeated=SELDOM)
    def requests(self, turn_id: str, risks: tuple[Risk, ...], *, is_repeated: bool) -> None:
        if len(self.approval.waiting) > 3:
            return
        if not is_repeated or not self.requested_ids:
            self.requested_ids.append(f"a{len(self.requested_ids) + 1}")
        self.perform(self.approval.requested(request(self.some_id(0), turn_id=turn_id, risks=risks), self.now))

    @rule(number=st.integers(0, 3), happens=SELDOM)
    def withdraws(self, number: int, *, happens: bool) -> None:
        if happens:
            self.perform(self.approval.withdrawn(self.some_id(number), self.now))

    @rule(turn_id=st.sampled_from(["t1", "t2"]), happens=SELDOM)
    def ends_a_turn(self, turn_id: str, *, happens: bool) -> None:
        if happens:
            self.perform(self.approval.turn_ended(turn_id, self.now))

    # The voice

    @precondition(lambda self: self.asks is not None)
    @rule(happens=st.sampled_from([True, True, False]))
    def puts_the_question(self, *, happens: bool) -> None:
        if happens and self.asks is not None:
            self.spoken, self.asks = self.asks, None
            self.perform(self.approval.asked(self.spoken, self.now))

    @rule(number=st.integers(0, 3), is_wrong=SELDOM, decision=DECISIONS)
    def calls(self, number: int, decision: str, *, is_wrong: bool) -> None:
        about = self.some_id(number) if is_wrong or self.spoken is None else self.spoken
        self.n_calls += 1
        call_id = f"call_{self.n_calls}"
        if self.is_connected:
            self.open_calls[call_id] = (about, decision, self.now)
            if decision != "what" and about == self.spoken:
                self.last_call = (about, decision, self.now)
        self.perform(self.approval.proposed(call_id, about, decision, self.now))

    # The user

    @rule(item_id=ITEMS)
    def begins_to_speak(self, item_id: str) -> None:
        if self.is_connected and item_id not in self.utterances:
            self.n_said += 1
            self.utterances[item_id] = Said(answers=self.spoken, number=self.n_said)
            self.perform(self.approval.said_started(self.now, item_id))

    @rule(item_id=ITEMS, text=TEXTS)
    def is_transcribed(self, item_id: str, text: str) -> None:
        said = self.utterances.pop(item_id, None)
        if said is not None:
            said.text, said.at = text, self.now
            self.transcribed.append(said)
        self.perform(self.approval.said(text, self.now, item_id))

    @precondition(lambda self: self.is_connected)
    @rule(
        parts=EXCHANGES,
        texts=st.tuples(TEXTS, TEXTS),
        decision=DECISIONS,
        pauses=st.lists(st.sampled_from([0.0, 0.5, 0.5, 1.0, 1.0, 2.5, 5.0, 6.0]), min_size=8, max_size=8),
    )
    def one_question(self, parts: list[str], texts: tuple[str, str], decision: str, pauses: list[float]) -> None:
        """What belongs together, in an order and at a pace of its own."""
        for item_id in ("item_1", "item_2"):
            if item_id in self.utterances:
                self.is_transcribed(item_id, "")
        if parts[0] == "begin" and self.spoken is not None:
            self.perform(self.approval.withdrawn(self.spoken, self.now))
        if self.asks is None and self.spoken is None:
            self.requests("t1", (), is_repeated=False)
        items, said = ["item_1", "item_2"], list(texts)
        for part, pause in zip(parts, pauses, strict=False):
            match part:
                case "ask":
                    if self.asks is not None:
                        self.puts_the_question(happens=True)
                case "begin":
                    self.begins_to_speak("item_1")
                case "again":
                    self.begins_to_speak("item_2")
                case "call":
                    self.calls(0, decision, is_wrong=False)
                case "words":
                    self.is_transcribed(items.pop(0), said.pop(0))
                case "withdraw":
                    if self.spoken is not None:
                        self.perform(self.approval.withdrawn(self.spoken, self.now))
                case "break":
                    self.breaks(happens=True)
                case "restore":
                    self.is_restored()
                case _:
                    self.time_passes(WINDOW_S)
            self.time_passes(pause)

    @rule(number=st.integers(0, 3), approved=st.booleans(), happens=SELDOM)
    def answers_on_the_screen(self, number: int, *, approved: bool, happens: bool) -> None:
        approval_id = self.some_id(number)
        if happens:
            self.by_hand = (approval_id, approved)
            self.perform(self.approval.answered_by_hand(approval_id, approved=approved, now=self.now))
            self.by_hand = None

    # The transport and the time

    @rule(happens=SELDOM)
    def breaks(self, *, happens: bool) -> None:
        if happens:
            self.is_connected = False
            self.forget()
            self.perform(self.approval.transport_lost(self.now))

    @precondition(lambda self: not self.is_connected)
    @rule()
    def is_restored(self) -> None:
        self.is_connected = True
        self.perform(self.approval.transport_restored(self.now))

    def forget(self) -> None:
        self.open_calls.clear()
        self.utterances.clear()
        self.transcribed.clear()
        self.last_call = self.spoken = self.asks = None

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.0, 5.0, 6.0]), is_late=st.booleans())
    def time_passes(self, seconds: float, *, is_late: bool = False) -> None:
        """By the timer, or, when that is late, up to whatever comes next."""
        until = self.now + seconds
        while not is_late and self.timer is not None and self.timer <= until:
            self.now, self.timer = max(self.now, self.timer), None
            self.perform(self.approval.expired(self.now))
        self.now = until

    @invariant()
    def what_is_due_is_waited_for(self) -> None:
        assert self.timer == self.approval.deadline

    @invariant()
    def one_question_is_put_when_one_waits(self) -> None:
        states = [self.approval.state(each.approval_id) for each in self.approval.waiting]
        assert states.count(State.NEXT) + states.count(State.SPOKEN) <= 1
        if self.is_connected and State.WAITING in states:
            assert State.NEXT in states or State.SPOKEN in states

    @invariant()
    def at_most_one_call_waits(self) -> None:
        assert len(self.open_calls) <= 1

    def teardown(self) -> None:
        # Nothing is left waiting beyond its time.
        self.time_passes(WINDOW_S)
        assert self.open_calls == {}
        self.time_passes(60.0)
        assert self.approval.waiting == ()
        assert self.timer is None
        self.perform(self.approval.session_ending())


TestAnyOrder = AnyOrder.TestCase


def test_every_text_for_the_voice_is_a_whole_sentence() -> None:
    texts: Iterable[str] = (
        APPROVED, DECLINED, DECLINED_BY_WORDS, UNCLEAR, CONTRADICTED, NOT_HEARD, UNFINISHED, NOT_ASKED, NOT_NEXT,
        REPLACED, BAD_ARGUMENTS, SESSION_ENDS, ONLY_THE_USER, ON_SCREEN,
    )  # fmt: skip

    assert [text for text in texts if not text.endswith(".")] == []
