"""What is looked at for a session, each by a scan of its own.

A scan finds the repository around its folder for itself: that is quick, and so none has to wait for another.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from backchannel.context import scans, sections
from backchannel.context.parts import OpenWork
from backchannel.threads import last_tests, open_tasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from backchannel.net import Clock
    from backchannel.threads import Entry, Thread, ThreadStore

__all__ = [
    "Kinds",
    "entries",
    "guidance",
    "open_work",
    "project_tree",
    "recent",
    "sessions",
    "state",
]

_MAX_ENTRIES: Final = 400
"""So many of a thread's last entries are read."""
_MAX_ENTRIES_ELSEWHERE: Final = 100
"""And so many of each other thread whose work is not done."""
_MAX_THREADS_FOR_TESTS: Final = 8


class Kinds:
    """The scans of a process, each kind for itself."""

    def __init__(self, clock: Clock) -> None:
        workers = scans.Workers()
        self.projects: scans.Scans[scans.Project | None] = scans.Scans("repository", workers, clock)
        self.trees: scans.Scans[sections.Tree] = scans.Scans("tree", workers, clock)
        self.project_trees: scans.Scans[sections.Tree] = scans.Scans("repository tree", workers, clock)
        self.states: scans.Scans[sections.RepositoryState | None] = scans.Scans("changes", workers, clock)
        self.guidance: scans.Scans[tuple[sections.GuidanceFile, ...]] = scans.Scans("guidance", workers, clock)
        # What is read from our own store is always read anew.
        self.entries: scans.Scans[tuple[Entry, ...]] = scans.Scans("thread", workers, clock, keep_s=0)
        self.recent: scans.Scans[tuple[sections.RecentThread, ...]] = scans.Scans(
            "recent work", workers, clock, keep_s=0
        )
        self.open_work: scans.Scans[OpenWork] = scans.Scans("open work", workers, clock, keep_s=0)
        self.sessions: scans.Scans[tuple[sections.RecentThread, ...]] = scans.Scans("sessions", workers, clock)
        # In threads of their own, since a session waits for it.
        self._composers = scans.Workers()
        self.contexts: scans.Scans[sections.StartupContext] = scans.Scans("context", self._composers, clock, keep_s=0)

    def prepare(self) -> None:
        """Have threads for the contexts: later, while others are looking, it would take longer to start them."""
        self._composers.submit(lambda: None)


def project_tree(folder: str, stop: scans.Stop) -> sections.Tree:
    """What lies at the root of the repository around a folder; nothing where that is the folder itself."""
    project = scans.find_project(folder)
    if project is None or project.root == os.path.realpath(folder):
        return ()
    return scans.look_into(project.root, stop)


def state(folder: str, env: Mapping[str, str], stop: scans.Stop) -> sections.RepositoryState | None:
    """How the repository around a folder stands; None where there is none."""
    project = scans.find_project(folder)
    return None if project is None else scans.read_state(project, env, stop)


def guidance(folder: str, stop: scans.Stop) -> tuple[sections.GuidanceFile, ...]:
    """What the project around a folder tells agents."""
    project = scans.find_project(folder)
    return scans.read_guidance(folder, None if project is None else project.checkout, stop)


def sessions(logs: scans.SessionLogs, stop: scans.Stop) -> tuple[sections.RecentThread, ...]:
    """The newest sessions of another agent."""
    return _with_projects(logs.newest(stop))


def recent(store: ThreadStore) -> tuple[sections.RecentThread, ...]:
    """Our own newest threads."""
    return _with_projects(store.recent(sections.MAX_THREADS))


def entries(store: ThreadStore, thread_id: str) -> tuple[Entry, ...]:
    """The end of a thread."""
    return store.entries(thread_id, newest=_MAX_ENTRIES)


def open_work(store: ThreadStore, folder: str, stop: scans.Stop) -> OpenWork:
    """What is not done: first in the project around a folder, then elsewhere."""
    here = _group_of(folder)
    working: list[sections.Working] = []
    for thread in store.working():
        stop.check()
        tasks = open_tasks(store.entries(thread.thread_id, newest=_MAX_ENTRIES_ELSEWHERE))
        working += [sections.Working(thread_id=thread.thread_id, cwd=thread.cwd, task=task) for task in tasks]
    working.sort(key=lambda each: _group_of(each.cwd) != here)
    return OpenWork(working=tuple(working), tests=_failed_tests(store, here, stop))


def _failed_tests(store: ThreadStore, here: str, stop: scans.Stop) -> sections.SeenTests | None:
    """The last run of tests in a project, if it failed."""
    threads = [thread for thread in store.recent(sections.MAX_THREADS) if _group_of(thread.cwd) == here]
    runs = []
    for thread in threads[:_MAX_THREADS_FOR_TESTS]:
        stop.check()
        run = last_tests(store.entries(thread.thread_id, newest=_MAX_ENTRIES_ELSEWHERE))
        if run is not None:
            runs.append((run, thread))
    if not runs:
        return None
    run, thread = max(runs, key=lambda each: each[0].at_ms)
    return None if run.passed else sections.SeenTests(thread_id=thread.thread_id, cwd=thread.cwd, tests=run)


def _with_projects(threads: Iterable[Thread]) -> tuple[sections.RecentThread, ...]:
    roots: dict[str, str | None] = {}
    found = []
    for thread in threads:
        if thread.cwd not in roots:
            project = scans.find_project(thread.cwd)
            roots[thread.cwd] = None if project is None else project.root
        found.append(sections.RecentThread(thread=thread, project=roots[thread.cwd]))
    return tuple(found)


def _group_of(folder: str) -> str:
    project = scans.find_project(folder)
    return folder if project is None else project.root
