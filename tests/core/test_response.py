from __future__ import annotations

import collections
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from backchannel.core import effects, screen
from backchannel.core.response import DEADLINE_S, TIMER, TRANSITIONS, Input, Response, State
from backchannel.wire.realtime import intents

CREATE = effects.Send(intent=intents.RequestResponse())
IDS = st.sampled_from(["a", "b", "c"]) | st.none()


def deadline(now: float) -> effects.Effect:
    return effects.SetTimer(name=TIMER, deadline=now + DEADLINE_S)


CANCEL = effects.CancelTimer(name=TIMER)


def in_state(state: State) -> Response:
    """A response that has come into a state; an active one has the id `a`."""
    response = Response()
    if state is State.REQUESTED:
        response.want(0.0)
    if state is State.ACTIVE:
        response.created("a", 0.0)
    assert response.state is state
    return response


def do(response: Response, happened: Input) -> list[effects.Effect]:
    match happened:
        case Input.WANTED:
            return response.want(1.0)
        case Input.CREATED:
            return response.created("b", 1.0)
        case Input.ENDED:
            return response.ended("a", 1.0)
        case Input.REFUSED:
            return response.refused(1.0)
        case Input.DENIED:
            return response.denied()
        case Input.EXPIRED:
            return response.expired(1.0)


@pytest.mark.parametrize(
    ("state", "happened", "then"),
    [
        (State.IDLE, Input.WANTED, State.REQUESTED),
        (State.IDLE, Input.CREATED, State.ACTIVE),
        (State.IDLE, Input.ENDED, State.IDLE),
        (State.IDLE, Input.REFUSED, State.IDLE),
        (State.IDLE, Input.DENIED, State.IDLE),
        (State.IDLE, Input.EXPIRED, State.IDLE),
        (State.REQUESTED, Input.WANTED, State.REQUESTED),
        (State.REQUESTED, Input.CREATED, State.ACTIVE),
        (State.REQUESTED, Input.ENDED, State.IDLE),
        (State.REQUESTED, Input.REFUSED, State.ACTIVE),
        (State.REQUESTED, Input.DENIED, State.IDLE),
        (State.REQUESTED, Input.EXPIRED, State.IDLE),
        (State.ACTIVE, Input.WANTED, State.ACTIVE),
        (State.ACTIVE, Input.CREATED, State.ACTIVE),
        (State.ACTIVE, Input.ENDED, State.IDLE),
        (State.ACTIVE, Input.REFUSED, State.ACTIVE),
        (State.ACTIVE, Input.DENIED, State.ACTIVE),
        (State.ACTIVE, Input.EXPIRED, State.IDLE),
    ],
)
def test_the_state_moves_as_the_table_says(state: State, happened: Input, then: State) -> None:
    response = in_state(state)
    do(response, happened)

    assert response.state is TRANSITIONS[state][happened] is then
    assert response.is_idle is (then is State.IDLE)


def test_a_wanted_response_is_asked_for_at_once_when_none_is_active() -> None:
    assert Response().want(5.0) == [CREATE, deadline(5.0)]


@pytest.mark.parametrize("state", [State.REQUESTED, State.ACTIVE])
def test_any_number_of_wishes_wait_for_the_active_response_and_become_one(state: State) -> None:
    response = in_state(state)

    assert response.want(1.0) == []
    assert response.want(2.0) == []
    assert response.ended("a", 3.0) == [CREATE, deadline(3.0)]
    assert response.state is State.REQUESTED
    assert response.ended("b", 4.0) == [CANCEL]
    assert response.is_idle


def test_a_created_response_has_its_time_from_then_on() -> None:
    assert in_state(State.REQUESTED).created("a", 7.0) == [deadline(7.0)]


def test_a_response_that_the_server_began_by_itself_is_active() -> None:
    response = in_state(State.IDLE)

    assert response.created("a", 1.0) == [deadline(1.0)]
    assert response.want(2.0) == []


def test_an_ended_response_frees_and_needs_no_timer_any_more() -> None:
    assert in_state(State.ACTIVE).ended("a", 1.0) == [CANCEL]


def test_an_end_while_nothing_is_active_changes_nothing() -> None:
    response = in_state(State.IDLE)

    assert response.ended("x", 1.0) == []
    assert response.ended(None, 1.0) == []
    assert response.is_idle


def test_the_end_of_another_response_changes_nothing() -> None:
    response = in_state(State.ACTIVE)
    response.want(1.0)

    assert response.ended("other", 2.0) == []
    assert response.state is State.ACTIVE
    assert response.ended("a", 3.0) == [CREATE, deadline(3.0)]


def test_the_late_end_of_a_cancelled_response_does_not_end_its_successor() -> None:
    response = in_state(State.ACTIVE)
    response.ended("a", 1.0)
    response.want(2.0)

    assert response.ended("a", 3.0) == []
    response.created("b", 4.0)
    assert response.ended("a", 5.0) == []
    assert response.ended("b", 6.0) == [CANCEL]


def test_the_end_of_a_predecessor_that_was_told_late_is_not_taken_for_that_of_its_successor() -> None:
    response = in_state(State.ACTIVE)
    response.created("b", 1.0)

    assert response.ended("a", 2.0) == []
    assert response.state is State.ACTIVE
    assert response.ended("b", 3.0) == [CANCEL]


def test_without_ids_any_end_frees() -> None:
    response = Response()
    response.created(None, 0.0)
    assert response.ended("whatever", 1.0) == [CANCEL]

    response.created("a", 2.0)
    assert response.ended(None, 3.0) == [CANCEL]


def test_a_server_that_gives_every_response_the_same_id_is_followed() -> None:
    response = Response()
    for now in (1.0, 2.0, 3.0):
        response.created("same", now)
        assert response.ended("same", now) == [CANCEL]


def test_a_request_is_refused_because_another_response_is_active() -> None:
    response = in_state(State.REQUESTED)

    assert response.refused(1.0) == [deadline(1.0)]
    assert response.state is State.ACTIVE


def test_a_refused_request_is_repeated_only_if_it_is_still_wanted() -> None:
    response = in_state(State.REQUESTED)
    response.refused(1.0)
    assert response.ended("a", 2.0) == [CANCEL]

    response = in_state(State.REQUESTED)
    response.refused(1.0)
    assert response.want(1.0) == []
    assert response.ended("a", 2.0) == [CREATE, deadline(2.0)]


def test_a_refusal_that_is_told_after_another_began_changes_nothing_but_the_deadline() -> None:
    response = in_state(State.REQUESTED)
    response.created("a", 1.0)

    assert response.refused(2.0) == [deadline(2.0)]
    assert response.ended("other", 2.5) == []
    assert response.ended("a", 3.0) == [CANCEL]


def test_a_refusal_in_favour_of_a_response_that_is_over_changes_nothing() -> None:
    response = in_state(State.REQUESTED)
    response.created("a", 1.0)
    response.ended("a", 2.0)

    assert response.refused(3.0) == []
    assert response.want(3.0) == [CREATE, deadline(3.0)]


def test_after_a_refusal_in_favour_of_a_cancelled_response_its_late_end_counts() -> None:
    response = in_state(State.ACTIVE)
    response.ended("a", 1.0)
    response.want(2.0)
    response.refused(3.0)

    assert response.ended("a", 4.0) == [CANCEL]


def test_a_request_that_the_server_does_not_want_is_over_with_all_that_waited_for_it() -> None:
    response = in_state(State.REQUESTED)
    response.want(1.0)

    assert response.denied() == [CANCEL]
    assert response.is_idle
    assert response.ended(None, 2.0) == []
    assert response.want(3.0) == [CREATE, deadline(3.0)]


def test_a_denial_while_another_response_is_active_is_not_about_it() -> None:
    response = in_state(State.ACTIVE)
    response.want(1.0)

    assert response.denied() == []
    assert response.state is State.ACTIVE
    assert response.ended("a", 2.0) == [CREATE, deadline(2.0)]


def test_a_denial_of_a_request_that_is_over_changes_nothing() -> None:
    assert in_state(State.IDLE).denied() == []


def test_a_response_that_never_ends_is_given_up_with_a_warning() -> None:
    response = in_state(State.ACTIVE)

    shown, cancelled = response.expired(DEADLINE_S)

    assert isinstance(shown, effects.Show)
    assert isinstance(shown.event, screen.Warned)
    assert "120 s" in shown.event.message
    assert cancelled == CANCEL
    assert response.is_idle


def test_what_waits_for_a_response_that_never_ends_is_asked_for_then() -> None:
    response = in_state(State.ACTIVE)
    response.want(1.0)

    assert response.expired(121.0)[1:] == [CREATE, deadline(121.0)]


def test_the_end_of_a_response_that_was_given_up_changes_nothing() -> None:
    response = in_state(State.ACTIVE)
    response.want(1.0)
    response.expired(121.0)

    assert response.ended("a", 122.0) == []
    assert response.state is State.REQUESTED


def test_a_request_without_any_reply_is_given_up_too() -> None:
    response = in_state(State.REQUESTED)

    assert response.expired(120.0)[1:] == [CANCEL]
    assert response.ended("a", 121.0) == []


def test_a_timer_that_fires_while_nothing_is_active_changes_nothing() -> None:
    assert in_state(State.IDLE).expired(1.0) == []


def test_ends_are_remembered_for_a_while_only() -> None:
    response = Response()
    for number in range(33):
        response.created(str(number), 0.0)
        response.ended(str(number), 0.0)
    response.want(1.0)

    assert response.ended("1", 2.0) == []
    assert response.ended("0", 2.0) == [CANCEL]


class AnyOrder(RuleBasedStateMachine):
    """Whatever the server says in whatever order, as seen from our side of the wire."""

    def __init__(self) -> None:
        super().__init__()
        self.response = Response()
        self.now = 0.0
        self.is_outstanding = False
        """A request was sent, and nothing that could have ended it has come since."""
        self.is_owed = False
        """A response was wanted, and none has been asked for since."""
        self.timer: float | None = None

    def perform(self, came: list[effects.Effect]) -> None:
        for effect in came:
            match effect:
                case effects.Send(intent=intents.RequestResponse()):
                    assert not self.is_outstanding
                    self.is_outstanding = True
                    self.is_owed = False
                case effects.SetTimer(name="response", deadline=when):
                    assert when == self.now + DEADLINE_S
                    self.timer = when
                case effects.CancelTimer(name="response"):
                    self.timer = None
                case effects.Show(event=screen.Warned()):
                    pass
                case _:
                    raise AssertionError(f"a response does not do this: {effect}")

    @rule(seconds=st.floats(0, 60))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        if self.timer is not None and self.timer <= self.now:
            self.timer = None
            self.is_outstanding = False
            self.perform(self.response.expired(self.now))

    @rule()
    def want(self) -> None:
        self.is_owed = True
        self.perform(self.response.want(self.now))

    @rule(response_id=IDS)
    def created(self, response_id: str | None) -> None:
        self.is_outstanding = False
        self.perform(self.response.created(response_id, self.now))

    @rule(response_id=IDS)
    def ended(self, response_id: str | None) -> None:
        self.is_outstanding = False
        self.perform(self.response.ended(response_id, self.now))

    @precondition(lambda self: self.is_outstanding)
    @rule()
    def refused(self) -> None:
        self.is_outstanding = False
        self.perform(self.response.refused(self.now))
        self.want()

    @precondition(lambda self: self.is_outstanding)
    @rule()
    def denied(self) -> None:
        # Whoever wanted it waits for a while and wants it again; here nobody does.
        self.is_outstanding = False
        self.is_owed = False
        self.perform(self.response.denied())

    @invariant()
    def what_is_owed_is_waited_for(self) -> None:
        if self.is_owed:
            assert not self.response.is_idle

    @invariant()
    def what_is_waited_for_has_a_deadline(self) -> None:
        assert self.response.is_idle is (self.timer is None)

    def teardown(self) -> None:
        # However it stands, it comes to rest by its deadlines alone, and all that was wanted was asked for.
        for _ in range(2):
            self.time_passes(60.0)
            self.time_passes(60.0)
        assert self.response.is_idle
        assert not self.is_owed


TestAnyOrder = AnyOrder.TestCase


@dataclasses.dataclass(slots=True)
class Server:
    """A server as the public one works: one response at a time, told about over a wire that takes its time."""

    tells_cancelled: bool
    """Whether a response that was cancelled is told about twice, the second time late."""
    to_server: collections.deque[str] = dataclasses.field(default_factory=collections.deque)
    to_client: collections.deque[tuple[str, str]] = dataclasses.field(default_factory=collections.deque)
    active: str | None = None
    n_created: int = 0
    n_asked_for: int = 0
    closing: str | None = None
    """A cancelled response that is still winding up: nothing else can begin."""

    def begin(self) -> None:
        if self.active is None and self.closing is None:
            self.n_created += 1
            self.active = f"r{self.n_created}"
            self.to_client.append(("created", self.active))

    def take(self) -> None:
        self.to_server.popleft()
        if self.active is None and self.closing is None:
            self.begin()
            self.n_asked_for += 1
        else:
            self.to_client.append(("refused", ""))

    def finish(self) -> None:
        if self.active is not None:
            self.to_client.append(("done", self.active))
            self.active = None

    def cancel(self) -> None:
        if self.active is not None and self.tells_cancelled:
            self.to_client.append(("cancelled", self.active))
            self.closing, self.active = self.active, None
        else:
            self.finish()

    def wind_up(self) -> None:
        if self.closing is not None:
            self.to_client.append(("done", self.closing))
            self.closing = None


STEPS = st.lists(
    st.sampled_from(["want", "begin", "finish", "cancel", "wind_up", "take", "tell", "take", "tell"]), max_size=60
)


@given(steps=STEPS, tells_cancelled=st.booleans())
def test_with_a_server_that_keeps_its_own_rules_every_wish_is_heard_without_waiting_for_a_deadline(
    steps: list[str], *, tells_cancelled: bool
) -> None:
    server = Server(tells_cancelled)
    response = Response()
    is_owed = False

    def perform(came: list[effects.Effect]) -> None:
        server.to_server.extend("create" for effect in came if effect == CREATE)

    def tell() -> None:
        if server.to_client:
            what, response_id = server.to_client.popleft()
            match what:
                case "created":
                    perform(response.created(response_id, 0.0))
                case "refused":
                    perform([*response.refused(0.0), *response.want(0.0)])
                case _:
                    perform(response.ended(response_id, 0.0))

    def take() -> None:
        nonlocal is_owed
        if server.to_server:
            n_before = server.n_asked_for
            server.take()
            is_owed = is_owed and server.n_asked_for == n_before

    for step in steps:
        match step:
            case "want":
                is_owed = True
                perform(response.want(0.0))
            case "begin":
                server.begin()
            case "finish":
                server.finish()
            case "cancel":
                server.cancel()
            case "wind_up":
                server.wind_up()
            case "take":
                take()
            case _:
                tell()
    # Then nothing new happens, and what is under way comes to its end.
    for _ in range(4 * len(steps) + 8):
        take()
        tell()
        server.wind_up()
        if not server.to_client and not server.to_server:
            server.finish()

    assert response.is_idle
    assert server.active is None
    assert not is_owed
