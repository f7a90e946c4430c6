"""`backchannel threads`: what is kept of conversations, as lines for a person or as JSON for a program.

Only `delete` writes; what does not exist yet is not made by looking for it.
"""

from __future__ import annotations

import contextlib
import datetime
import textwrap
from typing import TYPE_CHECKING, Final, Literal, assert_never

import msgspec

from backchannel import __version__
from backchannel.core import Outcome, screen
from backchannel.errors import UnknownThread, UsageError
from backchannel.threads import (
    AgentSaid,
    ApprovalAsked,
    ApprovalSettled,
    Entry,
    MemoryThreads,
    PeerSaid,
    RanTests,
    Spoken,
    SqliteThreads,
    Thread,
    TurnBegan,
    TurnEnded,
    UserAsked,
    VoiceBegan,
    VoiceEnded,
    encode_entry,
    encode_value,
)
from backchannel.tui.keeping import find_thread
from backchannel.tui.lines import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TextIO

    from backchannel.threads import ThreadQuery, ThreadStore

__all__ = ["ExportHeader", "ShownThread", "delete_thread", "export_thread", "list_threads", "show_thread"]

_TITLE_WIDTH: Final = 60
_WIDTH: Final = 100
_LABEL_WIDTH: Final = 9
_PIECE: Final = 500
"""So many entries are read at a time."""
_OUTCOMES: Final = {
    Outcome.COMPLETED: "finished",
    Outcome.INTERRUPTED: "stopped",
    Outcome.FAILED: "failed",
}
_DECISIONS: Final = {
    screen.ApprovalDecision.APPROVED: "approved",
    screen.ApprovalDecision.DECLINED: "declined",
    screen.ApprovalDecision.EXPIRED: "declined, because nobody answered in time",
    screen.ApprovalDecision.WITHDRAWN: "not needed any more",
}


class ShownThread(msgspec.Struct, frozen=True, kw_only=True):
    """What `threads show --json` prints."""

    thread: Thread
    entries: tuple[Entry, ...]
    """The last ones, in the order they happened."""


class ExportHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of what `threads export` writes; every other one is an entry."""

    format: Literal["backchannel-thread"] = "backchannel-thread"
    version: int = 1
    made_by: str = __version__
    """The version that wrote it."""
    thread: Thread


def list_threads(path: Path, query: ThreadQuery, *, out: TextIO, as_json: bool) -> int:
    """Print threads, one a line, and return the exit status.

    Raises:
        StoreError: They cannot be read.
    """
    with _opened(path) as store:
        page = store.list_threads(query)
    for thread in page.items:
        out.write(encode_value(thread).decode() if as_json else _summary(thread))
        out.write("\n")
    if not as_json and not page.items:
        out.write(f"no thread of that kind is kept in {printable(str(path))}\n")
    if not as_json and page.next_cursor is not None:
        out.write("there are more; --limit shows them\n")
    return 0


def show_thread(path: Path, name: str, *, cwd: Path, newest: int, out: TextIO, as_json: bool) -> int:
    """Print a thread with its last entries, and return the exit status.

    Args:
        path: Of the store.
        name: The id, or `last`.
        cwd: Of which folder it is the last one.
        newest: How many entries are shown.
        out: Where to.
        as_json: Whether it is one JSON object.

    Raises:
        UsageError: There is no such thread.
        StoreError: It cannot be read.
    """
    with _opened(path) as store:
        thread = find_thread(store, name, cwd=cwd)
        entries = store.entries(thread.thread_id, newest=newest)
    if as_json:
        out.write(encode_value(ShownThread(thread=thread, entries=entries)).decode() + "\n")
        return 0
    out.writelines(f"{line}\n" for line in _head(thread))
    for entry in entries:
        label, text = _told(entry)
        if text:
            out.writelines(f"{line}\n" for line in _wrapped(entry.at_ms, label, text))
    return 0


def export_thread(path: Path, name: str, *, cwd: Path, to: Path | None, out: TextIO) -> int:
    """Write a thread as JSON Lines: a header, and every entry; return the exit status.

    Args:
        path: Of the store.
        name: The id, or `last`.
        cwd: Of which folder it is the last one.
        to: The file to write; None for `out`.
        out: Where to, when it is no file.

    Raises:
        UsageError: There is no such thread, or the file cannot be written.
        StoreError: It cannot be read.
    """
    with _opened(path) as store:
        thread = find_thread(store, name, cwd=cwd)
        if to is None:
            out.writelines(_exported(store, thread))
            return 0
        try:
            with to.open("w", encoding="utf-8") as file:
                file.writelines(_exported(store, thread))
        except OSError as exc:
            raise UsageError(f"the file {to} cannot be written: {exc.strerror}; choose another one") from exc
    return 0


def _exported(store: ThreadStore, thread: Thread) -> Iterator[str]:
    yield encode_value(ExportHeader(thread=thread)).decode() + "\n"
    position = 0
    while placed := store.timeline(thread.thread_id, after=position, limit=_PIECE):
        yield from (encode_entry(each.entry).decode() + "\n" for each in placed)
        position = placed[-1].position


def delete_thread(path: Path, thread_id: str, *, confirm: Callable[[str], bool] | None, out: TextIO) -> int:
    """Delete a thread, and return the exit status.

    Args:
        path: Of the store.
        thread_id: Its id.
        confirm: Asks the person whether it is meant; None where that was said already.
        out: Where it is said that it is done.

    Raises:
        UsageError: There is no such thread.
        StoreError: It cannot be deleted.
    """
    with _opened(path) as store:
        thread = store.get(thread_id)
        if thread is None:
            raise UnknownThread(thread_id)
        if confirm is not None and not confirm(f"Delete {_title(thread)} for good?"):
            out.write("nothing was deleted\n")
            return 1
        store.delete(thread_id)
    out.write(f"deleted {printable(thread_id)}\n")
    return 0


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[ThreadStore]:
    # Where there is no file, there are no threads; looking for some makes none.
    store = SqliteThreads(path) if path.exists() else MemoryThreads()
    try:
        yield store
    finally:
        store.close()


# Lines


def _summary(thread: Thread) -> str:
    return f"{_date(thread.updated_at_ms)}  {printable(thread.thread_id)}  {_place(thread)}  {_title(thread)}"


def _head(thread: Thread) -> Iterator[str]:
    yield f"thread   {printable(thread.thread_id)}"
    if thread.name is not None:
        yield f"name     {printable(thread.name)}"
    yield f"folder   {_place(thread)}"
    yield f"begun    {_date(thread.created_at_ms)}"
    yield f"changed  {_date(thread.updated_at_ms)}"
    if thread.forked_from is not None:
        yield f"copy of  {printable(thread.forked_from)}"
    yield ""


def _place(thread: Thread) -> str:
    return printable(thread.cwd if thread.branch is None else f"{thread.cwd} ({thread.branch})")


def _title(thread: Thread) -> str:
    title = thread.name or thread.first_ask
    if title is None or not title.strip():
        return "(nothing was asked)"
    return f"“{textwrap.shorten(printable(title), _TITLE_WIDTH, placeholder=' …')}”"


def _date(at_ms: int) -> str:
    """When it was, as the clock on the wall showed it."""
    try:
        at = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"
    return at.strftime("%Y-%m-%d %H:%M")


def _wrapped(at_ms: int, label: str, text: str) -> list[str]:
    lines = [piece for line in text.splitlines() for piece in textwrap.wrap(printable(line), _WIDTH)] or [""]
    start = f"{_date(at_ms)}  {label:<{_LABEL_WIDTH}}"
    return [f"{start}{lines[0]}", *(" " * len(start) + line for line in lines[1:])]


def _told(entry: Entry) -> tuple[str, str]:
    """Who, and what; nothing where another entry says it."""
    match entry:
        case UserAsked(text=text, by_voice=by_voice):
            return ("task", f"by voice: {text}") if by_voice else ("you type", text)
        case AgentSaid(text=text):
            return ("agent", text)
        case PeerSaid(author=author, text=text):
            return ("agents", f"{author}: {text}")
        case TurnBegan():
            return ("task", "")
        case TurnEnded(outcome=outcome, error=error):
            return ("task", _OUTCOMES[outcome] + (f": {error}" if error else ""))
        case ApprovalAsked(action=action):
            return ("approval", f"may the agent {action}?")
        case ApprovalSettled(decision=decision):
            return ("approval", _DECISIONS[decision])
        case RanTests(command=command, passed=passed, failures=failures):
            result = "passed" if passed else f"failed {', '.join(failures)}".rstrip()
            return ("tests", f"{command}: {result}")
        case VoiceBegan():
            return ("voice", "(the conversation begins)")
        case Spoken(speaker=speaker, text=text):
            return ("you" if speaker == "user" else "voice", text)
        case VoiceEnded():
            return ("voice", "(the conversation is over)")
        case _:
            assert_never(entry)
