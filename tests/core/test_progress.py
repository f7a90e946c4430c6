from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from backchannel.core.progress import (
    FIRST_HEARTBEAT_S,
    MAX_HEARTBEAT_S,
    MAX_HELD_BYTES,
    PROGRESS_GAP_S,
    Heartbeat,
    Progress,
)


def test_the_first_report_passes_through() -> None:
    progress = Progress()

    assert progress.report("one", 5.0) == "one"
    assert progress.held_until is None


def test_a_report_after_the_gap_passes_through() -> None:
    progress = Progress()
    progress.report("one", 5.0)

    assert progress.report("two", 5.0 + PROGRESS_GAP_S) == "two"


def test_what_comes_within_the_gap_goes_on_as_one_when_it_is_over() -> None:
    progress = Progress()
    progress.report("one", 5.0)

    assert progress.report("two", 5.1) is None
    assert progress.report("three", 5.9) is None
    assert progress.held_until == 6.0
    assert progress.release(5.9) is None
    assert progress.release(6.0) == "two\n\nthree"
    assert progress.release(9.0) is None


def test_what_was_released_counts_as_passed_on() -> None:
    progress = Progress()
    progress.report("one", 5.0)
    progress.report("two", 5.5)
    progress.release(6.25)

    assert progress.report("three", 7.0) is None
    assert progress.held_until == 7.25


def test_a_report_after_the_gap_takes_with_it_what_is_held_before_it() -> None:
    progress = Progress()
    progress.report("one", 5.0)
    progress.report("two", 5.5)

    assert progress.report("three", 6.5) == "two\n\nthree"
    assert progress.held_until is None
    assert progress.report("four", 7.0) is None


def test_what_the_agent_repeats_is_held_once() -> None:
    progress = Progress()
    progress.report("one", 5.0)
    for text in ("two", "three", "two", "three"):
        progress.report(text, 5.5)

    assert progress.flush() == "two\n\nthree"


def test_a_flush_gives_what_is_held_at_once() -> None:
    progress = Progress()
    assert progress.flush() is None
    progress.report("one", 5.0)
    progress.report("two", 5.1)

    assert progress.flush() == "two"
    assert progress.flush() is None
    assert progress.held_until is None


def test_without_a_gap_nothing_is_held() -> None:
    progress = Progress()
    progress.gap_s = 0.0

    assert [progress.report(text, 5.0) for text in ("one", "two")] == ["one", "two"]


def test_what_is_held_when_the_gap_is_closed_is_due() -> None:
    progress = Progress()
    progress.report("one", 5.0)
    progress.report("two", 5.1)
    progress.gap_s = 0.0

    assert progress.held_until == 5.0
    assert progress.release(5.2) == "two"


def held(*texts: str) -> str:
    progress = Progress()
    progress.report("first", 0.0)
    for text in texts:
        assert progress.report(text, 0.5) is None
    merged = progress.flush()
    assert merged is not None
    return merged


def test_as_much_as_fits_is_whole() -> None:
    text = "x" * MAX_HELD_BYTES

    assert held(text) == text


def test_of_too_much_the_newest_is_passed_on() -> None:
    merged = held("a" * 100, "b" * MAX_HELD_BYTES)

    assert merged == "…" + "b" * (MAX_HELD_BYTES - 3)
    assert len(merged.encode()) == MAX_HELD_BYTES


def test_the_cut_can_be_within_the_oldest_or_between_texts() -> None:
    assert held("a" * 2000, "b" * 2000) == "…" + "a" * 1995 + "\n\n" + "b" * 2000
    assert held("a" * 2000, "b" * 3997) == "…" + "b" * 3997
    assert held("a" * 2000, "b" * 3996) == "…\n" + "b" * 3996


def test_a_cut_leaves_characters_whole() -> None:
    # 3997 bytes are left for them: 999 characters of four.
    assert held("😀" * 1001) == "…" + "😀" * 999


def test_half_a_surrogate_pair_is_kept() -> None:
    assert held("\ud83d" * 1400) == "…" + "\ud83d" * 1332


def test_what_is_held_stays_small_whatever_the_agent_says() -> None:
    progress = Progress()
    progress.report("first", 0.0)
    for n in range(1000):
        progress.report(f"{n:03} " + "x" * 496, 0.5)

    assert len(progress._held) == MAX_HELD_BYTES // 500
    assert progress.flush() == "…" + "\n\n".join(f"{n:03} " + "x" * 496 for n in range(992, 1000))[-3997:]


def test_after_a_cut_the_next_texts_are_whole() -> None:
    progress = Progress()
    progress.report("first", 0.0)
    progress.report("a", 0.5)
    progress.report("b" * MAX_HELD_BYTES, 0.5)
    progress.flush()
    progress.report("c", 0.5)

    assert progress.flush() == "c"


REPORTS = st.lists(st.tuples(st.sampled_from(["report", "release", "flush"]), st.floats(0.0, 1.5)), max_size=60)


@given(steps=REPORTS)
def test_everything_is_passed_on_once_in_order_and_with_the_gap_between(steps: list[tuple[str, float]]) -> None:
    progress = Progress()
    now = 0.0
    n_reported = 0
    passed_on: list[str] = []
    passed_at: list[float] = []
    for what, elapsed_s in steps:
        now += elapsed_s
        match what:
            case "report":
                given_on = progress.report(str(n_reported), now)
                n_reported += 1
            case "release":
                is_due = progress.held_until is not None and progress.held_until <= now
                given_on = progress.release(now)
                assert (given_on is not None) is is_due
            case _:
                is_held = progress.held_until is not None
                given_on = progress.flush()
                assert (given_on is not None) is is_held
        if given_on is not None:
            passed_on += given_on.split("\n\n")
            if what != "flush":
                passed_at.append(now)
        assert (progress.held_until is not None) is (len(passed_on) < n_reported)
    rest = progress.flush()

    assert [*passed_on, *(rest.split("\n\n") if rest is not None else ())] == [str(n) for n in range(n_reported)]
    assert all(later >= earlier + PROGRESS_GAP_S for earlier, later in itertools.pairwise(passed_at))


@given(texts=st.lists(st.text(max_size=2500), max_size=8))
def test_what_is_passed_on_is_the_end_of_what_was_said(texts: list[str]) -> None:
    texts = list(dict.fromkeys(texts))
    progress = Progress()
    progress.report("first", 0.0)
    for text in texts:
        progress.report(text, 0.5)
    merged = progress.flush()
    whole = "\n\n".join(texts)

    if not texts:
        assert merged is None
    elif len(whole.encode()) <= MAX_HELD_BYTES:
        assert merged == whole
    else:
        assert merged is not None
        assert merged[0] == "…"
        assert whole.endswith(merged[1:])
        assert MAX_HELD_BYTES - 3 <= len(merged.encode()) <= MAX_HELD_BYTES


def test_while_nothing_works_no_heartbeat_is_due() -> None:
    heartbeat = Heartbeat()

    assert heartbeat.due_at is None
    assert heartbeat.beat(1e9) is None


def test_a_silence_is_broken_at_growing_intervals() -> None:
    heartbeat = Heartbeat()
    heartbeat.work_started("turn_1", 100.0)
    beats = []
    for _ in range(7):
        due_at = heartbeat.due_at
        assert due_at is not None
        assert heartbeat.beat(due_at - 0.001) is None
        assert heartbeat.beat(due_at) == "turn_1"
        beats.append(due_at - 100.0)

    assert beats == [20.0, 60.0, 140.0, 300.0, 600.0, 900.0, 1200.0]
    assert beats[0] == FIRST_HEARTBEAT_S
    assert beats[-1] - beats[-2] == MAX_HEARTBEAT_S


def test_a_late_heartbeat_does_not_make_the_next_one_early() -> None:
    heartbeat = Heartbeat()
    heartbeat.work_started("turn_1", 0.0)

    assert heartbeat.beat(50.0) == "turn_1"
    assert heartbeat.due_at == 90.0


def test_news_begins_the_silence_anew() -> None:
    heartbeat = Heartbeat()
    heartbeat.work_started("turn_1", 0.0)
    heartbeat.beat(20.0)
    heartbeat.news_came(30.0)

    assert heartbeat.due_at == 50.0


def test_heartbeats_can_come_faster_or_not_at_all() -> None:
    heartbeat = Heartbeat()
    heartbeat.work_started("turn_1", 0.0)
    heartbeat.scale = 0.5
    assert heartbeat.due_at == 10.0

    heartbeat.scale = None
    assert heartbeat.beat(1e9) is None
    assert heartbeat.due_at is None


def test_a_heartbeat_is_about_the_oldest_turn_that_still_works() -> None:
    heartbeat = Heartbeat()
    heartbeat.work_started("turn_1", 0.0)
    heartbeat.work_started("turn_2", 5.0)
    assert heartbeat.due_at == 25.0
    assert heartbeat.beat(25.0) == "turn_1"

    heartbeat.work_ended("turn_1")
    heartbeat.work_ended("turn_9")
    assert heartbeat.beat(1e9) == "turn_2"

    heartbeat.work_ended("turn_2")
    assert heartbeat.due_at is None


@given(waits=st.lists(st.floats(0.0, 400.0), min_size=1, max_size=30), scale=st.sampled_from([0.5, 1.0]))
def test_within_a_silence_the_intervals_grow(waits: list[float], scale: float) -> None:
    heartbeat = Heartbeat()
    heartbeat.scale = scale
    heartbeat.work_started("turn_1", 0.0)
    now = 0.0
    last_interval_s = last_at = 0.0
    for wait_s in waits:
        now += wait_s
        due_at = heartbeat.due_at
        assert due_at is not None
        interval_s = due_at - last_at
        assert interval_s >= last_interval_s - 1e-6
        assert FIRST_HEARTBEAT_S * scale - 1e-6 <= interval_s <= MAX_HEARTBEAT_S * scale + 1e-6
        if heartbeat.beat(now) is not None:
            assert now >= due_at
            last_interval_s, last_at = interval_s, now
