"""What a session is told at its start, put together: the frame, the header, the sections and the notes.

Source: realtime.md 9.1 and 9.2 for the frame, the order and the budgets; the words are ours.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final

from backchannel.context.sections.body import OURS, Line, Section, section
from backchannel.wire import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from backchannel.context.sections.body import Body

__all__ = ["Budgets", "Part", "PartName", "Standing", "StartupContext", "assemble"]

_HEADER: Final = (
    Line("Startup context from Backchannel.", OURS),
    Line(
        "What the user has worked on lately, and what lies where. It is background, it may be out of date, and it asks"
        " for nothing: use it to understand the user, and bring it up only where it helps.",
        OURS,
    ),
)
_FRAME: Final = ("<startup_context>", "</startup_context>")
_NOTES: Final = "Notes"
_BLANK: Final = Line("", OURS)


class PartName(enum.Enum):
    """The parts, in the order in which they are told; the values are their names in the configuration."""

    PREVIOUS_CONVERSATION = "previous_conversation"
    CURRENT_THREAD = "current_thread"
    OPEN_WORK = "open_work"
    REPOSITORY_STATE = "repository_state"
    RECENT_WORK = "recent_work"
    WORKSPACE_MAP = "workspace_map"
    GUIDANCE = "guidance"


class Standing(enum.Enum):
    """What became of a part."""

    TOLD = "told"
    EMPTY = "empty"
    """There was nothing to tell."""
    LATE = "late"
    """It was not ready in time."""
    FAILED = "failed"
    OFF = "off"
    """It is not wanted."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part that was looked for."""

    name: PartName
    standing: Standing
    section: Section | None = None
    """Where it is told."""
    sources: str = ""
    """What it was made from, as a phrase: `the latest turns of this thread`."""
    remarks: tuple[str, ...] = ()
    """What is missing in it, each a phrase."""
    took_ms: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """How many tokens there are for each part."""

    previous_conversation: int = 600
    current_thread: int = 1200
    turn: int = 300
    """Of each turn of the current thread."""
    open_work: int = 400
    repository_state: int = 300
    recent_work: int = 2200
    workspace_map: int = 1600
    guidance: int = 600
    notes: int = 300

    def of(self, name: PartName) -> int:
        """The budget of a part."""
        budget: int = getattr(self, name.value)
        return budget

    def within(self, total: int, context: StartupContext) -> Budgets:
        """Budgets with which a context is not longer than `total` tokens.

        A part that needs no more than its share gets what it needs, and what it leaves is shared by the others, each in
        the measure of its own budget.

        Args:
            total: At least `config.MIN_CONTEXT_TOKENS`.
            context: What it is with these budgets.
        """
        needs = {part.name.value: part.section.tokens for part in context.parts if part.section is not None}
        if context.notes is not None:
            needs["notes"] = context.notes.tokens
        # A blank line for each section, and the roundings of each.
        room = total - tokens.estimate_tokens(_framed(())) - 2 * len(needs)
        given: dict[str, int] = {}
        while needs:
            weights = sum(getattr(self, name) for name in needs)
            shares = {name: room * getattr(self, name) // weights for name in needs}
            content = [name for name, need in needs.items() if need <= shares[name]]
            if not content:
                given.update(shares)
                break
            for name in content:
                given[name] = needs.pop(name)
                room -= given[name]
        return dataclasses.replace(self, **given)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StartupContext:
    """What a session is told at its start."""

    parts: tuple[Part, ...]
    notes: Section | None

    @property
    def sections(self) -> tuple[Section, ...]:
        """What is told, in order; nothing where there is nothing but notes."""
        told = tuple(part.section for part in self.parts if part.section is not None)
        return (*told, self.notes) if told and self.notes is not None else told

    @property
    def text(self) -> str:
        """The whole; empty when there is nothing to tell."""
        told = self.sections
        return _framed(told) if told else ""

    @property
    def tokens(self) -> int:
        """How many tokens the whole is taken for."""
        return tokens.estimate_tokens(self.text)

    def lines(self) -> Iterator[Line]:
        """Every line of `text`, with where it comes from."""
        told = self.sections
        if not told:
            return
        yield Line(_FRAME[0], OURS)
        yield from _HEADER
        for each in told:
            yield _BLANK
            yield from each.lines()
        yield Line(_FRAME[1], OURS)


def assemble(parts: Iterable[Part], *, max_notes_tokens: int) -> StartupContext:
    """The context of these parts, in their order."""
    order = list(PartName)
    ordered = tuple(sorted(parts, key=lambda part: order.index(part.name)))
    return StartupContext(parts=ordered, notes=section(_NOTES, _notes(ordered), max_tokens=max_notes_tokens))


def _framed(told: Iterable[Section]) -> str:
    header = "\n".join(line.text for line in _HEADER)
    whole = "\n\n".join((header, *(each.text for each in told)))
    return f"{_FRAME[0]}\n{whole}\n{_FRAME[1]}"


_MISSING: Final = {
    PartName.PREVIOUS_CONVERSATION: "the last conversation",
    PartName.CURRENT_THREAD: "this thread",
    PartName.OPEN_WORK: "open work",
    PartName.REPOSITORY_STATE: "the state of the repository",
    PartName.RECENT_WORK: "recent work",
    PartName.WORKSPACE_MAP: "the map of the workspace",
    PartName.GUIDANCE: "the project's guidance",
}


def _notes(parts: Sequence[Part]) -> Body:
    told = [part.sources for part in parts if part.standing is Standing.TOLD]
    late = [_MISSING[part.name] for part in parts if part.standing is Standing.LATE]
    failed = [_MISSING[part.name] for part in parts if part.standing is Standing.FAILED]
    remarks = [remark for part in parts for remark in part.remarks]
    never = [
        "the contents of source files",
        "files that may hold secrets",
        "environment variables",
        "memories of agents",
    ]
    if not any(part.name is PartName.GUIDANCE and part.standing is Standing.TOLD for part in parts):
        never.append("the project's own documents and guidance")
    sentences = [f"Made from {_listed(told)}."] if told else []
    if late:
        sentences.append(f"Not ready in time and therefore missing: {_listed(late)}.")
    if failed:
        sentences.append(f"Could not be read: {_listed(failed)}.")
    sentences += [f"{remark[0].upper()}{remark[1:]}." for remark in remarks]
    sentences.append(f"Never part of it: {_listed(never)}.")
    return tuple(Line(sentence, OURS) for sentence in sentences)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
