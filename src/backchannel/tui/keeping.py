"""Keeping a conversation in the thread store while it goes on.

What goes wrong with the store is a notice: a conversation is more important than its record. Only where somebody asks
to go on with a thread, and it cannot be read, there is nothing to go on with.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from typing import TYPE_CHECKING, Final

from backchannel.agents import EARLIER_ENTRIES
from backchannel.context import DEFAULT_ORIGINATOR
from backchannel.context.scans import branch_of, find_project
from backchannel.errors import BackchannelError, StoreError, UnknownThread, UsageError
from backchannel.threads import (
    Journal,
    SqliteThreads,
    Thread,
    ThreadChange,
    ThreadQuery,
    ThreadWriter,
    VoiceBegan,
    VoiceEnded,
    new_thread_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from backchannel.core import screen
    from backchannel.threads import Entry, ThreadStore

__all__ = ["LAST", "Keeping", "find_thread"]

LAST: Final = "last"
"""Names the thread of a folder that was changed last."""


class Keeping:
    """Keeps one conversation, from where something is said or asked in it.

    Ownership: use it as an asynchronous context manager around the conversation.

    Args:
        path: Of the store.
        cwd: The folder that is worked in.
        resume: The id of the thread to go on with, or `last`; None for a new one.
        notice: Shows a person what went wrong, and which thread it is.
    """

    def __init__(self, path: Path, *, cwd: Path, resume: str | None, notice: Callable[[str], object]) -> None:
        self.thread_id: str | None = None
        """Of the thread; None where nothing is kept."""
        self._path = path
        self._cwd = cwd
        self._resume = resume
        self._notice = notice
        self._store: SqliteThreads | None = None
        self._writer: ThreadWriter | None = None
        self._journal: Journal | None = None
        self._resumed: Thread | None = None
        self._folder = str(cwd)
        self._branch: str | None = None
        self._held: list[Entry] | None = []
        """What has happened while nothing was said or asked; None when something was."""

    async def __aenter__(self) -> Self:
        """Open the store, and find the thread to go on with.

        Raises:
            UsageError: There is no such thread.
            StoreError: There may be, but the store cannot be read.
        """
        try:
            self._store = await asyncio.to_thread(SqliteThreads, self._path)
            self._folder, self._branch = await asyncio.to_thread(_place, self._cwd)
            if self._resume is not None:
                self._resumed = await asyncio.to_thread(find_thread, self._store, self._resume, cwd=self._cwd)
        except BaseException as exc:
            await self._close()
            if not isinstance(exc, StoreError) or self._resume is not None:
                raise
            self._notice(f"this conversation is not kept: {exc}")
            return self
        prefix = ""
        if self._resumed is None:
            self.thread_id = new_thread_id(_now_ms())
        else:
            self.thread_id = self._resumed.thread_id
            prefix = f"{secrets.token_hex(4)}."
            self._notice(_going_on(self._resumed, self._folder))
        self._writer = await ThreadWriter(self._store, on_failure=self._fail).__aenter__()
        self._journal = Journal(self._write, now_ms=_now_ms, prefix=prefix)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Keep what is not kept yet."""
        if self._writer is not None:
            await self._writer.close()
        await self._close()

    @property
    def store(self) -> ThreadStore | None:
        """Where earlier work is found; None where the store cannot be used."""
        return self._store

    async def earlier(self) -> tuple[Entry, ...]:
        """What is kept of the thread that goes on; nothing of a new one.

        Raises:
            StoreError: It cannot be read.
        """
        store, resumed = self._store, self._resumed
        if store is None or resumed is None:
            return ()
        return await asyncio.to_thread(lambda: store.entries(resumed.thread_id, newest=EARLIER_ENTRIES))

    def note(self, event: screen.ScreenEvent) -> None:
        """Keep what is worth it of what is shown."""
        if self._journal is not None:
            self._journal.note(event)

    def _write(self, entry: Entry) -> None:
        if self._writer is None or self.thread_id is None:
            raise AssertionError("a journal is made when there is a writer and a thread")
        if self._held is not None:
            self._held.append(entry)
            if isinstance(entry, VoiceBegan | VoiceEnded):
                # Where nothing comes of it, there is nothing to find again.
                return
            self._begin(self._writer, self.thread_id, self._held[0].at_ms)
            for held in self._held:
                self._writer.append(self.thread_id, held)
            self._held = None
            return
        self._writer.append(self.thread_id, entry)

    def _begin(self, writer: ThreadWriter, thread_id: str, at_ms: int) -> None:
        if self._resumed is not None:
            change = ThreadChange(branch=self._branch)
            writer.write(lambda store: store.change(thread_id, change))
            return
        thread = Thread(
            thread_id=thread_id,
            cwd=self._folder,
            created_at_ms=at_ms,
            updated_at_ms=at_ms,
            branch=self._branch,
            originator=DEFAULT_ORIGINATOR,
        )
        writer.write(lambda store: store.create(thread))

    def _fail(self, exc: BackchannelError) -> None:
        self._notice(f"not everything of this conversation is kept: {exc}")

    async def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            await asyncio.to_thread(store.close)


def find_thread(store: ThreadStore, name: str, *, cwd: Path) -> Thread:
    """The thread that is meant by an id, or by `last`: the newest of a folder.

    Raises:
        UnknownThread: There is none with this id.
        UsageError: There is none in the folder.
    """
    if name != LAST:
        thread = store.get(name)
        if thread is None:
            raise UnknownThread(name)
        return thread
    newest = store.list_threads(ThreadQuery(limit=1, cwds=(os.path.realpath(cwd),))).items
    if not newest:
        raise UsageError(
            f"expected a thread that was begun in {cwd}, but none is kept; name one by its id, which"
            " `backchannel threads list` shows"
        )
    return newest[0]


def _going_on(thread: Thread, folder: str) -> str:
    elsewhere = "" if thread.cwd == folder else f", which was begun in {thread.cwd}"
    return f"going on with the thread {thread.thread_id}{elsewhere}"


def _place(cwd: Path) -> tuple[str, str | None]:
    """The folder, by the name by which it is always known, and the branch that is checked out in it."""
    project = find_project(str(cwd))
    return os.path.realpath(cwd), None if project is None else branch_of(project)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
