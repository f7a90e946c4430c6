from __future__ import annotations

import collections
import dataclasses
import math

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from backchannel.core.floor import (
    MAX_OFFERS,
    MILESTONE_GAP_S,
    STALE_HEARTBEAT_S,
    STALE_MILESTONE_S,
    STALE_RESULT_S,
    Floor,
    News,
    Reason,
    Speech,
)

NEVER = -math.inf
PROGRESS = (Reason.HEARTBEAT, Reason.MILESTONE)
LASTING = (Reason.FAILURE, Reason.RESULT, Reason.QUESTION)


def floor(speech: Speech = Speech.MILESTONES) -> Floor:
    return Floor(speech=speech, quiet_s=0.7)


def news(reason: Reason, about: str = "turn_1", text: str = "") -> News:
    return News(reason=reason, about=about, text=text)


HEARTBEAT = news(Reason.HEARTBEAT)
MILESTONE = news(Reason.MILESTONE)
FAILURE = news(Reason.FAILURE)
RESULT = news(Reason.RESULT)
QUESTION = news(Reason.QUESTION, "approval_1")
ASKED = news(Reason.ASKED)


def waiting_on(*offered: News, speech: Speech = Speech.MILESTONES, now: float = 0.0) -> Floor:
    machine = floor(speech)
    for one in offered:
        assert not machine.offer(one, now)
    return machine


# What is wanted.


@pytest.mark.parametrize("speech", list(Speech))
def test_what_the_user_asked_for_is_said_at_once(speech: Speech) -> None:
    machine = floor(speech)

    assert machine.offer(ASKED, 0.0)
    assert not machine.waiting


@pytest.mark.parametrize("reason", list(Reason))
def test_immediate_speech_says_everything_at_once(reason: Reason) -> None:
    machine = floor(Speech.IMMEDIATE)

    assert machine.offer(news(reason), 0.0)
    assert not machine.waiting


UNASKED = [reason for reason in Reason if reason is not Reason.ASKED]
WANTED = {
    Speech.SILENT: (),
    Speech.RESULTS: (Reason.QUESTION, Reason.RESULT, Reason.FAILURE),
    Speech.MILESTONES: UNASKED,
    Speech.CHATTY: UNASKED,
}


@pytest.mark.parametrize("speech", list(WANTED))
@pytest.mark.parametrize("reason", UNASKED)
def test_news_waits_where_it_is_wanted(speech: Speech, reason: Reason) -> None:
    machine = waiting_on(news(reason), speech=speech)

    assert machine.waiting is (reason in WANTED[speech])


def test_unwanted_news_does_not_take_the_place_of_what_waits() -> None:
    machine = waiting_on(RESULT, MILESTONE, speech=Speech.RESULTS)

    assert machine.take(0.0) == (RESULT,)


def test_what_is_unwanted_at_a_new_level_is_dropped() -> None:
    machine = waiting_on(MILESTONE, QUESTION)
    machine.set_speech(Speech.RESULTS)
    assert machine.speech is Speech.RESULTS
    machine.set_speech(Speech.CHATTY)

    assert machine.take(0.0) == (QUESTION,)


def test_what_is_still_wanted_at_a_new_level_is_kept() -> None:
    machine = waiting_on(FAILURE)
    machine.set_speech(Speech.RESULTS)
    assert machine.take(0.0) == (FAILURE,)

    machine.set_speech(Speech.MILESTONES)
    machine.set_speech(Speech.RESULTS)
    machine.cut_off(1.0)
    assert machine.take(2.0) == (FAILURE,)


def test_what_became_unwanted_while_it_was_said_is_not_offered_again() -> None:
    machine = waiting_on(RESULT)
    machine.take(0.0)
    machine.set_speech(Speech.SILENT)
    machine.cut_off(1.0)

    assert not machine.waiting


def test_reasons_are_ordered_by_how_pressing_they_are() -> None:
    assert sorted(Reason) == [*PROGRESS, *LASTING, Reason.ASKED]


# Once, in one go, the most pressing first.


def test_nothing_is_to_be_said_when_nothing_waits() -> None:
    assert floor().take(0.0) == ()


def test_all_that_waits_is_said_in_one_go_and_once() -> None:
    first, second = news(Reason.RESULT, "turn_1"), news(Reason.RESULT, "turn_2")
    machine = waiting_on(news(Reason.MILESTONE, "turn_3"), first, QUESTION, second, news(Reason.FAILURE, "turn_4"))

    taken = machine.take(1.0)
    assert taken == (QUESTION, first, second, news(Reason.FAILURE, "turn_4"), news(Reason.MILESTONE, "turn_3"))
    assert not machine.waiting
    assert machine.take(2.0) == ()


def test_newer_news_of_the_same_takes_the_place_of_the_earlier() -> None:
    newer = news(Reason.RESULT, "turn_1", "newer")
    other = news(Reason.RESULT, "turn_2")
    machine = waiting_on(RESULT, other, newer)

    assert machine.take(0.0) == (newer, other)


@pytest.mark.parametrize("reason", [Reason.RESULT, Reason.FAILURE])
def test_the_end_of_a_turn_makes_its_progress_void(reason: Reason) -> None:
    other = news(Reason.MILESTONE, "turn_2")
    machine = waiting_on(MILESTONE, other, news(reason))

    assert machine.take(0.0) == (news(reason), other)


def test_the_end_of_a_turn_makes_the_progress_void_that_may_yet_be_refused() -> None:
    machine = waiting_on(MILESTONE)
    machine.take(0.0)
    machine.offer(RESULT, 1.0)
    machine.refused(1.0)

    assert machine.take(1.0) == (RESULT,)


def test_a_question_leaves_the_progress_of_its_turn() -> None:
    question = news(Reason.QUESTION)

    assert waiting_on(MILESTONE, question).take(0.0) == (question, MILESTONE)


def test_what_is_said_at_once_takes_with_it_all_that_waits() -> None:
    machine = waiting_on(RESULT, MILESTONE)
    machine.said((ASKED,), 1.0)
    assert not machine.waiting

    machine.cut_off(2.0)
    assert machine.take(3.0) == (RESULT,)


def test_a_question_is_not_taken_for_asked_when_the_voice_speaks_of_something_else() -> None:
    machine = waiting_on(RESULT, QUESTION)
    machine.said((ASKED,), 1.0)
    assert set(machine.saying) == {ASKED, RESULT}
    assert machine.waiting

    assert machine.take(2.0) == (QUESTION,)


def test_a_question_that_is_put_at_once_waits_no_more() -> None:
    machine = waiting_on(QUESTION)
    machine.said((ASKED, QUESTION), 1.0)

    assert set(machine.saying) == {ASKED, QUESTION}
    assert not machine.waiting


def test_a_result_that_was_said_at_once_is_offered_again_when_it_was_cut_off() -> None:
    machine = floor(Speech.IMMEDIATE)
    machine.said((RESULT,), 1.0)
    machine.cut_off(2.0)

    assert machine.take(3.0) == (RESULT,)


# Not too late.


@pytest.mark.parametrize(
    ("one", "stale_s"),
    [
        (HEARTBEAT, STALE_HEARTBEAT_S),
        (MILESTONE, STALE_MILESTONE_S),
        (FAILURE, STALE_RESULT_S),
        (RESULT, STALE_RESULT_S),
    ],
)
def test_old_news_is_no_news(one: News, stale_s: float) -> None:
    assert waiting_on(one, now=10.0).take(10.0 + stale_s) == (one,)

    machine = waiting_on(one, now=10.0)
    assert machine.take(10.1 + stale_s) == ()
    assert not machine.waiting


def test_a_question_never_grows_old() -> None:
    assert waiting_on(QUESTION).take(1e9) == (QUESTION,)


def test_old_news_makes_room_for_new() -> None:
    machine = waiting_on(MILESTONE, now=10.0)
    machine.offer(news(Reason.HEARTBEAT, "turn_2"), 40.0)

    assert machine.take(40.0) == (news(Reason.HEARTBEAT, "turn_2"),)


def test_newer_news_is_as_old_as_itself() -> None:
    machine = waiting_on(MILESTONE, now=10.0)
    machine.offer(MILESTONE, 25.0)

    assert machine.take(40.0) == (MILESTONE,)


def test_a_heartbeat_is_said_only_when_there_is_nothing_else_to_say() -> None:
    other = news(Reason.MILESTONE, "turn_2")
    assert waiting_on(HEARTBEAT).take(0.0) == (HEARTBEAT,)
    assert waiting_on(HEARTBEAT, other).take(0.0) == (other,)
    assert waiting_on(other, HEARTBEAT).take(0.0) == (other,)


def test_of_two_heartbeats_the_newer_is_said() -> None:
    newer = news(Reason.HEARTBEAT, "turn_2")

    assert waiting_on(HEARTBEAT, newer).take(0.0) == (newer,)


def test_what_is_no_longer_true_is_forgotten() -> None:
    other = news(Reason.QUESTION, "approval_2")
    machine = waiting_on(QUESTION, other)
    machine.forget("approval_1")
    machine.forget("approval_9")

    assert machine.take(0.0) == (other,)


def test_what_is_no_longer_true_can_be_told_by_the_reason() -> None:
    question = news(Reason.QUESTION)
    machine = waiting_on(MILESTONE, question)
    machine.forget("turn_1", Reason.MILESTONE, Reason.RESULT)

    assert machine.take(0.0) == (question,)


def test_what_is_no_longer_true_is_not_offered_again() -> None:
    machine = waiting_on(QUESTION)
    machine.take(0.0)
    machine.forget("approval_1")
    machine.cut_off(1.0)

    assert not machine.waiting


# Not lost.


@pytest.mark.parametrize("one", [FAILURE, RESULT, QUESTION])
def test_what_matters_is_offered_again_when_it_was_cut_off_but_not_for_ever(one: News) -> None:
    machine = waiting_on(one)
    for now in range(MAX_OFFERS):
        assert machine.take(now) == (one,)
        machine.cut_off(now)

    assert not machine.waiting


@pytest.mark.parametrize("one", [HEARTBEAT, MILESTONE])
def test_progress_that_was_cut_off_is_forgotten(one: News) -> None:
    machine = waiting_on(one)
    machine.take(0.0)
    machine.cut_off(1.0)

    assert not machine.waiting


def test_what_was_heard_is_not_offered_again() -> None:
    machine = waiting_on(RESULT)
    machine.take(0.0)
    machine.heard()
    machine.cut_off(1.0)

    assert not machine.waiting


def test_what_grew_old_while_it_was_said_is_not_offered_again() -> None:
    machine = waiting_on(RESULT)
    machine.take(STALE_RESULT_S)
    machine.cut_off(STALE_RESULT_S + 1.0)

    assert not machine.waiting


def test_what_was_cut_off_waits_before_what_came_later() -> None:
    later = news(Reason.RESULT, "turn_2")
    machine = waiting_on(RESULT)
    machine.take(0.0)
    machine.offer(later, 1.0)
    machine.cut_off(2.0)

    assert machine.take(3.0) == (RESULT, later)


def test_what_was_cut_off_has_to_be_told_again_and_what_waited_has_not() -> None:
    later = news(Reason.RESULT, "turn_2")
    machine = waiting_on(RESULT)
    machine.take(0.0)
    told = [(machine.is_saying, machine.untold())]
    machine.offer(later, 1.0)
    machine.cut_off(2.0)
    told.append((machine.is_saying, machine.untold()))
    machine.take(3.0)
    told.append((machine.is_saying, machine.untold()))

    assert told == [(True, ()), (False, ()), (True, (RESULT,))]


def test_it_is_quiet_a_moment_after_both_have_ended() -> None:
    machine = floor()
    machine.user_started()
    assert machine.quiet_at(5.0) is None
    machine.user_stopped(3.0)

    assert (machine.quiet_at(0.0), machine.quiet_at(5.0)) == (3.7, 5.7)


def test_what_was_cut_off_gives_way_to_newer_news_of_the_same() -> None:
    newer = news(Reason.RESULT, "turn_1", "newer")
    machine = waiting_on(RESULT)
    machine.take(0.0)
    machine.offer(newer, 1.0)
    machine.cut_off(2.0)

    assert machine.take(3.0) == (newer,)


def test_the_same_words_told_again_are_not_said_more_often() -> None:
    machine = floor()
    for now in range(MAX_OFFERS):
        machine.offer(QUESTION, now)
        assert machine.take(now) == (QUESTION,)
        machine.cut_off(now)

    assert not machine.waiting


def test_the_same_words_told_while_they_are_said_are_not_said_more_often() -> None:
    machine = waiting_on(QUESTION)
    machine.take(0.0)
    machine.offer(QUESTION, 0.0)
    for now in range(1, MAX_OFFERS):
        machine.cut_off(now)
        assert machine.take(now) == (QUESTION,)
    machine.cut_off(9.0)

    assert not machine.waiting


def test_other_words_of_the_same_are_offered_as_often_as_any() -> None:
    machine = floor()
    for now in range(2 * MAX_OFFERS):
        machine.offer(news(Reason.QUESTION, "approval_1", str(now)), now)
        assert len(machine.take(now)) == 1
        machine.cut_off(now)

    assert machine.waiting


@pytest.mark.parametrize("one", [HEARTBEAT, MILESTONE, FAILURE, RESULT, QUESTION, ASKED])
def test_what_was_refused_waits_again_and_was_not_offered(one: News) -> None:
    machine = floor()
    machine.said((one,), 0.0)
    for now in range(MAX_OFFERS + 1):
        machine.refused(now)
        assert machine.waiting
        assert machine.take(now) == (one,)


def test_a_refusal_after_nothing_was_asked_for_changes_nothing() -> None:
    machine = waiting_on(RESULT)
    machine.refused(0.0)

    assert machine.take(0.0) == (RESULT,)


def test_a_refusal_concerns_the_last_request_only() -> None:
    second = news(Reason.RESULT, "turn_2")
    machine = waiting_on(RESULT)
    machine.take(0.0)
    machine.said((second,), 1.0)
    machine.refused(2.0)
    machine.refused(2.0)
    assert machine.take(3.0) == (second,)

    machine.cut_off(4.0)
    assert machine.take(5.0) == (RESULT, second)


def test_a_refusal_leaves_what_an_earlier_grant_was_for() -> None:
    second = news(Reason.RESULT, "turn_2")
    machine = waiting_on(RESULT)
    machine.take(0.0)
    machine.offer(second, 1.0)
    machine.take(1.0)
    machine.refused(2.0)

    assert machine.take(3.0) == (second,)


def test_what_was_refused_is_not_being_said() -> None:
    machine = waiting_on(RESULT)
    machine.take(0.0)
    machine.refused(1.0)
    machine.cut_off(2.0)
    for now in range(MAX_OFFERS):
        assert machine.take(now) == (RESULT,)
        machine.cut_off(now)

    assert not machine.waiting


def test_a_refusal_of_a_request_without_news_concerns_nothing() -> None:
    machine = waiting_on(RESULT)
    machine.take(0.0)
    machine.said((), 1.0)
    machine.refused(2.0)

    assert not machine.waiting


def test_of_an_earlier_request_only_what_matters_is_remembered() -> None:
    machine = waiting_on(news(Reason.MILESTONE, "turn_1"), news(Reason.RESULT, "turn_2"))
    machine.take(0.0)
    machine.said((ASKED,), STALE_RESULT_S + 1.0)
    machine.cut_off(STALE_RESULT_S + 2.0)

    assert not machine.waiting


def test_little_is_remembered_when_nobody_tells_what_was_heard() -> None:
    machine = floor()
    for n in range(100):
        machine.said((news(Reason.ASKED, str(n)), news(Reason.RESULT, str(n))), n * 100.0)

    # The results of ten minutes and the last answer.
    assert len(machine._saying) == 8


# When it may be said.


def test_the_times_are_those_that_the_design_names() -> None:
    assert (MILESTONE_GAP_S, STALE_HEARTBEAT_S, STALE_MILESTONE_S, STALE_RESULT_S) == (15.0, 5.0, 20.0, 600.0)
    assert MAX_OFFERS == 3


def test_at_first_nobody_speaks() -> None:
    machine = floor()

    assert not machine.user_speaking
    assert not machine.waiting
    assert machine.free_at(NEVER) == pytest.approx(0.7)


def test_the_floor_is_not_free_while_the_user_speaks() -> None:
    machine = floor()
    machine.user_started()

    assert machine.user_speaking
    assert machine.free_at(NEVER) is None


def test_the_floor_is_free_a_moment_after_the_user_fell_silent() -> None:
    machine = floor()
    machine.user_started()
    machine.user_stopped(10.0)

    assert not machine.user_speaking
    assert machine.free_at(NEVER) == pytest.approx(10.7)


def test_the_floor_is_free_a_moment_after_the_voice_was_heard_to_the_end() -> None:
    machine = floor()
    machine.user_stopped(10.0)

    assert machine.free_at(12.0) == pytest.approx(12.7)
    assert machine.free_at(9.0) == pytest.approx(10.7)


def test_the_floor_is_free_a_moment_after_the_voice_had_said_all() -> None:
    machine = floor()
    machine.user_stopped(10.0)
    machine.voice_stopped(11.0)
    assert machine.free_at(NEVER) == pytest.approx(11.7)

    machine.voice_stopped(10.5)
    assert machine.free_at(NEVER) == pytest.approx(11.7)


def test_words_tell_that_the_user_fell_silent_where_the_server_does_not() -> None:
    machine = floor()
    machine.user_started()
    machine.user_transcribed(5.0)

    assert not machine.user_speaking
    assert machine.free_at(NEVER) == pytest.approx(5.7)


def test_late_words_do_not_silence_a_user_who_speaks_again() -> None:
    machine = floor()
    machine.user_started()
    machine.user_stopped(5.0)
    machine.user_started()
    machine.user_transcribed(5.4)

    assert machine.user_speaking
    assert machine.free_at(NEVER) is None


def test_who_is_muted_while_speaking_does_not_speak_any_more() -> None:
    machine = floor()
    machine.user_started()
    machine.muted(is_muted=True, now=5.0)

    assert not machine.user_speaking
    assert machine.free_at(NEVER) == pytest.approx(5.7)


def test_the_switch_of_a_silent_microphone_is_no_speech() -> None:
    machine = floor()
    machine.user_stopped(1.0)
    machine.muted(is_muted=True, now=5.0)
    machine.muted(is_muted=False, now=6.0)

    assert machine.free_at(NEVER) == pytest.approx(1.7)


def test_speech_from_before_the_mute_that_is_told_late_does_not_block_the_floor() -> None:
    machine = floor()
    machine.muted(is_muted=True, now=5.0)
    machine.user_started()
    assert not machine.user_speaking

    machine.muted(is_muted=False, now=6.0)
    assert not machine.user_speaking
    machine.user_started()
    assert machine.user_speaking


def test_a_microphone_switched_on_does_not_silence_who_speaks() -> None:
    machine = floor()
    machine.user_started()
    machine.muted(is_muted=False, now=5.0)

    assert machine.user_speaking


def test_when_the_transport_is_lost_nobody_speaks() -> None:
    machine = floor()
    machine.user_started()
    machine.transport_lost(5.0)

    assert not machine.user_speaking
    assert machine.free_at(NEVER) == pytest.approx(5.7)


def test_the_next_server_need_not_tell_when_the_user_stops() -> None:
    machine = floor()
    machine.user_stopped(5.0)
    machine.transport_lost(6.0)
    machine.user_started()
    machine.user_transcribed(8.0)

    assert not machine.user_speaking


def test_what_an_expired_session_told_of_the_user_means_nothing_in_the_next() -> None:
    machine = floor()
    machine.transport_lost(5.0)
    machine.user_stopped(6.0)
    machine.user_started()
    machine.transport_restored()

    assert not machine.user_speaking
    machine.user_started()
    machine.user_transcribed(8.0)
    assert not machine.user_speaking


@pytest.mark.parametrize("speech", [Speech.MILESTONES, Speech.IMMEDIATE])
def test_without_a_way_even_what_was_asked_for_waits(speech: Speech) -> None:
    machine = floor(speech)
    asked = News(reason=Reason.ASKED, about="call_1")

    assert not machine.offer(asked, 1.0, has_way=False)
    assert machine.take(1.0) == (asked,)


def test_what_was_being_said_when_the_transport_was_lost_is_offered_again() -> None:
    machine = waiting_on(RESULT)
    for now in range(MAX_OFFERS):
        assert machine.take(now) == (RESULT,)
        machine.transport_lost(now)

    assert not machine.waiting


def test_after_progress_was_spoken_more_of_it_waits_for_a_while() -> None:
    machine = waiting_on(MILESTONE)
    assert machine.free_at(NEVER) == pytest.approx(0.7)
    machine.take(10.0)
    machine.offer(MILESTONE, 11.0)
    assert machine.free_at(NEVER) == 10.0 + MILESTONE_GAP_S
    assert machine.free_at(30.0) == pytest.approx(30.7)

    machine.offer(QUESTION, 12.0)
    assert machine.free_at(11.0) == pytest.approx(11.7)


def test_progress_that_was_said_with_something_else_counts_as_spoken() -> None:
    machine = waiting_on(MILESTONE, QUESTION)
    machine.take(10.0)
    machine.offer(HEARTBEAT, 11.0)

    assert machine.free_at(NEVER) == 10.0 + MILESTONE_GAP_S


def test_progress_that_was_refused_was_not_spoken() -> None:
    machine = waiting_on(MILESTONE)
    machine.take(0.0)
    machine.offer(MILESTONE, 16.0)
    machine.take(20.0)
    machine.refused(20.0)

    assert machine.free_at(NEVER) == MILESTONE_GAP_S


def test_a_refused_result_leaves_the_progress_that_was_spoken() -> None:
    machine = waiting_on(MILESTONE)
    machine.take(10.0)
    machine.offer(RESULT, 11.0)
    machine.take(12.0)
    machine.refused(12.0)
    machine.forget("turn_1")
    machine.offer(MILESTONE, 13.0)

    assert machine.free_at(NEVER) == 10.0 + MILESTONE_GAP_S


def test_chatty_speech_says_progress_whenever_the_floor_is_free() -> None:
    machine = waiting_on(MILESTONE, speech=Speech.CHATTY)
    machine.take(10.0)
    machine.offer(MILESTONE, 11.0)

    assert machine.free_at(NEVER) == pytest.approx(0.7)


def test_what_the_user_asked_for_and_was_refused_does_not_wait_for_quiet() -> None:
    machine = floor()
    machine.user_stopped(5.0)
    machine.said((ASKED,), 5.0)
    machine.refused(5.1)
    assert machine.free_at(9.0) == 5.0

    machine.user_started()
    assert machine.free_at(9.0) is None


def test_immediate_speech_does_not_wait_for_quiet() -> None:
    machine = floor(Speech.IMMEDIATE)
    machine.user_stopped(5.0)
    machine.said((RESULT,), 5.0)
    machine.refused(5.1)

    assert machine.free_at(9.0) == 5.0


# Progress and signs of life.


def test_progress_is_passed_on_in_pieces_of_a_bearable_size() -> None:
    machine = floor()
    assert machine.report("one", 5.0) == "one"
    assert machine.report("two", 5.1) is None
    assert machine.report("three", 5.2) is None
    assert machine.held_until == 6.0
    assert machine.release(5.5) is None
    assert machine.release(6.0) == "two\n\nthree"
    assert machine.report("four", 6.5) is None
    assert machine.flush() == "four"
    assert machine.held_until is None


def test_immediate_speech_holds_no_progress() -> None:
    machine = floor(Speech.IMMEDIATE)
    assert [machine.report(text, 5.0) for text in ("one", "two")] == ["one", "two"]

    machine.set_speech(Speech.CHATTY)
    assert machine.report("three", 5.0) is None


@pytest.mark.parametrize(("speech", "first", "second"), [(Speech.MILESTONES, 20.0, 60.0), (Speech.CHATTY, 10.0, 30.0)])
def test_a_silence_is_broken_where_progress_is_wanted(speech: Speech, first: float, second: float) -> None:
    machine = floor(speech)
    machine.work_started("turn_1", 0.0)
    assert machine.heartbeat_at == first

    assert machine.heartbeat(first - 0.1) is None
    assert machine.heartbeat(first) == "turn_1"
    assert machine.heartbeat(second - 0.1) is None
    assert machine.heartbeat(second) == "turn_1"


@pytest.mark.parametrize("speech", [Speech.SILENT, Speech.RESULTS, Speech.IMMEDIATE])
def test_a_silence_is_left_where_heartbeats_are_not_wanted(speech: Speech) -> None:
    machine = floor(speech)
    machine.work_started("turn_1", 0.0)

    assert machine.heartbeat(1e9) is None
    assert machine.heartbeat_at is None


def test_news_begins_the_silence_anew() -> None:
    machine = floor()
    machine.work_started("turn_1", 0.0)
    machine.heartbeat(20.0)
    machine.news_came(30.0)

    assert machine.heartbeat_at == 50.0


def test_a_turn_that_is_over_does_not_work_still() -> None:
    machine = waiting_on(HEARTBEAT)
    machine.work_started("turn_1", 0.0)
    machine.work_ended("turn_1")

    assert machine.heartbeat_at is None
    assert not machine.waiting


# Any order.


@dataclasses.dataclass
class Owed:
    """News that has to be said, as the test sees it."""

    news: News
    since: float
    request: int = 0


ABOUT = st.sampled_from(["a", "b"])
FRESH_S = {
    Reason.HEARTBEAT: STALE_HEARTBEAT_S,
    Reason.MILESTONE: STALE_MILESTONE_S,
    Reason.FAILURE: STALE_RESULT_S,
    Reason.RESULT: STALE_RESULT_S,
    Reason.QUESTION: math.inf,
}


class AnyOrder(RuleBasedStateMachine):
    """Each news has words of its own, so that what is said tells what was meant."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.playback_ends_at = 0.0
        self.quiet_since = 0.0
        self.floor = floor()
        self.n_offered = 0
        self.n_requests = 0
        self.since: dict[News, float] = {}
        self.owed: dict[tuple[Reason, str], Owed] = {}
        self.saying: dict[tuple[Reason, str], Owed] = {}
        self.n_said: collections.Counter[News] = collections.Counter()
        self.last_request: tuple[News, ...] = ()
        self.void: set[News] = set()
        """What must not be said any more."""

    def wants(self, reason: Reason) -> bool:
        return self.floor.speech is Speech.IMMEDIATE or reason in WANTED[self.floor.speech]

    def is_fresh(self, one: News) -> bool:
        return self.now - self.since[one] <= FRESH_S[one.reason]

    def begin_request(self, said: tuple[News, ...]) -> None:
        self.n_requests += 1
        self.last_request = said
        self.n_said.update(said)
        for one in said:
            if one.reason in LASTING:
                owed = Owed(one, self.since[one], self.n_requests)
                self.saying[one.reason, one.about] = owed
        self.owed.clear()

    def owe_again(self, items: list[Owed]) -> None:
        for item in items:
            key = item.news.reason, item.news.about
            if self.is_fresh(item.news):
                self.owed.setdefault(key, item)

    def make_void(self, about: str, reasons: tuple[Reason, ...]) -> None:
        self.void.update(one for one in self.since if one.about == about and one.reason in reasons)
        for reason in reasons:
            self.owed.pop((reason, about), None)
            self.saying.pop((reason, about), None)

    @rule(elapsed_s=st.sampled_from([0.1, 1.0, 6.0, 25.0]))
    def wait(self, elapsed_s: float) -> None:
        self.now += elapsed_s

    @rule(reason=st.sampled_from(UNASKED), about=ABOUT)
    def offer(self, reason: Reason, about: str) -> None:
        self.n_offered += 1
        one = news(reason, about, str(self.n_offered))
        if reason in (Reason.RESULT, Reason.FAILURE) and self.wants(reason):
            self.make_void(about, PROGRESS)
        if self.wants(reason):
            self.void.update(earlier for earlier in self.since if (earlier.reason, earlier.about) == (reason, about))
        self.since[one] = self.now
        if self.floor.offer(one, self.now):
            assert self.floor.speech is Speech.IMMEDIATE
            self.say_at_once(one)
        elif not self.wants(reason):
            self.void.add(one)
        elif reason in LASTING:
            self.owed[reason, about] = Owed(one, self.now)

    @rule()
    def ask(self) -> None:
        one = news(Reason.ASKED, "a", "asked")
        assert self.floor.offer(one, self.now)
        self.say_at_once()

    def say_at_once(self, *besides: News) -> None:
        fresh = {key: item.news for key, item in self.owed.items() if self.is_fresh(item.news)}
        asked = {(one.reason, one.about): one for one in besides}
        fresh.update(asked)
        questions = {key: item for key, item in self.owed.items() if key[0] is Reason.QUESTION and key not in asked}
        self.floor.said(besides or (news(Reason.ASKED, "a", "asked"),), self.now)
        self.begin_request(tuple(one for key, one in fresh.items() if key not in questions))
        self.owed.update(questions)
        assert self.floor.waiting is bool(questions)

    @precondition(lambda self: not self.floor.user_speaking)
    @rule(plays_s=st.sampled_from([0.0, 3.0]))
    def let_it_be_said(self, plays_s: float) -> None:
        free_at = self.floor.free_at(self.playback_ends_at)
        assert free_at is not None
        self.now = max(self.now, free_at)
        must = {item.news for item in self.owed.values() if self.is_fresh(item.news)}
        taken = self.floor.take(self.now)
        unasked = tuple(one for one in taken if one.reason is not Reason.ASKED)
        assert {one for one in unasked if one.reason in LASTING} == must
        assert all(self.is_fresh(one) and self.wants(one.reason) for one in unasked)
        assert not self.void.intersection(unasked)
        assert [one.reason for one in taken] == sorted((one.reason for one in taken), reverse=True)
        assert len({(one.reason, one.about) for one in taken}) == len(taken)
        assert len(taken) == 1 or all(one.reason is not Reason.HEARTBEAT for one in taken)
        assert not self.floor.waiting
        assert self.floor.take(self.now) == ()
        if taken:
            self.begin_request(unasked)
            self.playback_ends_at = self.now + plays_s

    @rule()
    def hear(self) -> None:
        self.floor.heard()
        self.saying.clear()
        self.last_request = ()

    @rule()
    def refuse(self) -> None:
        self.floor.refused(self.now)
        self.n_said.subtract(self.last_request)
        self.last_request = ()
        again = [item for item in self.saying.values() if item.request == self.n_requests]
        self.saying = {key: item for key, item in self.saying.items() if item.request != self.n_requests}
        self.owe_again(again)
        self.n_requests += 1

    @rule()
    def speak_over_it(self) -> None:
        self.floor.user_started()
        self.floor.cut_off(self.now)
        self.cut()

    @rule()
    def lose_the_transport(self) -> None:
        self.floor.transport_lost(self.now)
        self.quiet_since = self.now
        assert not self.floor.user_speaking
        self.cut()

    def cut(self) -> None:
        self.owe_again([item for item in self.saying.values() if self.n_said[item.news] < MAX_OFFERS])
        self.saying.clear()
        self.last_request = ()

    @rule()
    def fall_silent(self) -> None:
        self.floor.user_stopped(self.now)
        self.quiet_since = self.now

    @rule(is_muted=st.booleans())
    def mute(self, *, is_muted: bool) -> None:
        was_speaking = self.floor.user_speaking
        self.floor.muted(is_muted, self.now)
        if is_muted:
            assert not self.floor.user_speaking
            self.quiet_since = self.now if was_speaking else self.quiet_since
        else:
            assert self.floor.user_speaking is was_speaking

    @rule(about=ABOUT, reasons=st.sampled_from([tuple(Reason), PROGRESS, (Reason.QUESTION,)]))
    def forget(self, about: str, reasons: tuple[Reason, ...]) -> None:
        self.floor.forget(about, *(() if reasons == tuple(Reason) else reasons))
        self.make_void(about, reasons)
        if Reason.ASKED in reasons:
            self.last_request = tuple(one for one in self.last_request if one.about != about)

    @rule(level=st.sampled_from(Speech))
    def set_level(self, level: Speech) -> None:
        self.floor.set_speech(level)
        self.owed = {key: item for key, item in self.owed.items() if self.wants(key[0])}
        self.saying = {key: item for key, item in self.saying.items() if self.wants(key[0])}

    @invariant()
    def nothing_is_said_too_often(self) -> None:
        assert all(n <= (1 if one.reason in PROGRESS else MAX_OFFERS) for one, n in self.n_said.items())

    @invariant()
    def what_is_owed_waits(self) -> None:
        assert self.floor.waiting or not self.owed

    @invariant()
    def the_floor_is_free_when_it_is_quiet(self) -> None:
        free_at = self.floor.free_at(self.playback_ends_at)
        if self.floor.user_speaking:
            assert free_at is None
            return
        assert free_at is not None
        assert free_at >= self.quiet_since
        assert free_at <= max(self.now, self.playback_ends_at) + max(0.7, MILESTONE_GAP_S)
        if self.owed and self.floor.speech is not Speech.IMMEDIATE:
            quiet_at = max(self.quiet_since, self.playback_ends_at) + 0.7
            # What the user asked for and was refused goes first.
            assert free_at in (quiet_at, self.quiet_since)


TestAnyOrder = AnyOrder.TestCase
