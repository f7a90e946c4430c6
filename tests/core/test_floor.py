from __future__ import annotations

import math

import pytest

from backchannel.core.floor import Floor, Reason, Speech

NEVER = -math.inf


def floor(speech: Speech = Speech.MILESTONES) -> Floor:
    return Floor(speech=speech, quiet_s=0.7)


@pytest.mark.parametrize("speech", list(Speech))
def test_what_the_user_asked_for_is_said_at_once(speech: Speech) -> None:
    machine = floor(speech)

    assert machine.offer(Reason.ASKED)
    assert not machine.waiting


@pytest.mark.parametrize("reason", list(Reason))
def test_immediate_speech_says_everything_at_once(reason: Reason) -> None:
    machine = floor(Speech.IMMEDIATE)

    assert machine.offer(reason)
    assert not machine.waiting


@pytest.mark.parametrize(
    ("speech", "reason", "waits"),
    [
        (Speech.SILENT, Reason.MILESTONE, False),
        (Speech.SILENT, Reason.RESULT, False),
        (Speech.RESULTS, Reason.MILESTONE, False),
        (Speech.RESULTS, Reason.RESULT, True),
        (Speech.MILESTONES, Reason.MILESTONE, True),
        (Speech.MILESTONES, Reason.RESULT, True),
    ],
)
def test_news_waits_where_it_is_wanted(speech: Speech, reason: Reason, *, waits: bool) -> None:
    machine = floor(speech)

    assert not machine.offer(reason)
    assert machine.waiting is waits


def test_unwanted_news_does_not_take_the_place_of_what_waits() -> None:
    machine = floor(Speech.RESULTS)
    machine.offer(Reason.RESULT)
    machine.offer(Reason.MILESTONE)

    assert machine.waiting


def test_news_is_said_once() -> None:
    machine = floor()
    machine.offer(Reason.RESULT)
    machine.offer(Reason.MILESTONE)
    assert machine.reason is Reason.RESULT
    machine.spoken()

    assert not machine.waiting
    assert machine.reason is None


def test_reasons_are_ordered_by_how_pressing_they_are() -> None:
    assert Reason.ASKED > Reason.RESULT > Reason.MILESTONE


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
