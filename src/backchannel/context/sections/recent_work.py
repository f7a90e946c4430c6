"""The section `Recent Work`: what was asked lately, in this project and in others.

Source: realtime.md 9.4; threads of other agents say whose they are.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from backchannel.context.sections.body import OURS, Line, Section, plain, section, time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from backchannel.context.sections.body import Body
    from backchannel.threads import Thread

__all__ = ["MAX_THREADS", "RecentThread", "recent_work_section"]

TITLE: Final = "Recent Work"
MAX_THREADS: Final = 40
_MAX_GROUPS: Final = 8
_MAX_ASKS_HERE: Final = 8
_MAX_ASKS: Final = 5
_MAX_ASK: Final = 240
_LONGEST_READ: Final = 4000
"""So much of a first message is looked at for its words."""
_HEADER_LINES: Final = 5
"""A group says more than that, or is left out."""
_BLANK: Final = Line("", OURS)
_AGENTS: Final = {"backchannel": "", "codex": " (Codex)", "claude_code": " (Claude Code)"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecentThread:
    """A thread, and the project that it belongs to."""

    thread: Thread
    project: str | None
    """The root of the repository around its folder; None where there is none."""

    @property
    def group(self) -> str:
        """What it is listed under."""
        return self.project or self.thread.cwd


def recent_work_section(threads: Iterable[RecentThread], *, here: str, max_tokens: int) -> Section | None:
    """The threads by project: first the one that is worked on here, then by how lately they were; None without any.

    Args:
        threads: The 40 that were changed last count.
        here: The group of the current folder: its project's root, else the folder.
        max_tokens: Of the section.
    """
    newest = sorted(threads, key=_newest_first)[:MAX_THREADS]
    groups: dict[str, list[RecentThread]] = {}
    for thread in newest:
        groups.setdefault(thread.group, []).append(thread)
    order = sorted(groups, key=lambda name: (name != here, -groups[name][0].thread.updated_at_ms, name))
    bodies = [_group(name, groups[name], is_here=name == here) for name in order[:_MAX_GROUPS]]
    body: Body = ()
    for shown in bodies:
        if len(shown) > _HEADER_LINES:
            body = (*body, _BLANK, *shown) if body else shown
    return section(TITLE, body, max_tokens=max_tokens) if body else None


def _newest_first(recent: RecentThread) -> tuple[int, str]:
    return -recent.thread.updated_at_ms, recent.thread.thread_id


def _group(name: str, threads: Sequence[RecentThread], *, is_here: bool) -> Body:
    latest = threads[0].thread
    kind = "Git repo" if threads[0].project is not None else "Directory"
    origin = _origin(latest)
    body = [
        Line(f"### {kind}: {plain(name)}", origin),
        Line(f"Recent sessions: {len(threads)}", OURS),
        Line(f"Latest activity: {time_of(latest.updated_at_ms)}", origin),
    ]
    if latest.branch and latest.branch.strip():
        body.append(Line(f"Latest branch: {plain(latest.branch.strip())}", origin))
    body += (_BLANK, Line("User asks:", OURS))
    told: set[tuple[str, str]] = set()
    for recent in threads:
        ask = _ask(recent.thread)
        key = (recent.thread.cwd, ask)
        if not ask or key in told:
            continue
        if len(told) == (_MAX_ASKS_HERE if is_here else _MAX_ASKS):
            break
        told.add(key)
        whose = _AGENTS[recent.thread.source]
        body.append(Line(f"- {plain(recent.thread.cwd)}: {ask}{whose}", _origin(recent.thread)))
    return tuple(body)


def _ask(thread: Thread) -> str:
    ask = " ".join(plain(" ".join((thread.first_ask or "")[:_LONGEST_READ].split())).split())
    return ask if len(ask) <= _MAX_ASK else f"{ask[: _MAX_ASK - 3]}..."


def _origin(thread: Thread) -> str:
    return f"{thread.source} thread {plain(thread.thread_id)}"
