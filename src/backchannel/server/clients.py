"""One connected client, whatever it is connected by."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from backchannel.server.dispatch import Dialogue
from backchannel.server.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from backchannel.server.app import App
    from backchannel.server.dispatch import Dispatcher
    from backchannel.server.peer import Peer

__all__ = ["serve_client"]

_LAST_ANSWERS_S: Final = 0.8
_LAST_WORDS_S: Final = 0.8


async def serve_client(
    app: App,
    dispatcher: Dispatcher,
    *,
    read: Callable[[Dialogue, Peer], Coroutine[object, object, None]],
    write: Callable[[Outbox, asyncio.Event], Coroutine[object, object, None]],
) -> None:
    """Serve a client until it leaves, or does not read what it is sent.

    Args:
        app: The server.
        dispatcher: Its methods.
        read: Gives the client's messages to its dialogue until no more come.
        write: Sends what is in the outbox until it is closed and empty; sets the event when the client is gone.
    """
    outbox = Outbox()
    gone = asyncio.Event()
    peer = app.connect(outbox, give_up=gone.set)
    dialogue = Dialogue(dispatcher, peer)
    async with asyncio.TaskGroup() as tasks:
        writes = tasks.create_task(write(outbox, gone), name="writes")
        does = tasks.create_task(dialogue.run(), name="requests")
        reads = tasks.create_task(read(dialogue, peer), name="reads")
        left = tasks.create_task(_wait(gone), name="gone")
        try:
            await asyncio.wait([reads, left], return_when=asyncio.FIRST_COMPLETED)
            if not gone.is_set():
                # Who asks and closes its side, as a pipe does, still wants the answers.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LAST_ANSWERS_S):
                        await dialogue.idle()
        finally:
            for task in (does, reads, left):
                task.cancel()
            app.disconnect(peer)
            await asyncio.wait([writes], timeout=_LAST_WORDS_S)
            writes.cancel()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
