"""The app server for more than one client: on a websocket, or on a unix socket.

Whoever can connect can let the agent work with our rights. So a websocket refuses web pages (anything that names an
origin), and beyond this machine it asks for a token; a unix socket is its owner's alone.

Source: app-server.md 1.1.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import TYPE_CHECKING, Final

from aiohttp import WSMsgType, web

from backchannel.errors import UsageError
from backchannel.server.clients import serve_client
from backchannel.server.streams import MAX_LINE_BYTES, serve_stream
from backchannel.server.tokens import refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from backchannel.server.addresses import Address
    from backchannel.server.app import App
    from backchannel.server.dispatch import Dialogue, Dispatcher
    from backchannel.server.outbox import Outbox
    from backchannel.server.peer import Peer
    from backchannel.server.tokens import Admission

__all__ = ["listening"]

_log = logging.getLogger(__name__)

_HEARTBEAT_S: Final = 30.0
_LAST_WORDS_S: Final = 0.5


@contextlib.asynccontextmanager
async def listening(
    app: App, dispatcher: Dispatcher, address: Address, *, admission: Admission | None, tell: Callable[[str], None]
) -> AsyncIterator[None]:
    """Serve whoever connects, as long as the block runs.

    Raises:
        UsageError: There cannot be listened.
    """
    try:
        if address.path:
            if address.is_folder_ours:
                await asyncio.to_thread(os.makedirs, os.path.dirname(address.path), 0o700, exist_ok=True)
            async with _on_path(app, dispatcher, address.path):
                tell(f"listening on: unix://{address.path}")
                yield
        else:
            async with _on_port(app, dispatcher, address, admission) as port:
                host = f"[{address.host}]" if ":" in address.host else address.host
                tell(f"listening on: ws://{host}:{port}")
                tell(f"readyz: http://{host}:{port}/readyz")
                yield
    except OSError as exc:
        where = address.path or f"{address.host}:{address.port}"
        raise UsageError(f"cannot listen on {where}: {exc.strerror or exc}; choose another address") from exc


@contextlib.asynccontextmanager
async def _on_path(app: App, dispatcher: Dispatcher, path: str) -> AsyncIterator[None]:
    clients: set[asyncio.Task[object]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            clients.add(task)
        try:
            await serve_stream(app, dispatcher, reader, writer)
        except asyncio.CancelledError:
            # Ended by us, below. Python 3.11 would report a task that says so as a fault.
            _log.debug("x a client's connection is ended")
        except Exception:
            _log.exception("! a client's connection ended by a fault")
        finally:
            clients.discard(task)
            writer.close()

    if await _is_served(path):
        raise UsageError(f"cannot listen on {path}: another server listens there; choose another address")
    # From the beginning, not only once it is there.
    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(serve, path)
    finally:
        os.umask(before)
    try:
        async with server:
            yield
            # Before the server is closed, which waits for its clients.
            await _end(clients)
    finally:
        await _end(clients)
        with contextlib.suppress(OSError):
            os.unlink(path)


async def _is_served(path: str) -> bool:
    """Whether somebody answers there; what a server left behind that was killed may be replaced."""
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.close()
    return True


async def _end(tasks: set[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


@contextlib.asynccontextmanager
async def _on_port(
    app: App, dispatcher: Dispatcher, address: Address, admission: Admission | None
) -> AsyncIterator[int]:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if "Origin" in request.headers:
            return web.Response(status=403, text="web pages are not served here\n")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            if request.method == "GET" and request.path in ("/readyz", "/healthz"):
                return web.Response(text="ok\n")
            return web.Response(status=400, text="expected a websocket\n")
        if admission is not None:
            refused = refusal(admission, request.headers.get("Authorization", ""))
            if refused is not None:
                _log.info("x a client was not let in: %s", refused)
                return web.Response(status=401, text=f"{refused}\n", headers={"WWW-Authenticate": "Bearer"})
        return await _serve(app, dispatcher, request)

    runner = web.ServerRunner(web.Server(handle, access_log=None), handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address.host, address.port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _serve(app: App, dispatcher: Dispatcher, request: web.BaseRequest) -> web.StreamResponse:
    socket = web.WebSocketResponse(max_msg_size=MAX_LINE_BYTES, heartbeat=_HEARTBEAT_S, compress=False)
    await socket.prepare(request)
    await serve_client(
        app,
        dispatcher,
        read=lambda dialogue, peer: _read(socket, dialogue, app, peer),
        write=lambda outbox, gone: _write(socket, outbox, gone),
    )
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(_LAST_WORDS_S):
            await socket.close()
    return socket


async def _read(socket: web.WebSocketResponse, dialogue: Dialogue, app: App, peer: Peer) -> None:
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            dialogue.receive(message.data)
            await app.room_for_audio(peer)
        elif message.type is WSMsgType.BINARY:
            _log.warning("! a binary message is passed over; expected JSON as text")


async def _write(socket: web.WebSocketResponse, outbox: Outbox, gone: asyncio.Event) -> None:
    try:
        while messages := await outbox.take():
            for message in messages:
                await socket.send_frame(message, WSMsgType.TEXT)
    except ConnectionError:
        gone.set()
