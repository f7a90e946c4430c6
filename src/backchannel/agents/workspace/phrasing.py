"""Small pieces of spoken English: numbers, lists, names of places. Pure."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "MAX_SPOKEN_CHARS",
    "area_of",
    "counted",
    "listed",
    "number",
    "said_date",
    "said_path",
    "sentence",
    "shortened",
    "spans",
]

MAX_SPOKEN_CHARS: Final = 200
"""A sentence longer than this is tiring to hear."""

_NUMBERS: Final = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)


def number(n: int) -> str:
    """A number as it is said: in words up to twelve."""
    return _NUMBERS[n] if 0 <= n < len(_NUMBERS) else str(n)


_CONTAINERS: Final = frozenset({"src", "lib", "packages", "apps", "crates", "pkg", "tests", "test", "source"})


def area_of(path: str) -> str:
    """The part of the project a path belongs to, by a name worth saying."""
    folders = path.split("/")[:-1]
    if not folders:
        return "the top folder"
    for i, folder in enumerate(folders):
        if folder.lower() not in _CONTAINERS:
            # Below `src` there is usually one package that holds all the rest.
            if i == 1 and folders[0] == "src" and len(folders) > 2:
                continue
            return folder
    return folders[-1]


def counted(n: int, thing: str, things: str | None = None) -> str:
    """A number with its noun: `one commit`, `3 files`, `no files`."""
    return f"{number(n)} {thing if n == 1 else things or thing + 's'}"


def listed(names: Sequence[str], *, at_most: int = 3, join: str = "and") -> str:
    """Names as they are said: `a, b and c`; of many the first and how many more."""
    if len(names) > at_most:
        more = len(names) - at_most + 1
        return f"{', '.join(names[: at_most - 1])} and {number(more)} more"
    return f" {join} ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""


def shortened(text: str, max_chars: int) -> str:
    """A text on one line, cut at a word with an ellipsis."""
    line = " ".join(text.split())
    if len(line) <= max_chars:
        return line
    cut = line[: max_chars - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > max_chars // 2 else cut) + "…"


def sentence(text: str) -> str:
    """A text as a sentence: a capital at its start, a full stop at its end, and no longer than is good to hear."""
    line = shortened(text, MAX_SPOKEN_CHARS)
    line = line[:1].upper() + line[1:]
    return line if line.endswith((".", "!", "?", "…")) else f"{line}."


def said_date(date: str, *, today: datetime.date) -> str:
    """A date (as ISO 8601 has it) as it is said: `yesterday`, `on Friday`, `on November 20`."""
    try:
        day = datetime.date.fromisoformat(date)
    except ValueError:
        return f"on {date}"
    ago = (today - day).days
    if ago in (0, 1):
        return ("today", "yesterday")[ago]
    if 1 < ago < 7:
        return f"on {day:%A}"
    return f"on {day:%B} {day.day}" if day.year == today.year else f"on {day:%B} {day.day}, {day.year}"


def said_path(path: str) -> str:
    """The part of a path that is worth saying: its last name."""
    return path.rstrip("/").rpartition("/")[2] or path


def spans(seconds: float) -> str:
    """A duration as it is said."""
    if seconds < 1.5:
        return "a second"
    if seconds < 90:
        return f"{number(round(seconds))} seconds"
    minutes = round(seconds / 60)
    return f"{number(minutes)} minutes"
