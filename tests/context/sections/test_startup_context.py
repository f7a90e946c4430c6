from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.config import MIN_CONTEXT_TOKENS
from backchannel.context.sections import (
    Budgets,
    Line,
    Part,
    PartName,
    Section,
    Standing,
    StartupContext,
    assemble,
    section,
)
from backchannel.wire.tokens import estimate_tokens


def _told(name: PartName, text: str = "body", *, max_tokens: int = 100_000) -> Part:
    made = section(name.value.title(), (Line(text, "here"),), max_tokens=max_tokens)
    return Part(
        name=name, standing=Standing.TOLD if made else Standing.EMPTY, section=made, sources=f"the {name.value}"
    )


def _notes(*parts: Part, max_notes_tokens: int = 300) -> str:
    notes = assemble(parts, max_notes_tokens=max_notes_tokens).notes
    assert notes is not None
    return notes.text


def test_the_parts_stand_in_their_order_inside_the_frame() -> None:
    context = assemble(
        [
            _told(PartName.WORKSPACE_MAP, "map"),
            _told(PartName.RECENT_WORK, "work"),
            _told(PartName.CURRENT_THREAD, "now"),
        ],
        max_notes_tokens=300,
    )
    assert context.text.startswith("<startup_context>\nStartup context from Backchannel.\n")
    assert context.text.endswith("\n</startup_context>")
    titles = [line.removeprefix("## ") for line in context.text.splitlines() if line.startswith("## ")]
    assert titles == ["Current_Thread", "Recent_Work", "Workspace_Map", "Notes"]
    assert "\n\n## Current_Thread\nnow\n\n## Recent_Work\nwork\n\n## Workspace_Map\nmap\n\n## Notes\n" in context.text
    assert context.text.count("\n\n") == 4


def test_every_line_is_told_with_its_origin() -> None:
    context = assemble([_told(PartName.GUIDANCE, "map")], max_notes_tokens=300)
    assert "\n".join(line.text for line in context.lines()) == context.text
    assert Line("map", "here") in list(context.lines())


def test_notes_alone_are_nothing() -> None:
    context = assemble([Part(name=PartName.GUIDANCE, standing=Standing.LATE)], max_notes_tokens=300)
    assert context.notes is not None
    assert (context.text, context.sections, context.tokens, list(context.lines())) == ("", (), 0, [])


def test_the_whole_is_not_cut_again() -> None:
    long = "word " * 40_000
    assert long.strip() in assemble([_told(PartName.GUIDANCE, long.strip())], max_notes_tokens=300).text


def test_the_notes_name_what_is_there_and_what_is_not() -> None:
    notes = _notes(
        dataclasses.replace(_told(PartName.RECENT_WORK), remarks=("the threads of Codex could not be read in time",)),
        _told(PartName.WORKSPACE_MAP),
        Part(name=PartName.REPOSITORY_STATE, standing=Standing.LATE),
        Part(name=PartName.OPEN_WORK, standing=Standing.FAILED),
        Part(name=PartName.CURRENT_THREAD, standing=Standing.EMPTY),
        Part(name=PartName.GUIDANCE, standing=Standing.OFF),
    )
    assert notes == (
        "## Notes\n"
        "Made from the recent_work and the workspace_map.\n"
        "Not ready in time and therefore missing: the state of the repository.\n"
        "Could not be read: open work.\n"
        "The threads of Codex could not be read in time.\n"
        "Never part of it: the contents of source files, files that may hold secrets, environment variables, memories"
        " of agents and the project's own documents and guidance."
    )


def test_the_notes_do_not_deny_the_guidance_that_is_there() -> None:
    assert "guidance" not in _notes(_told(PartName.GUIDANCE)).partition("Never part of it")[2]


@pytest.mark.parametrize("name", PartName)
def test_every_part_has_a_budget_and_a_name_for_what_is_missing(name: PartName) -> None:
    assert Budgets().of(name) > 0
    assert "Not ready in time" in _notes(_told(PartName.GUIDANCE), Part(name=name, standing=Standing.LATE))


def test_budgets_are_those_of_the_reference_where_it_has_the_part() -> None:
    budgets = Budgets()
    assert (budgets.current_thread, budgets.recent_work, budgets.workspace_map, budgets.notes) == (
        1200,
        2200,
        1600,
        300,
    )
    assert budgets.turn == 300


def _cut(parts: list[tuple[PartName, str]], budgets: Budgets) -> StartupContext:
    made = [_told(name, text, max_tokens=budgets.of(name)) for name, text in parts]
    return assemble(made, max_notes_tokens=budgets.notes)


@given(
    st.dictionaries(st.sampled_from(PartName), st.text(min_size=1, max_size=9000), min_size=1),
    st.integers(MIN_CONTEXT_TOKENS, 9000),
)
def test_a_budget_for_the_whole_holds(texts: dict[PartName, str], total: int) -> None:
    parts = list(texts.items())
    budgets = Budgets()
    context = _cut(parts, budgets)
    smaller = budgets.within(total, context)
    assert _cut(parts, smaller).tokens <= total


def test_what_a_small_part_leaves_is_for_the_others() -> None:
    parts = [(PartName.GUIDANCE, "short"), (PartName.WORKSPACE_MAP, "word " * 4000)]
    context = _cut(parts, Budgets())
    smaller = _cut(parts, Budgets().within(1000, context))
    assert 980 <= smaller.tokens <= 1000
    assert "short" in smaller.text


def test_a_section_is_as_long_as_its_text() -> None:
    made = Section(title="A", body=(Line("öö", "x"),))
    assert made.tokens == estimate_tokens("## A\nöö")
