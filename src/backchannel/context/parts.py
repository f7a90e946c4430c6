"""The parts of a startup context, from how far each look at things has come. Pure.

What was not ready when it had to be is not made up for: the part is missing, or says what is missing in it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from backchannel.context import scans, sections
from backchannel.context.sections import Budgets, Part, PartName, Standing
from backchannel.threads import past_conversation

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.config import Context
    from backchannel.threads import Entry

__all__ = ["Look", "OpenWork", "Seen", "look_at", "make_context", "wanted_parts"]

_T = TypeVar("_T")

_NOW_S: Final = 5.0
"""What was found so lately is as good as new."""
_AS_REFERENCE: Final = (PartName.CURRENT_THREAD, PartName.RECENT_WORK, PartName.WORKSPACE_MAP)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenWork:
    """What is not done."""

    working: tuple[sections.Working, ...]
    tests: sections.SeenTests | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Look(Generic[_T]):
    """How far a scan had come when it was asked."""

    standing: Standing = Standing.EMPTY
    """Empty where nobody looked, or there was nothing."""
    value: _T | None = None
    took_ms: float = 0.0
    at: float = 0.0
    """When it was found, by the clock of `Seen.now`."""

    @property
    def is_missing(self) -> bool:
        """Whether somebody looked and nothing is known."""
        return self.standing in (Standing.LATE, Standing.FAILED)


def look_at(scan: scans.Scan[_T] | None, earlier: scans.Found[_T] | None = None) -> Look[_T]:
    """What a scan has found, or else what was found earlier."""
    if scan is None:
        return Look()
    found = scan.found
    if found is None or found.failure is not None:
        found = earlier or found
    if found is None:
        return Look(standing=Standing.LATE)
    took_ms = found.took_s * 1000
    if found.failure is not None:
        return Look(standing=Standing.FAILED, took_ms=took_ms)
    standing = Standing.EMPTY if found.value is None else Standing.TOLD
    return Look(standing=standing, value=found.value, took_ms=took_ms, at=found.at)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that was looked at for one session."""

    cwd: str
    home: str | None
    thread_id: str | None
    now: float
    project: Look[scans.Project | None] = Look()
    trees: dict[str, Look[sections.Tree]] = dataclasses.field(default_factory=dict)
    """Of the current folder and of the home."""
    project_tree: Look[sections.Tree] = Look()
    state: Look[sections.RepositoryState | None] = Look()
    guidance: Look[tuple[sections.GuidanceFile, ...]] = Look()
    entries: Look[tuple[Entry, ...]] = Look()
    """Of the thread."""
    recent: Look[tuple[sections.RecentThread, ...]] = Look()
    open_work: Look[OpenWork] = Look()
    sessions: dict[str, Look[tuple[sections.RecentThread, ...]]] = dataclasses.field(default_factory=dict)
    """Of other agents, by their name."""

    def without_values(self) -> Seen:
        """The same where everything that was found came too late."""
        return dataclasses.replace(
            self,
            project=_late(self.project),
            trees={place: _late(look) for place, look in self.trees.items()},
            project_tree=_late(self.project_tree),
            state=_late(self.state),
            guidance=_late(self.guidance),
            entries=_late(self.entries),
            recent=_late(self.recent),
            open_work=_late(self.open_work),
            sessions={whose: _late(look) for whose, look in self.sessions.items()},
        )


def _late(look: Look[_T]) -> Look[_T]:
    return look if look.value is None else Look(standing=Standing.LATE, took_ms=look.took_ms)


def make_context(seen: Seen, options: Context) -> sections.StartupContext:
    """The context, within the budget that was chosen."""
    budgets = Budgets()
    context = _assembled(seen, wanted_parts(options), budgets)
    if options.budget is None or context.tokens <= options.budget:
        return context
    return _assembled(seen, wanted_parts(options), budgets.within(options.budget, context))


def _assembled(seen: Seen, wanted: frozenset[PartName], budgets: Budgets) -> sections.StartupContext:
    makers: dict[PartName, Callable[[Seen, int], Part]] = {
        PartName.PREVIOUS_CONVERSATION: _previous_conversation,
        PartName.CURRENT_THREAD: lambda seen, budget: _current_thread(seen, budget, max_turn_tokens=budgets.turn),
        PartName.OPEN_WORK: _open_work,
        PartName.REPOSITORY_STATE: _repository_state,
        PartName.RECENT_WORK: _recent_work,
        PartName.WORKSPACE_MAP: _workspace_map,
        PartName.GUIDANCE: _guidance,
    }
    parts = [
        make(seen, budgets.of(name)) if name in wanted else Part(name=name, standing=Standing.OFF)
        for name, make in makers.items()
    ]
    return sections.assemble(parts, max_notes_tokens=budgets.notes)


def _previous_conversation(seen: Seen, budget: int) -> Part:
    name, sources = PartName.PREVIOUS_CONVERSATION, "the end of the last conversation in this thread"
    if (look := seen.entries).value is None:
        return _missing(name, look)
    past = past_conversation(look.value)
    told = sections.previous_conversation_section(past, max_tokens=budget, origin=f"thread {seen.thread_id}")
    return _made(name, look, told, sources)


def _current_thread(seen: Seen, budget: int, *, max_turn_tokens: int) -> Part:
    name, sources = PartName.CURRENT_THREAD, "the latest turns of this thread"
    if (look := seen.entries).value is None:
        return _missing(name, look)
    told = sections.current_thread_section(
        sections.turns_of(look.value),
        max_tokens=budget,
        max_turn_tokens=max_turn_tokens,
        origin=f"thread {seen.thread_id}",
    )
    return _made(name, look, told, sources)


def _open_work(seen: Seen, budget: int) -> Part:
    name, sources = PartName.OPEN_WORK, "what the agent has not finished"
    if (look := seen.open_work).value is None:
        return _missing(name, look)
    told = sections.open_work_section(look.value.working, look.value.tests, max_tokens=budget)
    return _made(name, look, told, sources)


def _repository_state(seen: Seen, budget: int) -> Part:
    name, sources = PartName.REPOSITORY_STATE, "what git says of the branch and of changed files"
    if (look := seen.state).value is None:
        return _missing(name, look)
    age_s = seen.now - look.at
    as_of = f"{round(age_s)} seconds before this was put together" if age_s > _NOW_S else None
    told = sections.repository_state_section(look.value, as_of=as_of, max_tokens=budget)
    return _made(name, look, told, sources)


def _recent_work(seen: Seen, budget: int) -> Part:
    name = PartName.RECENT_WORK
    looks = {"Backchannel": seen.recent, **seen.sessions}
    threads = [thread for look in looks.values() for thread in look.value or ()]
    here = seen.project.value.root if seen.project.value is not None else seen.cwd
    told = sections.recent_work_section(threads, here=here, max_tokens=budget)
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


def _workspace_map(seen: Seen, budget: int) -> Part:
    cwd, home, trees = seen.cwd, seen.home, seen.trees
    root = seen.project.value.root if seen.project.value is not None else None
    home_tree = trees[home].value if home in trees and home not in (cwd, root) else None
    found = sections.WorkspaceMap(
        cwd=cwd,
        project=root,
        home=home,
        cwd_tree=trees[cwd].value or (),
        project_tree=seen.project_tree.value or (),
        home_tree=home_tree or (),
    )
    told = sections.workspace_map_section(found, max_tokens=budget)
    named: dict[str, Look[Any]] = {  # Any: of whatever kind
        **{f"what lies in {sections.plain(place)}": look for place, look in trees.items()},
        "the repository around the current folder": seen.project,
        "what lies in that repository": seen.project_tree,
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


def _guidance(seen: Seen, budget: int) -> Part:
    name, sources = PartName.GUIDANCE, "the outline of what the project tells agents"
    if (look := seen.guidance).value is None:
        return _missing(name, look)
    return _made(name, look, sections.guidance_section(look.value, max_tokens=budget), sources)


def _standing(told: sections.Section | None) -> Standing:
    return Standing.EMPTY if told is None else Standing.TOLD


def wanted_parts(options: Context) -> frozenset[PartName]:
    """The parts that are looked for."""
    switches = {
        PartName.PREVIOUS_CONVERSATION: options.previous_conversation,
        PartName.CURRENT_THREAD: options.current_thread,
        PartName.OPEN_WORK: options.open_work,
        PartName.REPOSITORY_STATE: options.repository_state,
        PartName.RECENT_WORK: options.recent_work,
        PartName.WORKSPACE_MAP: options.workspace_map,
        PartName.GUIDANCE: options.guidance,
    }
    return frozenset(
        name for name, is_on in switches.items() if is_on and (options.level == "full" or name in _AS_REFERENCE)
    )


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _missing(name: PartName, look: Look[Any]) -> Part:  # Any: of whatever kind
    return Part(name=name, standing=look.standing, took_ms=look.took_ms)


def _made(name: PartName, look: Look[Any], told: sections.Section | None, sources: str) -> Part:  # Any: likewise
    return Part(name=name, standing=_standing(told), section=told, sources=sources, took_ms=look.took_ms)
