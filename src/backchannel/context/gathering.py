"""Gathering what a session is told at its start, without making it wait.

A `Gatherer` lives as long as its process and serves all its sessions. `begin` starts the scans and returns at once;
`collect` waits for them, puts together what is there, beside the event loop too, and says what is missing:

| what is looked at | waited for |
|---|---|
| the thread, recent threads of our own, the repository's place, the trees | until the deadline |
| everything else, where it has not been found before | 30 ms, within the deadline |
| everything else, where an earlier find can stand in | 10 ms, within the deadline |

So neither the size of a tree nor the number of threads decides when a session starts. Whatever is late goes on, and
serves the sessions after this one.

Source: realtime.md 9; app-server.md 6.3.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from typing import TYPE_CHECKING, Any, Final

from backchannel.config import Context
from backchannel.context import looking, scans, sections
from backchannel.context.looking import Kinds
from backchannel.context.parts import OpenWork, Seen, look_at, make_context, wanted_parts
from backchannel.context.sections import PartName
from backchannel.net import SystemClock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from backchannel.net import Clock
    from backchannel.threads import Entry, ThreadStore

__all__ = ["Gatherer", "Gathering"]

_UNKNOWN_WAIT_S: Final = 0.030
_KNOWN_WAIT_S: Final = 0.010
_COMPOSING_S: Final = 0.100
"""So long it may take to put it together, however late the looks were; usually it is 5 ms."""
_OF_THE_THREAD: Final = {PartName.CURRENT_THREAD, PartName.PREVIOUS_CONVERSATION}


class Gatherer:
    """Gathers for all the sessions of a process.

    Args:
        env: Where the homes of other agents are looked up, and what git is run with.
        home: The user's; None where there is none.
        store: Where threads are kept; None for nowhere.
        clock: Tells the time; None for the system's.
    """

    def __init__(
        self, *, env: Mapping[str, str], home: Path | None, store: ThreadStore | None = None, clock: Clock | None = None
    ) -> None:
        self._env = dict(env)
        self._home = None if home is None else str(home)
        self._store = store
        self._clock = clock or SystemClock()
        self._kinds = Kinds(self._clock)
        self._codex = scans.SessionLogs(scans.CodexLogs(env.get("CODEX_HOME") or _under(home, ".codex")))
        self._claude_code = scans.SessionLogs(
            scans.ClaudeCodeLogs(env.get("CLAUDE_CONFIG_DIR") or _under(home, ".claude"))
        )

    def begin(self, cwd: str, *, thread_id: str | None = None, options: Context | None = None) -> Gathering:
        """Start to look; it returns at once.

        Args:
            cwd: The folder that is worked in, absolute.
            thread_id: The thread that the session belongs to; None for none that is kept.
            options: What is wanted; None for the defaults.
        """
        options = options or Context()
        wanted = wanted_parts(options)
        kinds, store, env, home = self._kinds, self._store, self._env, self._home
        kinds.prepare()
        looks = _Looks(cwd=cwd, home=home, project=kinds.projects.start(cwd, lambda _: scans.find_project(cwd)))
        # The order is the one in which they are done. Git goes first, since it works beside us.
        if PartName.REPOSITORY_STATE in wanted:
            looks.state = kinds.states.start(cwd, lambda stop: looking.state(cwd, env, stop))
        if PartName.WORKSPACE_MAP in wanted:
            for folder in dict.fromkeys((cwd, home or cwd)):
                looks.trees[folder] = kinds.trees.start(folder, functools.partial(scans.look_into, folder))
            looks.project_tree = kinds.project_trees.start(cwd, lambda stop: looking.project_tree(cwd, stop))
        if store is not None:
            if PartName.RECENT_WORK in wanted:
                looks.recent = kinds.recent.start("", lambda _: looking.recent(store))
            if thread_id is not None and wanted & _OF_THE_THREAD:
                looks.entries = kinds.entries.start(thread_id, lambda _: looking.entries(store, thread_id))
            if PartName.OPEN_WORK in wanted:
                looks.open_work = kinds.open_work.start(cwd, lambda stop: looking.open_work(store, cwd, stop))
        if PartName.GUIDANCE in wanted:
            looks.guidance = kinds.guidance.start(cwd, lambda stop: looking.guidance(cwd, stop))
        if PartName.RECENT_WORK in wanted:
            for whose, logs in self._logs(options).items():
                looks.sessions[whose] = kinds.sessions.start(whose, functools.partial(looking.sessions, logs))
        return Gathering(looks, kinds, thread_id=thread_id, options=options, clock=self._clock)

    def _logs(self, options: Context) -> dict[str, scans.SessionLogs]:
        """The other agents whose sessions are wanted."""
        if options.level == "reference":
            return {}
        switches = {
            "Codex": (options.codex_sessions, self._codex),
            "Claude Code": (options.claude_code_sessions, self._claude_code),
        }
        return {whose: logs for whose, (is_on, logs) in switches.items() if is_on}


@dataclasses.dataclass(slots=True, kw_only=True)
class _Looks:
    """The scans of one gathering."""

    cwd: str
    home: str | None
    project: scans.Scan[scans.Project | None]
    trees: dict[str, scans.Scan[sections.Tree]] = dataclasses.field(default_factory=dict)
    project_tree: scans.Scan[sections.Tree] | None = None
    recent: scans.Scan[tuple[sections.RecentThread, ...]] | None = None
    entries: scans.Scan[tuple[Entry, ...]] | None = None
    state: scans.Scan[sections.RepositoryState | None] | None = None
    guidance: scans.Scan[tuple[sections.GuidanceFile, ...]] | None = None
    open_work: scans.Scan[OpenWork] | None = None
    sessions: dict[str, scans.Scan[tuple[sections.RecentThread, ...]]] = dataclasses.field(default_factory=dict)


class Gathering:
    """What is being gathered for one session."""

    def __init__(
        self,
        looks: _Looks,
        kinds: Kinds,
        *,
        thread_id: str | None,
        options: Context,
        clock: Clock,
    ) -> None:
        self._looks = looks
        self._kinds = kinds
        self._thread_id = thread_id
        self._options = options
        self._clock = clock

    async def collect(self) -> sections.StartupContext:
        """Wait as long as it may take, and put together what is there. It never fails."""
        looks = self._looks
        began = self._clock.now()
        deadline_s = self._options.deadline_ms / 1000
        needed: list[scans.Scan[Any] | None] = [  # Any: of whatever kind
            looks.project,
            looks.project_tree,
            looks.recent,
            looks.entries,
            *looks.trees.values(),
        ]
        await scans.ready(filter(None, needed), within_s=deadline_s)
        unknown: list[scans.Scan[Any] | None] = [looks.open_work]
        known: list[scans.Scan[Any]] = []
        for scan, earlier in (
            (looks.state, self._kinds.states.earlier(looks.cwd)),
            (looks.guidance, self._kinds.guidance.earlier(looks.cwd)),
            *((scan, self._kinds.sessions.earlier(name)) for name, scan in looks.sessions.items()),
        ):
            if scan is not None:
                (unknown if earlier is None else known).append(scan)
        spent_s = self._clock.now() - began
        await scans.ready(filter(None, unknown), within_s=min(_UNKNOWN_WAIT_S, deadline_s) - spent_s)
        spent_s = self._clock.now() - began
        await scans.ready(known, within_s=min(_KNOWN_WAIT_S, deadline_s) - spent_s)
        return await self._composed(self._seen(), within_s=deadline_s - (self._clock.now() - began))

    async def _composed(self, seen: Seen, *, within_s: float) -> sections.StartupContext:
        """The context, made beside the event loop: what others wrote may be long, and take long to be read."""
        scan = self._kinds.contexts.start(f"{id(self)}", lambda _: make_context(seen, self._options))
        await scans.ready([scan], within_s=max(within_s, _COMPOSING_S))
        if (found := scan.found) is not None and found.value is not None:
            return found.value
        return make_context(seen.without_values(), self._options)

    def _seen(self) -> Seen:
        looks, kinds = self._looks, self._kinds
        return Seen(
            cwd=looks.cwd,
            home=looks.home,
            thread_id=self._thread_id,
            now=self._clock.now(),
            project=look_at(looks.project, kinds.projects.earlier(looks.cwd)),
            trees={place: look_at(scan, kinds.trees.earlier(place)) for place, scan in looks.trees.items()},
            project_tree=look_at(looks.project_tree, kinds.project_trees.earlier(looks.cwd)),
            state=look_at(looks.state, kinds.states.earlier(looks.cwd)),
            guidance=look_at(looks.guidance, kinds.guidance.earlier(looks.cwd)),
            entries=look_at(looks.entries),
            recent=look_at(looks.recent),
            open_work=look_at(looks.open_work),
            sessions={whose: look_at(scan, kinds.sessions.earlier(whose)) for whose, scan in looks.sessions.items()},
        )


def _under(home: Path | None, name: str) -> str:
    return os.devnull if home is None else str(home / name)
