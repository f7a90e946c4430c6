"""The local realtime engine: a websocket server on loopback that speaks the public Realtime protocol.

    async with Engine(EngineOptions()) as engine:
        ...connect to engine.url...

One path, `/v1/realtime`; the query's `model` is echoed and means nothing. There is no login, therefore it listens on
loopback only, and refuses pages of other origins that a browser on this machine may show.

A recogniser takes a moment to start, so one is always ready: started with the engine, handed to the next session, and
replaced when a session has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import importlib.util
import ipaddress
import logging
import os
import urllib.parse
from typing import TYPE_CHECKING, Final, Self

from aiohttp import WSCloseCode, web

from backchannel.engine.turns import TurnOptions
from backchannel.errors import BackchannelError, ListenError, MissingComponentError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from backchannel.engine.speech.base import SpeechToText, TextToSpeech, VoiceActivity

__all__ = ["PATH", "Engine", "EngineOptions"]

PATH: Final = "/v1/realtime"
DEFAULT_MODEL: Final = "backchannel-local"
CLOSE_DEADLINE_S: Final = 2.0
"""How long clients have to answer the close; what follows takes as long again."""
MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""A message beyond this closes the connection (1009); one beyond `protocol.MAX_MESSAGE_BYTES` is only refused."""
MAX_MODEL_CHARS: Final = 100

_log: Final = logging.getLogger("backchannel.engine")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How the engine listens, hears and speaks.

    The three factories are called once a session (the synthesizer's: once an engine); None takes the components that
    the extra `local` installs.
    """

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    max_sessions: int = 4
    """What two cores can serve in real time."""
    grammar: str | None = None
    """The JSGF grammar of what is to be understood best; None: the requests of the workspace agent."""
    knows_request: Callable[[str], bool] | None = None
    """Whether words that were understood freely, outside the grammar, are a request that the agent knows, so that they
    can be trusted; None: the workspace agent's."""
    turns: TurnOptions = dataclasses.field(default_factory=TurnOptions)
    """What a session starts with; clients may change it."""
    speech_to_text: Callable[[], SpeechToText] | None = None
    text_to_speech: Callable[[], TextToSpeech | None] | None = None
    """None as its result: there is no synthesizer, and answers are written."""
    voice_activity: Callable[[], VoiceActivity] | None = None
    env: Mapping[str, str] | None = None
    """Where synthesizers are looked for; None: this process's environment."""
    on_notice: Callable[[str], None] | None = None
    """Told in a sentence what a person should know, such as that answers cannot be spoken."""

    def __post_init__(self) -> None:
        """Refuse what cannot be listened on."""
        if not 0 <= self.port <= 65535:
            raise UsageError(f"expected a port from 0 to 65535, got {self.port}")
        if self.max_sessions < 1:
            raise UsageError(f"expected room for at least one session, got {self.max_sessions}")
        if not _is_loopback(self.host):
            raise UsageError(
                f"the engine has no login and listens on this machine only: "
                f"expected a loopback address such as 127.0.0.1, got {self.host}"
            )


class Engine:
    """The engine, between `async with` and its end: sockets closed with 1001, processes ended and awaited."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._sockets: dict[web.WebSocketResponse, asyncio.Transport | None] = {}
        self._n_sessions = 0
        self._spare: SpeechToText | None = None
        self._speaker: TextToSpeech | None = None
        self._new_recogniser: Callable[[], SpeechToText] = _no_recogniser
        self._new_voice_activity: Callable[[], VoiceActivity] = _no_voice_activity
        self._closing = False

    @property
    def url(self) -> str:
        """Where clients connect: `ws://127.0.0.1:PORT/v1/realtime`."""
        host = f"[{self._options.host}]" if ":" in self._options.host else self._options.host
        return f"ws://{host}:{self._port}{PATH}"

    @property
    def n_sessions(self) -> int:
        """How many sessions are open."""
        return self._n_sessions

    async def __aenter__(self) -> Self:
        """Load the components and listen.

        Raises:
            ListenError: The address is taken or cannot be had.
            MissingComponentError: The extra `local` is not installed.
            SpeechError: The recogniser does not start.
        """
        try:
            await self._load()
            await self._listen()
        except BaseException:
            await self.close()
            raise
        _log.info("= listening on %s", self.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Close every session and stop listening, within a few seconds. Idempotent."""
        self._closing = True
        async with asyncio.TaskGroup() as tasks:
            for socket, transport in list(self._sockets.items()):
                tasks.create_task(_hang_up(socket, transport))
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        spare, self._spare = self._spare, None
        if spare is not None:
            await spare.close()

    async def _load(self) -> None:
        options = self._options
        # Importing numpy and the recogniser's libraries takes a while, and reads files.
        factories = await asyncio.to_thread(_factories, options)
        self._new_recogniser = factories.speech_to_text
        self._new_voice_activity = factories.voice_activity
        self._speaker = await asyncio.to_thread(factories.text_to_speech)
        self._spare = self._new_recogniser()
        await self._spare.start()

    async def _listen(self) -> None:
        app = web.Application()
        app.router.add_get(PATH, self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_DEADLINE_S)
        await self._runner.setup()
        host, port = self._options.host, self._options.port
        try:
            site = web.TCPSite(self._runner, host, port)
            await site.start()
        except OSError as exc:
            raise ListenError(_why_not(host, port, exc)) from exc
        self._port = self._runner.addresses[0][1]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        # Counted before the first wait, so that the bound holds for handshakes at the same moment.
        self._n_sessions += 1
        try:
            socket = web.WebSocketResponse(
                protocols=("realtime",), compress=False, max_msg_size=MAX_FRAME_BYTES, timeout=CLOSE_DEADLINE_S
            )
            await socket.prepare(request)
            self._sockets[socket] = request.transport
            try:
                if not self._closing:
                    await self._run(socket, request.query.get("model", DEFAULT_MODEL)[:MAX_MODEL_CHARS])
            finally:
                del self._sockets[socket]
                await _hang_up(socket, request.transport)
        finally:
            self._n_sessions -= 1
        await self._refill()
        return socket

    async def _run(self, socket: web.WebSocketResponse, model: str) -> None:
        # The session's module loads numpy and soxr: only here, when somebody listens.
        from backchannel.engine.session import Session, SessionParts

        voice_activity = self._new_voice_activity()
        recogniser, self._spare = self._spare or self._new_recogniser(), None
        session = Session(
            socket,
            SessionParts(
                voice_activity=voice_activity,
                speech_to_text=recogniser,
                text_to_speech=self._speaker,
                turns=self._options.turns,
                model=model,
                knows_request=self._options.knows_request or _known_to_the_workspace_agent,
                on_notice=self._options.on_notice,
            ),
        )
        _log.info("= %s begins", session.id)
        try:
            await session.run()
        except Exception:
            # The boundary of a session: a fault in one must not reach the others.
            _log.exception("! %s ended by a fault", session.id)
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(CLOSE_DEADLINE_S):
                    await socket.close(code=WSCloseCode.INTERNAL_ERROR)
        _log.info("= %s ended", session.id)

    async def _refill(self) -> None:
        """Have a recogniser ready for the next session."""
        if not self._wants_spare():
            return
        spare = self._new_recogniser()
        try:
            await spare.start()
        except BackchannelError as exc:
            # The next session tries for itself, and tells its client.
            _log.warning("! no recogniser could be made ready: %s", exc)
        except BaseException:
            await spare.close()
            raise
        # Another session may have made one ready in the meantime.
        if self._wants_spare():
            self._spare = spare
        else:
            await spare.close()

    def _wants_spare(self) -> bool:
        return self._spare is None and not self._closing

    def _refusal(self, request: web.Request) -> web.Response | None:
        origin = request.headers.get("Origin")
        if origin is not None and not _is_loopback(_host_of(origin)):
            return _error(403, "origin_not_allowed", "Pages of other origins may not use this engine.")
        upgrade = request.headers.get("Upgrade", "")
        if upgrade.lower() != "websocket":
            return _error(426, "websocket_required", f"Expected a websocket handshake at {PATH}.")
        if self._closing:
            return _error(503, "closing", "The engine is closing.")
        if self._n_sessions >= self._options.max_sessions:
            message = (
                f"All {self._options.max_sessions} sessions of this engine are in use; try again when one has ended."
            )
            return _error(503, "too_many_sessions", message)
        return None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Factories:
    speech_to_text: Callable[[], SpeechToText]
    text_to_speech: Callable[[], TextToSpeech | None]
    voice_activity: Callable[[], VoiceActivity]


def _factories(options: EngineOptions) -> _Factories:
    """The options' factories, with the real components in place of those that are not given."""
    try:
        import numpy as np  # noqa: F401  # the session needs both, whatever the factories give
        import soxr  # noqa: F401

        return _Factories(
            speech_to_text=options.speech_to_text or _real_recogniser(options),
            text_to_speech=options.text_to_speech or _real_speaker(options),
            voice_activity=options.voice_activity or _real_voice_activity(),
        )
    except ImportError as exc:
        raise MissingComponentError(
            f"the local engine needs components that are not installed ({exc.name}); "
            "install them with: pip install 'backchannel[local]'"
        ) from exc


def _real_recogniser(options: EngineOptions) -> Callable[[], SpeechToText]:
    if importlib.util.find_spec("pocketsphinx") is None:
        # Its process would find out too, and say less.
        raise ImportError("pocketsphinx is missing", name="pocketsphinx")
    from backchannel.engine.speech.hearing import PocketsphinxSpeechToText

    if options.grammar is not None:
        grammar = options.grammar
    else:
        from backchannel.agents import spoken_grammar

        grammar = spoken_grammar()
    return lambda: PocketsphinxSpeechToText(grammar=grammar)


def _known_to_the_workspace_agent(text: str) -> bool:
    from backchannel.agents import spoken_intent

    return spoken_intent(text) is not None


def _real_speaker(options: EngineOptions) -> Callable[[], TextToSpeech | None]:
    from backchannel.engine.speech.speaking import find_speaker

    env = dict(os.environ) if options.env is None else options.env
    return lambda: find_speaker(env)


def _real_voice_activity() -> Callable[[], VoiceActivity]:
    from backchannel.engine.speech.vad import SileroVoiceActivity

    return SileroVoiceActivity


def _no_recogniser() -> SpeechToText:
    raise AssertionError("the components are loaded before sessions begin")


def _no_voice_activity() -> VoiceActivity:
    raise AssertionError("the components are loaded before sessions begin")


async def _hang_up(socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
    """Close with 1001, unless it is closed; a client that takes nothing any more is cut off."""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(CLOSE_DEADLINE_S):
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the engine is closing")
    if transport is not None and transport.get_write_buffer_size():
        transport.abort()


def _host_of(origin: str) -> str:
    try:
        return urllib.parse.urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"the engine cannot listen on {host}:{port}: another program does; "
            "choose another with --listen HOST:PORT, port 0 for any free one"
        )
    return f"the engine cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}"


def _error(status: int, code: str, message: str) -> web.Response:
    body = {"error": {"type": "invalid_request_error", "code": code, "message": message}}
    return web.json_response(body, status=status)
