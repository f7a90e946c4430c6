"""Asking a store for threads and turns, a page at a time. Pure."""

from __future__ import annotations

import base64
import dataclasses
import unicodedata
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeAlias, TypeVar

import msgspec

from backchannel.errors import LocalProtocolError, UsageError

if TYPE_CHECKING:
    from backchannel.threads.entries import Thread

__all__ = [
    "Direction",
    "Page",
    "SortKey",
    "ThreadQuery",
    "TurnQuery",
    "folded",
    "read_cursor",
    "searchable",
    "sort_value",
    "write_cursor",
]

_T = TypeVar("_T")

SortKey: TypeAlias = Literal["created", "updated", "recency"]
Direction: TypeAlias = Literal["newest_first", "oldest_first"]

MAX_SEARCHED: Final = 2000
"""So many characters of what was first asked in a thread are searched."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[_T]):
    """Some of what was asked for."""

    items: tuple[_T, ...]
    next_cursor: str | None = None
    """Asks for what comes after it; None where that is all."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ThreadQuery:
    """Which threads are wanted, in which order. Source: app-server.md 1.5 and 6.1."""

    cursor: str | None = None
    """From the page before; the rest of the query has to be the same."""
    limit: int = 50
    sort: SortKey = "updated"
    direction: Direction = "newest_first"
    archived: bool = False
    """Whether only archived ones are wanted, or only the others."""
    cwds: tuple[str, ...] | None = None
    """In these folders, no other and not below them; None for any."""
    client_kinds: tuple[str, ...] | None = None
    """Begun with one of these; None for any."""
    model_providers: tuple[str, ...] | None = None
    """With the models of one of these; None for any, also for none."""
    originators: tuple[str, ...] | None = None
    """Begun by a client of one of these names; None for any."""
    leaving_out: tuple[str, ...] = ()
    """None with one of these ids."""
    search: str = ""
    """Words, each of which the name or the beginning of the first ask has to hold; upper and lower case are one."""

    def __post_init__(self) -> None:
        _check_limit(self.limit)

    @property
    def words(self) -> tuple[str, ...]:
        """What is searched for, folded."""
        return tuple(dict.fromkeys(folded(self.search).split()))

    def wants(self, thread: Thread) -> bool:
        """Whether a thread is one of those."""
        if thread.archived is not self.archived:
            return False
        if self.cwds is not None and thread.cwd not in self.cwds:
            return False
        if self.client_kinds is not None and thread.client_kind not in self.client_kinds:
            return False
        if self.model_providers is not None and thread.model_provider not in self.model_providers:
            return False
        if self.originators is not None and thread.originator not in self.originators:
            return False
        if thread.thread_id in self.leaving_out:
            return False
        text = searchable(thread)
        return all(word in text for word in self.words)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TurnQuery:
    """Which turns of a thread are wanted."""

    cursor: str | None = None
    """From the page before; the direction has to be the same."""
    limit: int = 50
    direction: Direction = "oldest_first"
    with_items: bool = False

    def __post_init__(self) -> None:
        _check_limit(self.limit)


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise LocalProtocolError(f"expected a limit of at least 1, got {limit}")


def sort_value(thread: Thread, sort: SortKey) -> int:
    """The time by which threads are sorted."""
    match sort:
        case "created":
            return thread.created_at_ms
        case "updated":
            return thread.updated_at_ms
        case "recency":
            return thread.recency_at_ms


# Searching


def searchable(thread: Thread) -> str:
    """The text in which a thread's words are found."""
    return folded(f"{thread.name or ''}\n{(thread.first_ask or '')[:MAX_SEARCHED]}")


def folded(text: str) -> str:
    """A text as it is compared: forms and cases that mean the same are the same; what is no character is gone."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return plain.encode("utf-8", "replace").decode().replace("\0", " ")


# Cursors


def write_cursor(kind: str, *place: int) -> str:
    """Where a page ends, as a text that only we read."""
    return base64.urlsafe_b64encode(msgspec.json.encode([kind, *place])).decode().rstrip("=")


def read_cursor(cursor: str, kind: str, *, n_numbers: int) -> tuple[int, ...]:
    """That place again.

    Raises:
        UsageError: It is none of ours, or of another kind of list.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        read = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[str | int])
    except (ValueError, msgspec.MsgspecError, RecursionError):
        read = []
    place = tuple(number for number in read[1:] if isinstance(number, int) and abs(number) < 1 << 63)
    if not read or read[0] != kind or len(place) != n_numbers or len(read) != n_numbers + 1:
        raise UsageError("expected the cursor of an earlier page of the same list, got another text; begin without one")
    return place
