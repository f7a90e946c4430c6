"""Gathering what a session is told at its start, without making it wait.

A `Gatherer` lives as long as its process and serves all its sessions. `begin` starts the scans and returns at once;
`collect` waits for them, puts together what is there and says what is missing:

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
from backchannel.context.looking import Kinds, Look, OpenWork, look_at
from backchannel.context.sections import Budgets, Part, PartName, Standing
from backchannel.net import SystemClock
from backchannel.threads import past_conversation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from backchannel.net import Clock
    from backchannel.threads import Entry, ThreadStore

__all__ = ["Gatherer", "Gathering"]

_UNKNOWN_WAIT_S: Final = 0.030
_KNOWN_WAIT_S: Final = 0.010
_NOW_S: Final = 5.0
"""What was found so lately is as good as new."""
_OF_THE_THREAD: Final = {PartName.CURRENT_THREAD, PartName.PREVIOUS_CONVERSATION}
_AS_REFERENCE: Final = (PartName.CURRENT_THREAD, PartName.RECENT_WORK, PartName.WORKSPACE_MAP)


class Gatherer:
    """Gathers for all the sessions of a process.

    Args:
        env: Where the homes of other agents are looked up, and what git is run with.
        home: The user's; None where there is none.
        store: Where threads are kept; None for nowhere.
        clock: Tells the time; None for the system's.
    """

    def __init__(
        self, *, env: Mapping[str, str], home: str | None, store: ThreadStore | None = None, clock: Clock | None = None
    ) -> None:
        self._env = dict(env)
        self._home = home
        self._store = store
        self._clock = clock or SystemClock()
        self._kinds = Kinds(self._clock)
        self._codex = scans.SessionLogs(scans.CodexLogs(env.get("CODEX_HOME") or os.path.join(home or "", ".codex")))
        self._claude_code = scans.SessionLogs(
            scans.ClaudeCodeLogs(env.get("CLAUDE_CONFIG_DIR") or os.path.join(home or "", ".claude"))
        )

    def begin(self, cwd: str, *, thread_id: str | None = None, options: Context | None = None) -> Gathering:
        """Start to look; it returns at once.

        Args:
            cwd: The folder that is worked in, absolute.
            thread_id: The thread that the session belongs to; None for none that is kept.
            options: What is wanted; None for the defaults.
        """
        options = options or Context()
        wanted = frozenset(_wanted(options))
        kinds, store, env, home = self._kinds, self._store, self._env, self._home
        looks = _Looks(cwd=cwd, home=home, project=kinds.projects.start(cwd, lambda _: scans.find_project(cwd)))
        if PartName.WORKSPACE_MAP in wanted:
            for folder in {cwd, home or cwd}:
                looks.trees[folder] = kinds.trees.start(folder, functools.partial(scans.look_into, folder))
            looks.project_tree = kinds.project_trees.start(cwd, lambda stop: looking.project_tree(cwd, stop))
        if PartName.REPOSITORY_STATE in wanted:
            looks.state = kinds.states.start(cwd, lambda stop: looking.state(cwd, env, stop))
        if PartName.GUIDANCE in wanted:
            looks.guidance = kinds.guidance.start(cwd, lambda stop: looking.guidance(cwd, stop))
        if PartName.RECENT_WORK in wanted:
            for whose, logs in self._logs(options).items():
                looks.sessions[whose] = kinds.sessions.start(whose, functools.partial(looking.sessions, logs))
        if store is not None:
            if PartName.RECENT_WORK in wanted:
                looks.recent = kinds.recent.start("", lambda _: looking.recent(store))
            if PartName.OPEN_WORK in wanted:
                looks.open_work = kinds.open_work.start(cwd, lambda stop: looking.open_work(store, cwd, stop))
            if thread_id is not None and wanted & _OF_THE_THREAD:
                looks.entries = kinds.entries.start(thread_id, lambda _: looking.entries(store, thread_id))
        return Gathering(looks, kinds, thread_id=thread_id, options=options, wanted=wanted, clock=self._clock)

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
        wanted: frozenset[PartName],
        clock: Clock,
    ) -> None:
        self._looks = looks
        self._kinds = kinds
        self._thread_id = thread_id
        self._options = options
        self._wanted = wanted
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
        return self._put_together()

    def _put_together(self) -> sections.StartupContext:
        budgets = Budgets()
        if self._options.budget is not None:
            budgets = budgets.within(self._options.budget, self._wanted)
        makers: dict[PartName, Callable[[int], Part]] = {
            PartName.PREVIOUS_CONVERSATION: self._previous_conversation,
            PartName.CURRENT_THREAD: lambda budget: self._current_thread(budget, max_turn_tokens=budgets.turn),
            PartName.OPEN_WORK: self._open_work,
            PartName.REPOSITORY_STATE: self._repository_state,
            PartName.RECENT_WORK: self._recent_work,
            PartName.WORKSPACE_MAP: self._workspace_map,
            PartName.GUIDANCE: self._guidance,
        }
        parts = [
            make(budgets.of(name)) if name in self._wanted else Part(name=name, standing=Standing.OFF)
            for name, make in makers.items()
        ]
        return sections.assemble(parts, max_notes_tokens=budgets.notes)

    # The parts

    def _previous_conversation(self, budget: int) -> Part:
        name, sources = PartName.PREVIOUS_CONVERSATION, "the end of the last conversation in this thread"
        if (look := look_at(self._looks.entries)).value is None:
            return _missing(name, look)
        past = past_conversation(look.value)
        told = sections.previous_conversation_section(past, max_tokens=budget, origin=self._thread_origin)
        return _made(name, look, told, sources)

    def _current_thread(self, budget: int, *, max_turn_tokens: int) -> Part:
        name, sources = PartName.CURRENT_THREAD, "the latest turns of this thread"
        if (look := look_at(self._looks.entries)).value is None:
            return _missing(name, look)
        told = sections.current_thread_section(
            sections.turns_of(look.value),
            max_tokens=budget,
            max_turn_tokens=max_turn_tokens,
            origin=self._thread_origin,
        )
        return _made(name, look, told, sources)

    def _open_work(self, budget: int) -> Part:
        name, sources = PartName.OPEN_WORK, "what the agent has not finished"
        if (look := look_at(self._looks.open_work)).value is None:
            return _missing(name, look)
        told = sections.open_work_section(look.value.working, look.value.tests, max_tokens=budget)
        return _made(name, look, told, sources)

    def _repository_state(self, budget: int) -> Part:
        name, sources = PartName.REPOSITORY_STATE, "what git says of the branch and of changed files"
        look = look_at(self._looks.state, self._kinds.states.earlier(self._looks.cwd))
        if look.value is None:
            return _missing(name, look)
        age_s = self._clock.now() - look.at
        as_of = f"{round(age_s)} seconds before this was put together" if age_s > _NOW_S else None
        told = sections.repository_state_section(look.value, as_of=as_of, max_tokens=budget)
        return _made(name, look, told, sources)

    def _recent_work(self, budget: int) -> Part:
        name = PartName.RECENT_WORK
        own = look_at(self._looks.recent)
        others = {
            whose: look_at(scan, self._kinds.sessions.earlier(whose)) for whose, scan in self._looks.sessions.items()
        }
        threads = [*(own.value or ()), *(thread for look in others.values() for thread in look.value or ())]
        project = look_at(self._looks.project, self._kinds.projects.earlier(self._looks.cwd))
        here = project.value.root if project.value is not None else self._looks.cwd
        told = sections.recent_work_section(threads, here=here, max_tokens=budget)
        looks = {"Backchannel": own, **others}
        whose = [name for name, look in looks.items() if look.value]
        missing = [look for look in looks.values() if look.is_missing]
        standing = _standing(told) if told is not None or not missing else missing[0].standing
        return Part(
            name=name,
            standing=standing,
            section=told,
            sources=f"recent threads of {_listed(whose)}" if whose else "",
            remarks=tuple(
                f"the threads of {name} could not be read in time"
                for name, look in looks.items()
                if look.is_missing and standing is Standing.TOLD
            ),
            took_ms=max(look.took_ms for look in looks.values()),
        )

    def _workspace_map(self, budget: int) -> Part:
        looks = self._looks
        project = look_at(looks.project, self._kinds.projects.earlier(looks.cwd))
        trees = {place: look_at(scan, self._kinds.trees.earlier(place)) for place, scan in looks.trees.items()}
        project_tree = look_at(looks.project_tree, self._kinds.project_trees.earlier(looks.cwd))
        root = project.value.root if project.value is not None else None
        home = looks.home
        home_tree = trees[home].value if home in trees and home not in (looks.cwd, root) else None
        found = sections.WorkspaceMap(
            cwd=looks.cwd,
            project=root,
            home=home,
            cwd_tree=trees[looks.cwd].value or (),
            project_tree=project_tree.value or (),
            home_tree=home_tree or (),
        )
        told = sections.workspace_map_section(found, max_tokens=budget)
        named: dict[str, Look[Any]] = {  # Any: of whatever kind
            **{f"what lies in {sections.plain(place)}": look for place, look in trees.items()},
            "the repository around the current folder": project,
            "what lies in that repository": project_tree,
        }
        missing = [name for name, look in named.items() if look.is_missing]
        standing = _standing(told) if told is not None or not missing else named[missing[0]].standing
        return Part(
            name=PartName.WORKSPACE_MAP,
            standing=standing,
            section=told,
            sources="the names of files and folders, two levels deep",
            remarks=tuple(f"{each} could not be read in time" for each in missing if standing is Standing.TOLD),
            took_ms=max(look.took_ms for look in named.values()),
        )

    def _guidance(self, budget: int) -> Part:
        name, sources = PartName.GUIDANCE, "the outline of what the project tells agents"
        look = look_at(self._looks.guidance, self._kinds.guidance.earlier(self._looks.cwd))
        if look.value is None:
            return _missing(name, look)
        return _made(name, look, sections.guidance_section(look.value, max_tokens=budget), sources)

    @property
    def _thread_origin(self) -> str:
        return f"thread {self._thread_id}"


def _standing(told: sections.Section | None) -> Standing:
    return Standing.EMPTY if told is None else Standing.TOLD


def _wanted(options: Context) -> Iterable[PartName]:
    switches = {
        PartName.PREVIOUS_CONVERSATION: options.previous_conversation,
        PartName.CURRENT_THREAD: options.current_thread,
        PartName.OPEN_WORK: options.open_work,
        PartName.REPOSITORY_STATE: options.repository_state,
        PartName.RECENT_WORK: options.recent_work,
        PartName.WORKSPACE_MAP: options.workspace_map,
        PartName.GUIDANCE: options.guidance,
    }
    return (name for name, on in switches.items() if on and (options.level == "full" or name in _AS_REFERENCE))


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _missing(name: PartName, look: Look[Any]) -> Part:  # Any: of whatever kind
    return Part(name=name, standing=look.standing, took_ms=look.took_ms)


def _made(name: PartName, look: Look[Any], told: sections.Section | None, sources: str) -> Part:  # Any: likewise
    return Part(name=name, standing=_standing(told), section=told, sources=sources, took_ms=look.took_ms)
