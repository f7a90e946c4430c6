from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.config import MIN_CONTEXT_TOKENS, Context
from backchannel.context.parts import Look, OpenWork, Seen, look_at, make_context, wanted_parts
from backchannel.context.scans import Found, Project, Scan
from backchannel.context.sections import (
    ChangedFile,
    GuidanceFile,
    PartName,
    RecentThread,
    RepositoryState,
    Standing,
    StartupContext,
    Working,
)
from backchannel.threads import AgentSaid, OpenTask, Source, Spoken, Thread, UserAsked, VoiceBegan, VoiceEnded

_T = TypeVar("_T")


def _look(value: _T, *, at: float = 100.0) -> Look[_T]:
    return Look(standing=Standing.TOLD, value=value, took_ms=1.5, at=at)


def _recent(ask: str, source: Source = "backchannel") -> tuple[RecentThread, ...]:
    thread = Thread(
        thread_id=ask, cwd="/app/web", created_at_ms=0, updated_at_ms=len(ask), first_ask=ask, source=source
    )
    return (RecentThread(thread=thread, project="/app"),)


EVERYTHING = Seen(
    cwd="/app/web",
    home="/users/ada",
    thread_id="a",
    now=101.0,
    project=_look(Project(root="/app", checkout="/app", git_folder="/app/.git")),
    trees={"/app/web": _look(((0, "main.py"),)), "/users/ada": _look(((0, "notes/"),))},
    project_tree=_look(((0, "web/"),)),
    state=_look(RepositoryState(branch="main", commit="c", files=(ChangedFile(path="a.py", kind="new"),))),
    guidance=_look((GuidanceFile(path="AGENTS.md", text="Be kind.\n"),)),
    entries=_look(
        (
            UserAsked(at_ms=1, text="fix it"),
            AgentSaid(at_ms=2, text="fixed"),
            VoiceBegan(at_ms=3),
            Spoken(at_ms=4, speaker="user", text="hello there"),
            VoiceEnded(at_ms=5),
        )
    ),
    recent=_look(_recent("fix it")),
    open_work=_look(
        OpenWork(
            working=(Working(thread_id="b", cwd="/x", task=OpenTask(turn_id="t", request="deploy", began_at_ms=1)),),
            tests=None,
        )
    ),
    sessions={"Codex": _look(_recent("write docs", "codex")), "Claude Code": _look(())},
)
NOTHING = Seen(cwd="/a", home=None, thread_id=None, now=0.0, trees={"/a": Look()})


LATE: Look[Any] = Look(standing=Standing.LATE)


def _standings(context: StartupContext) -> dict[str, str]:
    return {part.name.value: part.standing.value for part in context.parts}


def _notes(context: StartupContext) -> str:
    assert context.notes is not None
    return context.notes.text


def test_everything_that_is_there_is_told() -> None:
    context = make_context(EVERYTHING, Context())
    assert set(_standings(context).values()) == {"told"}
    titles = [section.title for section in context.sections]
    assert titles == [
        "Previous Conversation",
        "Current Thread",
        "Open Work",
        "Repository State",
        "Recent Work",
        "Machine / Workspace Map",
        "Project Guidance",
        "Notes",
    ]
    for told in (
        "User: hello there",
        "User:\nfix it\n\nAssistant:\nfixed",
        "- /x: deploy",
        "- a.py (not tracked)",
        "- /app/web: write docs (Codex)\n- /app/web: fix it",
        "Git root tree:\n- web/",
        "User root tree:\n- notes/",
        "### AGENTS.md\nBe kind.",
        "recent threads of Backchannel and Codex",
    ):
        assert told in context.text
    assert {part.took_ms for part in context.parts} == {1.5}


def test_the_reference_tells_only_its_own_four_sections() -> None:
    context = make_context(EVERYTHING, Context(level="reference"))
    assert [section.title for section in context.sections] == [
        "Current Thread",
        "Recent Work",
        "Machine / Workspace Map",
        "Notes",
    ]


@pytest.mark.parametrize("name", PartName)
def test_each_part_can_be_switched_off(name: PartName) -> None:
    options = msgspec.structs.replace(Context(), **{name.value: False})
    assert wanted_parts(options) == set(PartName) - {name}
    context = make_context(EVERYTHING, options)
    assert _standings(context)[name.value] == "off"
    assert len(context.sections) == len(PartName)


def test_where_there_is_nothing_nothing_is_told() -> None:
    context = make_context(NOTHING, Context())
    assert context.text == ""
    assert set(_standings(context).values()) == {"empty"}


@pytest.mark.parametrize(
    ("field", "part", "said"),
    [
        ("state", "repository_state", "the state of the repository"),
        ("guidance", "guidance", "the project's guidance"),
        ("open_work", "open_work", "open work"),
        ("entries", "current_thread", "the last conversation and this thread"),
    ],
)
@pytest.mark.parametrize(
    ("standing", "how"),
    [(Standing.LATE, "Not ready in time and therefore missing: "), (Standing.FAILED, "Could not be read: ")],
)
def test_what_is_missing_is_said(field: str, part: str, said: str, standing: Standing, how: str) -> None:
    context = make_context(_with(field, Look(standing=standing)), Context())
    assert _standings(context)[part] == standing.value
    assert f"{how}{said}." in _notes(context)


def _with(field: str, look: Look[Any]) -> Seen:
    changes: dict[str, Any] = {field: look}  # Any: of whichever kind it is
    return dataclasses.replace(EVERYTHING, **changes)


def test_one_source_of_recent_work_may_be_missing() -> None:
    late = {"Codex": LATE}
    context = make_context(dataclasses.replace(EVERYTHING, sessions=late), Context())
    assert _standings(context)["recent_work"] == "told"
    assert "The threads of Codex could not be read in time." in _notes(context)
    assert "recent threads of Backchannel" in _notes(context)


def test_recent_work_without_any_source_is_missing() -> None:
    seen = dataclasses.replace(EVERYTHING, recent=Look(standing=Standing.FAILED), sessions={})
    context = make_context(seen, Context())
    assert _standings(context)["recent_work"] == "failed"
    assert "The threads of" not in _notes(context)


def test_without_a_repository_recent_work_goes_by_the_folder() -> None:
    here = Thread(thread_id="x", cwd="/app/web", created_at_ms=0, updated_at_ms=0, first_ask="here")
    there = Thread(thread_id="y", cwd="/z", created_at_ms=0, updated_at_ms=9, first_ask="there")
    recent = tuple(RecentThread(thread=thread, project=None) for thread in (there, here))
    seen = dataclasses.replace(EVERYTHING, project=Look(), recent=_look(recent), sessions={})
    text = make_context(seen, Context()).text
    assert text.index("### Directory: /app/web") < text.index("### Directory: /z")


def test_a_tree_that_is_late_is_said_to_be_missing() -> None:
    trees = {"/app/web": LATE, "/users/ada": _look(((0, "notes/"),))}
    context = make_context(dataclasses.replace(EVERYTHING, trees=trees), Context())
    assert "Working directory tree" not in context.text
    assert "What lies in /app/web could not be read in time." in _notes(context)


def test_a_map_that_is_late_as_a_whole_is_missing() -> None:
    seen = dataclasses.replace(NOTHING, project=LATE, trees={"/a": LATE})
    context = make_context(dataclasses.replace(seen, guidance=EVERYTHING.guidance), Context())
    assert _standings(context)["workspace_map"] == "late"
    assert "the map of the workspace" in _notes(context)


def test_the_home_is_mapped_once() -> None:
    seen = dataclasses.replace(EVERYTHING, home="/app/web")
    assert "User root tree" not in make_context(seen, Context()).text
    seen = dataclasses.replace(EVERYTHING, home="/app", trees={**EVERYTHING.trees, "/app": _look(((0, "web/"),))})
    assert make_context(seen, Context()).text.count("- web/") == 1


def test_an_older_state_says_how_old_it_is() -> None:
    assert "As of" not in make_context(EVERYTHING, Context()).text
    text = make_context(dataclasses.replace(EVERYTHING, now=160.4), Context()).text
    assert "As of: 60 seconds before this was put together" in text


@given(st.integers(MIN_CONTEXT_TOKENS, 2000))
def test_the_whole_fits_the_budget(budget: int) -> None:
    long = tuple(UserAsked(at_ms=1, text=f"question {number} " * 90) for number in range(20))
    tree = tuple((0, f"file_{number}_" + "x" * 60) for number in range(20))
    seen = dataclasses.replace(EVERYTHING, entries=_look(long), trees={"/app/web": _look(tree)}, home=None)
    context = make_context(seen, Context(budget=budget))
    assert context.tokens <= budget
    assert context == make_context(seen, Context(budget=budget))
    assert "### Latest turn" in context.text


def test_a_scan_that_found_something_is_looked_at() -> None:
    scan: Scan[str] = Scan()
    assert look_at(scan) == Look(standing=Standing.LATE)
    assert look_at(None, Found(value="old", took_s=1.0, at=2.0)) == Look()
    earlier = Found(value="old", took_s=1.0, at=2.0)
    assert look_at(scan, earlier) == Look(standing=Standing.TOLD, value="old", took_ms=1000.0, at=2.0)
    scan.finish(Found(value="new", took_s=0.5, at=3.0))
    assert look_at(scan, earlier) == Look(standing=Standing.TOLD, value="new", took_ms=500.0, at=3.0)


def test_a_scan_that_failed_is_stood_in_for_by_an_earlier_one() -> None:
    scan: Scan[str] = Scan()
    scan.finish(Found(failure="no", took_s=0.5, at=3.0))
    assert look_at(scan) == Look(standing=Standing.FAILED, took_ms=500.0)
    assert look_at(scan, Found(value="old", took_s=1.0, at=2.0)).value == "old"


def test_a_scan_that_found_nothing_is_empty() -> None:
    scan: Scan[str | None] = Scan()
    scan.finish(Found(value=None, took_s=0.5, at=3.0))
    assert look_at(scan).standing is Standing.EMPTY
