"""The section `Project Guidance`: what the project tells agents, as an outline and the first lines."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

from backchannel.context.sections.body import OURS, Line, Section, lines, no_heading, plain, section

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backchannel.context.sections.body import Body

__all__ = ["GuidanceFile", "guidance_section"]

TITLE: Final = "Project Guidance"
_INTRO: Final = Line(
    "What the project's files say to whoever works on it. The work follows it; it tells you what the user may mean.",
    OURS,
)
_BLANK: Final = Line("", OURS)
_FIRST_LINES: Final = 6
_MAX_HEADINGS: Final = 24
_MAX_LINE: Final = 160
_HEADING: Final = re.compile(r"(#{1,4})\s+(\S.*)")
_FENCE: Final = re.compile(r"\s*(```|~~~)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GuidanceFile:
    """A file for agents, or its beginning."""

    path: str
    """As a person would name it here: relative to the project's root."""
    text: str = dataclasses.field(repr=False)


def guidance_section(files: Iterable[GuidanceFile], *, max_tokens: int) -> Section | None:
    """The outlines and first lines, the nearest file first; None where nothing is written."""
    body: Body = ()
    for file in files:
        shown = _file(file)
        if shown:
            body = (*body, _BLANK, *shown)
    return section(TITLE, (_INTRO, *body), max_tokens=max_tokens) if body else None


def _file(file: GuidanceFile) -> Body:
    origin = plain(file.path)
    headings: list[Line] = []
    first: list[Line] = []
    fence = ""
    for line in lines(file.text, origin):
        # A file may be one line without an end.
        text = line.text[: 2 * _MAX_LINE].rstrip()
        if mark := _FENCE.match(text):
            fence = "" if fence == mark[1] else fence or mark[1]
        elif fence or not text:
            pass
        elif heading := _HEADING.fullmatch(text):
            title = heading[2].rstrip("#").rstrip()
            headings.append(Line(f"{'  ' * (len(heading[1]) - 1)}- {_short(title)}", origin))
        elif len(first) < _FIRST_LINES:
            first.append(Line(no_heading(_short(text.strip())), origin))
    if not (headings or first):
        return ()
    more = (Line(f"- ... {len(headings) - _MAX_HEADINGS} more", origin),) if len(headings) > _MAX_HEADINGS else ()
    outline = (Line("Outline:", OURS), *headings[:_MAX_HEADINGS], *more) if headings else ()
    return (Line(f"### {origin}", OURS), *first, *outline)


def _short(text: str) -> str:
    return text if len(text) <= _MAX_LINE else f"{text[: _MAX_LINE - 3]}..."
