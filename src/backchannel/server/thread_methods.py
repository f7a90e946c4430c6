"""`thread/...`, without the conversation. Source: app-server.md 1.5."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from backchannel import __version__
from backchannel.agents import EARLIER_ENTRIES
from backchannel.config import OPENAI
from backchannel.context.scans import branch_of, find_project
from backchannel.errors import BackchannelError, LocalProtocolError, StoreError, UnknownThread, UsageError
from backchannel.server.aside import aside
from backchannel.server.methods import Methods, Refused, check_thread_id, row
from backchannel.server.seen import seen_source, seen_turn
from backchannel.server.settings import Assignment, changed_for_thread, seen_policy, seen_sandbox
from backchannel.threads import Thread, ThreadQuery, TurnQuery
from backchannel.wire import appserver, jsonrpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.agents import Agent
    from backchannel.config import Model
    from backchannel.server.app import App
    from backchannel.server.live_thread import LiveThread
    from backchannel.server.peer import Peer
    from backchannel.threads import SortKey

__all__ = ["thread_methods"]

_MAX_TURNS: Final = 10_000
_DEFAULT_LIMIT: Final = 25
_MAX_LIMIT: Final = 100
_NO_PROVIDER: Final = "backchannel"
_SORTS: Final[dict[str, SortKey]] = {
    "created_at": "created",
    "updated_at": "updated",
    "recency_at": "recency",
    "section_position": "created",
}
_INTERACTIVE: Final = ("cli", "vscode")
"""What threads were begun with that are listed."""


def thread_methods(app: App) -> Methods:
    """The methods."""
    methods = _Threads(app)
    return Methods(
        at_once={
            "thread/loaded/list": row(appserver.ThreadLoadedListParams, methods.loaded),
            "thread/unsubscribe": row(appserver.ThreadUnsubscribeParams, methods.unsubscribe),
        },
        in_time={
            "thread/start": row(appserver.ThreadStartParams, methods.start),
            "thread/resume": row(appserver.ThreadResumeParams, methods.resume),
            "thread/fork": row(appserver.ThreadForkParams, methods.fork),
            "thread/read": row(appserver.ThreadReadParams, methods.read),
            "thread/list": row(appserver.ThreadListParams, methods.list_),
            "thread/name/set": row(appserver.ThreadSetNameParams, methods.set_name),
            "thread/archive": row(appserver.ThreadArchiveParams, methods.archive),
            "thread/unarchive": row(appserver.ThreadUnarchiveParams, methods.unarchive),
        },
    )


class _Threads:
    def __init__(self, app: App) -> None:
        self._app = app

    async def start(self, peer: Peer, params: appserver.ThreadStartParams) -> appserver.ThreadStartResponse:
        app = self._app
        cwd = self._folder(params.cwd)
        at_ms = app.now_ms()
        thread = Thread(
            thread_id=app.new_id(),
            cwd=cwd,
            created_at_ms=at_ms,
            updated_at_ms=at_ms,
            branch=await asyncio.to_thread(_branch, cwd),
            client_kind="vscode",
            originator=None if peer.info is None else peer.info.name,
            model_provider=self._provider(params.model_provider),
            model=params.model,
        )
        settings = changed_for_thread(app.options.config.model, params)
        live = await self._load(thread, settings, is_kept=False, is_ephemeral=params.ephemeral is True)
        answer = self._joined(peer, live, live.thread)
        self._app.start("thread started", self._tell_started(peer, answer.thread))
        return answer

    async def resume(self, peer: Peer, params: appserver.ThreadResumeParams) -> appserver.ThreadStartResponse:
        check_thread_id(params.thread_id)
        async with self._app.loading(params.thread_id):
            live = self._app.threads.get(params.thread_id)
            is_new = live is None
            if live is None:
                thread = await self._in_use(params.thread_id)
                settings = changed_for_thread(self._settings(thread), params)
                if params.cwd is not None:
                    thread = dataclasses.replace(thread, cwd=self._folder(params.cwd))
                live = await self._load(thread, settings, is_kept=True)
            answer = await self._joined_with_turns(peer, live, without=params.exclude_turns)
        self._app.start("thread resumed", self._tell_resumed(peer, live, is_new=is_new))
        return answer

    async def fork(self, peer: Peer, params: appserver.ThreadForkParams) -> appserver.ThreadStartResponse:
        check_thread_id(params.thread_id)
        if params.last_turn_id is not None and params.before_turn_id is not None:
            raise Refused("expected one of lastTurnId and beforeTurnId, got both; leave one of them out")
        new_id = self._app.new_id()
        # Everybody can find it as soon as it is kept.
        async with self._app.loading(new_id):
            thread = await self._forked(new_id, params)
            live = await self._load(thread, changed_for_thread(self._settings(thread), params), is_kept=True)
            answer = await self._joined_with_turns(peer, live, without=params.exclude_turns)
        self._app.start("thread started", self._tell_started(peer, answer.thread))
        return answer

    async def read(self, _: Peer, params: appserver.ThreadReadParams) -> appserver.ThreadReadResponse:
        check_thread_id(params.thread_id)
        live = self._app.threads.get(params.thread_id)
        stored = await self._stored(params.thread_id)
        thread = stored or (None if live is None else live.thread)
        if thread is None:
            raise Refused(f"thread not loaded: {params.thread_id}")
        turns = await self._turns(params.thread_id) if params.include_turns else ()
        return appserver.ThreadReadResponse(thread=self._seen(thread, turns=turns))

    async def list_(self, _: Peer, params: appserver.ThreadListParams) -> appserver.ThreadListResponse:
        await self._app.flush()
        cwds = (params.cwd,) if isinstance(params.cwd, str) else params.cwd
        try:
            query = ThreadQuery(
                cursor=params.cursor,
                limit=min(params.limit or _DEFAULT_LIMIT, _MAX_LIMIT),
                sort=_SORTS[params.sort_key or "created_at"],
                direction="oldest_first" if params.sort_direction == "asc" else "newest_first",
                archived=params.archived is True,
                cwds=cwds,
                client_kinds=params.source_kinds or _INTERACTIVE,
                model_providers=params.model_providers or None,
                originators=params.originators or None,
                leaving_out=params.excluded_thread_ids or (),
                search=params.search_term or "",
            )
            page = await aside(lambda: self._app.options.store.list_threads(query))
        except UsageError as exc:
            raise Refused(str(exc)) from exc
        except StoreError as exc:
            raise _unusable(exc) from exc
        return appserver.ThreadListResponse(
            data=tuple(self._seen(thread) for thread in page.items), next_cursor=page.next_cursor
        )

    def loaded(self, _: Peer, params: appserver.ThreadLoadedListParams) -> appserver.ThreadLoadedListResponse:
        # By their ids, which is by their age.
        rest = sorted(thread_id for thread_id in self._app.threads if thread_id > (params.cursor or ""))
        page = rest[: max(params.limit, 1)] if params.limit is not None else rest
        next_cursor = page[-1] if len(page) < len(rest) else None
        return appserver.ThreadLoadedListResponse(data=tuple(page), next_cursor=next_cursor)

    def unsubscribe(self, peer: Peer, params: appserver.ThreadUnsubscribeParams) -> appserver.ThreadUnsubscribeResponse:
        check_thread_id(params.thread_id)
        status: Literal["notLoaded", "notSubscribed", "unsubscribed"] = "unsubscribed"
        if params.thread_id not in self._app.threads:
            status = "notLoaded"
        elif params.thread_id not in peer.threads:
            status = "notSubscribed"
        self._app.leave(peer, params.thread_id)
        return appserver.ThreadUnsubscribeResponse(status=status)

    async def set_name(self, _: Peer, params: appserver.ThreadSetNameParams) -> appserver.Empty:
        name = params.name.strip()
        if not name:
            raise Refused("expected a name with at least one character, got an empty one")
        live = self._app.threads.get(params.thread_id)
        if live is not None:
            live.thread = dataclasses.replace(live.thread, name=name)
            self._app.keep(live.thread, lambda store: store.set_name(params.thread_id, name))
        else:
            await self._change(params.thread_id, lambda store_id: self._app.options.store.set_name(store_id, name))
        told = appserver.ThreadNameUpdatedNotification(thread_id=params.thread_id, thread_name=name)
        self._app.tell_all("thread/name/updated", told)
        return appserver.Empty()

    async def archive(self, _: Peer, params: appserver.ThreadArchiveParams) -> appserver.Empty:
        check_thread_id(params.thread_id)
        # It is brought to its end also when the client leaves.
        await self._app.see_through("archive", self._archive(params.thread_id))
        return appserver.Empty()

    async def unarchive(self, _: Peer, params: appserver.ThreadUnarchiveParams) -> appserver.ThreadUnarchiveResponse:
        check_thread_id(params.thread_id)
        return await self._app.see_through("unarchive", self._unarchive(params.thread_id))

    async def _archive(self, thread_id: str) -> None:
        async with self._app.loading(thread_id):
            if thread_id in self._app.threads:
                # Before anything ends, the store has to be there.
                await self._stored(thread_id)
                await self._app.put_away(thread_id)
                # One in which nothing was done is not kept, and just gone.
                is_kept = await self._stored(thread_id) is not None
            else:
                await self._in_use(thread_id)
                is_kept = True
            if is_kept:
                store = self._app.options.store
                await self._change(thread_id, lambda thread_id: store.set_archived(thread_id, archived=True))
        self._app.tell_all("thread/archived", appserver.ThreadArchivedNotification(thread_id=thread_id))

    async def _unarchive(self, thread_id: str) -> appserver.ThreadUnarchiveResponse:
        async with self._app.loading(thread_id):
            thread = await self._stored(thread_id)
            if thread is None or not thread.archived:
                raise Refused(f"no archived rollout found for thread id {thread_id}")
            store = self._app.options.store
            await self._change(thread_id, lambda thread_id: store.set_archived(thread_id, archived=False))
        self._app.tell_all("thread/unarchived", appserver.ThreadUnarchivedNotification(thread_id=thread_id))
        return appserver.ThreadUnarchiveResponse(thread=self._seen(dataclasses.replace(thread, archived=False)))

    # Parts of them

    async def _forked(self, new_id: str, params: appserver.ThreadForkParams) -> Thread:
        at_ms, store = self._app.now_ms(), self._app.options.store
        try:
            async with self._app.loading(params.thread_id):
                await self._in_use(params.thread_id)
                return await aside(
                    lambda: store.fork(
                        params.thread_id,
                        new_id,
                        at_ms=at_ms,
                        last_turn_id=params.last_turn_id,
                        before_turn_id=params.before_turn_id,
                    )
                )
        except UnknownThread:
            raise Refused(f"no rollout found for thread id {params.thread_id}") from None
        except LocalProtocolError as exc:
            raise Refused(str(exc)) from None
        except StoreError as exc:
            raise _unusable(exc) from exc

    def _folder(self, named: str | None) -> str:
        base = self._app.options.cwd
        return str(base) if not named else os.path.normpath(base / named)

    async def _change(self, thread_id: str, change: Callable[[str], None]) -> None:
        check_thread_id(thread_id)
        await self._app.flush()
        try:
            await aside(lambda: change(thread_id))
        except UnknownThread:
            raise Refused(f"no rollout found for thread id {thread_id}") from None
        except StoreError as exc:
            raise _unusable(exc) from exc

    def _provider(self, named: str | None) -> str | None:
        config = self._app.options.config
        if named is not None and named not in (OPENAI.id, *config.providers):
            known = ", ".join((OPENAI.id, *config.providers))
            raise Refused(f"expected one of the model providers {known}, got {named!r}; define it in the configuration")
        return named or config.model_provider

    def _settings(self, thread: Thread) -> Model:
        """Those of a thread that is kept, before a client wants others."""
        settings = self._app.options.config.model
        return settings if thread.model is None else msgspec.structs.replace(settings, model=thread.model)

    async def _load(self, thread: Thread, settings: Model, *, is_kept: bool, is_ephemeral: bool = False) -> LiveThread:
        make, store = self._app.options.make_agent, self._app.options.store

        def made() -> Agent:
            earlier = store.entries(thread.thread_id, newest=EARLIER_ENTRIES) if is_kept else ()
            return make(Assignment(thread=thread, settings=settings, earlier=earlier))

        try:
            agent = await aside(made, unheard=lambda agent: self._app.start("unused agent", agent.close()))
        except BackchannelError as exc:
            raise Refused(str(exc)) from exc
        return self._app.load(thread, agent, settings=settings, is_kept=is_kept, is_ephemeral=is_ephemeral)

    def _joined(
        self, peer: Peer, live: LiveThread, thread: Thread, *, turns: tuple[appserver.Turn, ...] = ()
    ) -> appserver.ThreadStartResponse:
        peer.threads.add(live.thread_id)
        seen = self._seen(thread, turns=turns)
        return appserver.ThreadStartResponse(
            thread=seen,
            model=live.settings.model or "",
            model_provider=live.thread.model_provider or _NO_PROVIDER,
            cwd=live.thread.cwd,
            runtime_workspace_roots=(live.thread.cwd,),
            approval_policy=seen_policy(live.settings),
            approvals_reviewer="user",
            sandbox=seen_sandbox(live.settings),
            reasoning_effort=live.settings.model_reasoning_effort,
        )

    # After the answer

    async def _tell_started(self, peer: Peer, thread: appserver.Thread) -> None:
        told = appserver.ThreadStartedNotification(thread=msgspec.structs.replace(thread, turns=()))
        self._app.tell(thread.id, "thread/started", told)
        self._app.ask_what_waits(peer, thread.id)

    async def _tell_resumed(self, peer: Peer, live: LiveThread, *, is_new: bool) -> None:
        if is_new:
            told = appserver.ThreadStatusChangedNotification(thread_id=live.thread_id, status=live.status)
            self._app.tell(live.thread_id, "thread/status/changed", told)
        self._app.ask_what_waits(peer, live.thread_id)

    # What is kept

    async def _in_use(self, thread_id: str) -> Thread:
        """A thread that is kept and has not been put away."""
        thread = await self._stored(thread_id)
        if thread is None:
            raise Refused(f"no rollout found for thread id {thread_id}")
        if thread.archived:
            raise Refused(f"the thread {thread_id} is archived; take it out with thread/unarchive first")
        if thread_id in self._app.leaving:
            raise Refused(f"the thread {thread_id} has been archived and its agent has not ended yet; try again later")
        return thread

    async def _stored(self, thread_id: str) -> Thread | None:
        await self._app.flush()
        try:
            return await aside(lambda: self._app.options.store.get(thread_id))
        except StoreError as exc:
            raise _unusable(exc) from exc

    async def _joined_with_turns(self, peer: Peer, live: LiveThread, *, without: bool) -> appserver.ThreadStartResponse:
        # It must not be unloaded meanwhile.
        with self._app.holding(live.thread_id):
            turns = () if without else await self._turns(live.thread_id)
            kept = await self._stored(live.thread_id)
            thread = live.thread if kept is None else dataclasses.replace(kept, cwd=live.thread.cwd)
            return self._joined(peer, live, thread, turns=turns)

    async def _turns(self, thread_id: str) -> tuple[appserver.Turn, ...]:
        await self._app.flush()
        query = TurnQuery(limit=_MAX_TURNS, with_items=True)
        try:
            page = await aside(lambda: self._app.options.store.turns(thread_id, query))
        except StoreError as exc:
            raise _unusable(exc) from exc
        return tuple(seen_turn(turn) for turn in page.items)

    def _seen(self, thread: Thread, *, turns: tuple[appserver.Turn, ...] = ()) -> appserver.Thread:
        live = self._app.threads.get(thread.thread_id)
        git = None
        if thread.branch or thread.git_sha or thread.git_origin_url:
            git = appserver.GitInfo(sha=thread.git_sha, branch=thread.branch, origin_url=thread.git_origin_url)
        return appserver.Thread(
            id=thread.thread_id,
            session_id=thread.thread_id,
            preview=thread.first_ask or "",
            ephemeral=self._app.is_ephemeral(thread.thread_id),
            model_provider=thread.model_provider or _NO_PROVIDER,
            created_at=thread.created_at_ms // 1000,
            updated_at=thread.updated_at_ms // 1000,
            recency_at=thread.recency_at_ms // 1000,
            status=appserver.NotLoadedStatus() if live is None else live.status,
            cwd=thread.cwd,
            cli_version=__version__,
            source=seen_source(thread.client_kind),
            history_mode="paginated",
            name=thread.name,
            model=thread.model if live is None else live.settings.model,
            reasoning_effort=None if live is None else live.settings.model_reasoning_effort,
            originator=thread.originator,
            forked_from_id=thread.forked_from,
            git_info=git,
            turns=turns,
        )


def _branch(cwd: str) -> str | None:
    project = find_project(cwd)
    return None if project is None else branch_of(project)


def _unusable(exc: StoreError) -> Refused:
    return Refused(str(exc), code=jsonrpc.INTERNAL_ERROR)
