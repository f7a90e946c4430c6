"""The interpreter: a conversation's core joined to a realtime server, an agent, a player and a screen.

Read this first to see how Backchannel runs. Everything that happens becomes an event and goes through `_feed`: the core
decides, the effects are done at once and in order, without awaiting. Around it stand the tasks that carry:

    reader      server's messages -> dialect -> core       (`way.py`, one for each way to the server)
    writer      what the core wants said -> socket, one message at a time
    agent       a turn's reports -> core                   (`turns.py`)
    timers      the core's own
    opening     opens a further way, when the core wants one
    sideband    joins the session of a call that was just created; what is said meanwhile waits for the writer

Bounds: the reader and the agent wait while 256 screen events wait to be taken; typed text and the agent wait while 64
messages wait to be sent; of the microphone at most 256 frames wait, then the newest is dropped. A server that does not
read for so long that 1024 messages wait is given up.

| resource | acquired by | released by |
|---|---|---|
| way (websocket) | `start`, the tasks opening and sideband | the way after it, or `stop`, or its own loss |
| tasks | `start`, effects | `stop` |
| agent, player, recorder | the caller | the caller |

The file is long because the order in which effects, openings and the end of the conversation meet can only be judged
together.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Final, Protocol, assert_never

from backchannel import core
from backchannel.core import effects as do
from backchannel.core import events as happened
from backchannel.core import screen
from backchannel.errors import BackchannelError, ConnectionLost, LocalProtocolError
from backchannel.net import BinaryFrame, Closed, SystemClock, TextFrame
from backchannel.runtime.dial import without_key
from backchannel.runtime.mailbox import Mailbox
from backchannel.runtime.opening import (
    configures,
    ending,
    existing_call,
    open_failure,
    open_way,
    rejoin,
    sideband,
    with_transport_options,
)
from backchannel.runtime.tasks import Tasks
from backchannel.runtime.turns import Turns
from backchannel.runtime.way import Way
from backchannel.wire import pcm
from backchannel.wire.realtime import events as server
from backchannel.wire.realtime import intents

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from backchannel.agents import Agent
    from backchannel.net import Clock, Frame
    from backchannel.runtime.opening import Opened, Settings
    from backchannel.runtime.recorder import Recorder
    from backchannel.runtime.transport import Join
    from backchannel.wire.realtime import CallAnswer

__all__ = ["Conversation", "Player", "Watcher"]

_log = logging.getLogger(__name__)

MAX_SCREEN_EVENTS: Final = 256


class Player(Protocol):
    """Where the assistant's voice goes. It tells what was heard through `Conversation.played`, if it knows."""

    def play(self, audio: server.AudioOut) -> None:
        """Play this after what is still to be played; returns at once."""

    def stop(self) -> None:
        """Fall silent at once and drop what has not been heard."""


class Watcher(Protocol):
    """Who hands on everything that happens at the moment it does, in the place of a reader of `events`.

    Its methods return at once. What they raise ends the conversation.
    """

    def shown(self, event: screen.ScreenEvent) -> None:
        """Something is to be shown."""

    def said(self, event: server.ServerEvent, before: tuple[core.Utterance, ...]) -> None:
        """The server said something, and what follows from it has been decided.

        Args:
            event: What it said. Audio goes to the player.
            before: For a handoff, what was said since the last one.
        """


class _Replacement:
    """Another conversation that is to take the place, and whoever waits for it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failure: Exception | None = None
        """Why it could not be opened, the last time."""

    def succeeded(self) -> None:
        """It has taken the place."""
        if not self.done.done():
            self.done.set_result(None)

    def failed(self, exc: Exception) -> None:
        """It will not come: because of its last failure, or else of this."""
        if not self.done.done():
            self.done.set_exception(self.failure or exc)


class Conversation:
    """One live conversation.

    Ownership: whoever calls `start` calls `stop`; both belong to one event loop. Somebody has to read `events`, since
    the conversation waits for them.

    Args:
        settings: What it is made of.
        agent: Who does the work. None: whoever reads `events` does, and reports by `report`.
        clock: Tells the time; None for the system's.
        player: Where the assistant's voice goes; None: nowhere.
        recorder: Writes down what happens; None: nobody.
        watcher: Is told everything at once; then `events` gives nothing. None: whoever reads `events` is.
        briefing: What the agent is still to be told, where the agent is older than the conversation.
        chance: Draws the numbers that spread the tries to reconnect, from 0 up to 1.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        agent: Agent | None = None,
        clock: Clock | None = None,
        player: Player | None = None,
        recorder: Recorder | None = None,
        watcher: Watcher | None = None,
        briefing: core.Briefing | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = with_transport_options(settings)
        self._clock = clock = clock or SystemClock()
        self._player = player
        self._recorder = recorder
        self._watcher = watcher
        self._briefing = briefing or core.Briefing()
        self._chance = chance
        self._core = core.Conversation(self._settings.options)
        self._began_at = clock.now()
        self._tasks = Tasks(on_failure=self._task_failed)
        self._turns = Turns(
            agent, briefing=self._briefing, tasks=self._tasks, feed=self._feed, room=self._room_for_reports
        )
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._screen: Mailbox[screen.ScreenEvent] = Mailbox(capacity=MAX_SCREEN_EVENTS)
        self._captured = ""
        self._received: server.AudioOut | None = None
        self._way: Way | None = None
        self._arrived: tuple[Way, Settings] | None = None
        """The way that has opened, until the core takes it, and what is spoken on it."""
        self._call_id = existing_call(self._settings)
        """Of the call whose session is spoken in, once it is known."""
        self._opening: asyncio.Task[None] | None = None
        self._joining: asyncio.Task[None] | None = None
        self._replacement: _Replacement | None = None
        self._ended = asyncio.Event()
        if recorder is not None:
            recorder.begin(options=self._settings.options, dialect=settings.dialect.name)

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
            self._feed(open_failure(exc, chance=self._chance()))
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
        self._arrive(opened, self._settings)
        self._turns.prepare()

    async def replace(self, settings: Settings) -> None:
        """Let another conversation take the place of this one, with the same agent, player and reader of `events`.

        The new one is opened first. Only when that has succeeded the old one is closed (`requested`) and the new one
        has started; meanwhile the old one goes on. When it fails, the old one is as it was.

        Raises:
            UsageError, ConnectError, RemoteProtocolError: As of `start`; the conversation goes on as it was, as it does
            after any other exception of the opening.
            ConnectionLost: The conversation ended in the meantime, or another replacement came after this one.
            LocalProtocolError: No conversation is running.

        Being cancelled, it only stops waiting: the replacement goes on.
        """
        settings = with_transport_options(settings)
        replacement = _Replacement(settings)
        before, self._replacement = self._replacement, replacement
        if before is not None:
            before.failed(ConnectionLost("another replacement came after this one"))
        try:
            self._feed(happened.ReplacementRequested(options=settings.options))
        except LocalProtocolError:
            self._replacement = None
            raise
        await asyncio.shield(replacement.done)

    async def stop(self) -> None:
        """End the conversation: what is decided is still sent, then the session is closed properly. Idempotent."""
        self._feed(happened.StopRequested())
        if self._way is not None:
            await self._way.finish()
        await self._tasks.cancel()
        self._end()

    async def events(self) -> AsyncIterator[screen.ScreenEvent]:
        """What there is to be shown, until the conversation has ended."""
        while (event := await self._screen.take()) is not None:
            yield event

    async def ended(self) -> None:
        """Wait until the conversation is over, for whatever reason."""
        await self._ended.wait()

    # What a person or a program does

    def append_audio(self, data: str) -> bool:
        """Send a piece of the user's voice: base64 of mono PCM16 at 24 kHz, best 20 ms.

        Returns:
            Whether it was taken. It is dropped when 256 pieces wait already, or no conversation is live, and silence
            takes its place while the microphone is muted.
        """
        if self._way is not None and not self._way.has_room_for_audio():
            return False
        self._captured = data
        self._feed(happened.AudioCaptured(duration_ms=pcm.ms_for_bytes(pcm.base64_decoded_bytes(data))))
        return self._core.is_live

    async def room_for_audio(self) -> None:
        """Wait until not much audio waits to be sent: for who has more of it than a microphone gives.

        It takes no longer than 5 s where the server takes nothing; after that, what has no room is dropped.
        """
        if self._way is not None:
            await self._way.room_for_audio()

    async def type_text(self, text: str) -> None:
        """Give the agent something typed: a task, or a change to the running one."""
        await self._room()
        self._feed(happened.TextTyped(text=text))

    async def append_text(self, text: str, *, role: intents.Role = "user") -> None:
        """Let the voice know something; nothing is asked by it, of the voice or of the agent."""
        await self._room()
        self._feed(happened.TextAppended(text=text, role=role))

    async def append_speech(self, text: str) -> None:
        """Let the voice say something; a blank text is nothing."""
        await self._room()
        self._feed(happened.SpeechAppended(text=text))

    async def change_instructions(self, instructions: str) -> None:
        """Give the voice other instructions, in dialects that take them (`Abilities.instruction_change`)."""
        await self._room()
        self._feed(happened.InstructionsChanged(instructions=instructions))

    async def report(self, report: core.AgentReport) -> None:
        """Say what the agent does, where the caller is the agent or works for one: see `core.AgentReport`.

        Reports of turns that were not started here are told to the voice too; those of a turn that is over are not.
        """
        await self._room_for_reports()
        self._feed(report)

    def mute(self, *, muted: bool) -> None:
        """Switch the microphone off or on: while it is off, nothing of it leaves this process."""
        self._feed(happened.MuteChanged(muted=muted))

    def set_updates(self, level: core.Speech) -> None:
        """Choose how much the voice says unasked."""
        self._feed(happened.UpdatesChosen(level=level))

    def answer_approval(self, approval_id: str, *, approved: bool) -> None:
        """Answer a request for permission on the screen; one that is settled or unknown stays as it is."""
        self._feed(happened.ApprovalAnswered(approval_id=approval_id, approved=approved))

    async def stop_task(self) -> None:
        """Stop the running task; the conversation goes on.

        It does not wait for the server: work has to be stoppable also when that has gone to sleep.
        """
        self._feed(happened.TaskStopRequested())

    def played(self, item_id: str, total_ms: int) -> None:
        """A player tells how much of an item has been heard so far."""
        self._feed(happened.Played(item_id=item_id, total_ms=total_ms))

    def break_connection(self) -> None:
        """Break the connection to the server, as a network does; to see what happens then."""
        if self._way is not None:
            self._way.drop()

    # What can be asked

    @property
    def state(self) -> core.State:
        """Where it stands."""
        return self._core.state

    @property
    def task(self) -> core.Task | None:
        """What the agent is working on; None when it is not."""
        return self._core.task

    def status(self) -> str:
        """How the work is going, in a sentence or two."""
        return self._core.status(self._now())

    def activity(self) -> core.Activity:
        """What goes on at this moment."""
        return self._core.activity(self._now())

    # Events in, effects out

    def _now(self) -> float:
        # In whole microseconds, as it is recorded, so that a replay reads the very same time. `round` takes twice
        # as long, which is felt with many conversations.
        return int((self._clock.now() - self._began_at) * 1e6) / 1e6

    def _feed(self, event: happened.Event) -> None:
        now = self._now()
        effects = self._core.handle(event, now)
        if self._recorder is not None:
            self._recorder.add(now, event, effects)
        for effect in effects:
            self._perform(effect)
        if self._way is not None and self._way.is_overfull:
            # Only now: what one event brings about is kept together.
            self._lose(self._way, "the server has stopped reading what it is sent")
        if effects and self._core.is_over:
            self._end()

    def _perform(self, effect: do.Effect) -> None:
        match effect:
            case do.PlayAudio():
                if self._player is not None and self._received is not None:
                    self._player.play(self._received)
            case do.SendAudio():
                self._send_audio(self._captured)
            case do.SendSilence():
                self._send_audio(pcm.base64_silence(self._captured))
            case do.Send(intent=intent):
                self._send(intent)
            case do.Configure():
                if configures(self._settings):
                    self._send(intents.UpdateSession(settings=self._settings.session))
            case do.Show(event=event):
                self._show(event)
            case do.StopPlayback():
                if self._player is not None:
                    self._player.stop()
            case do.StartTurn():
                self._turns.start(effect)
            case do.SteerTurn():
                self._turns.steer(effect)
            case do.InterruptTurn():
                self._turns.interrupt(effect)
            case do.AnswerApproval():
                self._turns.answer_approval(effect)
            case do.BriefAgent(by_voice=True):
                self._briefing.begins(self._settings.start_instructions)
            case do.BriefAgent(tail=tail):
                self._briefing.ends(self._settings.end_instructions, tail=tail)
            case do.SetTimer(name=name, deadline=deadline):
                self._set_timer(name, deadline)
            case do.CancelTimer(name=name):
                self._cancel_timer(name)
            case do.OpenTransport(replaces=replaces):
                self._open(replaces=replaces)
            case do.TakeTransport():
                self._take()
            case do.CloseTransport():
                if self._settings.dialect.abilities.announces_close:
                    self._send(intents.CloseSession())
                if self._way is not None:
                    self._way.close()
            case _:
                assert_never(effect)

    def _show(self, event: screen.ScreenEvent) -> None:
        if self._watcher is None:
            self._screen.put(event)
        else:
            self._watcher.shown(event)

    def _send(self, intent: intents.Intent) -> None:
        if self._way is None:
            raise AssertionError("the core says nothing before a way has opened")
        self._way.say(intent)

    def _send_audio(self, audio: str) -> None:
        if self._way is not None:
            self._way.say_audio(self._settings.dialect.encode(intents.AppendAudio(audio=audio)))

    def _set_timer(self, name: str, deadline: float) -> None:
        self._cancel_timer(name)
        self._timers[name] = asyncio.get_running_loop().call_later(deadline - self._now(), self._fire, name)

    def _cancel_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _fire(self, name: str) -> None:
        del self._timers[name]
        try:
            self._feed(happened.TimerFired(name=name))
        except Exception as exc:
            # The boundary to the event loop, which would only log it: a bug must end the conversation.
            _log.exception("! timer %s failed", name)
            self._task_failed(f"timer {name}", exc)

    def _end(self) -> None:
        for name in list(self._timers):
            self._cancel_timer(name)
        self._give_up(self._opening)
        self._give_up(self._joining)
        if self._replacement is not None:
            self._replacement.failed(ConnectionLost("the conversation ended before it was replaced"))
            self._replacement = None
        if self._way is not None:
            self._way.close()
        self._screen.close()
        self._ended.set()

    async def _room(self) -> None:
        if self._way is not None:
            await self._way.room()

    async def _room_for_reports(self) -> None:
        await self._screen.room()
        await self._room()

    def _task_failed(self, name: str, exc: Exception) -> None:
        self._feed(happened.TransportFailed(message=_broken(name, exc), is_final=True, chance=self._chance()))

    # Ways

    def _open(self, *, replaces: bool) -> None:
        self._give_up(self._opening)
        if not replaces:
            # Its way was lost. Until one for another conversation is open, though, everything is as it was.
            self._give_up(self._joining)
        replacement = self._replacement if replaces else None
        if replaces and replacement is None:
            raise AssertionError("whoever asked for a replacement gave its settings")
        further = self._open_again() if replacement is None else self._open_another(replacement)
        self._opening = self._tasks.start("opening", further)

    def _give_up(self, task: asyncio.Task[None] | None) -> None:
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def _open_again(self) -> None:
        settings = self._settings
        try:
            if self._call_id is None:
                opened = await open_way(settings)
            else:
                opened = await rejoin(settings, self._call_id)
        except BackchannelError as exc:
            self._opening = None
            self._feed(open_failure(exc, chance=self._chance()))
        else:
            self._opening = None
            self._arrive(opened, settings)

    async def _open_another(self, replacement: _Replacement) -> None:
        if self._way is not None and self._way.is_closing:
            # The server takes one session at a time: it has to know that this one is over.
            await self._way.finish()
        try:
            opened = await open_way(replacement.settings)
        except BackchannelError as exc:
            self._not_opened(replacement, open_failure(exc, chance=self._chance()), exc)
        except Exception as exc:
            # The boundary to the other conversation: what is wrong with it must not end this one.
            _log.exception("! the opening of another conversation failed")
            self._not_opened(replacement, happened.OpenFailed(message=_broken("opening", exc), is_final=True), exc)
        else:
            self._opening = None
            self._arrive(opened, replacement.settings)
            replacement.succeeded()

    def _not_opened(self, replacement: _Replacement, event: happened.OpenFailed, exc: Exception) -> None:
        self._opening = None
        replacement.failure = exc
        self._feed(event)
        if self._opening is None:
            # There is no other try.
            self._replacement = None
            replacement.failed(exc)

    def _arrive(self, opened: Opened, settings: Settings) -> None:
        """A way has opened: tell the core, which takes it."""
        way = Way(settings.dialect, tasks=self._tasks, on_frame=self._on_frame)
        self._arrived = (way, settings)
        if opened.socket is not None:
            way.carry(opened.socket, unread=opened.unread)
        self._feed(happened.TransportOpened())
        if opened.call is not None:
            self._call_id = opened.call.call_id
            # Not through the core: nothing is decided by it, and no recording should carry it.
            self._show(screen.CallAnswered(sdp=opened.call.sdp))
            self._joining = self._tasks.start("sideband", self._join(way, opened.call, opened.join))

    def _take(self) -> None:
        if self._arrived is None:
            raise AssertionError("the core takes a way after it has been told of it")
        before = self._way
        (self._way, settings), self._arrived = self._arrived, None
        if settings is not self._settings:
            self._give_up(self._joining)
            self._settings = settings
            self._call_id = existing_call(settings)
            self._replacement = None
        if before is not None:
            if before.dialect.abilities.announces_close:
                before.say(intents.CloseSession())
            self._tasks.start("last words", before.finish())

    async def _join(self, way: Way, call: CallAnswer, join: Join) -> None:
        try:
            socket = await sideband(self._settings, call.call_id, join)
        except BackchannelError as exc:
            self._joining = None
            said = str(exc)
            message = said if said.startswith("sideband") else f"sideband failed: {said}"
            self._feed(happened.TransportFailed(message=message, is_final=True, chance=self._chance()))
        else:
            self._joining = None
            way.carry(socket)

    def _lose(self, way: Way, message: str, *, is_final: bool = False) -> None:
        unsent = way.abandon()
        failed = happened.TransportFailed(message=message, is_final=is_final, unsent=unsent, chance=self._chance())
        self._feed(failed)

    async def _on_frame(self, way: Way, frame: Frame) -> None:
        match frame:
            case TextFrame(text=text):
                await self._screen.room()
                if way is self._way:
                    self._decode(text)
            case _ if way is not self._way:
                # It has served its time: what becomes of it is nobody's concern.
                pass
            case BinaryFrame():
                said = "the server sent a binary message, which the realtime protocol does not have"
                self._lose(way, said, is_final=True)
            case Closed():
                self._feed(ending(self._settings, frame, unsent=way.abandon(), chance=self._chance()))
            case _:
                assert_never(frame)

    def _decode(self, text: str) -> None:
        event = self._settings.dialect.decode(text)
        before: tuple[core.Utterance, ...] = ()
        if self._watcher is not None and isinstance(event, server.HandoffRequested):
            before = self._core.said_before(event)
        self._take_in(event)
        if self._watcher is not None and not isinstance(event, server.Skipped | server.AudioOut):
            self._watcher.said(event, before)

    def _take_in(self, event: server.ServerEvent | server.AudioOut | server.Skipped) -> None:
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
            case server.SessionUpdated(session_id=session_id):
                # Without the instructions, which some servers send back: nothing is decided by them, and no recording
                # should carry them.
                self._feed(server.SessionUpdated(session_id=session_id))
            case _:
                self._feed(event)


def _broken(name: str, exc: Exception) -> str:
    return f"{name} failed: {type(exc).__name__}; please report this with a recording (--record)"


def _duration_ms(audio: server.AudioOut) -> int:
    if audio.samples_per_channel is not None:
        return pcm.ms_for_samples(audio.samples_per_channel, rate_hz=audio.rate_hz)
    n_bytes = pcm.base64_decoded_bytes(audio.data)
    return pcm.ms_for_bytes(n_bytes, rate_hz=audio.rate_hz, channels=audio.channels)
