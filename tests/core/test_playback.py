from __future__ import annotations

import math

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from backchannel.core import effects, screen
from backchannel.core.playback import Playback
from backchannel.wire.realtime import intents

STOP = effects.StopPlayback()


def play(item_id: str | None) -> effects.Effect:
    return effects.PlayAudio(item_id=item_id)


def truncate(item_id: str, heard_ms: int) -> effects.Effect:
    return effects.Send(intent=intents.Truncate(item_id=item_id, audio_end_ms=heard_ms))


def cut_off(item_id: str | None, heard_ms: int) -> effects.Effect:
    return effects.Show(event=screen.PlaybackCut(item_id=item_id, heard_ms=heard_ms))


def test_audio_is_played_as_it_comes() -> None:
    playback = Playback()

    assert playback.received("a", 200, 1.0) == [play("a")]
    assert playback.received("a", 200, 1.0) == [play("a")]
    assert playback.received(None, 0, 1.0) == [play(None)]


def test_at_first_nothing_has_been_heard_for_ever() -> None:
    playback = Playback()

    assert playback.ends_at == -math.inf
    assert playback.cut(0.0) == []


def test_it_ends_when_all_that_came_has_been_heard() -> None:
    playback = Playback()
    playback.received("a", 500, 1.0)
    playback.received("a", 500, 1.1)

    assert playback.ends_at == pytest.approx(2.0)


def test_an_item_is_heard_after_the_one_before_it() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.received("b", 500, 1.1)

    assert playback.ends_at == pytest.approx(2.5)


def test_an_item_that_comes_after_silence_is_heard_from_then_on() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.received("b", 500, 5.0)

    assert playback.ends_at == pytest.approx(5.5)


def test_audio_that_comes_too_late_to_go_on_without_a_gap_is_heard_from_then_on() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.received("a", 1000, 6.0)

    assert playback.ends_at == pytest.approx(7.0)
    assert playback.cut(6.5) == [STOP, truncate("a", 1500), cut_off("a", 1500)]


def test_speaking_over_the_voice_cuts_it_to_what_was_heard() -> None:
    playback = Playback()
    playback.received("a", 2000, 1.0)

    assert playback.cut(1.25) == [STOP, truncate("a", 250), cut_off("a", 250)]
    assert playback.ends_at == 1.25


def test_what_was_heard_is_never_more_than_what_came() -> None:
    playback = Playback()
    playback.received("a", 125, 1.0)
    playback.received("b", 2000, 1.0)

    assert playback.cut(1.25) == [STOP, truncate("b", 125), cut_off("b", 125)]


def test_nothing_is_cut_when_all_has_been_heard() -> None:
    playback = Playback()
    playback.received("a", 500, 1.0)

    assert playback.cut(1.5) == []
    assert playback.cut(9.0) == []
    assert playback.ends_at == pytest.approx(1.5)


def test_an_item_of_which_nothing_was_heard_is_not_truncated_but_never_played() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.received("b", 1000, 1.0)

    assert playback.cut(1.5) == [STOP, truncate("a", 500), cut_off("a", 500), cut_off("b", 0)]
    assert playback.received("b", 1000, 1.6) == []


def test_speech_at_the_very_moment_of_the_first_audio_does_not_truncate_at_0() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)

    assert playback.cut(1.0) == [STOP, cut_off("a", 0)]


def test_an_item_that_was_cut_off_is_not_played_any_more() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.cut(1.5)

    assert playback.received("a", 1000, 1.6) == []
    assert playback.cut(1.7) == []
    assert playback.received("b", 1000, 1.8) == [play("b")]


def test_audio_without_an_item_is_cut_and_not_truncated() -> None:
    playback = Playback()
    playback.received(None, 1000, 1.0)

    assert playback.cut(1.5) == [STOP, cut_off(None, 500)]
    assert playback.received(None, 1000, 1.6) == [play(None)]


def test_a_player_knows_better_than_the_clock() -> None:
    playback = Playback()
    playback.received("a", 2000, 1.0)
    playback.played("a", 300, 2.0)

    assert playback.ends_at == pytest.approx(3.7)
    assert playback.cut(2.2) == [STOP, truncate("a", 300), cut_off("a", 300)]


def test_what_a_player_told_counts_if_it_was_more() -> None:
    playback = Playback()
    playback.received("a", 2000, 1.0)
    playback.played("a", 300, 1.3)
    playback.played("a", 200, 1.4)

    assert playback.cut(1.5) == [STOP, truncate("a", 300), cut_off("a", 300)]


def test_a_player_that_heard_nothing_yet_knows_that_too() -> None:
    playback = Playback()
    playback.received("a", 2000, 1.0)
    playback.played("a", 0, 1.5)

    assert playback.cut(1.6) == [STOP, cut_off("a", 0)]


@pytest.mark.parametrize(("told_ms", "heard_ms"), [(9000, 1000), (-5, 0)])
def test_a_player_cannot_have_heard_what_did_not_come(told_ms: int, heard_ms: int) -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.played("a", told_ms, 1.2)
    playback.received("a", 5000, 1.3)

    came = playback.cut(1.4)
    assert came[-1] == cut_off("a", heard_ms)


def test_what_a_player_tells_of_an_item_concerns_no_other() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.received("b", 1000, 1.0)
    playback.played("b", 400, 1.1)
    playback.played("c", 400, 1.1)

    assert playback.cut(1.25) == [STOP, truncate("a", 250), cut_off("a", 250), truncate("b", 400), cut_off("b", 400)]


def test_a_player_that_is_behind_the_clock_delays_what_comes_after() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.received("b", 1000, 1.0)
    playback.played("a", 500, 2.2)

    assert playback.ends_at == pytest.approx(3.7)
    assert playback.cut(2.5) == [STOP, truncate("a", 500), cut_off("a", 500), cut_off("b", 0)]


def test_a_player_that_is_ahead_of_the_clock_does_not_bring_forward_what_comes_after() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.received("b", 1000, 1.0)
    playback.played("a", 1000, 1.5)

    assert playback.ends_at == pytest.approx(3.0)


def test_with_a_player_too_late_audio_is_heard_from_then_on() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.played("a", 1000, 2.0)
    playback.received("a", 1000, 6.0)

    assert playback.ends_at == pytest.approx(7.0)


def test_an_item_that_comes_in_two_parts_is_truncated_once() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.received("b", 1000, 1.0)
    playback.received("a", 1000, 1.0)

    came = playback.cut(1.5)

    assert came == [STOP, truncate("a", 500), cut_off("a", 500), cut_off("b", 0), cut_off("a", 0)]


def test_items_that_were_heard_are_forgotten() -> None:
    playback = Playback()
    playback.received("a", 100, 1.0)
    playback.received("b", 100, 2.0)
    playback.received("c", 1000, 2.05)
    # Had it been kept, a late word of the player would bring it back.
    playback.played("a", 0, 9.0)

    assert playback.ends_at == pytest.approx(3.1)


def test_an_item_that_ends_as_the_next_begins_is_forgotten() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.received("b", 1000, 2.0)
    playback.played("a", 0, 2.5)

    assert playback.ends_at == pytest.approx(3.0)


def test_an_item_that_ends_as_the_user_speaks_was_heard_whole() -> None:
    playback = Playback()
    playback.received("a", 500, 1.0)
    playback.received("b", 500, 1.0)

    assert playback.cut(1.5) == [STOP, cut_off("b", 0)]


def test_the_least_that_was_heard_is_truncated_to() -> None:
    playback = Playback()
    playback.received("a", 500, 1.0)
    playback.played("a", 1, 1.25)

    assert playback.cut(1.25) == [STOP, truncate("a", 1), cut_off("a", 1)]


def test_the_last_64_items_that_were_cut_off_are_remembered() -> None:
    playback = Playback()
    for number in range(65):
        playback.received(str(number), 1000, float(number))
        playback.cut(number + 0.5)

    assert playback.received("1", 1000, 100.0) == []
    assert playback.received("0", 1000, 100.0) == [play("0")]


def test_when_the_session_is_lost_what_came_of_it_is_still_heard_and_nobody_is_told_how_much() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.received("b", 1000, 1.0)
    playback.session_lost()

    assert playback.ends_at == pytest.approx(3.0)
    assert playback.cut(1.5) == [STOP, cut_off("a", 500), cut_off("b", 0)]
    assert playback.received("a", 1000, 1.6) == []


def test_the_next_session_may_have_items_of_the_same_ids() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.cut(1.5)
    playback.session_lost()
    assert playback.received("a", 1000, 1.6) == []
    playback.session_began()
    assert playback.received("a", 1000, 1.75) == [play("a")]
    playback.session_lost()
    playback.session_began()
    playback.received("a", 1000, 2.0)

    assert playback.cut(3.0)[1] == truncate("a", 250)


def test_how_much_was_heard_of_the_next_session_is_told_again() -> None:
    playback = Playback()
    playback.received("a", 1000, 1.0)
    playback.session_lost()
    playback.received("b", 1000, 1.0)

    assert playback.cut(2.5) == [STOP, truncate("b", 500), cut_off("b", 500)]


class AnyOrder(RuleBasedStateMachine):
    """Audio, players and interruptions in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.playback = Playback()
        self.now = 0.0
        self.received_ms: dict[str | None, int] = {}
        self.truncated: set[str] = set()
        self.was_cut: set[str | None] = set()
        self.lost: set[str | None] = set()
        """Items of which audio came before the session was lost, and none since."""

    @rule(seconds=st.floats(0, 3))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(item_id=st.sampled_from(["a", "b", "c", None]), duration_ms=st.integers(0, 2000))
    def audio_comes(self, item_id: str | None, duration_ms: int) -> None:
        came = self.playback.received(item_id, duration_ms, self.now)
        if item_id is not None and item_id in self.was_cut:
            assert came == []
        else:
            assert came == [play(item_id)]
            self.lost.discard(item_id)
            self.received_ms[item_id] = self.received_ms.get(item_id, 0) + duration_ms
            if duration_ms > 0:
                assert self.playback.ends_at > self.now

    @rule(item_id=st.sampled_from(["a", "b", "c", "d"]), total_ms=st.integers(-10, 5000))
    def player_tells(self, item_id: str, total_ms: int) -> None:
        self.playback.played(item_id, total_ms, self.now)

    @rule()
    def session_is_lost(self) -> None:
        ends_at = self.playback.ends_at
        self.playback.session_lost()
        assert self.playback.ends_at == ends_at
        self.lost |= self.received_ms.keys()

    @rule()
    def user_speaks(self) -> None:
        was_playing = self.playback.ends_at > self.now
        came = self.playback.cut(self.now)
        assert came[:1] == ([STOP] if was_playing else [])
        assert STOP not in came[1:]
        for effect in came[1:]:
            match effect:
                case effects.Send(intent=intents.Truncate(item_id=item_id, audio_end_ms=heard_ms)):
                    assert 0 < heard_ms <= self.received_ms[item_id]
                    assert item_id not in self.truncated
                    assert item_id not in self.lost
                    self.truncated.add(item_id)
                case effects.Show(event=screen.PlaybackCut(item_id=shown_id, heard_ms=heard_ms)):
                    assert 0 <= heard_ms <= self.received_ms[shown_id]
                    self.was_cut.add(shown_id)
                case _:
                    raise AssertionError(f"playback does not do this: {effect}")
        assert self.playback.ends_at <= self.now

    @invariant()
    def all_that_came_would_be_heard_in_the_time_it_takes(self) -> None:
        assert self.playback.ends_at <= self.now + 0.001 + sum(self.received_ms.values()) / 1000


TestAnyOrder = AnyOrder.TestCase
