from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.engine.turns import Started, Stopped, TurnDetector, TurnEvent, TurnOptions

CHUNK_MS = 32.0
OPTIONS = TurnOptions(
    threshold=0.5, prefix_padding_ms=300, silence_duration_ms=500, min_speech_ms=90, max_turn_ms=30_000
)


def hear(detector: TurnDetector, *stretches: tuple[float, int]) -> list[TurnEvent]:
    """What comes of (probability, number of chunks) stretches."""
    return [
        event
        for probability, count in stretches
        for _ in range(count)
        for event in detector.hear(probability, CHUNK_MS)
    ]


def test_a_sentence_is_one_turn_with_padding_before_and_silence_after() -> None:
    detector = TurnDetector(OPTIONS)
    # 640 ms quiet, 960 ms voice, then quiet: the turn ends after 16 chunks (512 ms) of silence.
    events = hear(detector, (0.0, 20), (0.9, 30), (0.0, 40))
    assert events == [Started(audio_start_ms=340), Stopped(audio_end_ms=640 + 960 + 512)]
    assert not detector.speaking


@pytest.mark.parametrize(
    ("stretches", "starts"),
    [
        (((0.9, 2),), 0),
        (((0.9, 3),), 1),
        (((0.9, 2), (0.0, 3), (0.9, 2)), 0),
        (((0.9, 2), (0.0, 2), (0.9, 1)), 1),
        (((0.49, 100),), 0),
        (((0.9, 1), (0.45, 1)) * 20, 1),
        (((0.9, 1), (0.45, 3)) * 20, 0),
    ],
)
def test_clicks_do_not_begin_a_turn(stretches: tuple[tuple[float, int], ...], starts: int) -> None:
    events = hear(TurnDetector(OPTIONS), *stretches)
    assert sum(isinstance(event, Started) for event in events) == starts


def test_a_pause_shorter_than_the_silence_does_not_end_the_turn() -> None:
    detector = TurnDetector(OPTIONS)
    assert len(hear(detector, (0.9, 10), (0.0, 15), (0.9, 10))) == 1
    assert detector.speaking


def test_doubtful_chunks_neither_end_a_turn_nor_prolong_it() -> None:
    detector = TurnDetector(OPTIONS)
    assert len(hear(detector, (0.9, 10), (0.4, 100))) == 1
    assert len(hear(detector, (0.0, 16))) == 1


def test_the_silence_can_be_changed_while_a_turn_is_open() -> None:
    detector = TurnDetector(OPTIONS)
    hear(detector, (0.9, 10))
    detector.configure(TurnOptions(silence_duration_ms=200))
    assert hear(detector, (0.0, 7)) == [Stopped(audio_end_ms=17 * 32)]


def test_padding_does_not_reach_into_the_turn_before_or_before_the_stream() -> None:
    detector = TurnDetector(TurnOptions(prefix_padding_ms=2000, silence_duration_ms=64))
    events = hear(detector, (0.9, 5), (0.0, 4), (0.9, 5))
    assert events == [Started(audio_start_ms=0), Stopped(audio_end_ms=7 * 32), Started(audio_start_ms=7 * 32)]


def test_a_turn_that_does_not_end_is_cut() -> None:
    detector = TurnDetector(TurnOptions(max_turn_ms=1000))
    events = hear(detector, (0.9, 100))
    ends = [event.audio_end_ms for event in events if isinstance(event, Stopped)]
    assert ends[0] <= 1000 + 32
    assert len(ends) >= 2


def test_the_client_can_end_the_turn() -> None:
    detector = TurnDetector(OPTIONS)
    assert detector.stop() is None
    hear(detector, (0.9, 10))
    assert detector.stop() == Stopped(audio_end_ms=320)
    assert detector.stop() is None
    assert not detector.speaking


def test_reset_forgets_the_turn_and_keeps_the_position() -> None:
    detector = TurnDetector(OPTIONS)
    hear(detector, (0.9, 10))
    detector.reset()
    assert not detector.speaking
    assert hear(detector, (0.9, 3)) == [Started(audio_start_ms=320)]


@given(st.lists(st.floats(min_value=0, max_value=1), max_size=400))
def test_turns_alternate_and_never_overlap(probabilities: list[float]) -> None:
    detector = TurnDetector(OPTIONS)
    events = [event for probability in probabilities for event in detector.hear(probability, CHUNK_MS)]
    at_ms = 0
    for index, event in enumerate(events):
        if index % 2 == 0:
            assert isinstance(event, Started)
            assert event.audio_start_ms >= at_ms
            at_ms = event.audio_start_ms
        else:
            assert isinstance(event, Stopped)
            assert event.audio_end_ms > at_ms
            at_ms = event.audio_end_ms
    assert at_ms <= detector.position_ms
    assert detector.speaking == (len(events) % 2 == 1)
