"""Sessions that other agents have written down, one JSON Lines file each. They are only read.

Of a file only the beginning is read, once: where the session was, and what was asked first, does not change; when it
was last worked on is the time of the file.

Source: app-server.md 6.4 for Codex's files; those of Claude Code as they are found.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import stat
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import msgspec

from backchannel.context.scans.files import read_beginning
from backchannel.context.sections import is_contextual
from backchannel.threads import Thread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from backchannel.context.scans.running import Stop
    from backchannel.threads import Source

_S = TypeVar("_S", bound=msgspec.Struct)

__all__ = ["Beginning", "ClaudeCodeLogs", "CodexLogs", "LogFolder", "SessionLogs"]

MAX_LOOKED_AT: Final = 400
"""So many of the newest files are looked at for their time, and so many more while not enough is found."""
MAX_READ: Final = 1000
"""So many are read at most, and what they say is remembered."""
_MAX_TOLD: Final = 40
_MAX_BYTES: Final = 262_144
_MAX_ASK: Final = 4000
_CHECKED_EVERY: Final = 256


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """What the beginning of a session says."""

    session_id: str = ""
    cwd: str = ""
    branch: str | None = None
    first_ask: str | None = None
    is_wanted: bool = True
    """Whether it is a session of a person's, and not one that an agent began for itself."""


class LogFolder(Protocol):
    """Where one agent keeps its sessions, and how it writes them."""

    @property
    def source(self) -> Source:
        """Whose they are."""

    def files(self, stop: Stop) -> Iterator[str]:
        """The files, roughly the newest first."""

    def read(self, lines: Iterable[bytes]) -> Beginning:
        """What the first lines of a file say."""


class SessionLogs:
    """The newest sessions of one agent. Its scans must not overlap."""

    def __init__(self, folder: LogFolder) -> None:
        self._folder = folder
        self._known: dict[tuple[str, int], Beginning] = {}
        """What has been read, by the file and its number on the disk."""

    def newest(self, stop: Stop) -> tuple[Thread, ...]:
        """The 40 sessions that were worked on last, newest first; none where that agent is not used."""
        threads: list[Thread] = []
        files, n_read = self._folder.files(stop), 0
        while some := _dated(itertools.islice(files, min(MAX_LOOKED_AT, MAX_READ - n_read)), stop):
            for at_ms, path, number in sorted(some, reverse=True):
                stop.check()
                n_read += 1
                told = self._beginning(path, number)
                if told.is_wanted and told.cwd:
                    threads.append(_thread(told, path, at_ms, source=self._folder.source))
                    if len(threads) == _MAX_TOLD:
                        return tuple(threads)
        return tuple(threads)

    def _beginning(self, path: str, number: int) -> Beginning:
        known = self._known.get((path, number))
        if known is not None:
            return known
        data = read_beginning(path, _MAX_BYTES)
        if data is None:
            return Beginning(is_wanted=False)
        told = self._folder.read(data.splitlines())
        if told.first_ask is not None or not told.is_wanted or len(data) == _MAX_BYTES:
            # Else somebody has only just begun.
            self._known[path, number] = told
            if len(self._known) > MAX_READ:
                del self._known[next(iter(self._known))]
        return told


class CodexLogs:
    """The rollout files of Codex: `sessions/YYYY/MM/DD/rollout-*.jsonl` under its home."""

    source: Source = "codex"

    def __init__(self, home: str) -> None:
        self._sessions = os.path.join(home, "sessions")

    def files(self, stop: Stop) -> Iterator[str]:
        """See `LogFolder`."""
        for year in _names(self._sessions):
            for month in _names(self._sessions, year):
                for day in _names(self._sessions, year, month):
                    stop.check()
                    for name in _names(self._sessions, year, month, day):
                        if name.endswith(".jsonl"):
                            yield os.path.join(self._sessions, year, month, day, name)

    def read(self, lines: Iterable[bytes]) -> Beginning:
        """See `LogFolder`."""
        told = Beginning()
        for line in lines:
            if b'"session_meta"' in line[:200]:
                meta = _decoded(line, _CodexMeta)
                if meta is not None:
                    told = msgspec.structs.replace(
                        told,
                        session_id=meta.payload.id,
                        cwd=meta.payload.cwd,
                        branch=meta.payload.git.branch if meta.payload.git is not None else None,
                        is_wanted=not isinstance(meta.payload.source, dict),
                    )
            elif b'"user"' in line or b'"user_message"' in line:
                ask = _codex_ask(line)
                if ask:
                    return msgspec.structs.replace(told, first_ask=ask)
        return told


class ClaudeCodeLogs:
    """The sessions of Claude Code: `projects/FOLDER/SESSION.jsonl` under its home."""

    source: Source = "claude_code"

    def __init__(self, home: str) -> None:
        self._projects = os.path.join(home, "projects")

    def files(self, stop: Stop) -> Iterator[str]:
        """See `LogFolder`."""
        # The names say nothing of their age.
        dated: list[tuple[int, str]] = []
        for folder in _names(self._projects):
            stop.check()
            with contextlib.suppress(OSError), os.scandir(os.path.join(self._projects, folder)) as entries:
                for number, entry in enumerate(entries, 1):
                    if number % _CHECKED_EVERY == 0:
                        stop.check()
                    if entry.name.endswith(".jsonl") and not entry.name.startswith("agent-"):
                        # One that is gone, or a link that leads nowhere, must not hide those after it.
                        with contextlib.suppress(OSError):
                            dated.append((entry.stat().st_mtime_ns, entry.path))
        yield from (path for _, path in heapq.nlargest(MAX_READ, dated))

    def read(self, lines: Iterable[bytes]) -> Beginning:
        """See `LogFolder`."""
        told = Beginning()
        for line in lines:
            if b'"cwd"' not in line:
                continue
            entry = _decoded(line, _ClaudeEntry)
            if entry is None:
                continue
            told = msgspec.structs.replace(
                told,
                session_id=told.session_id or entry.session_id,
                cwd=told.cwd or entry.cwd,
                branch=told.branch or entry.branch or None,
                is_wanted=not entry.is_sidechain,
            )
            if entry.is_sidechain:
                return told
            ask = "" if entry.type != "user" or entry.is_meta else _text(entry.message).strip()
            if ask and not ask.startswith(("<", "Caveat: The messages below")):
                return msgspec.structs.replace(told, first_ask=ask[:_MAX_ASK])
        return told


def _dated(paths: Iterable[str], stop: Stop) -> list[tuple[int, str, int]]:
    """When each was changed, in milliseconds since the epoch, and its number on the disk; those that are files."""
    found = []
    for path in paths:
        stop.check()
        try:
            status = os.stat(path)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.append((status.st_mtime_ns // 1_000_000, path, status.st_ino))
    return found


def _thread(told: Beginning, path: str, at_ms: int, *, source: Source) -> Thread:
    name, _ = os.path.splitext(os.path.basename(path))
    return Thread(
        thread_id=told.session_id or name,
        cwd=told.cwd,
        created_at_ms=at_ms,
        updated_at_ms=at_ms,
        branch=told.branch,
        first_ask=told.first_ask,
        source=source,
    )


def _names(*parts: str) -> list[str]:
    """What a folder holds, the last by name first; nothing where it cannot be read."""
    try:
        return sorted(os.listdir(os.path.join(*parts)), reverse=True)
    except OSError:
        return []


# What is read of the lines. Whatever else stands in them is passed over; a line that reads differently says nothing.


class _CodexGit(msgspec.Struct, frozen=True):
    branch: str | None = None


class _CodexMetaPayload(msgspec.Struct, frozen=True):
    id: str = ""
    cwd: str = ""
    git: _CodexGit | None = None
    source: Any = None  # Any: a word, or an object for sessions that another one began


class _CodexMeta(msgspec.Struct, frozen=True):
    payload: _CodexMetaPayload


class _CodexPayload(msgspec.Struct, frozen=True):
    type: str = ""
    role: str = ""
    message: Any = None  # Any: a text in the one kind that is read
    content: Any = None


class _CodexLine(msgspec.Struct, frozen=True):
    type: str = ""
    payload: _CodexPayload = _CodexPayload()


class _ClaudeMessage(msgspec.Struct, frozen=True):
    content: Any = None  # Any: a text, or a list of pieces of which some are texts


class _ClaudeEntry(msgspec.Struct, frozen=True):
    type: str = ""
    cwd: str = ""
    session_id: str = msgspec.field(name="sessionId", default="")
    branch: str | None = msgspec.field(name="gitBranch", default=None)
    is_sidechain: bool = msgspec.field(name="isSidechain", default=False)
    is_meta: bool = msgspec.field(name="isMeta", default=False)
    message: _ClaudeMessage | None = None


def _decoded(line: bytes, kind: type[_S]) -> _S | None:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _codex_ask(line: bytes) -> str:
    """What a person asked in a line; empty where it is somebody else's."""
    read = _decoded(line, _CodexLine)
    if read is None:
        return ""
    match read:
        case _CodexLine(type="event_msg", payload=_CodexPayload(type="user_message", message=str() as text)):
            pass
        case _CodexLine(type="response_item", payload=_CodexPayload(type="message", role="user", content=content)):
            text = _pieces(content)
        case _:
            return ""
    return "" if is_contextual(text) else text.strip()[:_MAX_ASK]


def _text(message: _ClaudeMessage | None) -> str:
    if message is None:
        return ""
    return message.content if isinstance(message.content, str) else _pieces(message.content)


def _pieces(content: object) -> str:
    """The texts among the pieces of a message."""
    if not isinstance(content, list):
        return ""
    texts = [piece.get("text") for piece in content if isinstance(piece, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))
