"""The interpreter: a conversation's core joined to a realtime server, an agent, a player and a screen.

Read this first to see how Backchannel runs. Everything that happens becomes an event and goes through `_feed`: the core
decides, the effects are done at once and in order, without awaiting. Around it stand the tasks that carry:

    reader      server's messages -> dialect -> core
    writer      what the core wants said -> socket, one message at a time
    agent       a turn's reports -> core
    timers      the core's own
    sideband    joins the session of a call that was just created; what is said meanwhile waits for the writer

It is one file, although long: the order in which effects, tasks and the end of the conversation meet can only be
judged together.

Bounds: the reader and the agent wait while 256 screen events wait to be taken; typed text and the agent wait while 64
messages wait to be sent; of the microphone at most 256 frames wait, then the newest is dropped. A server that does not
read for so long that 1024 messages wait is given up.

| resource | acquired by | released by |
|---|---|---|
| websocket | `start`, the sideband's task | the writer, when the core closes or the connection is lost |
| tasks | `start`, effects | `stop` |
| agent, player, recorder | the caller | the caller |
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from typing import TYPE_CHECKING, Final, Protocol, assert_never

from backchannel import core
from backchannel.agents import TurnRequest
from backchannel.core import effects as do
from backchannel.core import events as happened
from backchannel.core import screen
from backchannel.errors import BackchannelError, ConnectionLost, LocalProtocolError, SteerRefused
from backchannel.net import BinaryFrame, Closed, TextFrame
from backchannel.runtime.dial import without_key
from backchannel.runtime.mailbox import Mailbox
from backchannel.runtime.opening import configures, ending, open_way, sideband
from backchannel.runtime.tasks import Tasks
from backchannel.wire import pcm
from backchannel.wire.realtime import events as server
from backchannel.wire.realtime import intents

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from backchannel.agents import Agent
    from backchannel.net import Clock, WebSocket
    from backchannel.runtime.opening import Settings
    from backchannel.runtime.recorder import Recorder
    from backchannel.runtime.transport import Join
    from backchannel.wire.realtime import CallAnswer

__all__ = ["Conversation", "Player"]

_log = logging.getLogger(__name__)

MAX_MICROPHONE_FRAMES: Final = 256
MAX_WAITING_MESSAGES: Final = 64
MAX_UNREAD_MESSAGES: Final = 1024
MAX_SCREEN_EVENTS: Final = 256
_CLOSE_DEADLINE_S: Final = 3.0
_CLEARING_UP_S: Final = 5.0
"""How long an agent may take to end a turn that was stopped, or to clear up after one; then it is ended by force."""


class Player(Protocol):
    """Where the assistant's voice goes. It tells what was heard through `Conversation.played`, if it knows."""

    def play(self, audio: server.AudioOut) -> None:
        """Play this after what is still to be played; returns at once."""

    def stop(self) -> None:
        """Fall silent at once and drop what has not been heard."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Message:
    data: bytes
    is_audio: bool


class Conversation:
    """One live conversation.

    Ownership: whoever calls `start` calls `stop`; both belong to one event loop. Somebody has to read `events`, since
    the conversation waits for them.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        agent: Agent,
        clock: Clock,
        player: Player | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._settings = settings
        self._agent = agent
        self._clock = clock
        self._player = player
        self._recorder = recorder
        self._core = core.Conversation(settings.options)
        self._began_at = clock.now()
        self._tasks = Tasks(on_failure=self._task_failed)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._outbox: Mailbox[_Message] = Mailbox(capacity=MAX_WAITING_MESSAGES)
        self._screen: Mailbox[screen.ScreenEvent] = Mailbox(capacity=MAX_SCREEN_EVENTS)
        self._microphone_waiting = 0
        self._microphone_dropped = 0
        self._captured = ""
        self._received: server.AudioOut | None = None
        self._steering = asyncio.Lock()
        self._working: asyncio.Task[None] | None = None
        self._running_turn: str | None = None
        self._stopped_turn: str | None = None
        self._written = asyncio.Event()
        self._written.set()
        self._joining: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        if recorder is not None:
            recorder.begin(options=settings.options, dialect=settings.dialect.name)

    async def start(self) -> None:
        """Connect and begin.

        Over WebRTC the conversation begins when the call is answered; its sideband is joined afterwards, and failing to
        is an error of the running conversation.

        Raises:
            UsageError: The target cannot be used as it is configured.
            ConnectError: The server could not be reached or refused. Nothing is left to stop.
            RemoteProtocolError: The server answered the creation of a call by something else.
            ConnectionLost: It was stopped in the meantime.
        """
        try:
            opened = await open_way(self._settings)
        except BackchannelError as exc:
            self._feed(happened.OpenFailed(message=str(exc)))
            self._end()
            raise
        except BaseException:
            # Cancelled: whoever reads `events` must not wait for more.
            self._end()
            raise
        if self._ended.is_set():
            if opened.socket is not None:
                await opened.socket.close()
            raise ConnectionLost("the conversation was stopped before it was open")
        if opened.socket is not None:
            self._carry(opened.socket, unread=opened.unread)
        self._feed(happened.TransportOpened())
        if opened.call is not None:
            # Not through the core: nothing is decided by it, and no recording should carry it.
            self._show(screen.CallAnswered(sdp=opened.call.sdp))
            self._joining = self._tasks.start("sideband", self._join(opened.call, opened.join))

    async def stop(self) -> None:
        """End the conversation: what is decided is still sent, then the session is closed properly. Idempotent."""
        self._feed(happened.StopRequested())
        self._outbox.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_DEADLINE_S):
                await self._written.wait()
        await self._tasks.cancel()
        self._end()

    async def events(self) -> AsyncIterator[screen.ScreenEvent]:
        """What there is to be shown, until the conversation has ended."""
        while (event := await self._screen.take()) is not None:
            yield event

    async def ended(self) -> None:
        """Wait until the conversation is over, for whatever reason."""
        await self._ended.wait()

    def append_audio(self, data: str) -> bool:
        """Send a piece of the user's voice: base64 of mono PCM16 at 24 kHz, best 20 ms.

        Returns:
            Whether it was taken. It is dropped when 256 pieces wait already, or no conversation is live.
        """
        if self._microphone_waiting >= MAX_MICROPHONE_FRAMES:
            if self._microphone_dropped == 0:
                _log.warning("! the server does not take audio fast enough; microphone frames are dropped")
            self._microphone_dropped += 1
            return False
        self._captured = data
        self._feed(happened.AudioCaptured(duration_ms=pcm.ms_for_bytes(pcm.base64_decoded_bytes(data))))
        return self._core.state is core.State.LIVE

    async def type_text(self, text: str) -> None:
        """Give the agent something typed: a task, or a change to the running one."""
        await self._outbox.room()
        self._feed(happened.TextTyped(text=text))

    async def stop_task(self) -> None:
        """Stop the running task; the conversation goes on.

        It does not wait for the server: work has to be stoppable also when that has gone to sleep.
        """
        self._feed(happened.TaskStopRequested())

    def played(self, item_id: str, total_ms: int) -> None:
        """A player tells how much of an item has been heard so far."""
        self._feed(happened.Played(item_id=item_id, total_ms=total_ms))

    def status(self) -> str:
        """How the work is going, in a sentence or two."""
        return self._core.status(self._now())

    def activity(self) -> core.Activity:
        """What goes on at this moment."""
        return self._core.activity(self._now())

    # Events in, effects out

    def _now(self) -> float:
        # Rounded as it is recorded, so that a replay reads the very same time.
        return round(self._clock.now() - self._began_at, 6)

    def _feed(self, event: happened.Event) -> None:
        now = self._now()
        effects = self._core.handle(event, now)
        if self._recorder is not None:
            self._recorder.add(now, event, effects)
        for effect in effects:
            self._perform(effect)

    def _perform(self, effect: do.Effect) -> None:
        match effect:
            case do.PlayAudio():
                if self._player is not None and self._received is not None:
                    self._player.play(self._received)
            case do.SendAudio():
                self._send(intents.AppendAudio(audio=self._captured), is_audio=True)
            case do.Send(intent=intent):
                self._send(intent, is_audio=False)
            case do.Configure():
                if configures(self._settings):
                    self._send(intents.UpdateSession(settings=self._settings.session), is_audio=False)
            case do.Show(event=event):
                self._show(event)
            case do.StopPlayback():
                if self._player is not None:
                    self._player.stop()
            case do.StartTurn(turn_id=turn_id, text=text):
                request = TurnRequest(turn_id=turn_id, text=text)
                self._working = self._tasks.start(f"agent {turn_id}", self._work(request, after=self._working))
            case do.SteerTurn():
                self._tasks.start(f"steer {effect.turn_id}", self._steer(effect))
            case do.InterruptTurn(turn_id=turn_id):
                self._stopped_turn = turn_id
                self._tasks.start(f"interrupt {turn_id}", self._interrupt(turn_id))
            case do.SetTimer(name=name, deadline=deadline):
                self._set_timer(name, deadline)
            case do.CancelTimer(name=name):
                self._cancel_timer(name)
            case do.CloseTransport():
                if self._settings.dialect.abilities.announces_close:
                    self._send(intents.CloseSession(), is_audio=False)
                self._outbox.close()
            case _:
                assert_never(effect)

    def _send(self, intent: intents.Intent, *, is_audio: bool) -> None:
        for data in self._settings.dialect.encode(intent):
            self._outbox.put(_Message(data, is_audio))
            self._microphone_waiting += is_audio
        if len(self._outbox) > MAX_UNREAD_MESSAGES + MAX_MICROPHONE_FRAMES and not is_audio:
            self._lose("the server has stopped reading what it is sent")

    def _show(self, event: screen.ScreenEvent) -> None:
        self._screen.put(event)
        if isinstance(event, screen.ConversationClosed):
            self._end()

    def _set_timer(self, name: str, deadline: float) -> None:
        self._cancel_timer(name)
        self._timers[name] = asyncio.get_running_loop().call_later(deadline - self._now(), self._fire, name)

    def _cancel_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _fire(self, name: str) -> None:
        del self._timers[name]
        self._feed(happened.TimerFired(name=name))

    def _end(self) -> None:
        for name in list(self._timers):
            self._cancel_timer(name)
        if self._joining is not None:
            self._joining.cancel()
        self._outbox.close()
        self._screen.close()
        self._ended.set()

    def _lose(self, message: str) -> None:
        self._feed(happened.TransportFailed(message=message))

    def _task_failed(self, name: str, exc: Exception) -> None:
        self._lose(f"{name} failed: {type(exc).__name__}; please report this with a recording (--record)")

    # The tasks that carry

    def _carry(self, socket: WebSocket, *, unread: str | None) -> None:
        self._written.clear()
        self._tasks.start("writer", self._write(socket))
        self._tasks.start("reader", self._read(socket, unread))

    async def _join(self, call: CallAnswer, join: Join) -> None:
        try:
            socket = await sideband(self._settings, call.call_id, join)
        except BackchannelError as exc:
            self._joining = None
            said = str(exc)
            self._lose(said if said.startswith("sideband") else f"sideband failed: {said}")
        else:
            self._joining = None
            self._carry(socket, unread=None)

    async def _write(self, socket: WebSocket) -> None:
        try:
            while (message := await self._outbox.take()) is not None:
                self._microphone_waiting -= message.is_audio
                await socket.send(message.data)
        except ConnectionLost:
            # The reader finds out why.
            self._outbox.close()
        finally:
            try:
                await socket.close()
            finally:
                self._written.set()

    async def _read(self, socket: WebSocket, unread: str | None) -> None:
        if unread is not None:
            self._decode(unread)
        async for frame in socket:
            match frame:
                case TextFrame(text=text):
                    await self._screen.room()
                    self._decode(text)
                case BinaryFrame():
                    self._lose("the server sent a binary message, which the realtime protocol does not have")
                case Closed():
                    self._feed(ending(self._settings, frame))
                case _:
                    assert_never(frame)

    def _decode(self, text: str) -> None:
        event = self._settings.dialect.decode(text)
        match event:
            case server.AudioOut():
                self._received = event
                self._feed(happened.AudioReceived(item_id=event.item_id, duration_ms=_duration_ms(event)))
                self._received = None
            case server.Skipped(kind=kind, malformed=None):
                _log.debug("< %s ignored", kind)
            case server.Skipped(kind=kind, malformed=malformed):
                _log.warning("< %s skipped as malformed: %s", kind, malformed)
            case server.ServerError(message=said, code=code):
                self._feed(server.ServerError(message=without_key(self._settings.target, said), code=code))
            case _:
                self._feed(event)

    async def _work(self, request: TurnRequest, *, after: asyncio.Task[None] | None) -> None:
        await _finished(after)
        if self._stopped_turn == request.turn_id:
            # Before it began.
            self._feed(core.AgentTurnEnded(turn_id=request.turn_id, outcome=core.Outcome.INTERRUPTED))
            return
        ended = False
        self._running_turn = request.turn_id
        try:
            async with contextlib.aclosing(self._agent.run(request)) as reports:
                async for report in reports:
                    await self._screen.room()
                    await self._outbox.room()
                    if isinstance(report, core.AgentTurnEnded):
                        ended = True
                        self._running_turn = None
                    self._feed(report)
        except Exception as exc:
            # The task boundary: whatever goes wrong in an agent fails its turn and nothing else.
            _log.exception("! agent %s failed", self._agent.name)
            self._feed(_failed(request, f"the agent {self._agent.name} broke down: {type(exc).__name__}"))
        else:
            if not ended:
                self._feed(_failed(request, f"the agent {self._agent.name} stopped without saying how it ended"))
        finally:
            self._running_turn = None

    async def _steer(self, effect: do.SteerTurn) -> None:
        missed = happened.SteerMissed(turn_id=effect.turn_id, text=effect.text, by_voice=effect.by_voice)
        async with self._steering:
            if effect.turn_id != self._running_turn:
                # The turn ended while the change was on its way; the next turn is another's.
                self._feed(missed)
                return
            try:
                await self._agent.steer(effect.text)
            except SteerRefused as exc:
                self._feed(happened.SteerFailed(turn_id=effect.turn_id, reason=str(exc)))
            except LocalProtocolError:
                self._feed(missed)
            except Exception as exc:
                # The boundary to the agent, as in `_work`: the turn goes on as it was.
                _log.exception("! agent %s failed to take a change", self._agent.name)
                reason = f"The change could not be made: the agent {self._agent.name} broke down on it"
                self._feed(happened.SteerFailed(turn_id=effect.turn_id, reason=f"{reason} ({type(exc).__name__})."))

    async def _interrupt(self, turn_id: str) -> None:
        work = self._working
        if self._running_turn == turn_id:
            try:
                await self._agent.interrupt()
            except Exception:
                # The boundary to the agent, as in `_work`.
                _log.exception("! agent %s failed to stop", self._agent.name)
        if not await _finished(work):
            error = f"the agent {self._agent.name} did not stop and was ended by force"
            self._feed(core.AgentTurnEnded(turn_id=turn_id, outcome=core.Outcome.FAILED, error=error))


async def _finished(work: asyncio.Task[None] | None) -> bool:
    """Wait until an agent has done with its turn: it works on one at a time, and clears up after each.

    Returns:
        Whether it did so by itself; otherwise it was ended by force.
    """
    if work is None or work.done():
        return True
    _, late = await asyncio.wait([work], timeout=_CLEARING_UP_S)
    if late:
        work.cancel()
        await asyncio.wait([work])
    return not late


def _duration_ms(audio: server.AudioOut) -> int:
    if audio.samples_per_channel is not None:
        return pcm.ms_for_samples(audio.samples_per_channel, rate_hz=audio.rate_hz)
    n_bytes = pcm.base64_decoded_bytes(audio.data)
    return pcm.ms_for_bytes(n_bytes, rate_hz=audio.rate_hz, channels=audio.channels)


def _failed(request: TurnRequest, error: str) -> core.AgentTurnEnded:
    return core.AgentTurnEnded(turn_id=request.turn_id, outcome=core.Outcome.FAILED, error=error)
