"""What the workspace agent can be asked, as values; `understanding.py` makes them from words.

`ABILITIES` is the documented handful: `Help` speaks from it and the tests hold it against `Request`, so that what is
promised and what is understood cannot drift apart.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import datetime

__all__ = [
    "ABILITIES",
    "Ability",
    "Also",
    "DescribeProject",
    "ExplainFailure",
    "Faster",
    "Help",
    "Instead",
    "ListCommits",
    "ListFiles",
    "NamedPeriod",
    "Narrow",
    "Past",
    "Period",
    "Request",
    "RunTests",
    "Search",
    "ShowBranch",
    "ShowFile",
    "SinceDate",
    "SinceLastCommit",
    "SinceRelease",
    "SinceWeekday",
    "Status",
    "Steer",
    "Stop",
    "Unit",
    "WhatChanged",
    "WhoChanged",
    "WorkingTree",
]


class NamedPeriod(enum.Enum):
    """A stretch of time that has a name; the value is how it is spoken."""

    TODAY = "today"
    THIS_MORNING = "this morning"
    YESTERDAY = "yesterday"
    SINCE_YESTERDAY = "since yesterday"
    THIS_WEEK = "this week"
    LAST_WEEK = "last week"
    SINCE_LAST_WEEK = "since last week"
    THIS_MONTH = "this month"
    LAST_MONTH = "last month"
    SINCE_LAST_MONTH = "since last month"
    THIS_YEAR = "this year"
    RECENTLY = "recently"


class Unit(enum.Enum):
    """A unit of time, in hours."""

    HOUR = 1
    DAY = 24
    WEEK = 24 * 7
    MONTH = 24 * 30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The last so many hours, days, weeks or months."""

    count: int
    unit: Unit


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SinceWeekday:
    """Since the start of the most recent such day."""

    weekday: int
    """0 is Monday."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SinceDate:
    """Since the start of a day."""

    date: datetime.date


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SinceLastCommit:
    """What is not committed yet."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SinceRelease:
    """Since the newest tag."""


Period: TypeAlias = NamedPeriod | Past | SinceWeekday | SinceDate | SinceLastCommit | SinceRelease
"""A stretch of time that a person can name."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WhatChanged:
    """What was changed in a period."""

    period: Period = NamedPeriod.RECENTLY
    where: str | None = None
    """A folder, file or subject as it was said."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListCommits:
    """The newest commits, or the latest one alone."""

    count: int = 10
    period: Period | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WhoChanged:
    """Whose commits they are."""

    period: Period | None = None
    where: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunTests:
    """Run the project's tests."""

    where: str | None = None
    only_failed: bool = False
    fail_fast: bool = False
    skip_slow: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Search the files for words."""

    text: str
    literal: bool = False
    """Whether the text was quoted: then it is taken character by character, with its case."""
    where: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShowFile:
    """Show the head of a file and say what it is."""

    name: str
    """A path, or a file's name as it was said."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExplainFailure:
    """Say why the last test failed."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DescribeProject:
    """Say what this project is."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListFiles:
    """List files and folders."""

    where: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkingTree:
    """What is not committed."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShowBranch:
    """Which branch this is, and which others there are."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the agent is doing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """What the agent can do."""


Request: TypeAlias = (
    WhatChanged
    | ListCommits
    | WhoChanged
    | RunTests
    | Search
    | ShowFile
    | ExplainFailure
    | DescribeProject
    | ListFiles
    | WorkingTree
    | ShowBranch
    | Status
    | Help
)
"""Everything the agent can be asked."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """Do the running work in a part of the project only."""

    where: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Faster:
    """Stop at the first failure and leave slow tests out."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Instead:
    """Drop the running work and do this."""

    request: Request


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Also:
    """Do this after the running work."""

    request: Request


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End the running work."""


Steer: TypeAlias = Narrow | Faster | Instead | Also | Stop
"""Everything that can be said to a running turn."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """One thing the agent can do, and how to ask for it."""

    example: str
    request: Request
    """What the example is understood as."""
    does: str


ABILITIES: Final[tuple[Ability, ...]] = (
    Ability(
        example="what changed this week",
        request=WhatChanged(period=NamedPeriod.THIS_WEEK),
        does="sums up the commits of a period: today, yesterday, since Monday, the last 3 days, since the last commit",
    ),
    Ability(
        example="run the tests",
        request=RunTests(),
        does="runs the project's tests, also `the core tests`, `the failed tests`, `and stop at the first failure`",
    ),
    Ability(
        example="why did it fail",
        request=ExplainFailure(),
        does="shows where and why the last test failed",
    ),
    Ability(
        example="search for timeout",
        request=Search(text="timeout"),
        does="finds words in the files, also `in core`",
    ),
    Ability(
        example="show me the readme",
        request=ShowFile(name="readme"),
        does="shows the head of a file and says what it is",
    ),
    Ability(
        example="what is this project about",
        request=DescribeProject(),
        does="describes the project",
    ),
    Ability(
        example="list the files",
        request=ListFiles(),
        does="lists files and folders, also of one folder",
    ),
    Ability(
        example="show the last commits",
        request=ListCommits(),
        does="lists the newest commits",
    ),
    Ability(
        example="who worked on core",
        request=WhoChanged(where="core"),
        does="names the authors of the commits",
    ),
    Ability(
        example="are there uncommitted changes",
        request=WorkingTree(),
        does="says what is not committed",
    ),
    Ability(
        example="which branch are we on",
        request=ShowBranch(),
        does="names the current branch and the others",
    ),
    Ability(
        example="how is it going",
        request=Status(),
        does="says what runs and how far it is",
    ),
    Ability(
        example="what can you do",
        request=Help(),
        does="names these requests",
    ),
)
"""What `Help` tells, in this order. While something runs there are also `only the core tests`, `faster`, `instead ...`
and `stop`."""
