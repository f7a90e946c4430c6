"""Lines of a section that know where they come from, and how they are cut to fit a budget of tokens.

Source: realtime.md 9.2 and 9.6.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from typing import TYPE_CHECKING, Final

from backchannel.net import without_secrets
from backchannel.wire import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "OURS",
    "Body",
    "Line",
    "Section",
    "body_tokens",
    "cut",
    "lines",
    "no_heading",
    "plain",
    "quoted",
    "section",
    "text_of",
    "time_of",
]

OURS: Final = "our own words"
"""The origin of what is said about the rest."""
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What would break a line, turn it around, could not be sent, or is seen by a model and not by a person."""
_FRAME: Final = re.compile(
    r"[<\u2039\uff1c]\s{0,9}(/?)\s{0,9}(startup_context)\b[^>\uff1e]{0,99}[>\uff1e]?", re.IGNORECASE
)
"""The frame of the whole, which nothing inside can end."""
_HEADING: Final = re.compile(r"^(\s{0,3})#(?=#{0,5}(?:\s|$))")
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_LAST_MS: Final = 253_402_300_799_999


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line without its end."""

    text: str
    origin: str
    """Where it comes from, for a person who asks."""


Body = tuple[Line, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the context under its heading."""

    title: str
    body: Body

    @property
    def text(self) -> str:
        """The section as it is told."""
        return f"{_heading(self.title)}{text_of(self.body)}"

    @property
    def tokens(self) -> int:
        """How many tokens it is taken for."""
        return tokens.estimate_tokens(self.text)

    def lines(self) -> Iterator[Line]:
        """The heading and the body."""
        yield Line(f"## {self.title}", OURS)
        yield from self.body


def section(title: str, body: Body, *, max_tokens: int) -> Section | None:
    """A section with its heading inside the budget; None when nothing is left to stand under it."""
    fitting = cut(body, max_tokens=max(0, max_tokens - heading_tokens(title)))
    return Section(title=title, body=fitting) if fitting else None


def heading_tokens(title: str) -> int:
    """What a heading takes of the budget of its section."""
    return tokens.estimate_tokens(_heading(title))


def _heading(title: str) -> str:
    return f"## {title}\n"


def lines(text: str, origin: str) -> Body:
    """Somebody's words, which may be many lines: without what breaks lines otherwise, and without secrets."""
    return tuple(Line(_visible(line), origin) for line in without_secrets(text).splitlines())


def quoted(text: str, origin: str) -> Body:
    """The same under a heading of ours, of which none of them can be another one."""
    return tuple(dataclasses.replace(line, text=no_heading(line.text)) for line in lines(text, origin))


def no_heading(line: str) -> str:
    """A line of somebody's words that is no heading of the context, whatever it was where it comes from."""
    return _HEADING.sub(r"\1\\#", line, count=1)


def plain(text: str) -> str:
    """A name, or words that stand inside a line: one line, whatever is in it, and without secrets."""
    return _visible(without_secrets(text))


def _visible(text: str) -> str:
    return _FRAME.sub(r"[\1\2]", _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text.expandtabs(4)))


def text_of(body: Iterable[Line]) -> str:
    """The lines as one text."""
    return "\n".join(line.text for line in body)


def body_tokens(body: Iterable[Line]) -> int:
    """How many tokens the lines are taken for."""
    return tokens.estimate_tokens(text_of(body))


def cut(body: Body, *, max_tokens: int) -> Body:
    """The lines when they fit, else the first and the last of them around a marker; none if that does not fit."""
    whole = text_of(body)
    shown = tokens.truncate_middle(whole, max_tokens=max_tokens)
    if shown == whole:
        return body
    if not shown:
        return ()
    kept = shown.split("\n")
    differs = (index for index, (one, other) in enumerate(zip(whole, shown, strict=False)) if one != other)
    until_marker = next(differs, len(shown))
    at_marker = shown[:until_marker].count("\n")
    return tuple(
        Line(text, body[index if index <= at_marker else index - len(kept)].origin) for index, text in enumerate(kept)
    )


def time_of(at_ms: int) -> str:
    """A time in milliseconds since the epoch as RFC 3339 has it, in UTC."""
    since = datetime.timedelta(milliseconds=min(max(at_ms, 0), _LAST_MS))
    return (_EPOCH + since).isoformat(timespec="milliseconds")
