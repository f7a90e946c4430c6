"""What git can tell: what changed, who did it, what is not committed, which branch this is.

Only commands that read are run, and git is told to take no locks, to start no pager, monitor or external diff and to
ask nothing.
"""

from __future__ import annotations

import collections
import dataclasses
import re
import shlex
from typing import TYPE_CHECKING, Final

from backchannel.agents.workspace.periods import spoken_period, window
from backchannel.agents.workspace.phrasing import (
    area_of,
    counted,
    listed,
    said_date,
    said_path,
    sentence,
    shortened,
    spans,
)
from backchannel.agents.workspace.requests import (
    ListCommits,
    NamedPeriod,
    Past,
    SinceDate,
    SinceLastCommit,
    SinceRelease,
    SinceWeekday,
    WhatChanged,
    WhoChanged,
)
from backchannel.agents.workspace.steps import Answer, Call, Job, Run

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Generator

    from backchannel.agents.workspace.steps import Finished, Say
    from backchannel.agents.workspace.tree import Tree

__all__ = ["Git"]

_MAX_COMMITS: Final = 500
_SHOWN_COMMITS: Final = 40
_SHOWN_FILES: Final = 40
_ENVIRONMENT: Final = (
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_PAGER", "cat"),
    ("LC_ALL", "C.UTF-8"),
)
_GIT: Final = (
    "git",
    "--no-pager",
    "-c",
    "core.quotePath=false",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "log.showSignature=false",
    "-c",
    "color.ui=false",
)
# One line a commit, tab-separated so that a person can read it too; after it the files with their counts of lines.
_LOG_FORMAT: Final = "--format=%h%x09%as%x09%an%x09%s"
_COMMIT: Final = re.compile(r"([0-9a-f]{4,64})\t(\d{4}-\d{2}-\d{2})\t([^\t]*)\t(.*)")
_FILE: Final = re.compile(r"(\d+|-)\t(\d+|-)\t(.+)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Commit:
    short: str
    date: str
    author: str
    subject: str
    files: tuple[tuple[str, int], ...]
    """Path and changed lines."""

    @property
    def line(self) -> str:
        return f"{self.short} {self.date} {self.author}: {shortened(self.subject, 100)}"


class Git:
    """Makes the jobs that ask git; one for each agent."""

    def __init__(self, tree: Tree, *, limit_s: float, now: Callable[[], datetime.datetime]) -> None:
        self._tree = tree
        self._limit_s = limit_s
        self._now = now

    def _run(self, *arguments: str) -> Run:
        shown = shlex.join(("git", *arguments))
        return Run(argv=(*_GIT, *arguments), limit_s=self._limit_s, shown=shown, env=_ENVIRONMENT)

    # ---- jobs ----

    def what_changed(self, request: WhatChanged) -> Job:
        """Sum up the commits of a period, and what is not committed."""
        if isinstance(request.period, SinceLastCommit):
            return (yield from self._since_last_commit(request.where))
        parts = yield from self._parts(request.where)
        if isinstance(parts, Answer):
            return parts
        limits = yield from self._limits(request.period)
        if isinstance(limits, Answer):
            return limits
        commits = yield from self._log(limits, parts)
        if isinstance(commits, Answer):
            return commits
        changed = yield from self._status(parts)
        open_files = [] if isinstance(changed, Answer) else changed
        when = spoken_period(request.period)
        place = f" in {said_path(request.where)}" if request.where else ""
        if not commits:
            return (yield from self._nothing(when, place, open_files))
        return _summary(commits, open_files, when=when, place=place)

    def _nothing(self, when: str, place: str, open_files: list[str]) -> Job:
        last = yield from self._log(("-1",), [])
        told = f"no commits{place} {when}"
        if open_files:
            told += f", but {counted(len(open_files), 'file has', 'files have')} uncommitted changes"
        if isinstance(last, list) and last:
            told += f". The last one is {self._date(last[0])}: {shortened(last[0].subject, 60)}"
        return Answer(spoken=sentence(told), details="\n".join(open_files[:_SHOWN_FILES]))

    def commits(self, request: ListCommits) -> Job:
        """List the newest commits."""
        limits: tuple[str, ...] = ()
        if request.period is not None:
            if isinstance(request.period, SinceLastCommit):
                return (yield from self._since_last_commit(None))
            found = yield from self._limits(request.period)
            if isinstance(found, Answer):
                return found
            limits = found
        n_wanted = request.count if request.period is None or request.count == 1 else _MAX_COMMITS
        commits = yield from self._log((*limits, f"-{n_wanted}"), [])
        if isinstance(commits, Answer):
            return commits
        when = "" if request.period is None else f" {spoken_period(request.period)}"
        if not commits:
            return Answer(spoken=sentence(f"there are no commits{when}"))
        first = commits[0]
        if request.count == 1:
            names = listed([said_path(path) for path, _lines in first.files])
            told = f"the last commit is {self._date(first)} by {first.author}: {shortened(first.subject, 70)}"
            details = [first.line, *(path for path, _lines in first.files[:_SHOWN_FILES])]
            return Answer(spoken=sentence(f"{told}; it changed {names}" if names else told), details="\n".join(details))
        which = when or ", newest first"
        told = f"{counted(len(commits), 'commit')}{which}; the last one: {shortened(first.subject, 80)}"
        lines = [commit.line for commit in commits[:100]]
        return Answer(spoken=sentence(told), details="\n".join(lines))

    def who(self, request: WhoChanged) -> Job:
        """Name the authors."""
        parts = yield from self._parts(request.where)
        if isinstance(parts, Answer):
            return parts
        limits: tuple[str, ...] = ()
        if request.period is not None and not isinstance(request.period, SinceLastCommit):
            found = yield from self._limits(request.period)
            if isinstance(found, Answer):
                return found
            limits = found
        commits = yield from self._log(limits, parts)
        if isinstance(commits, Answer):
            return commits
        when = "" if request.period is None else f" {spoken_period(request.period)}"
        place = f" in {said_path(request.where)}" if request.where else ""
        if not commits:
            return Answer(spoken=sentence(f"nobody committed anything{place}{when}"))
        counts = collections.Counter(commit.author for commit in commits)
        names = [f"{author} with {counted(n, 'commit')}" for author, n in counts.most_common()]
        last = commits[0]
        told = f"{listed(names)}{place}{when}; last was {last.author} {self._date(last)}"
        details = [f"{n:5}  {author}" for author, n in counts.most_common(_SHOWN_FILES)]
        return Answer(spoken=sentence(told), details="\n".join(details))

    def working_tree(self) -> Job:
        """Say what is not committed."""
        changed = yield from self._status([])
        if isinstance(changed, Answer):
            return changed
        return _uncommitted(changed)

    def branch(self) -> Job:
        """Name the branch and the others."""
        current = self._run("branch", "--show-current")
        yield current
        if current.finished.exit_status != 0:
            return _trouble(current.finished)
        name = current.finished.text.strip()
        every = self._run("branch", "--format=%(refname:short)", "--sort=-committerdate")
        yield every
        lines = [line.strip() for line in every.finished.text.splitlines()]
        branches = [line for line in lines if line and not line.startswith("(")]
        others = [branch for branch in branches if branch != name]
        told = f"you are on branch {name}" if name else "you are on no branch; a commit is checked out by itself"
        if others:
            verb = "is" if len(others) == 1 else "are"
            told += f"; there {verb} {counted(len(others), 'other branch', 'other branches')}"
        return Answer(spoken=sentence(told), details="\n".join(branches[:100]))

    # ---- pieces ----

    def _date(self, commit: _Commit) -> str:
        return said_date(commit.date, today=self._now().date())

    def _since_last_commit(self, where: str | None) -> Job:
        parts = yield from self._parts(where)
        if isinstance(parts, Answer):
            return parts
        changed = yield from self._status(parts)
        if isinstance(changed, Answer):
            return changed
        return _uncommitted(changed)

    def _parts(self, where: str | None) -> Generator[Run | Call[object] | Say, None, list[str] | Answer]:
        if where is None:
            return []
        call = Call(lambda _cancelled: self._tree.parts(where))
        yield call
        if not call.value:
            return Answer(spoken=sentence(f"I found nothing called {shortened(where, 60)} in this workspace"))
        return call.value

    def _limits(
        self, period: NamedPeriod | Past | SinceWeekday | SinceDate | SinceRelease
    ) -> Generator[Run | Call[object] | Say, None, tuple[str, ...] | Answer]:
        if isinstance(period, SinceRelease):
            tag = self._run("describe", "--tags", "--abbrev=0")
            yield tag
            if tag.finished.exit_status != 0:
                if "not a git repository" in tag.finished.text or tag.finished.missing:
                    return _trouble(tag.finished)
                return Answer(spoken="There is no release tag to compare with.")
            return (f"{tag.finished.text.strip().splitlines()[-1]}..HEAD",)
        span = window(period, now=self._now())
        since = (f"--since={span.since.isoformat()}",)
        return since if span.until is None else (*since, f"--until={span.until.isoformat()}")

    def _log(
        self, limits: tuple[str, ...], parts: list[str]
    ) -> Generator[Run | Call[object] | Say, None, list[_Commit] | Answer]:
        paths = [f":(literal){part}" for part in parts] or ["."]
        log = self._run(
            "log",
            f"-{_MAX_COMMITS}",
            "--no-merges",
            "--no-ext-diff",
            "--no-textconv",
            "--numstat",
            _LOG_FORMAT,
            *limits,
            "--",
            *paths[:200],
        )
        yield log
        if log.finished.exit_status != 0:
            if "does not have any commits yet" in log.finished.text or "bad default revision" in log.finished.text:
                return Answer(spoken="This repository has no commits yet.")
            return _trouble(log.finished)
        return _read_log(log.finished.text)

    def _status(self, parts: list[str]) -> Generator[Run | Call[object] | Say, None, list[str] | Answer]:
        paths = [f":(literal){part}" for part in parts] or ["."]
        status = self._run("status", "--porcelain", "--untracked-files=normal", "--", *paths[:200])
        yield status
        if status.finished.exit_status != 0:
            return _trouble(status.finished)
        return [line for line in status.finished.text.splitlines() if re.match(r"[ MTADRCU?!]{2} \S", line)]


def _read_log(text: str) -> list[_Commit]:
    commits: list[_Commit] = []
    files: list[tuple[str, int]] = []
    head: re.Match[str] | None = None

    def close() -> None:
        if head is not None:
            short, date, author, subject = head.groups()
            author = author or "somebody"
            commits.append(_Commit(short=short, date=date, author=author, subject=subject, files=tuple(files)))

    for line in text.splitlines():
        if found := _COMMIT.fullmatch(line):
            close()
            head = found
            files = []
        elif found := _FILE.fullmatch(line):
            n_lines = sum(int(count) for count in found.groups()[:2] if count is not None and count.isdecimal())
            files.append((found[3], n_lines))
    close()
    return commits


def _summary(commits: list[_Commit], open_files: list[str], *, when: str, place: str) -> Answer:
    authors = collections.Counter(commit.author for commit in commits)
    weights: collections.Counter[str] = collections.Counter()
    files: collections.Counter[str] = collections.Counter()
    for commit in commits:
        for path, n_lines in commit.files:
            weights[area_of(path)] += n_lines + 1
            files[path] += n_lines
    many = "at least " if len(commits) >= _MAX_COMMITS else ""
    names = listed([name for name, _n in authors.most_common()])
    told = f"{many}{counted(len(commits), 'commit')}{place} {when} by {names}"
    areas = [area for area, _weight in weights.most_common(3)]
    if areas and not place:
        told += f", mostly in {listed(areas)}" if len(weights) > 1 else f", in {areas[0]}"
    if files:
        told += f"; {counted(len(files), 'file')} changed"
    if open_files:
        told += f", and {counted(len(open_files), 'file is', 'files are')} not committed"
    lines = [commit.line for commit in commits[:_SHOWN_COMMITS]]
    if len(commits) > _SHOWN_COMMITS:
        lines.append(f"... and {len(commits) - _SHOWN_COMMITS} more")
    lines += ["", "Changed lines by file:"]
    lines += [f"{n_lines:6}  {path}" for path, n_lines in files.most_common(_SHOWN_FILES)]
    if open_files:
        lines += ["", "Not committed:", *open_files[:_SHOWN_FILES]]
    return Answer(spoken=sentence(told), details="\n".join(lines))


def _uncommitted(changed: list[str]) -> Answer:
    if not changed:
        return Answer(spoken="Everything is committed.")
    new = [line for line in changed if line.startswith("??")]
    names = [said_path(line[3:].strip('"')) for line in changed]
    told = f"{counted(len(changed), 'file is', 'files are')} not committed: {listed(names)}"
    if new:
        told += f"; {counted(len(new), 'of them is', 'of them are')} new"
    return Answer(spoken=sentence(told), details="\n".join(changed[:200]))


def _trouble(finished: Finished) -> Answer:
    """Why git could not answer, in words."""
    text = finished.text
    if finished.missing is not None:
        return Answer(spoken="Git is not installed here, so I cannot look at the history.", details=finished.missing)
    if "not a git repository" in text:
        return Answer(spoken="This folder is not a git repository, so there is no history to look at.")
    if "dubious ownership" in text:
        return Answer(spoken="Git refuses this repository because somebody else owns it.", details=text)
    if finished.exit_status is None:
        return Answer(spoken=sentence(f"git took longer than {spans(finished.elapsed_s)}, so I stopped it"))
    if "does not have any commits yet" in text or "bad default revision" in text:
        return Answer(spoken="This repository has no commits yet.")
    return Answer(spoken="Git reported an error.", details=text[-2000:])
