"""The section `Open Work`: tasks that still run or wait for permission, and the tests that failed last."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from backchannel.context.sections.body import OURS, Line, Section, plain, section, time_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backchannel.context.sections.body import Body
    from backchannel.threads import OpenTask, RanTests

__all__ = ["SeenTests", "Working", "open_work_section"]

TITLE: Final = "Open Work"
_MAX_TASKS: Final = 8
_MAX_TESTS: Final = 5
_MAX_WORDS: Final = 240
_BLANK: Final = Line("", OURS)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """A task that goes on, and where."""

    thread_id: str
    cwd: str
    task: OpenTask


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SeenTests:
    """A run of tests, and where."""

    thread_id: str
    cwd: str
    tests: RanTests


def open_work_section(working: Iterable[Working], tests: SeenTests | None, *, max_tokens: int) -> Section | None:
    """What is not done; None when all is.

    Args:
        working: The tasks, in the order in which they are to be told.
        tests: The last run of tests in this project, if it failed.
        max_tokens: Of the section.
    """
    tasks = list(working)
    parts = (
        _listed(
            "Waiting for the user's permission:", [_waiting(each) for each in tasks if each.task.waits_for is not None]
        ),
        _listed("Still running:", [_running(each) for each in tasks if each.task.waits_for is None]),
        _failed(tests),
    )
    body: Body = ()
    for part in filter(None, parts):
        body = (*body, _BLANK, *part) if body else part
    return section(TITLE, body, max_tokens=max_tokens) if body else None


def _listed(heading: str, told: list[Line]) -> Body:
    if not told:
        return ()
    more = (Line(f"- ... {len(told) - _MAX_TASKS} more", OURS),) if len(told) > _MAX_TASKS else ()
    return (Line(heading, OURS), *told[:_MAX_TASKS], *more)


def _waiting(each: Working) -> Line:
    asked = _short(each.task.waits_for or "")
    return Line(f"- {plain(each.cwd)}: {_short(each.task.request)} (wants to {asked})", f"thread {each.thread_id}")


def _running(each: Working) -> Line:
    since = time_of(each.task.began_at_ms)
    return Line(f"- {plain(each.cwd)}: {_short(each.task.request)} (since {since})", f"thread {each.thread_id}")


def _failed(seen: SeenTests | None) -> Body:
    if seen is None:
        return ()
    origin = f"thread {seen.thread_id}"
    names = seen.tests.failures
    listed = (Line(f"- {_short(name)}", origin) for name in names[:_MAX_TESTS])
    more = (Line(f"- ... {len(names) - _MAX_TESTS} more", origin),) if len(names) > _MAX_TESTS else ()
    return (
        Line(f"The last run of tests failed: {_short(seen.tests.command)}, at {time_of(seen.tests.at_ms)}", origin),
        *listed,
        *more,
    )


def _short(text: str) -> str:
    words = " ".join(plain(" ".join(text[: 4 * _MAX_WORDS].split())).split())
    return words if len(words) <= _MAX_WORDS else f"{words[: _MAX_WORDS - 3]}..."
