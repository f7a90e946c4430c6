"""Stretches of time that people name, and what they are on the calendar. Pure: the present is an argument."""

from __future__ import annotations

import dataclasses
import datetime
import re
from typing import TYPE_CHECKING, Final, assert_never

from backchannel.agents.workspace.requests import (
    NamedPeriod,
    Past,
    SinceDate,
    SinceLastCommit,
    SinceRelease,
    SinceWeekday,
    Unit,
)
from backchannel.agents.workspace.vocabulary import NUMBERS, WEEKDAYS

if TYPE_CHECKING:
    from backchannel.agents.workspace.requests import Period

__all__ = ["PERIOD_PATTERN", "Window", "read_period", "spoken_period", "window"]

_DAY: Final = "|".join(WEEKDAYS)
_COUNT: Final = "|".join([*NUMBERS, r"\d{1,3}", "couple of", "a couple of", "a few"])
_NEWEST: Final = "(?:last|latest|previous|most recent)"

PERIOD_PATTERN: Final = (
    r"(?:so far )?(?:in |during )?"
    "(?:today|yesterday|this morning|this afternoon|tonight|this evening|this week|this month"
    "|this year|last week"
    r"|last month|last night|recently|lately|just now|the other day"
    r"|since (?:yesterday|this morning|last week|last month|last night|today)"
    rf"|(?:since|on|from|after) (?:last )?(?:{_DAY})|last (?:{_DAY})"
    rf"|since (?:the |my |our )?{_NEWEST} (?:commit|release|tag|version)|since \d{{4}}-\d{{2}}-\d{{2}}"
    rf"|(?:in |over |during |within |for |from |since )?(?:the )?(?:last|past) (?:(?:{_COUNT}) )?"
    r"(?:hour|day|week|month|hours|days|weeks|months)"
    rf"|(?:{_COUNT}) (?:hours|days|weeks|months) ago)(?: so far)?"
)
"""A regular expression, without groups, for the normal form of a period."""

_NAMES: Final[dict[str, NamedPeriod]] = {period.value: period for period in NamedPeriod} | {
    "this afternoon": NamedPeriod.TODAY,
    "tonight": NamedPeriod.TODAY,
    "this evening": NamedPeriod.TODAY,
    "since today": NamedPeriod.TODAY,
    "since this morning": NamedPeriod.TODAY,
    "just now": NamedPeriod.TODAY,
    "last night": NamedPeriod.SINCE_YESTERDAY,
    "since last night": NamedPeriod.SINCE_YESTERDAY,
    "lately": NamedPeriod.RECENTLY,
    "the other day": NamedPeriod.RECENTLY,
}


def read_period(said: str) -> Period | None:
    """The period that a text matched by `PERIOD_PATTERN` names; None for a date that is on no calendar."""
    said = said.removeprefix("so far ").removesuffix(" so far")
    said = re.sub(r"^(?:in|during) (?=today|yesterday|this|last (?:week|month)$)", "", said)
    if said in _NAMES:
        return _NAMES[said]
    if weekday := re.search(_DAY, said):
        return SinceWeekday(weekday=WEEKDAYS.index(weekday[0]))
    if date := re.search(r"\d{4}-\d{2}-\d{2}", said):
        try:
            return SinceDate(date=datetime.date.fromisoformat(date[0]))
        except ValueError:
            return None
    if re.search(r"\b(?:release|tag|version)$", said):
        return SinceRelease()
    if said.endswith("commit"):
        return SinceLastCommit()
    if re.search(r"(?:last|past) (?:hours|days|weeks|months)$", said):
        # `the last days` names no number; two of a unit would be too exact, so it is what is recent.
        return NamedPeriod.RECENTLY
    past = re.search(rf"(?:(?P<count>{_COUNT}) )?(?P<unit>hour|day|week|month)s?(?: ago)?$", said)
    if past is None:
        return None
    count = re.sub(r"^a (?=couple|few)|(?<=couple) of$", "", past["count"] or "one")
    number = int(count) if count.isdecimal() else NUMBERS[count]
    return Past(count=max(1, number), unit=Unit[past["unit"].upper()])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of the calendar."""

    since: datetime.datetime
    until: datetime.datetime | None = None
    """None is now."""


def window(period: NamedPeriod | Past | SinceWeekday | SinceDate, *, now: datetime.datetime) -> Window:
    """Where a period lies.

    A week starts on Monday. `RECENTLY` is two weeks.

    Args:
        period: What was named.
        now: The present, with its zone.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = midnight - datetime.timedelta(days=midnight.weekday())
    first = midnight.replace(day=1)
    day = datetime.timedelta(days=1)
    match period:
        case NamedPeriod.TODAY | NamedPeriod.THIS_MORNING:
            return Window(since=midnight)
        case NamedPeriod.YESTERDAY:
            return Window(since=midnight - day, until=midnight)
        case NamedPeriod.SINCE_YESTERDAY:
            return Window(since=midnight - day)
        case NamedPeriod.THIS_WEEK:
            return Window(since=monday)
        case NamedPeriod.LAST_WEEK:
            return Window(since=monday - 7 * day, until=monday)
        case NamedPeriod.SINCE_LAST_WEEK:
            return Window(since=monday - 7 * day)
        case NamedPeriod.THIS_MONTH:
            return Window(since=first)
        case NamedPeriod.LAST_MONTH:
            return Window(since=(first - day).replace(day=1), until=first)
        case NamedPeriod.SINCE_LAST_MONTH:
            return Window(since=(first - day).replace(day=1))
        case NamedPeriod.THIS_YEAR:
            return Window(since=first.replace(month=1))
        case NamedPeriod.RECENTLY:
            return Window(since=now - 14 * day)
        case Past():
            return Window(since=now - datetime.timedelta(hours=period.count * period.unit.value))
        case SinceWeekday():
            # On a Monday, `since Monday` means the one a week ago: nobody needs a name for this morning's start.
            back = (midnight.weekday() - period.weekday) % 7 or 7
            return Window(since=midnight - back * day)
        case SinceDate():
            return Window(since=datetime.datetime.combine(period.date, datetime.time(), tzinfo=now.tzinfo))
        case _ as unreachable:
            assert_never(unreachable)


def spoken_period(period: Period) -> str:
    """How a period is said in an answer."""
    match period:
        case NamedPeriod.RECENTLY:
            return "in the last two weeks"
        case NamedPeriod():
            return str(period.value)
        case Past():
            unit = period.unit.name.lower()
            return f"in the last {unit}" if period.count == 1 else f"in the last {period.count} {unit}s"
        case SinceWeekday():
            return f"since {WEEKDAYS[period.weekday].capitalize()}"
        case SinceDate():
            return f"since {period.date.isoformat()}"
        case SinceLastCommit():
            return "since the last commit"
        case SinceRelease():
            return "since the last release"
        case _ as unreachable:
            assert_never(unreachable)
