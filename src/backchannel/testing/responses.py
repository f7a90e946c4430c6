"""A server of language models that answers as a test wrote down: the Responses API over HTTP and over a websocket.

    async with ScriptedResponses(calls("exec_command", {"cmd": "make"}), says("It is built.")) as server:
        ...  # give server.url to the agent as the base URL of its provider
        await server.wait_for_request(1)

The n-th request follows the n-th script, whichever way it comes. It listens on loopback, on a port that the system
chooses. A warm-up over a websocket (`generate` is false) is answered by itself and takes no script.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias

from aiohttp import ClientConnectionResetError, WSMsgType, web

from backchannel.errors import LocalProtocolError
from backchannel.testing.script import ScriptError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = [
    "BreakOff",
    "Gate",
    "ModelRequest",
    "ResponseScript",
    "ScriptedResponses",
    "Status",
    "calls",
    "completed",
    "created",
    "function_call",
    "message",
    "says",
    "text_delta",
]

_POLL_S: Final = 0.005


@dataclasses.dataclass(frozen=True, slots=True)
class Gate:
    """Wait until the test opens it: `server.open(name)`."""

    name: str = "gate"


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """Answer an HTTP request with a status, or a websocket's with an error; it is the only step."""

    status: int
    body: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class BreakOff:
    """Cut the TCP connection."""


ResponseScript: TypeAlias = Sequence[Mapping[str, object] | str | Gate | Status | BreakOff]
"""Events to send, the text of one as it is, and what happens between them."""


@dataclasses.dataclass(slots=True, kw_only=True)
class ModelRequest:
    """A request that came."""

    over: Literal["http", "websocket"]
    connection: int
    """Requests over one websocket have the same."""
    headers: Mapping[str, str] = dataclasses.field(repr=False)
    """Names in lower case; of a websocket those of its handshake."""
    body: dict[str, Any]
    """Any: it is JSON, and a test reads from it what it wants."""
    hung_up: bool = False
    """Whether the client dropped the connection before its answer was whole."""

    @property
    def input(self) -> list[dict[str, Any]]:
        """The items that the model is told."""
        items: list[dict[str, Any]] = self.body["input"]
        return items

    @property
    def texts(self) -> list[tuple[str, str]]:
        """The role and the text of each message among them."""
        return [
            (item["role"], "".join(part.get("text", "") for part in item["content"]))
            for item in self.input
            if item.get("type") == "message"
        ]


class ScriptedResponses:
    """A scripted server of language models: an async context manager.

    Args:
        scripts: One for each request; those beyond the last are answered with a short message.
        websocket: Whether a websocket is accepted; else the status that refuses it.
    """

    def __init__(self, *scripts: ResponseScript, websocket: Literal[True] | int = 404) -> None:
        self._scripts = list(scripts)
        self._websocket = websocket
        self._changed = asyncio.Condition()
        self._gates: dict[str, asyncio.Event] = {}
        self._runner: web.AppRunner | None = None
        self._port: int | None = None
        self._connections = 0
        self._leaving = False
        self.requests: list[ModelRequest] = []
        """Those that followed a script, in order."""
        self.warm_ups: list[ModelRequest] = []
        self.handshakes: list[Mapping[str, str]] = []
        """The headers of each request for a websocket, refused ones too."""

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_post("/v1/responses", self._over_http)
        application.router.add_get("/v1/responses", self._over_websocket)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leaving = True
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The base URL to give to a provider."""
        if self._port is None:
            raise LocalProtocolError("a ScriptedResponses has its address inside `async with`")
        return f"http://127.0.0.1:{self._port}/v1"

    def open(self, name: str = "gate") -> None:
        """Open a gate, for good."""
        self._gate(name).set()

    def script(self, *scripts: ResponseScript) -> None:
        """Add scripts for further requests."""
        self._scripts += scripts

    async def wait_for_request(self, number: int = 0, *, timeout_s: float = 5.0) -> ModelRequest:
        """Wait for the n-th request that follows a script, the first being 0.

        Raises:
            ScriptError: It did not come in time.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: len(self.requests) > number)
        if len(self.requests) <= number:
            raise ScriptError(f"no request {number} within {timeout_s:g} s; {len(self.requests)} came")
        return self.requests[number]

    # ---- the two ways ----

    async def _over_http(self, request: web.Request) -> web.StreamResponse:
        self._connections += 1
        record = ModelRequest(
            over="http", connection=self._connections - 1, headers=_headers(request), body=await request.json()
        )
        script = await self._next_script(record)
        if script and isinstance(script[0], Status):
            return web.Response(status=script[0].status, text=script[0].body)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def send(text: str) -> None:
            await response.write(f"event: {_kind(text)}\ndata: {text}\n\n".encode())

        await self._follow(script, record, request, send)
        return response

    async def _over_websocket(self, request: web.Request) -> web.StreamResponse:
        self.handshakes.append(_headers(request))
        if self._websocket is not True:
            return web.Response(status=self._websocket, text="no websockets here\n")
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        number = self._connections
        self._connections += 1
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                continue
            record = ModelRequest(
                over="websocket", connection=number, headers=_headers(request), body=json.loads(frame.data)
            )
            if record.body.get("generate") is False:
                self.warm_ups.append(record)
                script: ResponseScript = _warmed_up(len(self.warm_ups))
            else:
                script = await self._next_script(record)
            if script and isinstance(script[0], Status):
                error = {"code": "error", "message": script[0].body}
                script = [{"type": "error", "status": script[0].status, "error": error}]
            await self._follow(script, record, request, socket.send_str)
        return socket

    async def _next_script(self, record: ModelRequest) -> ResponseScript:
        async with self._changed:
            self.requests.append(record)
            self._changed.notify_all()
        number = len(self.requests) - 1
        return self._scripts[number] if number < len(self._scripts) else says("Nothing more is scripted.")

    async def _follow(
        self, script: ResponseScript, record: ModelRequest, request: web.Request, send: Any
    ) -> None:  # Any: a coroutine function of either way
        for step in script:
            match step:
                case Gate(name=name):
                    gate = self._gate(name)
                    while not gate.is_set() and not self._leaving and not _is_gone(request):  # noqa: ASYNC110 - a
                        # transport has no event for its end
                        await asyncio.sleep(_POLL_S)
                case BreakOff():
                    if request.transport is not None:
                        request.transport.abort()
                case Status():
                    raise ScriptError("a status is the only step of its script")
                case str():
                    await self._send(step, record, request, send)
                case _:
                    await self._send(json.dumps(step), record, request, send)

    async def _send(self, text: str, record: ModelRequest, request: web.Request, send: Any) -> None:
        try:
            if not _is_gone(request):
                await send(text)
                return
        except (ClientConnectionResetError, OSError, RuntimeError):
            pass
        record.hung_up = True

    def _gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())


def _headers(request: web.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _kind(text: str) -> str:
    try:
        return str(json.loads(text)["type"])
    except (ValueError, LookupError, TypeError):
        return "odd"


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _warmed_up(number: int) -> ResponseScript:
    return [created(f"warm-{number}"), completed(f"warm-{number}")]


# ---- what servers send ----


def created(response_id: str = "resp_1") -> dict[str, object]:
    """The server took the request."""
    return {"type": "response.created", "response": {"id": response_id}}


def text_delta(delta: str) -> dict[str, object]:
    """A piece of a message."""
    return {"type": "response.output_text.delta", "delta": delta}


def message(text: str, *, phase: str | None = None, item_id: str = "msg_1") -> dict[str, object]:
    """A whole message of the model."""
    content = [{"type": "output_text", "text": text}]
    said = {} if phase is None else {"phase": phase}
    item = {"type": "message", "role": "assistant", "id": item_id, "content": content, **said}
    return {"type": "response.output_item.done", "item": item}


def function_call(name: str, arguments: Mapping[str, object] | str, *, call_id: str = "call_1") -> dict[str, object]:
    """The model calls a tool."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    item = {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": name, "arguments": text}
    return {"type": "response.output_item.done", "item": item}


def completed(response_id: str = "resp_1", *, tokens: tuple[int, int] = (0, 0)) -> dict[str, object]:
    """The response is complete; it took so many tokens, and has so many."""
    usage = {"input_tokens": tokens[0], "output_tokens": tokens[1], "total_tokens": sum(tokens)}
    return {"type": "response.completed", "response": {"id": response_id, "usage": usage}}


def says(text: str, *, response_id: str = "resp_1") -> ResponseScript:
    """A response that is one message."""
    added = {"type": "response.output_item.added", "item": {"type": "message", "role": "assistant", "content": []}}
    return [created(response_id), added, text_delta(text), message(text), completed(response_id)]


def calls(
    name: str, arguments: Mapping[str, object] | str, *, call_id: str = "call_1", response_id: str = "resp_1"
) -> ResponseScript:
    """A response that is one call."""
    return [created(response_id), function_call(name, arguments, call_id=call_id), completed(response_id)]
