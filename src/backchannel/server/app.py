"""The app server without its transports: clients, loaded threads, and everything that they share.

| resource | acquired by | released by |
|---|---|---|
| loaded thread, its agent | `thread/start`, `thread/resume`, `thread/fork` | half an hour without clients, `close` |
| conversation of a thread | `thread/realtime/start` | its end, `thread/realtime/stop`, its thread's release |
| store, writer, engine | `open`, the first conversation with the local engine | `close` |

The file is long because that a thread is loaded once, and not while it is put away, can only be judged as a whole.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import importlib
import logging
import time
import weakref
from typing import TYPE_CHECKING, Final, TypeVar

from backchannel.context import Gatherer, default_prompt, user_first_name, user_language
from backchannel.runtime import LocalEngine, Target, Tasks, choose_backend, server_target
from backchannel.server.live_thread import LiveThread
from backchannel.server.peer import Peer
from backchannel.server.questions import Question
from backchannel.threads import ThreadWriter, new_thread_id
from backchannel.wire import appserver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    import msgspec

    from backchannel.agents import Agent
    from backchannel.config import Config, Model
    from backchannel.engine import Engine
    from backchannel.errors import BackchannelError
    from backchannel.server.account import Credentials
    from backchannel.server.outbox import Outbox
    from backchannel.server.settings import Assignment
    from backchannel.server.voice import Voice
    from backchannel.threads import Thread, ThreadStore

__all__ = ["App", "AppOptions"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

# Together with what a client may take to go, less than the 5 s that ending the server may take.
_CLOSING_S: Final = 2.7
_CLEARING_UP_S: Final = 2.5
_LAST_WRITES_S: Final = 0.5
"""How long the store has at least."""
_STOPPING_S: Final = 5.0
"""How long a conversation may take to end when its thread is archived."""
_PUTTING_AWAY_S: Final = 12.0
"""How long that and a turn with its agent are waited for."""
_LOOKS_EVERY_S: Final = 60.0
_NEEDED_SOON: Final = ("aiohttp", "backchannel.agents.workspace", "backchannel.agents.responses")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AppOptions:
    """What the server is made of."""

    config: Config
    env: Mapping[str, str]
    home: Path | None
    """The user's."""
    state_folder: Path
    cwd: Path
    """Where threads work that name no folder."""
    store: ThreadStore
    credentials: Credentials
    make_agent: Callable[[Assignment], Agent]
    """Makes the agent of a thread; it may block."""
    models: Callable[[], tuple[str, ...]] = tuple
    """Those that an agent can be told to work with, the first being the one that is taken."""
    unload_after_s: float = 1800.0
    """How long a thread stays loaded, with its conversation, that no client is told of and in which nothing happens."""


class App:
    """The app server's state. Use it as an asynchronous context manager; its methods belong to one event loop."""

    def __init__(self, options: AppOptions) -> None:
        self.options = options
        self.threads: dict[str, LiveThread] = {}
        self.voices: dict[str, Voice] = {}
        self.peers: set[Peer] = set()
        self.gatherer = Gatherer(env=options.env, home=options.home, store=options.store)
        self.voice_locks: dict[str, asyncio.Lock] = {}
        self._kept: set[str] = set()
        """The threads that the store has."""
        self._ephemeral: set[str] = set()
        self._held: collections.Counter[str] = collections.Counter()
        """How many are about to use a thread."""
        self.leaving: dict[str, LiveThread] = {}
        """Those that have been put away and have not ended yet, by their id."""
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        """Of threads that are being loaded or put away."""
        self._questions: dict[str, list[Question]] = {}
        """Those that wait for an answer, by their thread."""
        self._tasks = Tasks(on_failure=_failed)
        self._stack = contextlib.AsyncExitStack()
        self._writer: ThreadWriter
        self._engine: Engine | None = None
        self._engine_lock = asyncio.Lock()
        self._first_name = ""
        self._is_loaded_ahead = False

    async def __aenter__(self) -> Self:
        """Get ready."""
        self._writer = await ThreadWriter(self.options.store, on_failure=self._not_kept).__aenter__()
        self._first_name = await asyncio.to_thread(user_first_name)
        self.start("unloading", self._unload_unused())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End conversations and turns, and keep what is not kept yet; what takes too long is cut off."""
        now = asyncio.get_running_loop().time
        began_at = now()
        for peer in list(self.peers):
            self.disconnect(peer)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLEARING_UP_S):
                stops = [
                    *(voice.stop() for voice in self.voices.values()),
                    *(live.close() for live in (*self.threads.values(), *self.leaving.values())),
                ]
                # Whatever goes wrong in one, the others end.
                await asyncio.gather(*stops, return_exceptions=True)
        await self._tasks.cancel()
        await self._stack.aclose()
        n_lost = await self._writer.close(within_s=max(began_at + _CLOSING_S - now(), _LAST_WRITES_S))
        if n_lost:
            _log.warning("! %d changes of threads are lost: the store has not taken them in time", n_lost)

    # Clients

    def load_ahead(self) -> None:
        """Load what turns and conversations are going to need, while the client reads its first answer."""
        if not self._is_loaded_ahead:
            self._is_loaded_ahead = True
            self.start("loading", asyncio.to_thread(_load_ahead))

    def connect(self, outbox: Outbox, *, give_up: Callable[[], None]) -> Peer:
        """A client has come."""
        peer = Peer(outbox, give_up=give_up, now_ms=self.now_ms)
        self.peers.add(peer)
        return peer

    def disconnect(self, peer: Peer) -> None:
        """A client has left. What it started goes on."""
        self.peers.discard(peer)
        for thread_id in list(peer.threads):
            self.leave(peer, thread_id)
        peer.leave()

    def tell(self, thread_id: str, method: str, params: msgspec.Struct) -> None:
        """See `Services`."""
        for peer in self.peers:
            if thread_id in peer.threads:
                peer.tell(method, params)

    def tell_all(self, method: str, params: msgspec.Struct) -> None:
        """Tell every client."""
        for peer in self.peers:
            peer.tell(method, params)

    def ask(
        self, thread_id: str, method: str, params: msgspec.Struct, answered: Callable[[msgspec.Raw | None], None]
    ) -> Question:
        """See `Services`."""
        questions = self._questions.setdefault(thread_id, [])
        question = Question(thread_id, method, params, answered=answered, over=questions.remove, start=self.start)
        questions.append(question)
        for peer in self.peers:
            if thread_id in peer.threads:
                question.put_to(peer)
        return question

    def ask_what_waits(self, peer: Peer, thread_id: str) -> None:
        """A client is told of a thread from now on: whatever still waits for an answer there may be its to answer."""
        if thread_id not in peer.threads:
            # It has left meanwhile.
            return
        for question in self._questions.get(thread_id, ()):
            question.put_to(peer)

    def leave(self, peer: Peer, thread_id: str) -> None:
        """A client is not told of a thread any more, and has nothing to answer there."""
        peer.threads.discard(thread_id)
        for question in list(self._questions.get(thread_id, ())):
            question.take_from(peer)

    # The store

    def keep(self, thread: Thread, write: Callable[[ThreadStore], object]) -> None:
        """See `Services`."""
        thread_id = thread.thread_id
        if thread_id in self._ephemeral:
            return
        if thread_id not in self._kept:
            self._kept.add(thread_id)
            self._writer.write(lambda store: store.create(thread))
        self._writer.write(write)

    async def flush(self) -> None:
        """Wait until the store has everything."""
        await self._writer.flush()

    def _not_kept(self, exc: BackchannelError) -> None:
        message = f"not everything is kept: {exc}"
        _log.warning("! %s", message)
        self.tell_all("warning", appserver.WarningNotification(message=message))

    # Threads

    def load(
        self, thread: Thread, agent: Agent, *, settings: Model, is_kept: bool, is_ephemeral: bool = False
    ) -> LiveThread:
        """A thread can be worked in from now on."""
        live = LiveThread(thread, agent=agent, settings=settings, services=self)
        self.threads[thread.thread_id] = live
        if is_kept:
            self._kept.add(thread.thread_id)
        if is_ephemeral:
            self._ephemeral.add(thread.thread_id)
        return live

    def is_ephemeral(self, thread_id: str) -> bool:
        """Whether nothing of a thread is kept."""
        return thread_id in self._ephemeral

    async def _unload_unused(self) -> None:
        unused_since: dict[str, float] = {}
        after_s = self.options.unload_after_s
        while True:
            await asyncio.sleep(min(after_s / 2, _LOOKS_EVERY_S))
            now = asyncio.get_running_loop().time()
            unused_since = {
                thread_id: unused_since.get(thread_id, now)
                for thread_id, live in self.threads.items()
                if self._is_unused(live)
            }
            for thread_id, since in unused_since.items():
                last_use = max(since, self.threads[thread_id].last_used_at)
                if (voice := self.voices.get(thread_id)) is not None:
                    # A call can go on without the client that began it.
                    last_use = max(last_use, voice.last_said_at)
                if now - last_use >= after_s:
                    self.start("unload", self._unload(thread_id))

    def _is_unused(self, live: LiveThread) -> bool:
        is_held = live.thread_id in self._held
        return live.turn is None and not is_held and not any(live.thread_id in peer.threads for peer in self.peers)

    @contextlib.contextmanager
    def holding(self, thread_id: str) -> Iterator[None]:
        """A thread stays loaded."""
        self._held[thread_id] += 1
        try:
            yield
        finally:
            self._held[thread_id] -= 1
            if not self._held[thread_id]:
                del self._held[thread_id]

    async def _unload(self, thread_id: str) -> None:
        live = self.threads.get(thread_id)
        if live is None or not self._is_unused(live):
            return
        if (voice := self.voices.get(thread_id)) is not None:
            await voice.stop()
            if not self._is_unused(live) or self.threads.get(thread_id) is not live:
                # Somebody has come meanwhile.
                return
        # Who resumes it from here on gets it loaded anew.
        del self.threads[thread_id]
        self._forget(thread_id)
        self.tell_all("thread/closed", appserver.ThreadClosedNotification(thread_id=thread_id))
        await live.close()

    @contextlib.asynccontextmanager
    async def loading(self, thread_id: str) -> AsyncIterator[None]:
        """Nobody else loads a thread or puts it away meanwhile."""
        async with self._locks.setdefault(thread_id, asyncio.Lock()):
            yield

    async def put_away(self, thread_id: str) -> None:
        """A thread is not worked in any more: its conversation and its turn end, and it is not loaded.

        Who calls this is `loading` the thread.
        """
        # From here on nobody finds it.
        live = self.threads.pop(thread_id, None)
        if live is None:
            return
        self.leaving[thread_id] = live
        ending = self.start("put away", self._put_away(live))
        try:
            await asyncio.wait([ending], timeout=_PUTTING_AWAY_S)
        finally:
            if not ending.done():
                _log.warning("! a thread that is archived has not ended yet")
            told = appserver.ThreadStatusChangedNotification(thread_id=thread_id, status=appserver.NotLoadedStatus())
            self.tell(thread_id, "thread/status/changed", told)
            for peer in list(self.peers):
                self.leave(peer, thread_id)

    async def _put_away(self, live: LiveThread) -> None:
        thread_id = live.thread_id
        try:
            if (voice := self.voices.get(thread_id)) is not None:
                await self._stop_for_good(voice, thread_id)
            await live.close()
        finally:
            # Only now: until then it may be told of what is not to be kept.
            del self.leaving[thread_id]
            self._forget(thread_id)

    async def _stop_for_good(self, voice: Voice, thread_id: str) -> None:
        try:
            async with asyncio.timeout(_STOPPING_S):
                await voice.stop()
        except Exception:
            _log.exception("! a conversation did not end")
        if self.voices.get(thread_id) is voice:
            del self.voices[thread_id]

    def _forget(self, thread_id: str) -> None:
        self._ephemeral.discard(thread_id)
        self._kept.discard(thread_id)
        self.voice_locks.pop(thread_id, None)
        self._questions.pop(thread_id, None)

    # The voice

    async def room_for_audio(self, peer: Peer) -> None:
        """Wait until no conversation has much audio to be sent that this client has just sent it: some do in bulk."""
        spoken_in, peer.speaks_in = peer.speaks_in, set()
        for thread_id in spoken_in:
            if (voice := self.voices.get(thread_id)) is not None:
                await voice.room_for_audio()

    def prompt(self) -> str:
        """Our own instructions of the voice."""
        options = self.options
        return default_prompt(
            self._first_name, language=user_language(options.env), tools=options.config.realtime.tools
        )

    async def target(self, *, for_call: bool) -> Target:
        """The realtime server.

        Raises:
            UsageError: There is none, or its key is missing; says what to do.
        """
        options = self.options
        key = options.credentials.api_key
        match choose_backend(options.config, logged_in=key is not None):
            case LocalEngine():
                return Target(base_url=await self._engine_url(), env=options.env)
            case backend:
                return server_target(backend, env=options.env, for_call=for_call, stored_key=key)

    async def _engine_url(self) -> str:
        async with self._engine_lock:
            if self._engine is None:
                from backchannel.engine import Engine, EngineOptions

                engine = Engine(EngineOptions(env=self.options.env, on_notice=self._notice))
                self._engine = await self._stack.enter_async_context(engine)
        return self._engine.url

    def _notice(self, message: str) -> None:
        self.tell_all("warning", appserver.WarningNotification(message=message))

    # Everything else

    def start(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """See `Services`."""
        return self._tasks.start(name, work)

    async def see_through(self, name: str, work: Coroutine[object, object, _T]) -> _T:
        """Do something whole, also when the client that asked for it leaves."""
        return await self._tasks.see_through(name, work)

    def now_ms(self) -> int:
        """See `Services`."""
        return time.time_ns() // 1_000_000

    def new_id(self) -> str:
        """See `Services`."""
        return new_thread_id(self.now_ms())


def _load_ahead() -> None:
    for name in _NEEDED_SOON:
        importlib.import_module(name)


def _failed(name: str, exc: Exception) -> None:
    # It is in the log; what it belonged to goes on without it.
    _log.error("! %s failed: %s", name, type(exc).__name__)
