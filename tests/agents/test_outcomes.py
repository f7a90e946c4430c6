from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.agents.workspace.outcomes import Counts, Failure, TestWatch
from backchannel.agents.workspace.runners import RunnerKind

XDIST = """\
collected 4 items
[gw0] [ 25%] PASSED tests/core/test_a.py::test_one
[gw1] [ 50%] FAILED tests/core/test_a.py::test_two
[gw0] [ 75%] SKIPPED tests/core/test_a.py::test_three
"""
QUIET = "tests/core/test_a.py ..F                [ 3/40]\ntests/core/test_b.py .s                [ 5/40]\n"


@pytest.mark.parametrize(
    ("text", "passed", "failed", "skipped", "progress"),
    [
        (XDIST, 1, 1, 1, "Three of four tests done, one failure so far."),
        (QUIET, 3, 1, 1, "Five of 40 tests done, one failure so far."),
        ("test_a.py::test_x[a b - c] PASSED   [  1/2]\n", 1, 0, 0, "One of two tests done, all good so far."),
        ("test_a.py::test_x XFAIL (known)   [  2/2]\n", 1, 0, 0, "Two of two tests done, all good so far."),
    ],
)
def test_pytest_is_followed(text: str, passed: int, failed: int, skipped: int, progress: str) -> None:
    watch = TestWatch(RunnerKind.PYTEST)
    for letter in text:
        watch.feed(letter)
    assert watch.counts == Counts(passed=passed, failed=failed, skipped=skipped)
    assert watch.progress() == progress


def test_the_closing_line_wins() -> None:
    watch = TestWatch(RunnerKind.PYTEST)
    watch.feed("a.py::test_x PASSED [1/1]\na.py::test_x ERROR [1/1]\n")
    watch.feed("===== 3 passed, 2 failed, 1 error, 4 skipped, 1 xfailed, 2 warnings in 1.20s (0:00:01) =====\n")
    assert watch.counts == Counts(passed=4, failed=3, skipped=4)


def test_a_first_failure_is_news_once() -> None:
    watch = TestWatch(RunnerKind.PYTEST)
    watch.feed("core/test_a.py::test_x PASSED [1/3]\n")
    assert watch.news() is None
    watch.feed("core/test_a.py::test_y FAILED [2/3]\n")
    assert watch.news() == "First failure: test_y in core; two of three tests done."
    watch.feed("core/test_a.py::test_z FAILED [3/3]\n")
    assert watch.news() is None
    assert [failure.said for failure in watch.failures()] == ["test_y in core", "test_z in core"]


def test_of_many_failures_some_are_kept() -> None:
    watch = TestWatch(RunnerKind.PYTEST)
    for n in range(1000):
        watch.feed(f"test_a.py::test_{n} FAILED [{n + 1}/1000]\n")
    assert watch.counts == Counts(failed=1000)
    assert len(watch.failures()) == 200


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tests/core/test_a.py::TestRetry::test_x[1-2]", "test_x in core"),
        ("tests/test_a.py::test_x", "test_x in test_a"),
        ("test_a.py", "test_a.py"),
        ("core.test_a.CoreTest.test_x", "test_x in core"),
        ("TestParse", "TestParse"),
        ("retry::tests::doubles", "doubles in retry"),
    ],
)
def test_a_failed_test_is_said_by_its_name_and_part(name: str, said: str) -> None:
    assert Failure(name=name).said == said


@given(
    st.sampled_from(list(RunnerKind)), st.lists(st.text(max_size=60) | st.sampled_from(XDIST.splitlines()), max_size=20)
)
def test_nothing_that_is_printed_raises(kind: RunnerKind, lines: list[str]) -> None:
    watch = TestWatch(kind)
    for line in lines:
        watch.feed(f"{line}\n")
        watch.news()
    counts = watch.counts
    assert counts is None or counts.done >= 0
    watch.progress()
    watch.failures()
