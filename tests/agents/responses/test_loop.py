"""The loop of a turn, event by event, and its promises whatever comes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backchannel.agents.responses.events import (
    Began,
    Completed,
    Cut,
    ItemBegan,
    ItemDone,
    StreamEvent,
    TextAdded,
    ThoughtAdded,
    ThoughtDone,
)
from backchannel.agents.responses.failures import Cause, Failure, Retries
from backchannel.agents.responses.history import History
from backchannel.agents.responses.items import Call, Item, Kept, Output, Said, Spoken, SpokenPhase
from backchannel.agents.responses.loop import (
    INTERRUPTED,
    NOT_BEGUN,
    NOT_BEGUN_INTERRUPTED,
    Abort,
    Action,
    Answered,
    Ask,
    Begun,
    CallEnded,
    Event,
    GoOverHttp,
    Hurry,
    Interrupted,
    Loop,
    Notify,
    Report,
    RunCall,
    State,
    Steered,
    StopCall,
)
from backchannel.config import Provider
from backchannel.core import (
    AgentMessage,
    AgentMessageDelta,
    AgentMessageDropped,
    AgentReport,
    AgentThought,
    AgentThoughtDelta,
    AgentTurnEnded,
    Note,
    Outcome,
    Phase,
)
from backchannel.errors import LocalProtocolError
from tests.agents.responses.test_history import assert_sound

if TYPE_CHECKING:
    from collections.abc import Sequence

TURN = "turn_1"


def call(call_id: str, *, is_freeform: bool = False) -> Call:
    text = json.dumps({"type": "function_call", "call_id": call_id, "name": "tool", "arguments": "{}"})
    return Call(call_id, "tool", "{}", text, is_freeform)


def spoken(text: str, phase: SpokenPhase | None = None) -> Spoken:
    return Spoken(text, json.dumps({"type": "message", "text": text}), phase)


def thought(text: str = "t") -> Kept:
    return Kept(json.dumps({"type": "reasoning", "encrypted_content": text}))


def said(text: str, phase: Phase) -> Report:
    return Report(AgentMessage(turn_id=TURN, text=text, phase=phase))


def ended(outcome: Outcome, error: str | None = None) -> Report:
    return Report(AgentTurnEnded(turn_id=TURN, outcome=outcome, error=error))


class Playing:
    """A loop, played line by line."""

    def __init__(self, *, requests: int = 1, streams: int = 1, history: History | None = None) -> None:
        provider = Provider(id="p", request_max_retries=requests, stream_max_retries=streams)
        self.history = history or History()
        self.loop = Loop(TURN, history=self.history, retries=Retries(provider, random=lambda: 0.5))
        self.request = 0

    def tell(self, event: Event) -> list[Action]:
        actions = self.loop.handle(event)
        self.request = next((action.request for action in actions if isinstance(action, Ask)), self.request)
        return actions

    def begin(self, text: str = "do it") -> list[Action]:
        return self.tell(Begun(text))

    def stream(self, *events: StreamEvent | Item) -> list[Action]:
        return [action for event in events for action in self.tell(Answered(self.request, as_event(event)))]


def as_event(event: StreamEvent | Item) -> StreamEvent:
    if isinstance(event, Kept):
        return ThoughtDone((), event)
    return ItemDone(event) if isinstance(event, Said | Spoken | Call | Output) else event


def asked(actions: Sequence[Action]) -> Ask:
    (ask,) = [action for action in actions if isinstance(action, Ask)]
    return ask


DROPPED = Report(AgentMessageDropped(turn_id=TURN))


# ---- a turn -----------------------------------------------------------------------------------------------------


def tells(*parts: str) -> Report:
    return Report(AgentThought(turn_id=TURN, parts=parts))


def test_what_the_model_tells_of_its_thoughts_is_passed_on_and_the_thought_is_sent_back() -> None:
    play = Playing()
    play.tell(Begun("do it"))

    assert play.stream(ThoughtAdded("**Lo", 0)) == [Report(AgentThoughtDelta(turn_id=TURN, delta="**Lo"))]
    assert play.stream(ThoughtDone(("**Looking**",), thought("t"))) == [tells("**Looking**")]
    # One that says nothing is not told, but sent back; one that cannot be sent back is only told.
    assert play.stream(ThoughtDone((), thought("u"))) == []
    assert play.stream(ThoughtDone(("Found.",), None)) == [tells("Found.")]
    assert play.stream(spoken("Done."), Completed("r1")) == [said("Done.", Phase.FINAL), ended(Outcome.COMPLETED)]
    assert list(play.history.items[-3:]) == [thought("t"), thought("u"), spoken("Done.")]


def test_a_message_comes_before_the_thought_that_follows_it() -> None:
    play = Playing()
    play.tell(Begun("do it"))

    assert play.stream(spoken("I look."), ThoughtDone(("Hm.",), None)) == [
        said("I look.", Phase.UNMARKED),
        tells("Hm."),
    ]


@pytest.mark.parametrize("acting", [False, True])
def test_who_begins_to_speak_during_a_turn_is_told_of_with_the_change(*, acting: bool) -> None:
    play = Playing()
    play.tell(Begun("do it"))
    if acting:
        play.stream(call("a"), Completed())
    actions = play.tell(Steered("and that", (Note("developer", "<a>"),)))
    if acting:
        actions = play.tell(CallEnded("a", "done"))

    assert asked(actions).items[-2:] == (Said("user", "and that"), Said("developer", "<a>"))


def test_a_message_comes_before_what_follows_it_is_thought() -> None:
    play = Playing()
    play.tell(Begun("do it"))

    assert play.stream(spoken("I look."), ThoughtAdded("Hm", 0)) == [
        said("I look.", Phase.UNMARKED),
        Report(AgentThoughtDelta(turn_id=TURN, delta="Hm")),
    ]


def test_the_end_of_a_thought_does_not_end_a_message() -> None:
    play = Playing()
    play.tell(Begun("do it"))
    play.stream(TextAdded("Half"), ThoughtAdded("Hm", 0), ThoughtDone(("Hm.",), None))

    assert DROPPED in play.tell(Steered("x"))


def test_a_summary_that_cannot_be_read_takes_back_nothing_of_a_thought() -> None:
    play = Playing()
    play.tell(Begun("do it"))
    play.stream(ThoughtAdded("B", 3), ThoughtAdded("A", 0), ThoughtAdded("b", 3))

    assert play.stream(ThoughtDone((), None)) == [Report(AgentThought(turn_id=TURN, parts=("A", "Bb")))]
    assert play.stream(ThoughtDone((), None)) == []


def test_a_thought_that_a_change_cuts_off_is_dropped() -> None:
    play = Playing()
    play.tell(Begun("do it"))
    play.stream(ThoughtAdded("Hm", 1))

    assert play.tell(Steered("x"))[:2] == [Abort(1), DROPPED]


def test_a_turn_of_one_message() -> None:
    play = Playing()

    assert play.tell(Begun("do it", (Note("user", "<a>"), Note("developer", "<b>")))) == [
        Ask(1, (Said("user", "<a>"), Said("developer", "<b>"), Said("user", "do it")))
    ]
    assert play.stream(Began(), ItemBegan(), TextAdded("Do")) == [Report(AgentMessageDelta(turn_id=TURN, delta="Do"))]
    assert play.stream(spoken("Done.")) == []
    assert play.stream(Completed("r1")) == [said("Done.", Phase.FINAL), ended(Outcome.COMPLETED)]
    assert play.loop.state is State.ENDED
    assert play.history.items[-1] == spoken("Done.")


def test_calls_are_run_one_after_the_other_between_requests() -> None:
    play = Playing()
    play.begin()

    actions = play.stream(thought(), spoken("I look."), call("a"), call("b", is_freeform=True), Completed())
    assert actions == [said("I look.", Phase.UNMARKED), RunCall(call("a"))]
    assert play.tell(CallEnded("a", "one")) == [RunCall(call("b", is_freeform=True))]
    assert play.tell(CallEnded("b", "two")) == [
        Ask(
            2,
            (
                Said("user", "do it"),
                thought(),
                spoken("I look."),
                call("a"),
                call("b", is_freeform=True),
                Output("a", "one"),
                Output("b", "two", is_freeform=True),
            ),
        )
    ]
    assert play.stream(spoken("Done."), Completed())[-1] == ended(Outcome.COMPLETED)


def test_a_model_that_says_nothing_is_done() -> None:
    play = Playing()
    play.begin()

    assert play.stream(Began(), Completed()) == [ended(Outcome.COMPLETED)]


def test_only_the_last_message_is_the_result() -> None:
    play = Playing()
    play.begin()

    assert play.stream(spoken("One."), ItemBegan(), spoken("Two."), spoken("Three."), Completed()) == [
        said("One.", Phase.UNMARKED),
        said("Two.", Phase.UNMARKED),
        said("Three.", Phase.FINAL),
        ended(Outcome.COMPLETED),
    ]


def test_a_message_that_the_model_calls_commentary_is_told_at_once() -> None:
    play = Playing()
    play.begin()

    assert play.stream(spoken("I look.", SpokenPhase.COMMENTARY)) == [said("I look.", Phase.COMMENTARY)]
    assert play.stream(spoken("Done.", SpokenPhase.FINAL), Completed()) == [
        said("Done.", Phase.FINAL),
        ended(Outcome.COMPLETED),
    ]


def test_a_thought_after_which_nothing_came_is_not_kept() -> None:
    play = Playing()
    play.begin()

    assert play.stream(spoken("Done."), thought(), Completed())[-1] == ended(Outcome.COMPLETED)
    assert play.history.items == (Said("user", "do it"), spoken("Done."))


def test_an_id_that_was_used_is_not_used_again() -> None:
    play = Playing()
    play.begin()

    assert play.stream(call("a"), call("a"), Completed()) == [RunCall(call("a"))]
    play.tell(CallEnded("a", "one"))
    assert play.stream(call("a"), Completed()) == [ended(Outcome.COMPLETED)]
    assert_sound(play.history.items)


def test_an_answer_that_was_cut_off_fails_the_turn() -> None:
    play = Playing()
    play.begin()

    assert play.stream(spoken("Half"), call("a"), Cut("too long")) == [
        said("Half", Phase.UNMARKED),
        ended(Outcome.FAILED, "the model's answer was cut off: too long"),
    ]
    assert_sound(play.history.items)


# ---- a change ---------------------------------------------------------------------------------------------------


def test_a_change_aborts_the_request_and_goes_out_at_once() -> None:
    play = Playing()
    play.begin()
    play.stream(Began(), ItemBegan(), TextAdded("Half a mess"))

    assert play.tell(Steered("rather that")) == [
        Abort(1),
        DROPPED,
        Ask(2, (Said("user", "do it"), Said("user", "rather that"))),
    ]
    assert play.tell(Answered(1, ItemDone(spoken("Half a message")))) == []
    assert play.tell(Answered(1, Completed())) == []
    assert play.stream(spoken("Done."), Completed()) == [said("Done.", Phase.FINAL), ended(Outcome.COMPLETED)]


def test_a_message_that_is_cut_off_is_dropped_once_whatever_cuts_it_off() -> None:
    for cut in (
        Steered("x"),
        Interrupted(),
        Answered(1, Failure(Cause.PASSING, "lost")),
        Answered(1, Cut("length")),
    ):
        play = Playing()
        play.begin()
        play.stream(Began(), ItemBegan(), TextAdded("Half a mess"))
        assert play.tell(cut).count(DROPPED) == 1
        if play.loop.state is not State.ENDED:
            play.stream(Began(), ItemBegan(), TextAdded("Wh"), spoken("Whole"), call("a"), Completed())
            assert DROPPED not in play.tell(Interrupted())


def test_a_message_that_never_becomes_one_is_dropped_before_the_next_request() -> None:
    play = Playing()
    play.begin()
    actions = play.stream(Began(), ItemBegan(), TextAdded("  "), call("a"), Completed())
    assert actions[-2:] == [DROPPED, RunCall(call("a"))]
    play.tell(CallEnded("a", "one"))
    assert play.stream(Began(), ItemBegan(), TextAdded(" "), Completed())[-2:] == [DROPPED, ended(Outcome.COMPLETED)]


def test_what_was_complete_before_a_change_stays() -> None:
    play = Playing()
    play.begin()
    play.stream(thought("1"), spoken("I look."), thought("2"), call("a"), thought("3"))

    assert play.tell(Steered("rather that")) == [
        Abort(1),
        Ask(
            2,
            (
                Said("user", "do it"),
                thought("1"),
                spoken("I look."),
                thought("2"),
                call("a"),
                Output("a", NOT_BEGUN),
                Said("user", "rather that"),
            ),
        ),
    ]


def test_a_message_that_is_complete_is_told_before_a_change() -> None:
    play = Playing()
    play.begin()
    play.stream(spoken("I look."))

    assert play.tell(Steered("x"))[:2] == [Abort(1), said("I look.", Phase.UNMARKED)]


def test_a_change_while_a_tool_works_hurries_it_and_skips_the_others() -> None:
    play = Playing()
    play.begin()
    play.stream(call("a"), call("b"), Completed())

    assert play.tell(Steered("one")) == [Hurry("a")]
    assert play.tell(Steered("two")) == [Hurry("a")]
    ask = asked(play.tell(CallEnded("a", "so far")))
    assert ask.items[-4:] == (Output("a", "so far"), Output("b", NOT_BEGUN), Said("user", "one"), Said("user", "two"))


def test_after_a_change_all_tries_are_there_again() -> None:
    play = Playing(streams=1)
    play.begin()
    play.stream(Failure(Cause.PASSING, "x"))

    play.tell(Steered("y"))

    assert asked(play.stream(Failure(Cause.PASSING, "x"))).delay_s > 0


# ---- an end -----------------------------------------------------------------------------------------------------


def test_interrupted_while_the_model_answers() -> None:
    play = Playing()
    play.begin()
    play.stream(spoken("I look."), call("a"))

    assert play.tell(Interrupted()) == [Abort(1), ended(Outcome.INTERRUPTED)]
    assert play.history.items[-1] == Output("a", NOT_BEGUN_INTERRUPTED)


def test_interrupted_while_tools_work() -> None:
    play = Playing()
    play.begin()
    play.stream(call("a"), call("b"), Completed())
    play.tell(Steered("late"))

    assert play.tell(Interrupted()) == [StopCall("a"), ended(Outcome.INTERRUPTED)]
    assert play.history.items[-3:] == (
        Output("a", INTERRUPTED),
        Output("b", NOT_BEGUN_INTERRUPTED),
        Said("user", "late"),
    )
    assert play.tell(CallEnded("a", "late")) == []


def test_nothing_is_said_to_a_turn_that_does_not_run() -> None:
    play = Playing()
    for event in (Steered("x"), Interrupted()):
        with pytest.raises(LocalProtocolError, match="no turn is running"):
            play.tell(event)
    play.begin()
    with pytest.raises(LocalProtocolError, match="has begun already"):
        play.begin()
    play.stream(Completed())
    for event in (Steered("x"), Interrupted()):
        with pytest.raises(LocalProtocolError, match="no turn is running"):
            play.tell(event)


def test_the_next_turn_knows_the_one_before() -> None:
    play = Playing()
    play.begin("one")
    play.stream(spoken("Done."), Completed())

    assert asked(Playing(history=play.history).begin("two")).items == (
        Said("user", "one"),
        spoken("Done."),
        Said("user", "two"),
    )


# ---- failures ---------------------------------------------------------------------------------------------------


def test_a_failure_is_tried_again_and_then_told() -> None:
    play = Playing(requests=1)
    play.begin()
    refused = Failure(Cause.PASSING, "nobody is there", "look for them", answering=False)

    assert play.stream(refused) == [Ask(2, (Said("user", "do it"),), 0.2)]
    assert play.stream(refused) == [ended(Outcome.FAILED, "nobody is there; look for them")]


def test_what_was_complete_is_not_asked_for_again() -> None:
    play = Playing()
    play.begin()

    actions = play.stream(spoken("I look."), call("a"), TextAdded("ha"), Failure(Cause.PASSING, "broke off"))

    assert said("I look.", Phase.UNMARKED) in actions
    assert asked(actions).items[-3:] == (spoken("I look."), call("a"), Output("a", NOT_BEGUN))


def test_a_websocket_is_given_up_for_http() -> None:
    play = Playing(streams=0)
    play.begin()

    actions = play.stream(Failure(Cause.PASSING, "closed", over_websocket=True))

    assert actions == [
        GoOverHttp(),
        Notify("the websocket to the model is given up for HTTP: closed"),
        Ask(2, (Said("user", "do it"),)),
    ]


def test_the_second_try_is_spoken_of() -> None:
    play = Playing(streams=2)
    play.begin()
    broke = Failure(Cause.PASSING, "broke off")

    assert len(play.stream(broke)) == 1
    assert play.stream(broke)[0] == Notify("no answer from the model (broke off); trying again, 2 of 2")


def test_too_much_is_shortened_and_sent_again() -> None:
    play = Playing()
    play.history.add(Said("user", "old"), spoken("x" * 500))
    play.begin()

    actions = play.stream(Failure(Cause.TOO_LONG, "too long"))

    assert isinstance(actions[0], Notify)
    assert asked(actions).items[-1] == Said("user", "do it")
    assert Said("user", "old") not in asked(actions).items
    (report,) = play.stream(Failure(Cause.TOO_LONG, "too long"))
    assert report == ended(Outcome.FAILED, "the model cannot take so much at once; ask for it in smaller parts")


# ---- whatever comes ---------------------------------------------------------------------------------------------

_EVENTS = st.one_of(
    st.just(Began()),
    st.just(ItemBegan()),
    st.builds(TextAdded, st.text(min_size=1, max_size=3)),
    st.builds(Completed),
    st.builds(Cut, st.just("x")),
    st.builds(ItemDone, st.builds(spoken, st.text(min_size=1, max_size=5), st.sampled_from([None, *SpokenPhase]))),
    st.builds(ItemDone, st.builds(call, st.sampled_from("abcdef"))),
    st.builds(ThoughtAdded, st.text(min_size=1, max_size=3), st.integers(0, 3)),
    st.builds(ThoughtDone, st.sampled_from([(), ("Hm.",)]), st.none() | st.builds(thought)),
    st.builds(Failure, st.sampled_from(Cause), st.just("x"), over_websocket=st.booleans(), answering=st.booleans()),
)


class AnyOrder(RuleBasedStateMachine):
    """Turns of a thread, in which anything happens in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.history = History(max_bytes=3000)
        self.loop: Loop | None = None
        self.out: int | None = None
        """The request that is out."""
        self.running: str | None = None
        """The call that runs."""
        self.changes: list[str] = []
        """What has to be in the next request."""
        self.n = 0
        self.ended = 0

    @initialize()
    def start(self) -> None:
        self.begin()

    def perform(self, event: Event) -> None:
        assert self.loop is not None
        for action in self.loop.handle(event):
            match action:
                case Ask(request=request, items=items):
                    assert self.out is None, "one request at a time"
                    assert self.running is None
                    assert_sound(items)
                    told = [item.text for item in items if isinstance(item, Said) and item.role == "user"]
                    assert told[-len(self.changes) :] == self.changes or not self.changes, "no change is lost"
                    self.changes.clear()
                    self.out = request
                case Abort(request=request):
                    assert self.out == request
                    self.out = None
                case RunCall(call=run):
                    assert self.running is None, "one call at a time"
                    assert self.out is None
                    self.running = run.call_id
                case StopCall(call_id=call_id):
                    assert self.running == call_id
                    self.running = None
                case Hurry(call_id=call_id):
                    assert self.running == call_id
                case Report(report=report):
                    self.reported(report)
                case Notify() | GoOverHttp():
                    pass

    def reported(self, report: AgentReport) -> None:
        assert not self.ended, "nothing comes after the end"
        if isinstance(report, AgentTurnEnded):
            self.ended += 1
            assert (report.error is None) is (report.outcome is not Outcome.FAILED)

    @precondition(lambda self: self.loop is None or self.loop.state is State.ENDED)
    @rule()
    def begin(self) -> None:
        self.n += 1
        self.ended = 0
        provider = Provider(id="p", request_max_retries=2, stream_max_retries=2)
        self.loop = Loop(TURN, history=self.history, retries=Retries(provider, random=lambda: 0.0))
        self.changes = [f"wish {self.n}"]
        self.perform(Begun(f"wish {self.n}"))

    @precondition(lambda self: self.out is not None)
    @rule(event=_EVENTS)
    def stream(self, event: StreamEvent) -> None:
        number, before = self.out, self.out
        assert number is not None
        if isinstance(event, Completed | Cut | Failure):
            before = self.out = None
        self.perform(Answered(number, event))
        assert self.out is not None or before is None

    @rule(event=_EVENTS, number=st.integers(-2, 50))
    def stream_of_another_request(self, event: StreamEvent, number: int) -> None:
        if number != self.out:
            self.perform(Answered(number, event))

    @precondition(lambda self: self.running is not None)
    @rule(output=st.text(max_size=400))
    def call_ends(self, output: str) -> None:
        call_id, self.running = self.running, None
        assert call_id is not None
        self.perform(CallEnded(call_id, output))

    @rule(call_id=st.sampled_from(["x", "y"]))
    def another_call_ends(self, call_id: str) -> None:
        self.perform(CallEnded(call_id, "nobody waits for it"))

    @precondition(lambda self: not self.ended)
    @rule()
    def steer(self) -> None:
        self.n += 1
        self.changes.append(f"change {self.n}")
        self.perform(Steered(f"change {self.n}"))

    @precondition(lambda self: not self.ended)
    @rule()
    def interrupt(self) -> None:
        self.perform(Interrupted())
        assert self.ended == 1
        told = [item.text for item in self.history.items if isinstance(item, Said)]
        assert all(change in told for change in self.changes), "what came before the stop is remembered"
        self.changes.clear()

    @invariant()
    def between_turns_every_call_has_its_output(self) -> None:
        if self.ended:
            assert self.out is None
            assert self.running is None
            assert_sound(self.history.items)

    @invariant()
    def something_is_always_waited_for(self) -> None:
        if self.loop is not None and not self.ended:
            assert (self.out is not None) is (self.loop.state is State.ASKING)
            assert (self.running is not None) is (self.loop.state is State.ACTING)


TestAnyOrder = AnyOrder.TestCase
