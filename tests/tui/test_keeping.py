from __future__ import annotations

import asyncio
import functools
import os
from typing import TYPE_CHECKING

import pytest

from backchannel.core import Outcome, screen
from backchannel.errors import ConnectError, StoreError, UnknownThread, UsageError
from backchannel.net import SystemClock
from backchannel.testing import ScriptedServer
from backchannel.threads import (
    Entry,
    Spoken,
    SqliteThreads,
    Thread,
    TurnBegan,
    TurnEnded,
    UserAsked,
    VoiceBegan,
    VoiceEnded,
)
from backchannel.tui import LAST, Notice, Step, TalkOptions, talk
from backchannel.tui.keeping import Keeping
from tests.runtime.stage import polite, until
from tests.tui.test_talk import Shown

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/feature/x\n")
    (folder / "README.md").write_text("# Parcel\n")
    return folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "threads.sqlite3"


async def have(
    server: ScriptedServer, project: Path, path: Path, *, resume: str | None = None, say: str = "list the files"
) -> Shown:
    shown = Shown()
    options = await asyncio.to_thread(
        functools.partial(
            TalkOptions,
            cwd=project,
            realtime=server.url,
            steps=(Step(text=say),),
            text_only=True,
            timeout_s=15,
            store=path,
            resume=resume,
        )
    )
    assert await talk(options, shown_on=shown, env=dict(os.environ), clock=SystemClock()) == 0
    return shown


def threads(path: Path) -> list[tuple[Thread, tuple[Entry, ...]]]:
    with SqliteThreads(path) as store:
        assert store.working() == ()
        return [(thread, store.entries(thread.thread_id, newest=99)) for thread in store.recent(9)]


def notices(shown: Shown) -> list[str]:
    return [notice.message for notice in shown.all(Notice)]


async def test_a_conversation_is_kept_as_a_thread_of_its_folder(project: Path, path: Path) -> None:
    async with ScriptedServer(polite) as server:
        shown = await have(server, project, path)
        await server.wait_closed()
    ((thread, entries),) = await asyncio.to_thread(threads, path)
    assert (thread.cwd, thread.branch) == (await asyncio.to_thread(os.path.realpath, project), "feature/x")
    assert (thread.first_ask, thread.originator, thread.client_kind) == ("list the files", "backchannel", "cli")
    assert [type(entry).__name__ for entry in entries][:3] == ["VoiceBegan", "UserAsked", "TurnBegan"]
    assert isinstance(entries[-1], VoiceEnded)
    assert any(isinstance(entry, Spoken) for entry in entries)
    assert thread.created_at_ms == entries[0].at_ms
    # The server is told which thread it is, as a client of Codex would.
    assert server.handshakes[0].headers["thread-id"] == thread.thread_id
    assert server.handshakes[0].headers["session-id"] == thread.thread_id
    assert notices(shown) == []


async def test_a_thread_is_gone_on_with(project: Path, path: Path) -> None:
    async with ScriptedServer(polite, polite, polite) as server:
        await have(server, project, path)
        await server.wait_closed()
        await asyncio.to_thread((project / ".git" / "HEAD").write_text, "ref: refs/heads/main\n")
        shown = await have(server, project, path, resume=LAST, say="what changed this week")
        ((thread, entries),) = await asyncio.to_thread(threads, path)
        assert notices(shown) == [f"going on with the thread {thread.thread_id}"]
        elsewhere = project.parent
        shown = await have(server, elsewhere, path, resume=thread.thread_id, say="list the files")
        assert notices(shown) == [
            f"going on with the thread {thread.thread_id}, which was begun in {thread.cwd}",
        ]
    assert [handshake.headers["thread-id"] for handshake in server.handshakes] == [thread.thread_id] * 3
    assert thread.branch == "main"
    assert thread.first_ask == "list the files"
    assert len([entry for entry in entries if isinstance(entry, VoiceBegan)]) == 2
    ((thread, entries),) = await asyncio.to_thread(threads, path)
    began = [entry.turn_id for entry in entries if isinstance(entry, TurnBegan)]
    ended = [entry.turn_id for entry in entries if isinstance(entry, TurnEnded)]
    assert began == ended
    assert len(set(began)) == 3
    asked = [entry.text for entry in entries if isinstance(entry, UserAsked)]
    assert asked == ["list the files", "what changed this week", "list the files"]


async def test_what_cannot_be_gone_on_with_is_told_before_anything_is_started(project: Path, path: Path) -> None:
    async with ScriptedServer(polite) as server:
        with pytest.raises(UsageError, match=r"expected a thread that was begun in .*, but none is kept"):
            await have(server, project, path, resume=LAST)
        with pytest.raises(UnknownThread, match="got nope"):
            await have(server, project, path, resume="nope")
        await asyncio.to_thread(path.write_bytes, b"garbage" * 1000)
        with pytest.raises(StoreError, match="is damaged"):
            await have(server, project, path, resume=LAST)
        assert server.handshakes == []


async def test_a_store_that_cannot_be_used_is_a_notice(project: Path, path: Path) -> None:
    await asyncio.to_thread(path.parent.mkdir)
    await asyncio.to_thread(path.write_bytes, b"garbage" * 1000)
    async with ScriptedServer(polite) as server:
        shown = await have(server, project, path)
        await server.wait_closed()
        assert "thread-id" not in server.handshakes[0].headers
    (notice,) = notices(shown)
    assert notice.startswith(f"this conversation is not kept: the thread store {path} is damaged: ")
    assert shown.all(screen.TaskEnded)[0].outcome is Outcome.COMPLETED
    assert await asyncio.to_thread(path.read_bytes) == b"garbage" * 1000


async def test_where_nothing_is_said_nothing_is_kept(project: Path, path: Path) -> None:
    async with Keeping(path, cwd=project, resume=None, notice=lambda _: None) as keeping:
        keeping.note(screen.ConversationStarted())
        keeping.note(screen.ConversationClosed(reason=screen.CloseReason.REQUESTED))
    assert await asyncio.to_thread(threads, path) == []
    # Nor where there was no conversation.
    async with ScriptedServer() as server:
        url = server.url
    options = await asyncio.to_thread(
        functools.partial(TalkOptions, cwd=project, realtime=url, steps=(Step(text="x"),), text_only=True, store=path)
    )
    with pytest.raises(ConnectError):
        await talk(options, shown_on=Shown(), env=dict(os.environ), clock=SystemClock())
    assert await asyncio.to_thread(threads, path) == []


async def test_a_thread_that_somebody_deletes_meanwhile_is_a_notice_and_no_more(project: Path, path: Path) -> None:
    told: list[str] = []
    asked = screen.TaskStarted(turn_id="t", request="x", by_voice=False)
    async with Keeping(path, cwd=project, resume=None, notice=told.append) as keeping:
        keeping.note(screen.ConversationStarted())
        keeping.note(asked)
        thread_id = keeping.thread_id
        assert thread_id is not None
        with await asyncio.to_thread(SqliteThreads, path) as other:
            await until(lambda: other.get(thread_id) is not None, "the thread")
            await asyncio.to_thread(other.delete, thread_id)
            await asyncio.to_thread(other.close)
        keeping.note(asked)
        keeping.note(asked)
    (notice,) = told
    assert notice == (
        f"not everything of this conversation is kept: expected the id of a thread that is kept, got {thread_id};"
        " `backchannel threads list` shows them"
    )
