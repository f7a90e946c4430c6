from __future__ import annotations

import datetime

import pytest

from backchannel.agents.workspace.periods import read_period, spoken_period, window
from backchannel.agents.workspace.requests import (
    NamedPeriod,
    Past,
    Period,
    SinceDate,
    SinceLastCommit,
    SinceRelease,
    SinceWeekday,
    Unit,
)

NOW = datetime.datetime(2026, 3, 12, 15, 30, tzinfo=datetime.UTC)
"""A Thursday."""


@pytest.mark.parametrize(
    ("said", "since", "until"),
    [
        ("today", "2026-03-12T00:00", None),
        ("this morning", "2026-03-12T00:00", None),
        ("yesterday", "2026-03-11T00:00", "2026-03-12T00:00"),
        ("since yesterday", "2026-03-11T00:00", None),
        ("this week", "2026-03-09T00:00", None),
        ("last week", "2026-03-02T00:00", "2026-03-09T00:00"),
        ("since last week", "2026-03-02T00:00", None),
        ("this month", "2026-03-01T00:00", None),
        ("last month", "2026-02-01T00:00", "2026-03-01T00:00"),
        ("since last month", "2026-02-01T00:00", None),
        ("this year", "2026-01-01T00:00", None),
        ("recently", "2026-02-26T15:30", None),
        ("in the last 3 days", "2026-03-09T15:30", None),
        ("over the past couple of hours", "2026-03-12T13:30", None),
        ("a few weeks ago", "2026-02-19T15:30", None),
        ("in the last hour", "2026-03-12T14:30", None),
        ("since monday", "2026-03-09T00:00", None),
        ("since last friday", "2026-03-06T00:00", None),
        ("since thursday", "2026-03-05T00:00", None),
        ("since 2026-01-31", "2026-01-31T00:00", None),
    ],
)
def test_a_period_lies_on_the_calendar(said: str, since: str, until: str | None) -> None:
    period = read_period(said)
    assert period is not None
    assert not isinstance(period, SinceLastCommit | SinceRelease)
    found = window(period, now=NOW)
    assert found.since.strftime("%Y-%m-%dT%H:%M") == since
    assert (None if found.until is None else found.until.strftime("%Y-%m-%dT%H:%M")) == until


@pytest.mark.parametrize("said", ["since 2026-13-01", "since forever"])
def test_what_is_on_no_calendar_is_no_period(said: str) -> None:
    assert read_period(said) is None


@pytest.mark.parametrize(
    ("period", "said"),
    [
        (NamedPeriod.THIS_WEEK, "this week"),
        (NamedPeriod.RECENTLY, "in the last two weeks"),
        (Past(count=1, unit=Unit.DAY), "in the last day"),
        (Past(count=3, unit=Unit.HOUR), "in the last 3 hours"),
        (SinceWeekday(weekday=0), "since Monday"),
        (SinceDate(date=datetime.date(2026, 1, 31)), "since 2026-01-31"),
        (SinceLastCommit(), "since the last commit"),
        (SinceRelease(), "since the last release"),
    ],
)
def test_a_period_is_said(period: Period, said: str) -> None:
    assert spoken_period(period) == said
