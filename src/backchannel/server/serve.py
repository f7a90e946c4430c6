"""Running the app server until it is told to stop."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.agents import choose_agent, make_agent
from backchannel.config import OPENAI
from backchannel.errors import StoreError, UsageError
from backchannel.server.account import Credentials
from backchannel.server.addresses import Address
from backchannel.server.app import App, AppOptions
from backchannel.server.dispatch import Dispatcher
from backchannel.server.streams import serve_stdio
from backchannel.server.tracing import WithTrace
from backchannel.threads import MemoryThreads, SqliteThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from backchannel.agents import Agent
    from backchannel.config import Config
    from backchannel.server.settings import Assignment
    from backchannel.server.tokens import Admission
    from backchannel.threads import ThreadStore

__all__ = ["ServeOptions", "serve"]

_log = logging.getLogger(__name__)

_LETTING_GO_S: Final = 0.3


def _silent(_: str) -> None:
    """Nobody is told."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How the app server is run."""

    config: Config
    env: Mapping[str, str]
    home: Path | None
    state_folder: Path
    store: Path | None
    """The file in which threads are kept; None keeps them as long as the process lives."""
    cwd: Path
    tell: Callable[[str], None] = _silent
    """Tells a person where it listens."""
    address: Address = dataclasses.field(default_factory=Address)
    admission: Admission | None = None
    """What clients of a websocket have to show."""
    agent: str | None = None
    """Which agent does the work; None for the one that the configuration suggests."""


async def serve(options: ServeOptions) -> int:
    """Serve until the client leaves or a signal comes; the exit status.

    Raises:
        StoreError: The store cannot be used.
    """
    for handler in logging.getLogger().handlers:
        handler.addFilter(WithTrace())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    store: ThreadStore = MemoryThreads()
    if options.store is not None:
        store = await asyncio.to_thread(SqliteThreads, options.store)
    try:
        credentials = await asyncio.to_thread(Credentials, options.state_folder)
        app_options = AppOptions(
            config=options.config,
            env=options.env,
            home=options.home,
            state_folder=options.state_folder,
            cwd=options.cwd,
            store=store,
            credentials=credentials,
            make_agent=_agents(options, credentials),
            models=lambda: _models(options, credentials),
        )
        async with App(app_options) as app:
            if options.address.is_stdio:
                await _until(stop, serve_stdio(app, Dispatcher(app)))
            else:
                from backchannel.server.listening import listening

                async with listening(
                    app, Dispatcher(app), options.address, admission=options.admission, tell=options.tell
                ):
                    await stop.wait()
    finally:
        _let_go(store)
    return 0


def _let_go(store: ThreadStore) -> None:
    """Close the store, unless it is stuck in a write: ending the process does it no harm."""

    def close() -> None:
        try:
            store.close()
        except StoreError as exc:
            _log.warning("! %s", exc)

    # Not of the event loop, which would wait for it.
    closing = threading.Thread(target=close, name="closing", daemon=True)
    closing.start()
    closing.join(_LETTING_GO_S)


def _agents(options: ServeOptions, credentials: Credentials) -> Callable[[Assignment], Agent]:
    def make(assignment: Assignment) -> Agent:
        thread = assignment.thread
        config = msgspec.structs.replace(options.config, model=assignment.settings)
        if thread.model_provider in (OPENAI.id, *config.providers):
            config = msgspec.structs.replace(config, model_provider=thread.model_provider)
        return make_agent(
            options.agent or choose_agent(config, stored_key=credentials.api_key),
            cwd=Path(thread.cwd),
            env=options.env,
            config=config,
            stored_key=credentials.api_key,
            thread_id=thread.thread_id,
            earlier=assignment.earlier,
            on_notice=lambda message: _log.warning("! %s", message),
        )

    return make


def _models(options: ServeOptions, credentials: Credentials) -> tuple[str, ...]:
    name = options.agent or choose_agent(options.config, stored_key=credentials.api_key)
    if name != "responses":
        return ()
    from backchannel.agents import ResponsesOptions

    try:
        return (ResponsesOptions(provider=options.config.provider, model=options.config.model).model_name,)
    except UsageError:
        # Who starts a turn is told what is missing.
        return ()


async def _until(stop: asyncio.Event, work: Coroutine[object, object, None]) -> None:
    """Do something until it is done, or somebody says stop."""
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(work, name="stdio")
        stopping = tasks.create_task(_wait(stop), name="signals")
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        stopping.cancel()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
