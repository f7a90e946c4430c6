"""A realtime backend that does what a test wrote down.

    script = [Expect("session.update"), Send({"type": "session.updated", "session": {"id": "sess_1"}}), Close()]
    async with ScriptedServer(script) as server:
        await client_under_test(server.url)
        await server.wait_for(of_type("response.create"))

It listens on loopback, on a port that the system chooses, and speaks real websockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress
import time
from typing import TYPE_CHECKING, Self

from aiohttp import ClientConnectionResetError, web

from backchannel.errors import LocalProtocolError
from backchannel.testing.connection import ConnectionGone, Handshake, ReceivedFrame, ScriptedConnection, arrivals
from backchannel.testing.script import (
    AcceptAfter,
    AnswerOffer,
    Drop,
    Expect,
    Refuse,
    Script,
    ScriptError,
    Step,
    name_of,
    read_script,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["ScriptedServer", "ServerOptions"]

_GOODBYE_S = 0.5
"""How long clients may take to answer the server's close frame when the test is over."""
_LAST_WORDS_S = 0.05
"""How long scripts may go on after that."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a scripted server can be reached."""

    path: str = "/v1/realtime"
    """The path in `url`. Every path is answered; what was asked for is in `handshakes`."""
    host: str = "127.0.0.1"
    """The host in `url` (for example `localhost`, when a certificate says so); it always listens on 127.0.0.1."""
    tls: ssl.SSLContext | None = None
    """A server's context, for `wss`."""


class ScriptedServer:
    """A scripted realtime backend: an async context manager.

    The n-th connection (refused ones and calls count) follows the n-th script; connections beyond the last script are
    accepted and only listened to. When a script is at its end, its connection stays open and goes on recording. A
    script of `AnswerOffer` serves the POST that creates a WebRTC call, on any path.

    Leaving the context closes what is open, and raises `ScriptError` when a script failed or still expected
    something, unless the test itself failed: then the failures are added to its exception as notes.

    Args:
        scripts: One for each connection.
        options: How it can be reached.
    """

    def __init__(self, *scripts: Script, options: ServerOptions | None = None) -> None:
        self._scripts = [read_script(script) for script in scripts]
        self._options = ServerOptions() if options is None else options
        self._changed = asyncio.Condition()
        self._leaving = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._port: int | None = None
        self._followers: dict[int, asyncio.Task[None]] = {}
        self._expected: dict[int, Expect] = {}
        self._started_at_s = 0.0
        self.frames: list[ReceivedFrame] = []
        """What came on all connections, in order of arrival."""
        self.handshakes: list[Handshake] = []
        """All that clients asked for, refused ones too, in order."""
        self.connections: list[ScriptedConnection] = []
        """All accepted ones, in order; `number` says which script each followed."""
        self.failures: list[str] = []
        """What went wrong in scripts so far, as sentences."""

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._options.tls)
        await site.start()
        self._port = int(self._runner.addresses[0][1])
        self._started_at_s = time.monotonic()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            # What a client sent last may still be on its way.
            await self._settled(lambda: not self._expected, timeout_s=_GOODBYE_S)
        self._leaving.set()
        unmet = dict(self._expected)
        for number in unmet:
            self._followers[number].cancel()
        await self._close_connections()
        if self._followers:
            # A script's own code may have waited for the end; what waits for anything else is not waited for.
            await asyncio.wait(self._followers.values(), timeout=_LAST_WORDS_S)
        for follower in self._followers.values():
            follower.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        problems = [
            *self.failures,
            *(f"connection {n}: the script still expected {what}; {self._arrivals()}" for n, what in unmet.items()),
        ]
        if not problems:
            return
        if error is None:
            raise ScriptError("\n".join(problems))
        for problem in problems:
            error.add_note(problem)

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._port is None:
            raise LocalProtocolError("a ScriptedServer has its port inside `async with`")
        return self._port

    @property
    def url(self) -> str:
        """The address to give to a client."""
        scheme = "ws" if self._options.tls is None else "wss"
        return f"{scheme}://{self._shown_host}:{self.port}{self._options.path}"

    async def wait_for(
        self,
        predicate: Callable[[ReceivedFrame], bool],
        *,
        timeout_s: float = 5.0,
        after: ReceivedFrame | None = None,
    ) -> ReceivedFrame:
        """Wait for a frame on any connection; one that is already there counts.

        Args:
            predicate: Whether this is the frame; `of_type` makes the usual one.
            timeout_s: How long to wait.
            after: Only frames that arrived after this one count.

        Raises:
            ScriptError: It did not come in time (the text shows what came), or a script failed in the meantime.
        """
        # By identity: frames with equal content and time are possible.
        position = 0 if after is None else 1 + next(i for i, frame in enumerate(self.frames) if frame is after)
        found: ReceivedFrame | None = None

        def look() -> bool:
            nonlocal position, found
            while found is None and position < len(self.frames):
                if predicate(self.frames[position]):
                    found = self.frames[position]
                position += 1
            return found is not None

        await self._wait_until(look, timeout_s=timeout_s)
        if found is None:
            raise ScriptError(f"no frame that {name_of(predicate)} accepts within {timeout_s:g} s; {self._arrivals()}")
        return found

    async def wait_for_connection(self, number: int = 0, *, timeout_s: float = 5.0) -> ScriptedConnection:
        """Wait until a connection was accepted.

        Raises:
            ScriptError: It did not come in time, or a script failed in the meantime.
        """

        def found() -> ScriptedConnection | None:
            return next((one for one in self.connections if one.number == number), None)

        await self._wait_until(lambda: found() is not None, timeout_s=timeout_s)
        connection = found()
        if connection is None:
            raise ScriptError(
                f"no connection {number} within {timeout_s:g} s; {len(self.handshakes)} handshakes came, "
                f"{len(self.connections)} were accepted"
            )
        return connection

    async def wait_closed(self, number: int = 0, *, timeout_s: float = 5.0) -> ScriptedConnection:
        """Wait until a connection was accepted and is over, by whomever.

        Raises:
            ScriptError: It is not over in time, or a script failed in the meantime.
        """
        connection = await self.wait_for_connection(number, timeout_s=timeout_s)
        if not await self._wait_until(lambda: connection.ended_at_s is not None, timeout_s=timeout_s):
            raise ScriptError(f"connection {number} was not closed within {timeout_s:g} s; {self._arrivals()}")
        return connection

    @property
    def _shown_host(self) -> str:
        host = self._options.host
        try:
            return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
        except ValueError:
            return host

    async def _wait_until(self, condition: Callable[[], bool], *, timeout_s: float) -> bool:
        """Wait until a condition holds; whether it did in time. A failed script ends the waiting.

        Raises:
            ScriptError: A script failed.
        """
        await self._settled(lambda: condition() or bool(self.failures), timeout_s=timeout_s)
        if condition():
            return True
        if self.failures:
            raise ScriptError("\n".join(self.failures))
        return False

    async def _settled(self, condition: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait until a condition holds or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(condition)

    async def _close_connections(self) -> None:
        still_open = [one for one in self.connections if one.ended_at_s is None]
        for one in still_open:
            with contextlib.suppress(ConnectionGone):  # it went away just now
                await one.close(code=1001, reason="the test is over")
        await self._settled(lambda: all(one.ended_at_s is not None for one in still_open), timeout_s=_GOODBYE_S)
        for one in still_open:
            one.drop()
        await self._settled(lambda: all(one.ended_at_s is not None for one in still_open), timeout_s=_GOODBYE_S)

    def _arrivals(self) -> str:
        return arrivals(self.frames, since_s=self._started_at_s)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        handshake = Handshake(
            connection=len(self.handshakes),
            method=request.method,
            path=request.path,
            raw_path=request.raw_path,
            query=tuple(request.query.items()),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read() if request.method == "POST" else b"",
            at_s=time.monotonic(),
        )
        self.handshakes.append(handshake)
        number = handshake.connection
        steps = self._scripts[number] if number < len(self._scripts) else ()
        while steps and isinstance(steps[0], AcceptAfter):
            if await self._leaves_within(steps[0].delay_s):
                return _drop(request)
            steps = steps[1:]
        match steps:
            case (Refuse(status=status, body=body, headers=headers),):
                return web.Response(status=status, text=body, headers=headers)
            case (AnswerOffer() as answer,):
                where = {} if answer.location is None else {"Location": answer.location}
                kind = "application/sdp"
                return web.Response(status=answer.status, text=answer.sdp, headers=where, content_type=kind)
            case (Drop(before_handshake=True),):
                return _drop(request)
            case _:  # accept
                pass
        socket = web.WebSocketResponse(max_msg_size=0, autoclose=False, compress=False)
        if not socket.can_prepare(request):
            return web.Response(status=426, text="only websockets are served here\n")
        try:
            await socket.prepare(request)
        except (ClientConnectionResetError, OSError):  # the client lost patience
            return _drop(request)
        connection = ScriptedConnection(socket, request, handshake=handshake, log=self.frames, changed=self._changed)
        await self._serve(connection, steps)
        return socket

    async def _leaves_within(self, delay_s: float) -> bool:
        """Wait, unless the test is over: then nobody is there to be answered."""
        try:
            async with asyncio.timeout(delay_s):
                await self._leaving.wait()
        except TimeoutError:
            return False
        return True

    async def _serve(self, connection: ScriptedConnection, steps: tuple[Step, ...]) -> None:
        self.connections.append(connection)
        async with asyncio.TaskGroup() as group:
            follower = group.create_task(self._follow(connection, steps), name=f"script {connection.number}")
            self._followers[connection.number] = follower
            await self._tell()
            await connection.read()

    async def _follow(self, connection: ScriptedConnection, steps: tuple[Step, ...]) -> None:
        """Do the steps; what goes wrong is recorded, and the client is told by a close frame."""
        number = connection.number
        for position, step in enumerate(steps):
            awaited = next((later for later in steps[position:] if isinstance(later, Expect)), None)
            if awaited is None:
                self._expected.pop(number, None)
            else:
                self._expected[number] = awaited
            try:
                await step.perform(connection)
            except ConnectionGone:
                if awaited is not None:
                    await self._fail(connection, f"connection {number} is gone, its script still expected {awaited}")
                return
            except Exception as exc:  # a script's own code: whatever it raises belongs to the test
                words = str(exc) if isinstance(exc, ScriptError) else f"connection {number}: its script raised {exc!r}"
                await self._fail(connection, words)
                return
        self._expected.pop(number, None)
        await self._tell()

    async def _fail(self, connection: ScriptedConnection, words: str) -> None:
        self._expected.pop(connection.number, None)
        self.failures.append(words)
        await self._tell()
        with contextlib.suppress(ConnectionGone):  # it may be gone
            await connection.close(code=1011, reason="the script failed")

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _drop(request: web.Request) -> web.StreamResponse:
    """Cut the TCP connection; aiohttp wants an answer from a handler, and finds nobody to send it to."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
