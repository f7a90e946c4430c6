from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backchannel.core.unnamed import MAX_WAITING, TIMER, Unnamed
from backchannel.wire.realtime import events as server


def delegation(name: str, offset_ms: int | None = None) -> server.HandoffRequested:
    return server.HandoffRequested(handoff_id=name, item_id=name, text="", offset_ms=offset_ms)


A = delegation("a", 1000)
B = delegation("b", 500)
UNTIMED = delegation("untimed")


def test_nothing_is_due_where_nothing_waits() -> None:
    unnamed = Unnamed()

    assert unnamed.due(1000, 5.0) == ()
    assert unnamed.deadline is None


def test_a_delegation_is_due_when_the_transcript_has_reached_its_time() -> None:
    unnamed = Unnamed()
    unnamed.wait(A, 10.0)

    assert unnamed.due(None, 10.0) == ()
    assert unnamed.due(999, 10.0) == ()
    assert unnamed.due(1000, 10.0) == (A,)
    assert unnamed.due(1000, 10.0) == ()


def test_a_delegation_whose_words_are_there_already_waits_not_at_all() -> None:
    unnamed = Unnamed()
    unnamed.wait(delegation("at once", 0), 10.0)

    assert len(unnamed.due(0, 10.0)) == 1


def test_a_delegation_waits_two_seconds_for_its_words() -> None:
    unnamed = Unnamed()
    unnamed.wait(A, 10.0)

    assert unnamed.deadline == 12.0
    assert unnamed.due(None, 11.99) == ()
    assert unnamed.due(None, 12.0) == (A,)
    assert unnamed.deadline is None


def test_a_delegation_without_a_time_waits_a_moment_whatever_is_heard() -> None:
    unnamed = Unnamed()
    unnamed.wait(UNTIMED, 10.0)

    assert unnamed.deadline == 10.3
    assert unnamed.due(100_000, 10.29) == ()
    assert unnamed.due(None, 10.3) == (UNTIMED,)


def test_none_is_due_before_one_that_came_earlier() -> None:
    unnamed = Unnamed()
    unnamed.wait(A, 10.0)
    unnamed.wait(B, 10.5)
    unnamed.wait(UNTIMED, 10.6)

    assert unnamed.due(500, 11.0) == ()
    assert unnamed.deadline == 12.0
    assert unnamed.due(1000, 11.0) == (A, B, UNTIMED)


def test_one_that_is_due_does_not_take_the_next_with_it() -> None:
    unnamed = Unnamed()
    unnamed.wait(B, 10.0)
    unnamed.wait(A, 11.0)

    assert unnamed.due(500, 11.0) == (B,)
    assert unnamed.deadline == 13.0
    assert unnamed.due(500, 13.0) == (A,)


def test_of_too_many_the_oldest_waits_no_more() -> None:
    unnamed = Unnamed()
    waiting = [delegation(str(number), 1000) for number in range(66)]
    for event in waiting[:64]:
        unnamed.wait(event, 10.0)
    assert unnamed.due(None, 11.0) == ()

    unnamed.wait(waiting[64], 11.0)
    unnamed.wait(waiting[65], 11.0)
    assert unnamed.deadline == 11.0
    assert unnamed.due(None, 11.0) == tuple(waiting[:2])
    assert unnamed.deadline == 12.0


def test_a_lost_session_waits_for_nothing_and_tells_how_many_it_forgot() -> None:
    unnamed = Unnamed()
    unnamed.wait(A, 10.0)
    unnamed.wait(B, 10.0)

    assert unnamed.session_lost() == (A, B)
    assert unnamed.session_lost() == ()
    assert unnamed.due(1000, 20.0) == ()
    assert unnamed.deadline is None


def test_as_many_as_may_wait_all_wait() -> None:
    unnamed = Unnamed()
    for number in range(MAX_WAITING - 1):
        unnamed.wait(delegation(str(number), 1000), 10.0)
    unnamed.wait(delegation("the last", 9000), 10.0)

    assert len(unnamed.due(1000, 11.0)) == MAX_WAITING - 1


def test_its_timer_has_a_name() -> None:
    assert TIMER == "words"


@given(
    st.lists(
        st.tuples(st.sampled_from(["wait", "due"]), st.one_of(st.none(), st.integers(0, 50)), st.floats(0, 1)),
        max_size=200,
    )
)
def test_each_is_let_go_once_in_order_and_never_later_than_two_seconds(
    steps: list[tuple[str, int | None, float]],
) -> None:
    unnamed = Unnamed()
    now = 0.0
    since: dict[str, float] = {}
    let_go: list[str] = []
    for number, (what, ms, elapsed) in enumerate(steps):
        now += elapsed
        if what == "wait":
            unnamed.wait(delegation(str(number), ms), now)
            since[str(number)] = now
        else:
            let_go += [event.handoff_id for event in unnamed.due(ms, now)]
            waiting = [name for name in since if name not in let_go]
            assert len(waiting) <= 64
            assert all(now < since[name] + 2.0 for name in waiting)
            assert unnamed.deadline is None or unnamed.deadline > now
    let_go += [event.handoff_id for event in unnamed.due(None, now + 2.0)]

    assert let_go == list(since)
    assert unnamed.deadline is None
